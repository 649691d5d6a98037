// SPDX-License-Identifier: Apache-2.0
// Two threads and a forked child: recursion, a leaf called often, a call that never returns.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned sink;
__attribute__((noinline)) static void leaf(unsigned i) { sink += i; }
__attribute__((noinline)) static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
__attribute__((noinline)) static void never_returns(void) { _exit(3); }
static void* worker(void* argument) {
  pthread_setname_np(pthread_self(), "worker");
  for (unsigned i = 0; i < 300; ++i) leaf(i);
  return argument;
}
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, worker, 0);
  fib(10);
  pthread_join(thread, 0);
  pid_t child = fork();
  if (child == 0) {
    fib(5);
    never_returns();
  }
  int status;
  waitpid(child, &status, 0);
  return 0;
}
