// SPDX-License-Identifier: Apache-2.0
// Every way in which children end and parents learn of it, or don't: zombies, their orphans,
// SIGCHLD ignored, SA_NOCLDWAIT, waitid that leaves the child waitable, a process group killed.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { kChildren = 20 };

static volatile sig_atomic_t g_notices;

CALLED static int work(int code) {
  ++g_sink;
  return code;
}

static pid_t start(int code) {
  const pid_t child = fork();
  if (child == 0) _exit(work(code));
  return child;
}

static void count_notice(int number) {
  (void)number;
  ++g_notices;
}

static void handle_children(void (*handler)(int), int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGCHLD, &action, NULL);
}

static char state_of(pid_t pid) {
  char path[64];
  char line[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return '-';
  const char* got = fgets(line, sizeof line, file);
  fclose(file);
  const char* end = got ? strrchr(line, ')') : NULL;
  return end ? end[2] : '-';
}

static void stay_zombie(void) {
  const pid_t child = start(11);
  for (int i = 0; i < 1000 && state_of(child) != 'Z'; ++i) usleep(1000);
  usleep(200000);  // whoever else could collect it has had the time
  printf("zombie %c\n", state_of(child));
  // Left as it is: it ends with us.
}

// The middle process goes first; its child finds another parent and is not disturbed.
static void leave_orphan(int of_zombie) {
  int ends[2];
  if (pipe(ends) != 0) exit(1);
  const pid_t middle = fork();
  if (middle == 0) {
    const pid_t parent = getpid();
    if (fork() == 0) {
      for (int i = 0; i < 1000 && getppid() == parent; ++i) usleep(1000);
      dprintf(ends[1], "orphan %d\n", getppid() == parent ? -1 : work(12));
      _exit(12);
    }
    _exit(work(0));
  }
  close(ends[1]);
  int status = 0;
  if (!of_zombie) waitpid(middle, &status, 0);
  char text[64] = "";
  const ssize_t got = read(ends[0], text, sizeof text - 1);
  const char state = state_of(middle);
  if (of_zombie) waitpid(middle, &status, 0);
  printf("middle %d %c, %s", WEXITSTATUS(status), state, got > 0 ? text : "nothing\n");
  close(ends[0]);
}

static void collected_by_the_kernel(const char* name, void (*handler)(int), int flags) {
  handle_children(handler, flags);
  for (int i = 0; i < kChildren; ++i) start(13);
  int status = 0;
  errno = 0;
  const pid_t got = waitpid(-1, &status, 0);  // returns when all are gone
  printf("%s: %d, %d\n", name, (int)got, errno == ECHILD);
  handle_children(SIG_DFL, 0);
}

static void look_and_leave(void) {
  g_notices = 0;
  handle_children(count_notice, SA_RESTART);
  const pid_t child = start(14);
  siginfo_t info;
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    memset(&info, 0, sizeof info);
    same += waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == child &&
            info.si_code == CLD_EXITED && info.si_status == 14;
  }
  memset(&info, 0, sizeof info);
  const int collected = waitid(P_ALL, 0, &info, WEXITED) == 0 ? info.si_status : -1;
  errno = 0;
  const int again = waitid(P_ALL, 0, &info, WEXITED | WNOHANG);
  printf("waitid %d, then %d, then %d %d, notices %d\n", same, collected, again, errno == ECHILD,
         (int)g_notices);
  handle_children(SIG_DFL, 0);
}

static void kill_a_group(void) {
  int ready[2];
  if (pipe(ready) != 0) exit(1);
  pid_t group = 0;
  for (int i = 0; i < kChildren; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      setpgid(0, group);
      if (i % 2 != 0) signal(SIGTERM, SIG_IGN);
      if (write(ready[1], "r", 1) == 1) pause();
      _exit(15);
    }
    setpgid(child, group ? group : child);
    group = group ? group : child;
  }
  char byte = 0;
  for (int i = 0; i < kChildren; ++i) {
    if (read(ready[0], &byte, 1) != 1) exit(1);
  }
  kill(-group, SIGTERM);
  int ended[65] = {0};
  int status = 0;
  for (int i = 0; i < kChildren / 2 && waitpid(-group, &status, 0) > 0; ++i) {
    ++ended[WIFSIGNALED(status) ? WTERMSIG(status) : 0];
  }
  kill(-group, SIGKILL);
  while (waitpid(-group, &status, 0) > 0) ++ended[WIFSIGNALED(status) ? WTERMSIG(status) : 0];
  printf("group %d terminated, %d killed, %d others\n", ended[SIGTERM], ended[SIGKILL], ended[0]);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  leave_orphan(0);
  leave_orphan(1);
  collected_by_the_kernel("ignored", SIG_IGN, 0);
  collected_by_the_kernel("not waited for", SIG_DFL, SA_NOCLDWAIT);
  g_notices = 0;
  look_and_leave();
  kill_a_group();
  stay_zombie();
  return 0;
}
