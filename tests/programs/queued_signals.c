// SPDX-License-Identifier: Apache-2.0
// Ten thousand queued real-time signals, each counted by the handler; masks come and go meanwhile.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

static volatile sig_atomic_t handled;

CALLED static void note(void) { handled += 1; }

static void handler(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  (void)context;
  note();
  if (write(1, "", 0) != 0) _exit(1);
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGRTMIN + 3, &action, NULL);
  sigset_t all, before, none;
  sigfillset(&all);
  sigemptyset(&none);
  int sent = 0;
  for (int batch = 0; batch < 100; ++batch) {
    sigprocmask(SIG_BLOCK, &all, &before);
    for (int i = 0; i < 100; ++i) {
      const union sigval value = {.sival_int = i};
      sent += sigqueue(getpid(), SIGRTMIN + 3, value) == 0;
    }
    if (batch % 2 == 0) sigsuspend(&none);
    sigprocmask(SIG_SETMASK, &before, NULL);
  }
  printf("%d %d\n", sent, (int)handled);
  return sent == handled ? 0 : 1;
}
