/* SPDX-License-Identifier: MIT */
/*
 * The binary of workloads: `workloads NAME [key=value ...]` runs one and prints its results as a JSON object.
 * Also --list, --identify (which allocator is this?) and --warm BYTES (touch the machine's memory and give it back).
 */
#include "bench.h"
#include "alloc.h"
#include "workloads.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_OPTIONS 32
#define MAX_RESULTS 64

static struct {
  const char *text;
  bool used;
} options[MAX_OPTIONS];
static unsigned option_count;

static struct {
  const char *name, *unit; /* a note has no unit */
  double value;
} results[MAX_RESULTS];
static unsigned result_count;

static __attribute__((noreturn)) void refuse(const char *what, const char *detail) {
  fprintf(stderr, "workloads: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
  exit(2);
}

/* ------------------------------------------------------------------ options and results */

const char *option_word(const char *key, const char *otherwise) {
  size_t length = strlen(key);
  for (unsigned i = 0; i < option_count; i++)
    if (!strncmp(options[i].text, key, length) && options[i].text[length] == '=') {
      options[i].used = true;
      return options[i].text + length + 1;
    }
  return otherwise;
}

static uint64_t parse_number(const char *text) {
  char *end;
  uint64_t value = strtoull(text, &end, 10);
  if (end == text) refuse("not a number", text);
  switch (*end) {
  case 'G':
    value <<= 10; /* fall through */
  case 'M':
    value <<= 10; /* fall through */
  case 'K':
    value <<= 10;
    end++;
  }
  if (*end) refuse("not a number", text);
  return value;
}

uint64_t option(const char *key, uint64_t otherwise) {
  const char *text = option_word(key, NULL);
  return text ? parse_number(text) : otherwise;
}

bool option_is(const char *key, const char *otherwise, const char *value) {
  return !strcmp(option_word(key, otherwise), value);
}

void result(const char *metric, const char *unit, double value) {
  if (result_count == MAX_RESULTS) refuse("too many results", metric);
  results[result_count].name = metric;
  results[result_count].unit = unit;
  results[result_count++].value = value;
}

void note(const char *name, double value) { result(name, NULL, value); }

void check(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "workloads: check failed: %s\n", what);
  exit(3);
}

/* ------------------------------------------------------------------ memory of the harness */

static void *map(size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) refuse("the harness itself has no memory", NULL);
  return p;
}

void *harness_memory(size_t bytes) {
  void *p = map(bytes);
  memset(p, 0, bytes);
  return p;
}

void evict_caches(void) {
#ifdef _SC_LEVEL3_CACHE_SIZE
  long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
  long l3 = 0; /* musl does not say */
#endif
  size_t bytes = l3 > 0 ? 2 * (size_t)l3 : 0;
  if (bytes < ((size_t)32 << 20)) bytes = (size_t)32 << 20;
  if (bytes > ((size_t)128 << 20)) bytes = (size_t)128 << 20;
  char *p = map(bytes);
  for (unsigned pass = 0; pass < 2; pass++)
    for (size_t at = 0; at < bytes; at += 64) ((volatile char *)p)[at]++;
  munmap(p, bytes);
}

/* Reads a "Name:  123 kB" line of a file in /proc; without stdio, which would allocate. */
static uint64_t kilobytes_of(const char *path, const char *name) {
  char buffer[8192];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  size_t length = 0;
  for (ssize_t got; file >= 0 && (got = read(file, buffer + length, sizeof buffer - 1 - length)) > 0;)
    length += (size_t)got;
  if (file >= 0) close(file);
  buffer[length] = 0;
  const char *line = strstr(buffer, name);
  return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

uint64_t resident_bytes(void) { return kilobytes_of("/proc/self/smaps_rollup", "\nRss:") * 1024; }
uint64_t peak_bytes(void) { return kilobytes_of("/proc/self/status", "\nVmHWM:") * 1024; }

/* ------------------------------------------------------------------ the run */

static void print_results(const char *workload, uint64_t wall, uint64_t peak) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  printf("{\"workload\": \"%s\", \"wall\": %.6f, \"cpu\": %.6f, \"peak\": %llu, \"faults\": %ld", workload,
         (double)wall * 1e-9, cpu, (unsigned long long)peak, usage.ru_minflt);
  for (unsigned part = 0; part < 2; part++) {
    bool notes = part == 1;
    printf(", \"%s\": {", notes ? "notes" : "metrics");
    const char *comma = "";
    for (unsigned i = 0; i < result_count; i++) {
      if (notes != (results[i].unit == NULL)) continue;
      if (notes)
        printf("%s\"%s\": %.9g", comma, results[i].name, results[i].value);
      else
        printf("%s\"%s\": {\"unit\": \"%s\", \"value\": %.9g}", comma, results[i].name, results[i].unit,
               results[i].value);
      comma = ", ";
    }
    printf("}");
  }
  printf("}\n");
}

static void warm(size_t bytes) {
  char *p = map(bytes);
  madvise(p, bytes, MADV_HUGEPAGE);
  for (size_t at = 0; at < bytes; at += 4096) ((volatile char *)p)[at] = 1;
  munmap(p, bytes);
}

static void list(void) {
#define LINE(name, text) printf("%-10s %s\n", #name, text);
  WORKLOADS(LINE)
#undef LINE
}

int main(int argc, char **argv) {
  uint64_t start = now_ns();
  static char buffer[16384];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);

  if (argc < 2) refuse("which workload? --list shows them", NULL);
  if (!strcmp(argv[1], "--list")) return list(), 0;
  if (!strcmp(argv[1], "--identify")) return identify(), 0;
  if (!strcmp(argv[1], "--warm")) return warm(argc > 2 ? parse_number(argv[2]) : (size_t)1 << 30), 0;

  void (*run)(void) = NULL;
#define FIND(name, text)                                                                                               \
  if (!strcmp(argv[1], #name)) run = w_##name;
  WORKLOADS(FIND)
#undef FIND
  if (!run) refuse("no such workload", argv[1]);
  for (int i = 2; i < argc; i++) {
    if (!strchr(argv[i], '=')) refuse("not key=value", argv[i]);
    if (option_count == MAX_OPTIONS) refuse("too many options", argv[i]);
    options[option_count++].text = argv[i];
  }

  run();
  uint64_t end = now_ns(), peak = peak_bytes();
  (void)option("seed", 1); /* not every workload draws */
  for (unsigned i = 0; i < option_count; i++)
    if (!options[i].used) refuse("this workload has no such option", options[i].text);
  print_results(argv[1], end - start, peak);
  return 0;
}
