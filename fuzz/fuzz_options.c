/* SPDX-License-Identifier: MIT */
/*
 * The parser of COPSE_OPTIONS against one that takes every option apart by hand: what is set, and how often it complains.
 * stderr is a file while it runs, so that the complaints can be counted.
 */
#include "expect.h"
#include "target.h"
#include "tune.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 1024, PARAMETERS = 32 };

static uint64_t expected[PARAMETERS];

static uint64_t unit_of(char c) {
  switch (c) {
  case 'K': return 10;
  case 'M': return 20;
  case 'G': return 30;
  case 'T': return 40;
  default: return 0;
  }
}

/* Digits and at most one unit, in 128 bits.  false: not so, or more than 64 bits. */
static bool number_of(const char *text, size_t length, uint64_t *value) {
  unsigned __int128 n = 0;
  size_t digits = 0;
  for (; digits < length && text[digits] >= '0' && text[digits] <= '9'; digits++) {
    n = n * 10 + (unsigned)(text[digits] - '0');
    if (n > UINT64_MAX) return false;
  }
  if (!digits || length > digits + 1) return false;
  if (length > digits) {
    if (!unit_of(text[digits])) return false;
    n <<= unit_of(text[digits]);
  }
  *value = (uint64_t)n;
  return n <= UINT64_MAX;
}

/* true: it is one to complain of. */
static bool take(const char *option, size_t length) {
  size_t name = 0;
  while (name < length && option[name] != '=') name++;
  unsigned i = 0;
  for (; copse_parameters[i].name; i++)
    if (strlen(copse_parameters[i].name) == name && memcmp(copse_parameters[i].name, option, name) == 0) break;
  const struct parameter *p = &copse_parameters[i];
  uint64_t value;
  if (!p->name || name == length || !number_of(option + name + 1, length - name - 1, &value)) return true;
  if (value < p->least || value > p->greatest) return true;
  expected[i] = value;
  return false;
}

static unsigned lines_of(int file) {
  char text[4096];
  unsigned lines = 0;
  ssize_t n;
  lseek(file, 0, SEEK_SET);
  while ((n = read(file, text, sizeof text)) > 0)
    for (ssize_t i = 0; i < n; i++) lines += text[i] == '\n';
  return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int file = -1;
  char text[MOST + 1];
  unsigned complaints = 0, newlines = 0;
  if (size > MOST) size = MOST;
  memcpy(text, data, size);
  text[size] = 0;
  size = strlen(text);
  if (file < 0) file = memfd_create("complaints", MFD_CLOEXEC);
  expect(file >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
  for (unsigned i = 0; copse_parameters[i].name; i++) {
    *copse_parameters[i].value = expected[i] = copse_parameters[i].initial;
    expect(i + 1 < PARAMETERS);
  }
  for (size_t at = 0, end; at < size; at = end + 1) {
    for (end = at; end < size && text[end] != ',';) end++;
    if (end == at || !take(text + at, end - at)) continue;
    complaints++;
    /* It is quoted, up to 80 bytes of it. */
    for (size_t i = at; i < end && i < at + 80; i++) newlines += text[i] == '\n';
  }
  int saved = dup(STDERR_FILENO);
  fflush(stderr);
  expect(saved >= 0 && dup2(file, STDERR_FILENO) >= 0);
  errno = 77;
  copse_options_read(text);
  int error = errno;
  expect(dup2(saved, STDERR_FILENO) >= 0 && close(saved) == 0);
  expect(error == 77);
  expect(lines_of(file) == complaints + newlines);
  for (unsigned i = 0; copse_parameters[i].name; i++) {
    uint64_t value = 0;
    expect(copse_parameter_get(copse_parameters[i].name, &value) == 0 && value == expected[i]);
  }
  return 0;
}
