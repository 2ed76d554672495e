/* SPDX-License-Identifier: MIT */
/*
 * Out of memory by a control group.  The system has no way to refuse there: it kills.  So this shows that what copse holds stays below:
 * in a group of so much memory four threads use a multiple of it, in turns between which all is given back; and a process that does
 * not give back is killed, which shows that the group's limit is one.
 */
#include "shelf.h"
#include "state.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MB ((size_t)1 << 20)
enum { LIMIT_MB = 96, THREADS = 4, TURNS = 6, MOST = 4000 };
/* Of it, what the threads use at a time.  With redzones a size of 2^n takes 2^n and a quarter; records and the quarantine come to that. */
#ifdef COPSE_INSTRUMENTED
enum { USED_MB = LIMIT_MB * 2 / 5 };
#else
enum { USED_MB = LIMIT_MB * 2 / 3 };
#endif
static char folder[600];
static bool second; /* version 2 of the interface */

static bool write_to(const char *name, const char *text) {
  char path[700];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (!file) return false;
  bool written = fputs(text, file) >= 0;
  return fclose(file) == 0 && written;
}

/* A group below this process's own. */
static bool group_make(void) {
  char line[512], number[32];
  FILE *file = fopen("/proc/self/cgroup", "r");
  folder[0] = 0;
  while (file && fgets(line, sizeof line, file)) {
    char *path = strrchr(line, ':');
    line[strcspn(line, "\n")] = 0;
    second = strncmp(line, "0::", 3) == 0;
    if (!second && !strstr(line, ":memory:")) continue;
    snprintf(folder, sizeof folder, "/sys/fs/cgroup%s%s/copse-stress-%d", second ? "" : "/memory", strcmp(path + 1, "/") ? path + 1 : "", (int)getpid());
    if (mkdir(folder, 0755) == 0) break;
    folder[0] = 0;
  }
  if (file) fclose(file);
  snprintf(number, sizeof number, "%zu", LIMIT_MB * MB);
  if (!folder[0]) return false;
  if (!write_to(second ? "memory.max" : "memory.limit_in_bytes", number)) return false;
  /* Where there is a swap, or it is not counted, this does not exist. */
  write_to(second ? "memory.swap.max" : "memory.memsw.limit_in_bytes", second ? "0" : number);
  return true;
}

static void work(struct hand *hand) {
  static _Thread_local struct object held[MOST];
  size_t size = (size_t)1 << (9 + random_below(&hand->random, 9)), n = USED_MB * MB / THREADS / size;
  if (n > MOST) n = MOST;
  for (size_t i = 0; i < n; i++) object_make(hand, size, &held[i]);
  if (stress_planted("kept")) return;
  for (size_t i = 0; i < n; i++) object_free(hand, &held[i]);
  copse_thread_flush();
}

static void use(struct hand *hand) {
  (void)hand;
  for (unsigned turn = 0; turn < TURNS; turn++) {
    crew(THREADS, work, NULL);
    copse_trim();
  }
  stress_balance(0);
  hands_count();
}

static void too_much(struct hand *hand) {
  struct object o;
  for (unsigned i = 0; i < 3 * LIMIT_MB; i++) object_make(hand, MB, &o);
}

/* In the group; its status. */
static int in_group(struct hand *hand, void (*body)(struct hand *)) {
  int ends[2], status = -1;
  require(pipe(ends) == 0);
  pid_t pid = fork();
  require(pid >= 0);
  if (pid == 0) {
    char go;
    alarm(stress_limit());
    if (read(ends[0], &go, 1) == 1) body(hand);
    fflush(stdout);
    _exit(0);
  }
  char text[32];
  snprintf(text, sizeof text, "%d", (int)pid);
  bool entered = write_to("cgroup.procs", text);
  require(write(ends[1], "", 1) == 1 || !entered);
  close(ends[0]);
  close(ends[1]);
  while (waitpid(pid, &status, 0) != pid) require(errno == EINTR);
  return entered ? status : -1;
}

static void one_round(struct hand *hand) {
  if (UNDER_SANITIZER) stress_skip_all("a sanitizer's shadow counts, too");
  if (!group_make()) {
    if (folder[0]) rmdir(folder);
    stress_skip_all("no control group with a limit of memory can be made below this process's");
  }
  int well = in_group(hand, use), killed = well == -1 ? -1 : in_group(hand, too_much);
  rmdir(folder);
  if (well == -1) stress_skip_all("no process may be put in the control group");
  if (WIFSIGNALED(well)) printf("# in the group: ended by signal %d\n", WTERMSIG(well));
  require(well == 0);
  require(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL);
  stress_add("megabytes used in turns in groups of 96 MB, about", TURNS * USED_MB);
  stress_add("processes that took more than the group has, and were killed", 1);
}

const struct scenario stress_scenario = {
  "four threads in a control group of 96 MB use more than twice as much, in turns",
  STRESS_FRESH,
  one_round,
};
