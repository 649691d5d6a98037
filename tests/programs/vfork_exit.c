// SPDX-License-Identifier: Apache-2.0
// A child of vfork ends with status 9, on the memory of its parent, which then dies of a signal.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  if (fork() == 0) {
    const pid_t child = vfork();
    if (child == 0) {
      _exit(9);
    }
    waitpid(child, NULL, 0);
    kill(getpid(), SIGTERM);
    pause();
  }
  wait(NULL);
  return 0;
}
