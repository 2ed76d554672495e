/* SPDX-License-Identifier: MIT */
/*
 * For run.sh: a program of somebody who uses copse and has compiled it with -fsanitize=thread.  Two threads write to
 * one object without order, in one place; all else that they do with copse is as it should be.
 */
#include <copse.h>
#include <copse-inline.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct message {
  int number;
  char text[60];
};

static struct message *board; /* shared; who writes to it has `lock`, but for the planted fault */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int plant;

static struct message *new_message(int number) {
  struct message *m = copse_alloc(sizeof *m);
  if (m) {
    m->number = number;
    memset(m->text, 'x', sizeof m->text);
  }
  return m;
}

__attribute__((noinline)) static void careless(int number) { board->number = number; }

static void *worker(void *argument) {
  int self = *(int *)argument;
  for (int i = 0; i < 2000; i++) {
    struct message *mine = new_message(i);
    if (!mine) return NULL;
    pthread_mutex_lock(&lock);
    struct message *before = board;
    board = mine;
    pthread_mutex_unlock(&lock);
    copse_free(before, sizeof *before); /* another thread's, as a rule */
    if (i % 500 == 0) copse_trim();
  }
  return self ? argument : NULL;
}

static void *one_careless(void *argument) {
  careless(*(int *)argument);
  return NULL;
}

static int run(void *(*function)(void *)) {
  pthread_t thread[2];
  int name[2] = {1, 2};
  for (int i = 0; i < 2; i++)
    if (pthread_create(&thread[i], NULL, function, &name[i])) return 1;
  for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
  return 0;
}

int main(int argc, char **argv) {
  plant = argc > 1 && strcmp(argv[1], "fault") == 0;
  board = new_message(0);
  if (!board || run(worker)) return 1;
  if (plant && run(one_careless)) return 1;
  copse_free(board, sizeof *board);
  puts(copse_version());
  return 0;
}
