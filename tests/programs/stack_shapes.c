// SPDX-License-Identifier: Apache-2.0
// stack_shapes HOW DEPTH: calls, allocates and writes on a stack that grows down by itself as it is
// touched (`growsdown`), and below frames of 100 MB and of sizes that are known at run time only
// (`alloca`).
#define _GNU_SOURCE
#include <alloca.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "program.h"

enum { kHuge = 100 << 20, kRoom = 256 << 20 };

static int g_null_file;
static ucontext_t g_main, g_other;
static long g_depth;

CALLED static void work(void) {
  char* volatile block = malloc(100);
  if (block == NULL || write(g_null_file, block, 1) != 1) abort();
  free(block);
}

CALLED static uint64_t descend(long depth) {
  if (depth % 100 == 0) work();
  return depth == 0 ? 0 : descend(depth - 1) + 1 + 0 * ++g_sink;
}

CALLED static uint64_t take(size_t bytes, int more) {
  volatile char* memory = alloca(bytes);
  memory[0] = (char)more;
  memory[bytes - 1] = (char)more;
  work();
  return more > 0 ? take(bytes / 3 + 1, more - 1) + (uint64_t)memory[0] : descend(50);
}

CALLED static void* take_all(void* unused) {
  for (int i = 0; i < 10; ++i) g_sink += take(kHuge + (size_t)i, 6);
  return unused;
}

static void on_other_stack(void) {
  printf("depth %lu\n", (unsigned long)descend(g_depth));
  fflush(stdout);
  setcontext(&g_main);
}

// The kernel makes the stack longer below its lowest page, where nothing else is.
CALLED static int grow_down(void) {
  enum { kPage = 4096 };
  char* room = mmap(NULL, kRoom, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED || munmap(room, kRoom) != 0) return 1;
  char* top = room + kRoom - 16 * kPage;
  char* stack = mmap(top, 16 * kPage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
  if (stack == MAP_FAILED) return 1;
  volatile int done = 0;
  getcontext(&g_main);
  if (done) return 0;
  done = 1;
  getcontext(&g_other);
  g_other.uc_stack.ss_sp = stack;
  g_other.uc_stack.ss_size = 16 * kPage;
  makecontext(&g_other, on_other_stack, 0);
  setcontext(&g_other);
  return 1;
}

CALLED static int take_in_thread(void) {
  void* stack =
      mmap(NULL, kRoom, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (stack == MAP_FAILED || pthread_attr_setstack(&attributes, stack, kRoom) != 0) return 1;
  pthread_t thread;
  if (pthread_create(&thread, &attributes, take_all, NULL) != 0) return 1;
  pthread_join(thread, NULL);
  return 0;
}

int main(int argc, char** argv) {
  g_depth = argument_or(argc, argv, 2, 100000);
  g_null_file = open("/dev/null", O_WRONLY);
  const int wrong = argc > 1 && !strcmp(argv[1], "growsdown") ? grow_down() : take_in_thread();
  printf("wrong %d\n", wrong);
  return wrong;
}
