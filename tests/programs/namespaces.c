// SPDX-License-Identifier: Apache-2.0
// Children in other namespaces, in an empty root, as another user, without new privileges.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void work(void) { usleep(1000); }

static int pivot_into(const char* folder) {
  char old[64];
  snprintf(old, sizeof old, "%s/old", folder);
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("none", folder, "tmpfs", 0, NULL) == 0 && mkdir(old, 0700) == 0 &&
         syscall(SYS_pivot_root, folder, old) == 0 && chdir("/") == 0 &&
         umount2("/old", MNT_DETACH) == 0;
}

static int enter(int kind, const char* folder) {
  switch (kind) {
    case 0:
      return unshare(CLONE_NEWPID) == 0;
    case 1:
      return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0;
    case 2:
      return chroot(folder) == 0 && chdir("/") == 0;
    case 3:
      return setgid(65534) == 0 && setuid(65534) == 0;
    case 4:
      return prctl(PR_SET_DUMPABLE, 0) == 0;
    case 5:
      return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    case 6:
      return unshare(CLONE_NEWUSER) == 0;
    case 7:
      return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC) == 0;
    default:
      return pivot_into(folder);
  }
}

static void inside(int kind, const char* folder) {
  if (!enter(kind, folder)) _exit(40);
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
  char folder[] = "/tmp/spyglass-root-XXXXXX";
  if (mkdtemp(folder) == NULL) return 1;
  for (int kind = 0; kind < 9; ++kind) {
    const int pid = fork();
    if (pid == 0) inside(kind, folder);
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%d: %d\n", kind, WEXITSTATUS(status));
    fflush(stdout);
  }
  return rmdir(folder);
}
