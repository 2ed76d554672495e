/* SPDX-License-Identifier: MIT */
/*
 * Fibres, each with a stack and with the thread-local memory of a real thread, which sleeps for ever: so the code under
 * test finds a thread-local variable of its own at an address of its own.  The switch saves what the calling convention
 * says a call keeps, and, for scenarios that ask for it (it may cost a system call), changes the thread pointer.
 */
#include "engine.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIBRES = T + 2, HOST = T + 1, STACK = 256 << 10 };

/* Index T is that of setup and final check. */
static struct fibre {
  void *sp;
  uptr tls;
  char *stack;
  void (*run)(void);
} fibres[FIBRES];

void model_switch(void **save, void *load);

#if defined(__x86_64__)
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
__asm__(".text\n.globl model_switch\n.type model_switch,@function\nmodel_switch:\n"
        "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
        "  mov %rsp, (%rdi)\n  mov %rsi, %rsp\n"
        "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n  ret\n"
        ".size model_switch, .-model_switch\n");
static bool fast_tls;
static uptr tls_get(void) {
  uptr at;
  __asm__ volatile("movq %%fs:0, %0" : "=r"(at));
  return at;
}
static void tls_set(uptr at) {
  if (fast_tls)
    __asm__ volatile(".byte 0xf3, 0x48, 0x0f, 0xae, 0xd0" ::"a"(at) : "memory"); /* wrfsbase %rax */
  else
    syscall(SYS_arch_prctl, ARCH_SET_FS, at);
}
static void tls_start(void) { fast_tls = getauxval(AT_HWCAP2) & 2; }
enum { FRAME = 7 };
#elif defined(__aarch64__)
__asm__(".text\n.globl model_switch\n.type model_switch,%function\nmodel_switch:\n"
        "  sub sp, sp, #176\n"
        "  stp x19, x20, [sp]\n  stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n  stp x25, x26, [sp, #48]\n"
        "  stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
        "  stp d8, d9, [sp, #96]\n  stp d10, d11, [sp, #112]\n  stp d12, d13, [sp, #128]\n  stp d14, d15, [sp, #144]\n"
        "  mov x9, sp\n  str x9, [x0]\n  mov sp, x1\n"
        "  ldp x19, x20, [sp]\n  ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n  ldp x25, x26, [sp, #48]\n"
        "  ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
        "  ldp d8, d9, [sp, #96]\n  ldp d10, d11, [sp, #112]\n  ldp d12, d13, [sp, #128]\n  ldp d14, d15, [sp, #144]\n"
        "  add sp, sp, #176\n  ret\n"
        ".size model_switch, .-model_switch\n");
static uptr tls_get(void) {
  uptr at;
  __asm__ volatile("mrs %0, tpidr_el0" : "=r"(at));
  return at;
}
static void tls_set(uptr at) { __asm__ volatile("msr tpidr_el0, %0" ::"r"(at) : "memory"); }
static void tls_start(void) {}
enum { FRAME = 22, LINK = 11 };
#else
#error "no switch for this processor"
#endif

static pthread_barrier_t ready;
static uptr errno_at;

static void *sleeper(void *fibre) {
  ((struct fibre *)fibre)->tls = tls_get();
  pthread_barrier_wait(&ready);
  for (;;) pause();
  return NULL;
}

void fibre_setup(void) {
  tls_start();
  pthread_barrier_init(&ready, NULL, T + 2);
  for (int i = 0; i <= T; i++) {
    pthread_t id;
    fibres[i].stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fibres[i].stack == MAP_FAILED || pthread_create(&id, NULL, sleeper, &fibres[i])) abort();
  }
  fibres[HOST].tls = tls_get();
  errno_at = (uptr)&errno;
  pthread_barrier_wait(&ready);
}

static int starting;

static void enter(void) {
  fibres[starting].run();
  abort(); /* it ends by a switch */
}

void fibre_make(int thread, void (*run)(void)) {
  struct fibre *f = &fibres[thread];
  f->run = run;
  void **top = (void **)(f->stack + STACK) - 2;
#if defined(__x86_64__)
  *--top = NULL; /* where `enter` would return to; and the alignment of a call */
  *--top = (void *)enter;
  top -= FRAME - 1;
#else
  top -= FRAME;
  top[LINK] = (void *)enter;
#endif
  f->sp = top;
}

/* Variables of which each fibre has values of its own, at one address: cheaper than a thread pointer. */
enum { LOCALS = 3 };
static struct local {
  char *at;
  size_t n;
  char first[8], own[FIBRES][8];
} locals[LOCALS];

void model_thread_local(void *p, size_t n) {
  struct local *l = locals;
  while (l < locals + LOCALS && l->at && l->at != p) l++;
  if (l == locals + LOCALS || n > sizeof l->first) model_fail("too many thread-local bytes");
  l->at = p;
  l->n = n;
  memcpy(l->first, p, n);
}

/* errno too is each thread's own, and is nobody's concern here. */
bool fibre_local(uptr address) {
  for (const struct local *l = locals; l < locals + LOCALS; l++)
    if (address - (uptr)l->at < l->n) return true;
  return address == errno_at;
}

void fibre_start(void) {
  for (struct local *l = locals; l < locals + LOCALS && l->n; l++) {
    memcpy(l->at, l->first, l->n);
    for (int i = 0; i < FIBRES; i++) memcpy(l->own[i], l->first, l->n);
  }
}

void fibre_switch(int from, int to) {
  starting = to;
  for (struct local *l = locals; l < locals + LOCALS && l->n; l++) {
    memcpy(l->own[from], l->at, l->n);
    memcpy(l->at, l->own[to], l->n);
  }
  if (model_current.own_tls) tls_set(fibres[to].tls);
  model_switch(&fibres[from].sp, fibres[to].sp);
}

bool fibre_owns(int thread, uptr address) { return address - (uptr)fibres[thread].stack < STACK; }

void fibre_host(void) {
  if (model_current.own_tls) tls_set(fibres[HOST].tls);
}
