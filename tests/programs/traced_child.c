// SPDX-License-Identifier: Apache-2.0
// traced_child HOW: traces a child of its own to the end, as debuggers and strace do. `step` stops
// after each instruction, `calls` at each system call, `exec` from an exec on; `attach` comes
// later, interrupts and lets go again and again.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { kCalls = 200, kEnough = 2000, kRounds = 50 };

CALLED static uint64_t mix(uint64_t value) { return value * 6364136223846793005u + 1; }

CALLED static void work(int out) {
  uint64_t value = 1;
  for (int i = 0; i < kCalls; ++i) {
    value = mix(value);
    if (i % 10 == 0 && write(out, ".", 1) != 1) _exit(4);
  }
  dprintf(out, "%llx\n", (unsigned long long)value);
}

static void child_main(int out) {
  work(out);
  _exit(3);
}

struct Seen {
  long stops;
  long writes;
  int execs;
  int others;
};

// Whether the child is stopped again; it was told nothing that it should not know.
static int next_stop(pid_t child, int request, int deliver, int* status) {
  ptrace(request, child, NULL, (void*)(long)deliver);
  return waitpid(child, status, 0) == child && WIFSTOPPED(*status);
}

static void trace(pid_t child, int request, struct Seen* seen, int* status) {
  int deliver = 0;
  int entering = 1;
  while (next_stop(child, request, deliver, status)) {
    const int number = WSTOPSIG(*status);
    deliver = 0;
    if (number == (SIGTRAP | 0x80)) {
      struct user_regs_struct registers;
      ptrace(PTRACE_GETREGS, child, NULL, &registers);
      seen->writes += entering && registers.orig_rax == SYS_write;
      entering = !entering;
    } else if (*status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
      ++seen->execs;
    } else if (number == SIGTRAP) {
      ++seen->stops;
    } else {
      deliver = number;
      seen->others += number != SIGPROF;  // samples by timer are signals, and tracers see them
    }
  }
}

static int run_traced(const char* how, const char* self) {
  int ends[2];
  if (pipe(ends) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    if (strcmp(how, "exec") != 0) child_main(ends[1]);
    dup2(ends[1], 1);
    execl(self, self, "child", NULL);
    _exit(5);
  }
  close(ends[1]);
  int status = 0;
  int stopped = waitpid(child, &status, 0) == child && WIFSTOPPED(status);
  while (stopped && WSTOPSIG(status) == SIGPROF) {
    stopped = next_stop(child, PTRACE_CONT, SIGPROF, &status);
  }
  if (!stopped) return 1;
  printf("begins with %d\n", WSTOPSIG(status));
  ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC);
  struct Seen seen = {0, 0, 0, 0};
  trace(child, strcmp(how, "step") == 0 ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, &seen, &status);
  // How many steps there are is the hooks' matter, too.
  printf("steps %d, writes %ld, execs %d, signals %d, ends with %d\n", seen.stops > kEnough,
         seen.writes, seen.execs, seen.others, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  char text[4096];
  size_t length = 0;
  for (ssize_t got = 1; got > 0 && length < sizeof text; length += (size_t)got) {
    got = read(ends[0], text + length, sizeof text - length);
    if (got < 0) return 1;
  }
  fwrite(text, 1, length, stdout);
  return 0;
}

static int run_attached(void) {
  const pid_t child = fork();
  if (child == 0) {
    uint64_t value = 1;
    for (;;) g_sink = value = mix(value);
  }
  int good = 0;
  for (int round = 0; round < kRounds; ++round) {
    int status = 0;
    usleep(2000);
    if (ptrace(PTRACE_SEIZE, child, NULL, NULL) != 0 ||
        ptrace(PTRACE_INTERRUPT, child, NULL, NULL) != 0 || waitpid(child, &status, 0) != child) {
      break;
    }
    while (WIFSTOPPED(status) && status >> 16 != PTRACE_EVENT_STOP) {
      if (!next_stop(child, PTRACE_CONT, WSTOPSIG(status), &status)) break;
    }
    good += WIFSTOPPED(status) && ptrace(PTRACE_DETACH, child, NULL, NULL) == 0;
  }
  kill(child, SIGTERM);
  int status = 0;
  waitpid(child, &status, 0);
  printf("attached %d times, ends with %d\n", good, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
  return 0;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "calls";
  if (strcmp(how, "child") == 0) child_main(1);
  if (ptrace(PTRACE_PEEKUSER, getpid(), NULL, NULL) == -1 && errno == EPERM) return 77;
  return strcmp(how, "attach") == 0 ? run_attached() : run_traced(how, argv[0]);
}
