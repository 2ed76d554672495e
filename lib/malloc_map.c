/* SPDX-License-Identifier: MIT */
/*
 * A snapshot of the heap when the process ends, where COPSE_MAP names a file (copse-run --map).  "%p" in the name is the pid, "%%" a "%".
 *
 * Each process of a program writes one, at times two at once: so it is written beside the file, and moved there when it is
 * whole.  The last to end has the file.  What is no regular file, a terminal or a pipe, is written to as it is.  A symbolic link stays:
 * who may make files in /dev had else no /dev/stdout any more.
 * Nothing is said where it fails: at its end a process may have closed stderr, and given its number to something else.
 */
#include "base.h"
#include "copse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME = 4096 };

#ifdef __GLIBC__
/* The drop-in's constructors run before those of all others (-z initfirst), glibc's among them, which sets this to the same. */
__attribute__((constructor(101))) static void environment_early(int argc, char **argv, char **envp) {
  (void)argc;
  (void)argv;
  if (!environ) environ = envp;
}
#endif

/* As it was at the start: a program may change its environment.  Written by the constructor only. */
static char wanted[NAME];

__attribute__((constructor)) static void map_prepare(void) {
  const char *value = secure_getenv("COPSE_MAP");
  if (value && strlen(value) < NAME) strcpy(wanted, value);
}

/* false: too long. */
static bool make_name(char name[NAME], const char *pattern, unsigned pid) {
  size_t used = 0;
  for (; *pattern; pattern++) {
    int n;
    if (pattern[0] == '%' && pattern[1] == 'p') {
      n = snprintf(name + used, NAME - used, "%u", pid);
      pattern++;
    } else {
      n = snprintf(name + used, NAME - used, "%c", *pattern);
      if (pattern[0] == '%' && pattern[1] == '%') pattern++;
    }
    used += (size_t)n;
    if (used >= NAME) return false;
  }
  return true;
}

static void write_beside(const char *name, unsigned pid) {
  static char beside[NAME];
  if (snprintf(beside, sizeof beside, "%s.%u", name, pid) >= (int)sizeof beside) return;
  unlink(beside); /* of a process that was killed while it wrote, and had the same pid */
  int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return;
  bool whole = !copse_heap_write(fd);
  whole = !close(fd) && whole;
  if (!whole || rename(beside, name)) unlink(beside);
}

__attribute__((destructor)) static void map_at_exit(void) {
  static char name[NAME], file[PATH_MAX];
  struct stat there;
  unsigned pid = (unsigned)getpid();
  if (!*wanted || !make_name(name, wanted, pid)) return;
  int saved = errno;
  bool exists = !stat(name, &there);
  if (exists && S_ISREG(there.st_mode) && realpath(name, file)) {
    write_beside(file, pid);
  } else if (!exists && lstat(name, &there)) {
    write_beside(name, pid);
  } else {
    /* A link to nothing may be one to a descriptor that the program has closed. */
    int fd = open(name, O_WRONLY | O_CLOEXEC | O_NOCTTY | (exists ? 0 : O_CREAT), 0666);
    if (fd >= 0) {
      copse_heap_write(fd);
      close(fd);
    }
  }
  errno = saved;
}
