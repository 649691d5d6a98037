// SPDX-License-Identifier: Apache-2.0
// death_watch PROGRAM [ARGUMENT...]: runs it as a debugger would, and says with which siginfo the
// signal came that ended it, as seen last before that.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) _exit(77);
    execv(argv[1], argv + 1);
    _exit(2);
  }
  siginfo_t last;
  memset(&last, 0, sizeof last);
  int status = 0;
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
    int number = WSTOPSIG(status);
    siginfo_t info;
    if (number == SIGTRAP && ptrace(PTRACE_GETSIGINFO, child, NULL, &info) == 0 &&
        info.si_code == SI_USER && info.si_pid == child) {
      number = 0;  // exec
    } else if (ptrace(PTRACE_GETSIGINFO, child, NULL, &info) == 0) {
      last = info;
    }
    if (ptrace(PTRACE_CONT, child, NULL, (long)number) != 0) return 3;
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  printf("signal %d code %d value %d sender %s address %lx\n", last.si_signo, last.si_code,
         last.si_code == SI_QUEUE ? last.si_value.sival_int : 0,
         last.si_code > 0            ? "kernel"
         : last.si_pid == (int)child ? "itself"
                                     : "another",
         last.si_code > 0 ? (unsigned long)last.si_addr & 4095 : 0);
  return last.si_signo == WTERMSIG(status) ? 0 : 4;
}
