/* SPDX-License-Identifier: MIT */
#include "say.h"
#include "cancel.h"
#include <errno.h>
#include <unistd.h>

bool copse_say(int fd, const char *text, size_t bytes) {
  int cancel = cancel_off();
  while (bytes) {
    ssize_t n = write(fd, text, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = EIO;
    if (n <= 0) break;
    text += n;
    bytes -= (size_t)n;
  }
  cancel_back(cancel);
  return !bytes;
}
