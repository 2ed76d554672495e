/* SPDX-License-Identifier: MIT */
/* A failure for people: the interleaving as a table, a column a thread, and how to see it again. */
#include "sites.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Asks addr2line once for each place; the innermost frame that is not a header of orders. */
enum { LINES = 512 };
static struct {
  uptr pc;
  char text[96];
} lines[LINES];
static int line_count;

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *report_line(uptr pc) {
  for (int i = 0; i < line_count; i++)
    if (lines[i].pc == pc) return lines[i].text;
  int at = line_count < LINES ? line_count++ : LINES - 1;
  lines[at].pc = pc;
  snprintf(lines[at].text, sizeof lines[at].text, "%#lx", pc);
  char exe[512], command[640], line[512];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n < 0) return lines[at].text;
  exe[n] = 0;
  snprintf(command, sizeof command, "addr2line -i -e '%s' %#lx 2>/dev/null", exe, pc);
  FILE *f = popen(command, "r");
  if (!f) return lines[at].text;
  bool found = false;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, " \n")] = 0;
    if (found || strchr(line, '?')) continue;
    snprintf(lines[at].text, sizeof lines[at].text, "%.95s", base_name(line));
    found = strncmp(lines[at].text, "atomic.h", 8) != 0;
  }
  pclose(f);
  return lines[at].text;
}

static int number(char *out, size_t room, u128 v, unsigned size) {
  if (size == 16) return snprintf(out, room, "{%llx, %llx}", (unsigned long long)v, (unsigned long long)(v >> 64));
  return snprintf(out, room, "%llx", (unsigned long long)v);
}

static void from_whom(char *out, size_t room, const struct place *p, int store) {
  const struct store *s = &p->stores[store];
  if (s->thread == NO)
    snprintf(out, room, " from the beginning");
  else if (s->event == NO)
    snprintf(out, room, " from a plain store of %c", 'a' + s->thread);
  else
    snprintf(out, room, " from #%d", s->event);
}

static void describe(const struct event *e, char *out, size_t room) {
  const struct op *op = &e->op;
  char value[64] = "", from[64] = "", read[64] = "";
  if (op->kind == LOCK || op->kind == UNLOCK) {
    snprintf(out, room, "%s %lx", site_kinds[op->kind], op->place->base);
    return;
  }
  if (op->kind == CHOOSE) {
    snprintf(out, room, "choose %d", (int)e->value);
    return;
  }
  if (op->kind == SURVIVE) {
    snprintf(out, room, "goes on alone");
    return;
  }
  if (op->kind == FENCE) {
    snprintf(out, room, "fence seq_cst");
    return;
  }
  if (e->read != NO) {
    from_whom(from, sizeof from, op->place, e->read);
    number(read, sizeof read, op->result, op->size);
  }
  if (e->wrote)
    number(value, sizeof value, op->kind == CAS || op->kind == STORE || op->kind == EXCHANGE ? op->operand : e->value,
           op->size);
  int order = op->kind == CAS && !op->done ? op->failure : op->order;
  snprintf(out, room, "%s%s %s %lx%s%s%s%s%s", site_kinds[op->kind], op->kind == CAS && !op->done ? " fails" : "",
           site_orders[order], op->place->base + (op->half == 2 ? 8 : 0), e->read != NO ? " reads " : "", read, from,
           e->wrote ? " writes " : "", value);
}

void report_failure(const struct result *r) {
  printf("\n%s fails at execution %llu: %s\n\n", model_current.name, (unsigned long long)r->executions, r->message);
  int shown = 400, first = now.events > shown ? now.events - shown : 0, width = 56;
  printf("   #  ");
  for (int t = 0; t < now.threads; t++) printf("%-*s", width, (char[]){'a' + (char)t, 0});
  printf("\n");
  if (first) printf("      (%d events before these)\n", first);
  for (int i = first; i < now.events; i++) {
    const struct event *e = &now.event[i];
    char text[256];
    describe(e, text, sizeof text);
    printf("%4d  %*s%s\n", i, width * e->thread, "", report_line(e->op.pc));
    printf("      %*s  %s\n", width * e->thread, "", text);
  }
  printf("\nto see it again:\n  tests/model/model --replay '%s' %s\n\n", r->schedule, model_current.name);
  fflush(stdout);
}
