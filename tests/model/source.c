/* SPDX-License-Identifier: MIT */
#include "source.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 4096, ALLOWED = 128, WIDTH = 300 };

static char directory[512]; /* of the library's sources, as the compiler named it */

static char *trim(char *line) {
  line += strspn(line, " \t");
  size_t n = strlen(line);
  while (n && strchr(" \t\r\n", line[n - 1])) line[--n] = 0;
  char *comment = strstr(line, " /*");
  if (comment) *comment = 0;
  return line;
}

/* ---- a call's source line ---- */

static bool line_of(const char *path, unsigned number, char *out, size_t room) {
  char line[1024];
  FILE *f = fopen(path, "r");
  if (!f) return false;
  bool found = false;
  for (unsigned i = 1; !found && fgets(line, sizeof line, f); i++)
    if (i == number) {
      snprintf(out, room, "%s", trim(line));
      found = true;
    }
  fclose(f);
  return found;
}

/* The same text may stand in a file more than once: from the second on it is numbered. */
static unsigned copies_above(const char *path, const char *text, unsigned number) {
  char line[1024];
  unsigned n = 0;
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  for (unsigned i = 1; i < number && fgets(line, sizeof line, f); i++) n += !strcmp(trim(line), text);
  fclose(f);
  return n;
}

static char *make_key(const char *path, const char *text, unsigned number) {
  char key[WIDTH];
  const char *slash = strrchr(path, '/');
  unsigned above = copies_above(path, text, number);
  int n = snprintf(key, sizeof key, "%.60s: %.220s", slash ? slash + 1 : path, text);
  if (above) snprintf(key + n, sizeof key - (size_t)n, " (%u)", above + 1);
  return strdup(key);
}

static struct {
  uptr pc;
  const char *key;
  bool library;
} known[KEYS];
static int known_count;

/* The innermost line that is not in the header of orders; of the library before what includes it. */
static const char *look_up(uptr pc, bool *library) {
  char exe[512], command[700], line[1024], text[1024];
  const char *key = NULL;
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n < 0) return NULL;
  exe[n] = 0;
  snprintf(command, sizeof command, "addr2line -i -e '%s' %#lx", exe, pc);
  FILE *f = popen(command, "r");
  if (!f) return NULL;
  while (fgets(line, sizeof line, f)) {
    char *colon = strrchr(line, ':'), *lib = strstr(line, "/lib/");
    if (key || !colon || strstr(line, "/atomic.h:") || strchr(line, '?')) continue;
    *colon = 0;
    if (lib && !directory[0]) snprintf(directory, sizeof directory, "%.*s", (int)(lib + 5 - line), line);
    if (line_of(line, (unsigned)atoi(colon + 1), text, sizeof text))
      key = make_key(line, text, (unsigned)atoi(colon + 1));
    *library = key && lib;
  }
  pclose(f);
  return key;
}

static int known_at(uptr pc) {
  for (int i = 0; i < known_count; i++)
    if (known[i].pc == pc) return i;
  if (known_count == KEYS) abort();
  known[known_count].pc = pc;
  known[known_count].key = look_up(pc, &known[known_count].library);
  return known_count++;
}

const char *source_key(uptr pc) { return known[known_at(pc)].key; }
bool source_of_library(uptr pc) { return known[known_at(pc)].library; }

/* ---- all lines that name an order ---- */

static const char *ordered[KEYS];
static int ordered_count, ordered_at;

static bool names_order(const char *line) {
  static const char *const names[] = {"load_acquire(",     "store_release(",   "exchange_acquire(", "exchange_acq_rel(",
                                      "add_release(",      "cas_acquire(",     "cas_release(",      "cas_pair_release(",
                                      "cas_pair_acquire(", "__ATOMIC_ACQUIRE", "__ATOMIC_RELEASE",  "__ATOMIC_ACQ_REL",
                                      "__ATOMIC_SEQ_CST"};
  if (line[0] == '*' || !strncmp(line, "/*", 2)) return false;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strstr(line, names[i])) return true;
  return false;
}

const char *source_first_ordered(void) {
  ordered_count = ordered_at = 0;
  DIR *d = opendir(directory);
  if (!d) return NULL;
  for (struct dirent *e; (e = readdir(d));) {
    size_t n = strlen(e->d_name);
    if (n < 3 || (strcmp(e->d_name + n - 2, ".c") && strcmp(e->d_name + n - 2, ".h")) || !strcmp(e->d_name, "atomic.h"))
      continue;
    char path[1100], line[1024];
    snprintf(path, sizeof path, "%s%s", directory, e->d_name);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    for (unsigned i = 1; fgets(line, sizeof line, f); i++) {
      char *text = trim(line);
      if (names_order(text) && ordered_count < KEYS) ordered[ordered_count++] = make_key(path, text, i);
    }
    fclose(f);
  }
  closedir(d);
  return source_next_ordered();
}

const char *source_next_ordered(void) { return ordered_at < ordered_count ? ordered[ordered_at++] : NULL; }

/* ---- what is allowed: a name, a line; then lines that begin with a blank, which are its argument ---- */

static struct {
  char name[WIDTH + 40];
  bool argued, used;
} allowed[ALLOWED];
static int allowed_count;

bool source_allowed_read(const char *path) {
  char line[1024];
  FILE *f = fopen(path, "r");
  if (!f) {
    printf("not ok %s cannot be read\n", path);
    return false;
  }
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (!line[0] || line[0] == '#') continue;
    if (line[0] == ' ') {
      if (allowed_count) allowed[allowed_count - 1].argued = true;
    } else if (allowed_count < ALLOWED) {
      snprintf(allowed[allowed_count++].name, sizeof allowed[0].name, "%.330s", line);
    }
  }
  fclose(f);
  for (int i = 0; i < allowed_count; i++)
    if (!allowed[i].argued) {
      printf("not ok no argument: %s\n", allowed[i].name);
      return false;
    }
  return true;
}

bool source_allowed(const char *name) {
  for (int i = 0; i < allowed_count; i++)
    if (!strcmp(allowed[i].name, name)) return allowed[i].used = true;
  return false;
}

int source_stale(void) {
  int stale = 0;
  for (int i = 0; i < allowed_count; i++)
    if (!allowed[i].used) {
      printf("STALE    %s\n", allowed[i].name);
      stale++;
    }
  return stale;
}
