// SPDX-License-Identifier: Apache-2.0
// fibres HOW COUNT SWITCHES: COUNT stacks on one thread, switched in turn in the midst of calls, by
// the C library (`context`) or by some instructions of our own, as other libraries do (`assembly`);
// or COUNT generators of C++20 (`generators`), which leave no stack behind. The second thread goes
// on with what the first began.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <coroutine>
#include <cstdio>
#include <cstring>
#include <exception>
#include <vector>

#include "program.h"

namespace {

constexpr size_t kStackBytes = 16384;

struct Fibre {
  ucontext_t context;
  void* sp;
  char* stack;
  long left;
  long done;
};

ucontext_t g_main;
void* g_main_sp;
std::vector<Fibre> g_fibres;
size_t g_current;
bool g_assembly;
int g_null;

extern "C" void switch_stack(void** from, void* to);
asm(".text\n"
    ".type switch_stack, @function\n"
    "switch_stack:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    "  ret\n"
    ".size switch_stack, .-switch_stack\n");

CALLED void leaf() { g_sink = g_sink + 1; }

PLAIN void switch_to_main() {
  Fibre& self = g_fibres[g_current];
  if (g_assembly) {
    switch_stack(&self.sp, g_main_sp);
  } else {
    swapcontext(&self.context, &g_main);
  }
}

// What is looked at on every stack: memory, and a call that leaves it.
CALLED void yield_at(long depth) {
  leaf();
  void* block = malloc(static_cast<size_t>(depth + 1) * 16);
  if (depth > 0) {
    yield_at(depth - 1);
  } else {
    if (write(g_null, "x", 1) != 1) std::abort();
    switch_to_main();
  }
  std::free(block);
  leaf();
}

CALLED void fibre_body() {
  Fibre& self = g_fibres[g_current];
  while (self.left > 0) {
    --self.left;
    yield_at(self.left % 5);
    ++self.done;
  }
}

PLAIN void fibre_entry() {
  fibre_body();
  switch_to_main();
  std::abort();
}

CALLED void resume(size_t index) {
  g_current = index;
  if (g_assembly) {
    switch_stack(&g_main_sp, g_fibres[index].sp);
  } else {
    swapcontext(&g_main, &g_fibres[index].context);
  }
}

PLAIN void prepare(Fibre& fibre, long switches) {
  fibre.left = switches;
  fibre.stack = static_cast<char*>(
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (g_assembly) {
    void** top = reinterpret_cast<void**>(fibre.stack + kStackBytes - 64);
    *top = reinterpret_cast<void*>(fibre_entry);
    fibre.sp = top - 6;
    return;
  }
  getcontext(&fibre.context);
  fibre.context.uc_stack.ss_sp = fibre.stack;
  fibre.context.uc_stack.ss_size = kStackBytes;
  makecontext(&fibre.context, fibre_entry, 0);
}

long g_rounds;

CALLED void* run_half(void*) {
  for (long round = 0; round < g_rounds; ++round) {
    for (size_t i = 0; i < g_fibres.size(); ++i) resume(i);
  }
  return nullptr;
}

template <typename Function>
PLAIN void in_thread(Function function) {
  pthread_t thread;
  pthread_create(&thread, nullptr, function, nullptr);
  pthread_join(thread, nullptr);
}

PLAIN void play_fibres(long count, long switches) {
  g_fibres = std::vector<Fibre>(static_cast<size_t>(count));
  const long each = switches / count;
  g_rounds = each / 2;
  for (Fibre& fibre : g_fibres) prepare(fibre, each);
  run_half(nullptr);
  g_rounds = each - g_rounds + 1;  // once more: to their ends
  in_thread(run_half);
  long done = 0;
  for (Fibre& fibre : g_fibres) {
    done += fibre.done;
    munmap(fibre.stack, kStackBytes);
  }
  // Where stacks were, others' memory is; what is unwound now lies on none of them.
  std::free(std::malloc(100000));
  leaf();
  std::printf("switched %ld times\n", done);
}

struct Generator {
  struct promise_type {
    long value = 0;
    Generator get_return_object() {
      return {std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(long next) {
      value = next;
      return {};
    }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
  std::coroutine_handle<promise_type> handle;
};

CALLED long step_of(long number) {
  leaf();
  if (number % 100 == 99) throw number;
  return number * 2;
}

CALLED Generator numbers(long from) {
  for (long number = from;; ++number) {
    long found = -1;
    try {
      found = step_of(number);
    } catch (long thrown) {
      found = thrown;
    }
    co_yield found;
  }
}

std::vector<Generator> g_generators;
long g_sum;

// Each is resumed at other depths of the stack than before.
CALLED long take(size_t index, long depth) {
  if (depth > 0) return take(index, depth - 1) + 0 * static_cast<long>(g_sink);
  g_generators[index].handle.resume();
  return g_generators[index].handle.promise().value;
}

CALLED void* take_some(void*) {
  for (long round = 0; round < g_rounds; ++round) {
    const size_t count = g_generators.size();
    for (size_t i = 0; i < count; ++i) g_sum += take(i, (round + static_cast<long>(i)) % 7);
  }
  return nullptr;
}

PLAIN void play_generators(long count, long switches) {
  for (long i = 0; i < count; ++i) g_generators.push_back(numbers(i));
  g_rounds = switches / count / 2;
  take_some(nullptr);
  in_thread(take_some);
  for (Generator& generator : g_generators) generator.handle.destroy();
  std::printf("sum %ld\n", g_sum);
}

}  // namespace

PLAIN int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  const long count = argument_or(argc, argv, 2, 100);
  const long switches = argument_or(argc, argv, 3, 10000);
  g_null = open("/dev/null", O_WRONLY);
  g_assembly = std::strcmp(how, "assembly") == 0;
  if (std::strcmp(how, "generators") == 0) {
    play_generators(count, switches);
  } else {
    play_fibres(count, switches);
  }
  return 0;
}
