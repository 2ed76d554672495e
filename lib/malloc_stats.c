/* SPDX-License-Identifier: MIT */
/*
 * The summary that people read: malloc_stats() prints it, and so does a process at its end when COPSE_SHOW_STATS asks
 * for it (copse-run --stats).
 *
 * It is made on the stack, of integers and short words, and goes out by write(2): nothing here allocates, neither
 * copse nor stdio.  Each line starts with program and pid, since a process's children print theirs as well; a text of
 * up to PIPE_BUF bytes is one write, so that the lines of two processes do not mix.
 */
#include "malloc_summary.h"
#include "malloc_words.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* ------------------------------------------------------------------ a text that needs no heap */

#define LINE_MAX_BYTES 256

struct text {
  int fd;
  unsigned used;
  char who[48];
  char bytes[4096];
};

static void text_flush(struct text *text) {
  (void)copse_say(text->fd, text->bytes, text->used); /* where nobody reads there is nothing better to do about it */
  text->used = 0;
}

__attribute__((format(printf, 2, 3))) static void text_line(struct text *text, const char *format, ...) {
  if (sizeof text->bytes - text->used < LINE_MAX_BYTES) text_flush(text);
  char *line = text->bytes + text->used;
  int n = snprintf(line, LINE_MAX_BYTES, "%s ", text->who);
  va_list args;
  va_start(args, format);
  n += vsnprintf(line + n, LINE_MAX_BYTES - (size_t)n, format, args);
  va_end(args);
  if (n > LINE_MAX_BYTES - 1) n = LINE_MAX_BYTES - 1;
  line[n++] = '\n';
  text->used += (unsigned)n;
}

/* Bytes for people: three or four digits and a unit.  Integers only, since printf may allocate for a double. */
struct human {
  char text[16];
};

static struct human human(u64 bytes) {
  static const char *const unit[] = {"B", "KB", "MB", "GB", "TB"};
  unsigned i = 0;
  u64 tenths = min_u64(bytes, UINT64_MAX / 10) * 10;
  for (; tenths >= 10240 && i < 4; i++) tenths /= 1024;
  struct human out;
  if (i && tenths < 1000) {
    snprintf(out.text, sizeof out.text, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10), unit[i]);
  } else {
    snprintf(out.text, sizeof out.text, "%" PRIu64 " %s", min_u64(tenths / 10, 99999999), unit[i]);
  }
  return out;
}

/* ------------------------------------------------------------------ the summary */

#define N "%" PRIu64

static void text_classes(struct text *text, const struct copse_stats *stats) {
  text_line(text, "  %8s %8s %10s %10s %10s %10s %8s", "size", "blocks", "live", "cached", "free", "bare", "locked");
  for (unsigned i = 0; i < COPSE_CLASSES; i++) {
    const struct copse_class_stats *class = &stats->classes[i];
    if (!class->blocks) continue;
    text_line(text, "  %8" PRIu64 " %8" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %8" PRIu64,
              class->size, class->blocks, class_live(class), class->cached, class->free, class->bare, class->locked);
  }
}

static void print_summary(int fd, const char *when) {
  struct copse_stats stats;
  struct text text;
  copse_stats(&stats);
  struct summary sum = summarise(&stats);
  text.fd = fd;
  text.used = 0;
  snprintf(text.who, sizeof text.who, "%.31s[%d]:", program_invocation_short_name, (int)getpid());
  text_line(&text, "copse %s, %s", copse_version(), when);
  text_line(&text, "  live         %9s in " N " objects, %s in " N " spans", human(sum.live_bytes).text, sum.live_slots,
            human(stats.span_bytes).text, stats.spans);
  text_line(&text, "  free         %9s in " N " slots, of which %s cached by " N " threads", human(sum.free_bytes).text,
            sum.free_slots, human(sum.cached_bytes).text, stats.threads);
  text_line(&text, "  reserved     %9s of addresses, %s committed, %s in use, %s for copse itself",
            human(stats.reserved).text, human(stats.committed).text, human(stats.in_use).text,
            human(stats.metadata).text);
  text_line(&text, "  given back   %9s in " N " trims; %s of spans kept for reuse", human(stats.decommitted).text,
            stats.generation, human(stats.span_cached).text);
  text_line(&text, "  bundles      %9" PRIu64 " from pools, " N " to pools, " N " from other threads, " N " to them",
            stats.refills, stats.flushes, stats.pops, stats.pushes);
  text_line(&text, "  huge pages   %9s advised, %s of 2 MB, %s of 1 GB (" N " and " N " requests fell back)",
            human(stats.huge_advised).text, human(stats.huge_2m).text, human(stats.huge_1g).text,
            stats.huge_2m_fallbacks, stats.huge_1g_fallbacks);
  text_line(&text, "  system calls %9" PRIu64, stats.system_calls);
  text_classes(&text, &stats);
  text_flush(&text);
}

EXPORT void malloc_stats(void) {
  int saved = errno;
  print_summary(STDERR_FILENO, "memory now:");
  errno = saved;
}

/* ------------------------------------------------------------------ at exit */

/*
 * Programs close stderr before they end (coreutils does, to see write errors), and reuse descriptors.  So the file is
 * duplicated at start, and known again at the end by its device and inode: the summary goes there, or nowhere.
 * Written by the constructor only.
 */
static struct {
  int wanted, copy; /* -1: none */
  dev_t device;
  ino_t inode;
} show = {.wanted = -1, .copy = -1};

static bool is_the_file(int fd) {
  struct stat now;
  return fd >= 0 && !fstat(fd, &now) && now.st_dev == show.device && now.st_ino == show.inode;
}

/* A descriptor's number; any other value means stderr. */
static int descriptor_of(const char *value) {
  int fd = 0;
  if (!*value) return STDERR_FILENO;
  for (; *value >= '0' && *value <= '9' && fd < 100000; value++) fd = fd * 10 + (*value - '0');
  return *value ? STDERR_FILENO : fd;
}

__attribute__((constructor)) static void show_prepare(void) {
  const char *value = secure_getenv("COPSE_SHOW_STATS");
  if (!value) return;
  int saved = errno;
  struct stat file;
  int fd = descriptor_of(value);
  if (!fstat(fd, &file)) {
    show.device = file.st_dev;
    show.inode = file.st_ino;
    show.wanted = fd;
    show.copy = fcntl(fd, F_DUPFD_CLOEXEC, 200); /* out of the way of programs that expect low numbers */
  }
  errno = saved;
}

__attribute__((destructor)) static void show_at_exit(void) {
  if (show.wanted < 0) return;
  if (is_the_file(show.copy)) {
    print_summary(show.copy, "memory at exit:");
  } else if (is_the_file(show.wanted)) {
    print_summary(show.wanted, "memory at exit:");
  }
}
