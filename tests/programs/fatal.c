// SPDX-License-Identifier: Apache-2.0
// fatal HOW: what the program sees of signals that end it, then one of them.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static const int kFatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF};

CALLED static int read_from(volatile int* place) {
  int read = *place;  // dies here
  return read + 1;
}
CALLED static int call_it(int (*function)(int)) {
  return function(1) + 1;  // calls no code
}
CALLED static int divide(volatile int by) { return 100 / by; }

CALLED static int deep(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return deep(depth + 1) + frame[0];
}

static void trap(void) { __asm__ volatile("int3"); }

static void leave(int number) {
  char text[] = "own handler, signal 00\n";
  text[20] = (char)('0' + number / 10);
  text[21] = (char)('0' + number % 10);
  if (write(1, text, sizeof text - 1)) _exit(3);
}

static void come_back(int number) { signal(number, SIG_DFL); }

static void show(const char* when, int number) {
  struct sigaction now;
  sigaction(number, NULL, &now);
  printf("%s: signal %d %s flags %x mask %d\n", when, number,
         now.sa_handler == SIG_DFL   ? "default"
         : now.sa_handler == SIG_IGN ? "ignored"
                                     : "handled",
         (unsigned)now.sa_flags, sigismember(&now.sa_mask, number));
}

static const char* name_of(void (*handler)(int)) {
  return handler == SIG_DFL ? "default" : handler == SIG_IGN ? "ignored" : "handled";
}

// Every way to set and to ask, for each signal.
static void show_all(void) {
  for (size_t i = 0; i < sizeof kFatal / sizeof *kFatal; ++i) {
    int number = kFatal[i];
    show("start", number);
    printf("signal: was %s\n", name_of(signal(number, leave)));
    show("signal", number);
    printf("signal: was %s\n", name_of(signal(number, SIG_DFL)));
    show("default", number);
    printf("sysv_signal: was %s\n", name_of(__sysv_signal(number, SIG_IGN)));
    show("ignored", number);
    struct sigaction wanted, was;
    memset(&wanted, 0, sizeof wanted);
    wanted.sa_flags = SA_RESTART | SA_NODEFER;
    sigaddset(&wanted.sa_mask, number);
    wanted.sa_handler = SIG_DFL;
    sigaction(number, &wanted, &was);
    printf("sigaction: was %s flags %x\n", name_of(was.sa_handler), (unsigned)was.sa_flags);
    show("flags", number);
    wanted.sa_handler = SIG_IGN;
    sigaction(number, &wanted, &wanted);
    printf("sigaction: was %s flags %x\n", name_of(wanted.sa_handler), (unsigned)wanted.sa_flags);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    printf("sigset: was %s\n", name_of(sigset(number, SIG_DFL)));
    show("end", number);
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    printf("mask: was %d", sigismember(&before, number));
    sigprocmask(SIG_SETMASK, &before, &all);
    printf(", is %d\n", sigismember(&all, number));
  }
}

static void* in_thread(void* how) {
  if (!strcmp(how, "thread")) read_from((volatile int*)16);
  return NULL;
}

static void vforked(void) {
  if (vfork() == 0) {
    for (int i = 1; i < 65; ++i) signal(i, SIG_IGN);
    for (int i = 1; i < 65; ++i) signal(i, SIG_DFL);
    execl("/bin/true", "true", (char*)NULL);
    _exit(1);
  }
  wait(NULL);
  show("after vfork", SIGSEGV);
}

// A mapped page behind the end of its file.
static volatile int* behind_end(void) {
  const int fd = memfd_create("short", 0);
  if (ftruncate(fd, 10) != 0) return NULL;
  char* pages = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
  return (volatile int*)(pages + 4096 + 16);
}

// No filter: all stays as it is.
static void fail_to_filter(void) {
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == 0) _exit(4);
  show("refused", SIGSEGV);
  fflush(stdout);
}

// A filter that answers one system call with SIGSYS.
static void filter_calls(void) {
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = {sizeof rules / sizeof rules[0], rules};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) _exit(4);
  show("filtered", SIGSEGV);
  fflush(stdout);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  show_all();
  vforked();
  fflush(stdout);
  if (!strcmp(how, "segv")) read_from((volatile int*)16);
  if (!strcmp(how, "null_call")) g_sink = (uint64_t)call_it(NULL);
  if (!strcmp(how, "data_call")) g_sink = (uint64_t)call_it((int (*)(int))(void*)&g_sink);
  if (!strcmp(how, "ill")) __asm__ volatile("ud2");
  if (!strcmp(how, "trap")) __asm__ volatile("int3");
  if (!strcmp(how, "fpe")) g_sink = (uint64_t)divide(0);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "raise")) raise(SIGSYS);
  if (!strcmp(how, "bus")) g_sink = (uint64_t)read_from(behind_end());
  if (!strcmp(how, "protected")) *(volatile char*)name_of(SIG_DFL) = 1;
  if (!strcmp(how, "noncanonical")) read_from((volatile int*)0x4141414141414141);
  if (!strcmp(how, "refused")) fail_to_filter(), read_from((volatile int*)16);
  if (!strcmp(how, "forbidden")) filter_calls(), g_sink = (uint64_t)getppid();
  if (!strcmp(how, "filtered_trap")) filter_calls(), trap();
  if (!strcmp(how, "filtered_raise")) filter_calls(), raise(SIGSYS);
  if (!strcmp(how, "filtered_segv")) filter_calls(), read_from((volatile int*)16);
  if (!strcmp(how, "queue")) sigqueue(getpid(), SIGTRAP, (union sigval){.sival_int = 77});
  if (!strcmp(how, "kill")) kill(getpid(), SIGBUS);
  if (!strcmp(how, "prof")) kill(getpid(), SIGPROF);
  if (!strcmp(how, "stop")) pause();
  if (!strcmp(how, "handled")) signal(SIGSEGV, leave), read_from((volatile int*)16);
  if (!strcmp(how, "handled_abort")) signal(SIGABRT, come_back), abort();
  if (!strcmp(how, "once")) signal(SIGSEGV, come_back), read_from((volatile int*)16);
  if (!strcmp(how, "ignored")) signal(SIGTRAP, SIG_IGN), raise(SIGTRAP);
  if (!strcmp(how, "overflow")) deep(0);
  if (!strcmp(how, "overflow_on_stack")) sigaltstack(&stack, NULL), deep(0);
  if (!strcmp(how, "thread")) {
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, (void*)how);
    pthread_join(thread, NULL);
  }
  if (!strcmp(how, "fork")) {
    int status = 0;
    if (fork() == 0) read_from((volatile int*)16);
    wait(&status);
    printf("child: signal %d\n", WTERMSIG(status));
  }
  if (!strcmp(how, "vfork")) {
    int status = 0;
    if (vfork() == 0) {
      syscall(SYS_tkill, (int)syscall(SYS_gettid), SIGILL);
      _exit(0);
    }
    wait(&status);
    printf("child: signal %d\n", WTERMSIG(status));
    show("parent", SIGILL);
  }
  return 0;
}
