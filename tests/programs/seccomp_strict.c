// SPDX-License-Identifier: Apache-2.0
// Allows itself nothing but read, write, exit and sigreturn; any other system call kills it. Says
// so by prctl() or, as its argument tells, by that call's number, by a filter, which leaves the
// time stamp counter usable, or by a filter that has a listener, which returns a descriptor. Two
// more filters let it live: one has other calls fail, one sends it a signal for each, which it
// counts.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "program.h"

CALLED static uint64_t work(uint64_t n) { return n < 2 ? n : work(n - 1) + work(n - 2); }

#define ALLOW(number) \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int forbid(const char* how) {
  if (strcmp(how, "prctl") == 0) return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  if (strcmp(how, "number") == 0) {
    return (int)syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
  }
  struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      ALLOW(SYS_read),
      ALLOW(SYS_write),
      ALLOW(SYS_exit),
      ALLOW(SYS_rt_sigreturn),
      BPF_STMT(BPF_RET | BPF_K, strcmp(how, "errno") == 0  ? SECCOMP_RET_ERRNO | ENOTTY
                                : strcmp(how, "trap") == 0 ? SECCOMP_RET_TRAP
                                                           : SECCOMP_RET_KILL_PROCESS),
  };
  const struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const int listens = strcmp(how, "listener") == 0;
  const unsigned flags = listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  return listens ? result <= 0 : result != 0;
}

static volatile int g_trapped;

enum { kFromFilter = 1 };  // SYS_SECCOMP, which libc does not have

// As if the kernel had answered.
static void answer(int number, siginfo_t* info, void* context) {
  (void)number;
  g_trapped += info->si_code == kFromFilter ? 1 : 1000;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = -ENOTTY;
}

// Calls that another answer than ours would be seen of; nobody else makes any.
static void show_refusals(int traps) {
  int refused = 0;
  for (int i = 0; i < 5; ++i) refused += syscall(SYS_getppid) == -1 && errno == ENOTTY;
  char text[] = "refused 0, trapped 00\n";
  text[8] = (char)('0' + refused);
  text[19] = (char)('0' + g_trapped / 10 % 10);
  text[20] = (char)('0' + g_trapped % 10);
  if (write(1, text, sizeof text - 1) != sizeof text - 1 || g_trapped != traps) {
    syscall(SYS_exit, 5);
  }
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "prctl";
  const int traps = strcmp(how, "trap") == 0;
  int fd[2];
  if (pipe(fd) != 0) return 1;
  if (traps) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSYS, &action, NULL);
  }
  if (forbid(how) != 0) return 1;
  char byte = 'x';
  for (int i = 0; i < 1000; ++i) {
    if (write(fd[1], &byte, 1) != 1 || read(fd[0], &byte, 1) != 1) syscall(SYS_exit, 2);
  }
  g_sink += work(27);
  for (int i = 0; i < 3; ++i) {
    if (write(1, "alive\n", 6) != 6) syscall(SYS_exit, 3);
  }
  if (traps || strcmp(how, "errno") == 0) show_refusals(traps ? 5 : 0);
  syscall(SYS_exit, 11);
  return 4;
}
