/* SPDX-License-Identifier: MIT */
/*
 * copse-map: draws a snapshot of copse_heap_write, as SVG or on a terminal.
 * Here: options, files, and what the terminal is like.
 */
#include "map.h"
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char usage[] =
  "Usage: copse-map [OPTION]... [FILE]\n"
  "Draws what is in use and what is free of a program's memory, block by block, from a snapshot in FILE or standard input:\n"
  "of copse_heap_write, or of copse-run --map.\n"
  "\n"
  "  --svg          as SVG, for a browser; what standard output gets if it is no terminal\n"
  "  --terminal     as lines of text, in colours where it is a terminal and NO_COLOR is not set\n"
  "  --output=FILE  write to FILE\n"
  "  --help         print this and exit\n"
  "  --version      print the version and exit\n"
  "\n"
  "Exit status: 0; 2 if the snapshot is none, is not whole, or something cannot be read or written.\n";

__attribute__((format(printf, 1, 2))) static _Noreturn void fail(const char *format, ...) {
  va_list arguments;
  fputs("copse-map: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  putc('\n', stderr);
  exit(2);
}

static unsigned columns_of(int fd) {
  const char *said = getenv("COLUMNS");
  struct winsize size;
  char *end;
  if (said && *said >= '1' && *said <= '9') {
    unsigned long columns = strtoul(said, &end, 10);
    if (!*end && columns <= 10000) return (unsigned)columns;
  }
  return !ioctl(fd, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

static bool has_colours(int fd) {
  const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
  return isatty(fd) && !(none && *none) && terminal && strcmp(terminal, "dumb") != 0;
}

static void draw(const struct map *map, const char *output, bool svg, bool terminal) {
  FILE *out = stdout;
  const char *name = output ? output : "standard output";
  if (output && !(out = fopen(output, "we"))) fail("%s: %s", output, strerror(errno));
  int fd = fileno(out);
  if (svg || (!terminal && !isatty(fd))) map_svg(map, out);
  else map_terminal(map, out, columns_of(fd), has_colours(fd));
  errno = 0;
  if (ferror(out) | (output ? fclose(out) : fflush(out))) fail("%s: %s", name, errno ? strerror(errno) : "cannot be written");
}

/* Of what --help and --version print. */
static int finish(void) {
  if (fflush(stdout)) fail("standard output: %s", strerror(errno));
  return 0;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"svg", no_argument, NULL, 's'},      {"terminal", no_argument, NULL, 't'},
                                          {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'v'},  {NULL, 0, NULL, 0}};
  bool svg = false, terminal = false;
  const char *output = NULL;
  opterr = 0;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (option) {
    case 's': svg = true; break;
    case 't': terminal = true; break;
    case 'o': output = optarg; break;
    case 'h': fputs(usage, stdout); return finish();
    case 'v':
      printf("copse-map %d.%d.%d\n", COPSE_VERSION_MAJOR, COPSE_VERSION_MINOR, COPSE_VERSION_PATCH);
      return finish();
    default: fail("what is '%s'? (copse-map --help lists the options)", argv[optind - 1]);
    }
  }
  if (svg && terminal) fail("--svg or --terminal, not both");
  if (argc - optind > 1) fail("more than one file");
  const char *name = optind < argc && strcmp(argv[optind], "-") != 0 ? argv[optind] : NULL;
  FILE *in = name ? fopen(name, "re") : stdin;
  if (!in) fail("%s: %s", name, strerror(errno));
  struct map map;
  struct fault fault;
  if (!name) name = "standard input";
  if (!map_read(in, &map, &fault)) {
    if (fault.line) fail("%s:%lu: %s", name, fault.line, fault.what);
    fail("%s: %s", name, fault.what);
  }
  if (in != stdin) fclose(in);
  draw(&map, output, svg, terminal);
  free(map.blocks);
  return 0;
}
