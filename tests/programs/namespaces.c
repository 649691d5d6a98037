// SPDX-License-Identifier: Apache-2.0
// Children in other namespaces, in an empty root, as another user, without new privileges.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void work(void) { usleep(1000); }

static void inside(int kind) {
  char folder[] = "/tmp/spyglass-root-XXXXXX";
  switch (kind) {
    case 0:
      if (unshare(CLONE_NEWPID) != 0) _exit(40);
      break;
    case 1:
      if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) _exit(40);
      break;
    case 2:
      if (mkdtemp(folder) == NULL || chroot(folder) != 0 || chdir("/") != 0) _exit(40);
      break;
    case 3:
      if (setgid(65534) != 0 || setuid(65534) != 0) _exit(40);
      break;
    case 4:
      prctl(PR_SET_DUMPABLE, 0);
      break;
    default:
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  }
  const int pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 10; ++i) work();
    _exit(6);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 41);
}

int main(void) {
  for (int kind = 0; kind < 6; ++kind) {
    const int pid = fork();
    if (pid == 0) inside(kind);
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%d: %d\n", kind, WEXITSTATUS(status));
    fflush(stdout);
  }
  return 0;
}
