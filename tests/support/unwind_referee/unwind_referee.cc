// SPDX-License-Identifier: Apache-2.0
// unwind_referee.cc - a library to preload: unwinds a program's stacks with our rules and memo,
// with libunwind and with backtrace(), and compares them frame by frame.
//
//   REFEREE_OUTPUT  folder; each process image writes a file of counters there, as text
//   REFEREE_EVERY   compares at every so-manieth malloc or realloc (0: never)
//   REFEREE_HZ      and so often per second of CPU time, from a signal handler (0: never)
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <libunwind.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "recorder/runtime/stack_point.h"
#include "recorder/runtime/unwind_rules.h"
#include "recorder/runtime/unwind_walk.h"

namespace {

using namespace spyglass::runtime;
namespace unwind = spyglass::unwind;

constexpr unsigned kFrames = 1000;
constexpr std::size_t kFileBytes = 1U << 16U;

struct Counters {
  std::atomic<std::uint64_t> stacks;
  std::atomic<std::uint64_t> frames;
  std::atomic<std::uint64_t> kept;  // of them, known from the memo
  std::atomic<std::uint64_t> truncated;
  // Against libunwind: agree to the end; it gave up sooner; we did; frames differ.
  std::atomic<std::uint64_t> same, longer, shorter, different;
  // Against backtrace(), likewise.
  std::atomic<std::uint64_t> gcc_same, gcc_longer, gcc_shorter, gcc_different;
  std::atomic<std::uint32_t> text_used;
  char text[1];
};

Counters* g_counters;
unsigned g_every;
void* (*g_malloc)(std::size_t);
void* (*g_realloc)(void*, std::size_t);
char g_early[4096];
std::size_t g_early_used;

// libunwind, loaded so that its _Unwind_* don't take the place of libgcc's in the program.
struct Libunwind {
  int (*getcontext)(unw_context_t*);
  int (*init)(unw_cursor_t*, unw_context_t*, int);
  int (*step)(unw_cursor_t*);
  int (*get_register)(unw_cursor_t*, int, unw_word_t*);
  int (*is_signal)(unw_cursor_t*);
};
Libunwind g_libunwind;

template <typename Function>
bool find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

bool load_libunwind() {
  void* library = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  return library != nullptr &&
         find_function(library, "_Ux86_64_getcontext", g_libunwind.getcontext) &&
         find_function(library, "_ULx86_64_init_local2", g_libunwind.init) &&
         find_function(library, "_ULx86_64_step", g_libunwind.step) &&
         find_function(library, "_ULx86_64_get_reg", g_libunwind.get_register) &&
         find_function(library, "_ULx86_64_is_signal_frame", g_libunwind.is_signal);
}

struct Frame {
  std::uint64_t pc;
  std::uint64_t sp;
};
struct Stack {
  unsigned count = 0;
  bool complete = false;
  Frame frames[kFrames];
};
struct Thread {
  UnwindArea area;
  Stack ours;
  Stack theirs;
  void* addresses[kFrames];
};
__thread Thread* t_thread_memory;
__thread bool t_busy;
__thread unsigned t_calls;

[[gnu::format(printf, 1, 2)]] void note(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int bytes = vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  constexpr std::uint32_t kRoom = kFileBytes - sizeof(Counters);
  const std::uint32_t at =
      g_counters->text_used.fetch_add(static_cast<std::uint32_t>(bytes), std::memory_order_relaxed);
  if (at + static_cast<std::uint32_t>(bytes) < kRoom) {
    std::memcpy(g_counters->text + at, line, static_cast<std::size_t>(bytes));
  } else {
    g_counters->text_used.store(kRoom, std::memory_order_relaxed);
  }
}

// The whole stack, by our means, memo included.
void walk_ours(Thread& thread, const unwind::Registers& at) {
  UnwindArea& area = thread.area;
  area.owner = 1;
  const std::uint64_t epoch = g_rule_epoch.load();
  if (area.epoch != epoch) {
    area.epoch = epoch;
    area.memo_count = 0;
  }
  const Walk walk = start_walk(area, at, ~std::uint64_t{0}, kFrames);
  Stack& stack = thread.ours;
  stack.count = 0;
  for (std::uint32_t i = 0; i < walk.count; ++i) {
    stack.frames[stack.count++] = {area.fresh[i].pc, area.fresh[i].sp};
  }
  for (std::uint32_t i = walk.kept; i-- > 0;) {
    stack.frames[stack.count++] = {area.memo[i].pc, area.memo[i].sp};
  }
  stack.complete = walk.end == WalkEnd::kOutermost;
  g_counters->kept += walk.kept;
  g_counters->frames += stack.count;
  g_counters->truncated += stack.complete ? 0 : 1;
  for (std::uint32_t i = 0; is_lasting(walk) && i < walk.count; ++i) {
    keep_frame(area.memo[walk.kept + i], area.fresh[walk.count - 1 - i], 0);
  }
  finish_walk(area, walk);
}

// Frames from the one with stack pointer `first_sp` on.
void walk_libunwind(Stack& stack, unw_context_t* context, bool signal, std::uint64_t first_sp) {
  unw_cursor_t cursor;
  stack.count = 0;
  g_libunwind.init(&cursor, context, signal ? UNW_INIT_SIGNAL_FRAME : 0);
  bool exact = signal;
  bool found = false;
  int step = 1;
  while (step > 0 && stack.count < kFrames) {
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    g_libunwind.get_register(&cursor, UNW_REG_IP, &pc);
    g_libunwind.get_register(&cursor, UNW_REG_SP, &sp);
    found = found || sp == first_sp;
    if (found && pc != 0) {
      stack.frames[stack.count++] = {exact ? pc : pc - 1, sp};
    }
    exact = g_libunwind.is_signal(&cursor) > 0;
    step = g_libunwind.step(&cursor);
  }
  stack.complete = step == 0;
}

void describe(const char* what, const Thread& thread, unsigned at) {
  note("%s at frame %u: ours %u%s, theirs %u%s\n", what, at, thread.ours.count,
       thread.ours.complete ? "" : " cut", thread.theirs.count,
       thread.theirs.complete ? "" : " cut");
  for (unsigned i = at > 1 ? at - 2 : 0; i < at + 2; ++i) {
    for (const Stack* stack : {&thread.ours, &thread.theirs}) {
      if (i < stack->count) {
        const Frame& frame = stack->frames[i];
        Dl_info info = {};
        dladdr(reinterpret_cast<void*>(frame.pc), &info);
        note("  %s %u pc %lx sp %lx %s+%lx %s\n", stack == &thread.ours ? "ours  " : "theirs", i,
             frame.pc, frame.sp, info.dli_fname ? info.dli_fname : "?",
             frame.pc - reinterpret_cast<std::uint64_t>(info.dli_fbase),
             info.dli_sname ? info.dli_sname : "");
      }
    }
  }
}

void compare_libunwind(const Thread& thread) {
  const Stack& ours = thread.ours;
  const Stack& theirs = thread.theirs;
  const unsigned both = ours.count < theirs.count ? ours.count : theirs.count;
  for (unsigned i = 0; i < both; ++i) {
    // libunwind does not keep the stack pointer right across code without rules, and by a bug says
    // of the frame after the interrupted one that it was interrupted.
    if (ours.frames[i].pc - theirs.frames[i].pc + 1 > 2) {
      if (g_counters->different++ < 20) {
        describe("different", thread, i);
      }
      return;
    }
  }
  if (ours.count == theirs.count) {
    g_counters->same += 1;
  } else if (ours.count > theirs.count) {
    if (g_counters->longer++ < 5) {
      describe("longer", thread, both);
    }
  } else if (g_counters->shorter++ < 10) {
    describe("shorter", thread, both);
  }
}

void compare_backtrace(const Thread& thread, int count) {
  const Stack& ours = thread.ours;
  int at = 0;
  while (at < count &&
         reinterpret_cast<std::uint64_t>(thread.addresses[at]) != ours.frames[0].pc + 1) {
    ++at;
  }
  unsigned i = 0;
  for (; i < ours.count && at < count; ++i, ++at) {
    const auto theirs = reinterpret_cast<std::uint64_t>(thread.addresses[at]);
    if (theirs - 1 != ours.frames[i].pc && theirs != ours.frames[i].pc) {
      g_counters->gcc_different += 1;
      return;
    }
  }
  // glibc ends its list with the return address 0 of the outermost frame, if there is one.
  while (at < count && thread.addresses[at] == nullptr) {
    ++at;
  }
  if (at == count && i == ours.count) {
    g_counters->gcc_same += 1;
  } else {
    (at == count ? g_counters->gcc_longer : g_counters->gcc_shorter) += 1;
  }
}

Thread* thread_memory() {
  if (t_thread_memory == nullptr) {
    void* memory = mmap(nullptr, sizeof(Thread), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    t_thread_memory = memory == MAP_FAILED ? nullptr : static_cast<Thread*>(memory);
  }
  return t_thread_memory;
}

[[gnu::noinline]] void compare_here(const StackPoint& point) {
  const int saved_errno = errno;
  t_busy = true;
  if (Thread* thread = thread_memory()) {
    g_counters->stacks += 1;
    walk_ours(*thread, {point.pc, point.sp, point.rbp, true});
    unw_context_t context;
    g_libunwind.getcontext(&context);
    walk_libunwind(thread->theirs, &context, false, point.sp);
    compare_libunwind(*thread);
    compare_backtrace(*thread, backtrace(thread->addresses, kFrames));
  }
  t_busy = false;
  errno = saved_errno;
}

void compare_interrupted(int /*signal*/, siginfo_t* /*info*/, void* context) {
  if (t_busy) {
    return;
  }
  const int saved_errno = errno;
  t_busy = true;
  if (Thread* thread = thread_memory()) {
    const greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto sp = static_cast<std::uint64_t>(registers[REG_RSP]);
    g_counters->stacks += 1;
    walk_ours(*thread, {static_cast<std::uint64_t>(registers[REG_RIP]), sp,
                        static_cast<std::uint64_t>(registers[REG_RBP]), false});
    walk_libunwind(thread->theirs, static_cast<unw_context_t*>(context), true, sp);
    compare_libunwind(*thread);
  }
  t_busy = false;
  errno = saved_errno;
}

unsigned number_of(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? 0 : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

void open_counters() {
  char path[1024];
  std::snprintf(path, sizeof(path), "%s/%s.%d", std::getenv("REFEREE_OUTPUT"),
                program_invocation_short_name, getpid());
  const int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, kFileBytes) != 0) {
    return;
  }
  void* memory = mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  g_counters = memory == MAP_FAILED ? nullptr : static_cast<Counters*>(memory);
}

[[gnu::constructor]] void start() {
  if (std::getenv("REFEREE_OUTPUT") == nullptr || !load_libunwind()) {
    return;
  }
  void* warm[4];
  backtrace(warm, 4);  // loads libgcc before any malloc is compared
  open_counters();
  if (g_counters == nullptr) {
    return;
  }
  const unsigned hz = number_of("REFEREE_HZ");
  if (hz != 0) {
    struct sigaction action = {};
    action.sa_sigaction = compare_interrupted;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigaction(SIGPROF, &action, nullptr);
    const itimerval interval = {{0, static_cast<suseconds_t>(1000000 / hz)},
                                {0, static_cast<suseconds_t>(1000000 / hz)}};
    setitimer(ITIMER_PROF, &interval, nullptr);
  }
  g_every = number_of("REFEREE_EVERY");
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] void* malloc(std::size_t bytes) {
  if (g_malloc == nullptr) {
    static bool resolving = false;
    if (resolving) {  // dlsym allocates
      void* memory = g_early + g_early_used;
      g_early_used += (bytes + 15) / 16 * 16;
      return memory;
    }
    resolving = true;
    g_malloc = reinterpret_cast<void* (*)(std::size_t)>(dlsym(RTLD_NEXT, "malloc"));
  }
  if (g_every != 0 && !t_busy && ++t_calls % g_every == 0) {
    compare_here(caller_point());
  }
  return g_malloc(bytes);
}

[[gnu::visibility("default")]] void* realloc(void* memory, std::size_t bytes) {
  if (g_realloc == nullptr) {
    g_realloc = reinterpret_cast<void* (*)(void*, std::size_t)>(dlsym(RTLD_NEXT, "realloc"));
  }
  if (g_every != 0 && !t_busy && ++t_calls % g_every == 0) {
    compare_here(caller_point());
  }
  return g_realloc(memory, bytes);
}

[[gnu::visibility("default")]] int dlclose(void* handle) {
  static int (*next)(void*) = nullptr;
  if (next == nullptr) {
    next = reinterpret_cast<int (*)(void*)>(dlsym(RTLD_NEXT, "dlclose"));
  }
  const int result = next(handle);
  forget_rules();
  return result;
}

}  // extern "C"
