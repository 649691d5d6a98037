// SPDX-License-Identifier: Apache-2.0
// Ten thousand queued real-time signals, each counted by the handler and each in its turn; masks
// come and go meanwhile, by every function that sets one, also while the handler waits itself.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "program.h"

enum { kBatches = 100, kBatch = 100 };

static volatile sig_atomic_t handled, out_of_order;
static volatile sig_atomic_t expected;
static int g_epoll;

CALLED static void note(void) { handled += 1; }

static void handler(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  out_of_order += info->si_value.sival_int != expected++;
  note();
  if (write(1, "", 0) != 0) _exit(1);
}

// Lets in what is pending; each way but the last in the midst of a call that waits.
static void let_in(int how, const sigset_t* mask) {
  const struct timespec none = {0, 0};
  struct epoll_event event;
  sigset_t before;
  switch (how) {
    case 0:
      sigsuspend(mask);
      break;
    case 1:
      pselect(0, NULL, NULL, NULL, NULL, mask);
      break;
    case 2:
      ppoll(NULL, 0, NULL, mask);
      break;
    case 3:
      epoll_pwait(g_epoll, &event, 1, -1, mask);
      break;
    case 4:
      pselect(0, NULL, NULL, NULL, &none, mask);  // what is pending comes first all the same
      break;
    default:
      pthread_sigmask(SIG_SETMASK, mask, &before);
      pthread_sigmask(SIG_SETMASK, &before, NULL);
  }
}

static int send_batch(int count) {
  int sent = 0;
  expected = 0;
  for (int i = 0; i < count; ++i) {
    const union sigval value = {.sival_int = i};
    sent += sigqueue(getpid(), SIGRTMIN + 3, value) == 0;
  }
  return sent;
}

// Takes none of the signals: they are blocked when it begins.
static void* storm_beside(void* unused) {
  const struct timespec none = {0, 0};
  sigset_t all;
  sigfillset(&all);
  for (int i = 0; i < 5000; ++i) ppoll(NULL, 0, &none, &all);
  return unused;
}

// Masks, and nothing that they let in.
static void storm_of_masks(long rounds) {
  const struct timespec none = {0, 0};
  sigset_t all, before;
  sigfillset(&all);
  for (long i = 0; i < rounds; ++i) {
    sigprocmask(SIG_BLOCK, &all, &before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pselect(0, NULL, NULL, NULL, &none, &all);
    ppoll(NULL, 0, &none, &before);
  }
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGRTMIN + 3, &action, NULL);
  g_epoll = epoll_create1(0);
  sigset_t all, before, none;
  sigfillset(&all);
  sigemptyset(&none);
  pthread_t thread;
  sigprocmask(SIG_BLOCK, &all, &before);
  pthread_create(&thread, NULL, storm_beside, NULL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  int sent = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    sigprocmask(SIG_BLOCK, &all, &before);
    sent += send_batch(kBatch);
    if (batch % 7 < 6) let_in(batch % 7, &none);
    sigprocmask(SIG_SETMASK, &before, NULL);
  }
  storm_of_masks(5000);
  pthread_join(thread, NULL);
  printf("%d %d %d\n", sent, (int)handled, (int)out_of_order);
  return sent == handled && out_of_order == 0 ? 0 : 1;
}
