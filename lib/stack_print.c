/* SPDX-License-Identifier: MIT */
/* Stacks for people.  Lines go out by write(2), one each, whatever comes of it. */
#include "stack.h"
#include "annotate.h"
#include "cancel.h"
#include "check.h"
#include "say.h"
#include "symbol.h"

#if INSTRUMENTED
#include <stdio.h>

void copse_stack_print_frames(int fd, const uptr *frames, unsigned n) {
  char line[512], text[384];
  if (!n) {
    static const char none[] = "    (no stack was kept)\n";
    (void)copse_say(fd, none, sizeof none - 1);
  }
  int cancel = cancel_off(); /* files are opened */
  for (unsigned i = 0; i < n; i++) {
    /* A tool's symbolizer knows lines of the source as well. */
    if (!copse_annotate_symbolize(frames[i], text, sizeof text)) copse_symbol_describe(frames[i], text, sizeof text);
    int length = snprintf(line, sizeof line, "    #%u 0x%llx%s%s\n", i, (unsigned long long)frames[i],
                          *text ? " in " : "", text);
    if (length > 0 && !copse_say(fd, line, min_u64((u64)length, sizeof line - 1))) break;
  }
  cancel_back(cancel);
}

void copse_stack_print(int fd, u32 stack) {
  uptr frames[STACK_FRAMES];
  copse_stack_print_frames(fd, frames, copse_stack_frames(stack, frames));
}

#else
typedef int copse_stack_print_is_empty;
#endif
