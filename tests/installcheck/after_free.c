/* SPDX-License-Identifier: MIT */
/* For run.sh: a program with -fsanitize=address that uses an object after it freed it, if it is asked to. */
#include <copse.h>
#include <copse-inline.h>
#include <stdio.h>
#include <string.h>

struct node {
  struct node *next;
  long value;
};

static struct node *push(struct node *list, long value) {
  struct node *n = copse_alloc(sizeof *n);
  if (n) *n = (struct node){list, value};
  return n;
}

static void drop(struct node *n) { copse_free(n, sizeof *n); }

__attribute__((noinline)) static long sum_dropped(struct node *list, int stale) {
  long sum = 0;
  while (list) {
    struct node *next = list->next;
    drop(list);
    sum += stale ? list->value : 0;
    list = next;
  }
  return sum;
}

int main(int argc, char **argv) {
  struct node *list = NULL;
  for (long i = 0; i < 1000; i++)
    if (!(list = push(list, i))) return 1;
  long sum = sum_dropped(list, argc > 1 && strcmp(argv[1], "fault") == 0);
  printf("%s %ld\n", copse_version(), sum);
  return 0;
}
