// SPDX-License-Identifier: Apache-2.0
// refused_threads MOST: threads until the limit of processes refuses one, then children likewise;
// says how many there were. Under a limit, that a profiler takes none of them shows.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { kMost = 64 };

static int g_ends[2];

CALLED static void work(void) { ++g_sink; }

// Lives until the other end is closed.
static void* live(void* unused) {
  char byte;
  work();
  if (read(g_ends[0], &byte, 1) != 0) _exit(3);
  return unused;
}

static void say(const char* what, int count, int error) {
  printf("%d %s, then %s\n", count, what, error ? strerror(error) : "enough");
  fflush(stdout);
}

static void make_threads(int most) {
  pthread_t threads[kMost];
  int count = 0, error = 0;
  if (pipe(g_ends) != 0) exit(4);
  while (count < most && (error = pthread_create(&threads[count], NULL, live, NULL)) == 0) ++count;
  close(g_ends[1]);
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  close(g_ends[0]);
  say("threads", count, error);
}

static void make_children(int most) {
  int count = 0, error = 0;
  if (pipe(g_ends) != 0) exit(4);
  for (; count < most && error == 0; ++count) {
    const pid_t child = fork();
    if (child == 0) {
      close(g_ends[1]);
      live(NULL);
      _exit(0);
    }
    if (child < 0) {
      error = errno;
      --count;
    }
  }
  close(g_ends[1]);
  while (wait(NULL) > 0) work();
  close(g_ends[0]);
  say("children", count, error);
}

int main(int argc, char** argv) {
  const long most = argument_or(argc, argv, 1, kMost);
  if (most > kMost) return 2;
  make_threads((int)most);
  make_children((int)most);
  return 0;
}
