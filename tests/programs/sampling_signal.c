// SPDX-License-Identifier: Apache-2.0
// sampling_signal: a program that uses SIGPROF itself, blocks every signal, waits for every signal,
// in one thread while others work, and sleeps right after it worked. Prints nothing that depends on
// how often.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "program.h"

static volatile long g_ticks;
static volatile int g_wrong;

static void on_tick(int number, siginfo_t* info, void* context) {
  (void)context;
  if (number != SIGPROF || info->si_code == SI_TIMER) g_wrong = 1;
  ++g_ticks;
}

CALLED static void work(long rounds) {
  for (long i = 0; i < rounds; ++i) g_sink = g_sink * 3 + 1;
}

// Sleeps in every way that a handler interrupts even with SA_RESTART; counts the interruptions.
static long interrupted_sleeps(long rounds) {
  long count = 0;
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  int set = epoll_create1(0);
  struct epoll_event event;
  sigset_t none;
  sigemptyset(&none);
  for (long i = 0; i < rounds; ++i) {
    struct timespec brief = {0, 200000}, until;
    struct timeval brief_us = {0, 200};
    work(100000 + i % 7 * 50000);
    count += nanosleep(&brief, NULL) != 0;
    work(300000);
    count += poll(NULL, 0, 1) < 0;
    work(300000);
    count += select(0, NULL, NULL, NULL, &brief_us) < 0;
    work(300000);
    count += epoll_wait(set, &event, 1, 1) < 0;
    work(300000);
    count += ppoll(NULL, 0, &brief, &none) < 0;
    work(300000);
    count += pselect(0, NULL, NULL, NULL, &brief, &none) < 0;
    work(300000);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000;
    if (until.tv_nsec >= 1000000000) until.tv_sec += 1, until.tv_nsec -= 1000000000;
    count += sem_timedwait(&semaphore, &until) != 0 && errno == EINTR;
  }
  close(set);
  return count;
}

static int pending_signals(void) {
  sigset_t pending;
  sigpending(&pending);
  int count = 0;
  for (int i = 1; i < 65; ++i) count += sigismember(&pending, i) == 1;
  return count;
}

static volatile long g_handled;

static void work_in_handler(int number) {
  (void)number;
  work(1000000);
  ++g_handled;
}

// Handlers that work on the smallest alternate stack.
static void use_small_stack(void) {
  size_t bytes = (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048;
  stack_t stack = {.ss_sp = malloc(bytes), .ss_size = bytes};
  sigaltstack(&stack, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = work_in_handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, NULL);
  sigaction(SIGUSR1, NULL, &action);
  for (int i = 0; i < 20; ++i) {
    raise(SIGUSR1);
    work(1000000);
  }
  printf("handled %ld, mask %d\n", g_handled, sigismember(&action.sa_mask, SIGPROF));
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, NULL);
}

static volatile int g_waits_are_over;

static void* work_on(void* unused) {
  while (!g_waits_are_over) work(100000);
  return unused;
}

// What daemons do: all signals are blocked in all threads, and one waits for them.
static int next_signal(int way) {
  sigset_t all;
  sigfillset(&all);
  int number = -1;
  siginfo_t info;
  struct signalfd_siginfo read_info;
  switch (way) {
    case 0:
      return sigwait(&all, &number) == 0 ? number : -1;
    case 1:
      return sigwaitinfo(&all, &info);
    case 2:
      return sigtimedwait(&all, &info, NULL);
    default: {
      const int file = signalfd(-1, &all, 0);
      const ssize_t got = read(file, &read_info, sizeof read_info);
      close(file);
      return got == sizeof read_info ? (int)read_info.ssi_signo : -1;
    }
  }
}

static void* send_one(void* unused) {
  work(30000000);  // the others are sampled while all wait for this
  kill(getpid(), SIGUSR2);
  return unused;
}

static void wait_among_workers(void) {
  pthread_t workers[2], sender;
  for (int i = 0; i < 2; ++i) pthread_create(&workers[i], NULL, work_on, NULL);
  for (int way = 0; way < 4; ++way) {
    pthread_create(&sender, NULL, send_one, NULL);
    printf("way %d got %s\n", way, next_signal(way) == SIGUSR2 ? "what was sent" : "another");
    pthread_join(sender, NULL);
  }
  g_waits_are_over = 1;
  for (int i = 0; i < 2; ++i) pthread_join(workers[i], NULL);
}

int main(void) {
  use_small_stack();
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  work(30000000);
  printf("pending %d\n", pending_signals());
  struct timespec brief = {0, 1000000};
  printf("waited for %d\n", sigtimedwait(&all, NULL, &brief));
  int file = signalfd(-1, &all, SFD_NONBLOCK);
  struct signalfd_siginfo info;
  work(30000000);
  printf("read %d\n", (int)read(file, &info, sizeof info));
  wait_among_workers();
  printf("interrupted %ld\n", interrupted_sleeps(20));
  sigprocmask(SIG_SETMASK, &before, &all);
  printf("blocked %d\n", sigismember(&all, SIGPROF));
  printf("interrupted %ld\n", interrupted_sleeps(20));

  struct sigaction action, old;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_tick;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, &old);
  printf("was %s\n", old.sa_handler == SIG_DFL ? "default" : "something else");
  sigaction(SIGPROF, NULL, &old);
  printf("is %s\n", old.sa_sigaction == on_tick ? "mine" : "something else");
  struct itimerval timer = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_PROF, &timer, NULL);
  work(200000000);
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_PROF, &timer, NULL);
  printf("ticks %s, %s\n", g_ticks > 5 ? "many" : "few", g_wrong ? "wrong" : "right");
  signal(SIGPROF, SIG_IGN);
  raise(SIGPROF);
  printf("was %s\n", signal(SIGPROF, SIG_DFL) == SIG_IGN ? "ignored" : "something else");
  work(30000000);
  fflush(stdout);
  raise(SIGPROF);
  return 0;
}
