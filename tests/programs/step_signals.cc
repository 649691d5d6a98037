// SPDX-License-Identifier: Apache-2.0
// step_signals SCENARIO COUNTS STRIDE [PLUGIN]: a signal at every STRIDE-th instruction of
// libspyglass.so; STRIDE 0: at every instruction once, each in a child of its own.
//
// A child plays the scenario and its parent single-steps it. Before an instruction that lies in the
// library the parent delivers a signal whose handler calls functions with hooks and writes a byte,
// and lets it return there. With STRIDE 0 nothing was interrupted before, so the handler's calls
// too are the first of their kind. The file COUNTS gets how often each function was called in
// truth. Without the library nothing is delivered, and the output is the same.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <exception>
#include <set>
#include <stdexcept>

#include "program.h"

namespace {

// clang-format off
#define COUNTED(X)                                                                            \
  X(leaf)                                                                                     \
  X(branch)                                                                                   \
  X(recurse)                                                                                  \
  X(jump_back)                                                                                \
  X(jump_over)                                                                                \
  X(fail) X(pass_on) X(catch_all) X(handle) X(below_handler) X(plugin_entry) X(only_in_a)     \
      X(in_thread) X(in_child) X(write) X(open) X(read) X(close) X(poll) X(nanosleep)         \
          X(pthread_mutex_lock) X(pthread_cond_wait) X(pthread_join) X(dlopen) X(waitpid)     \
              X(__cxa_throw) X(__cxa_rethrow) X(fopen) X(fwrite) X(fflush) X(fgets) X(fclose) \
                  X(fatal_signal) X(fprintf)
// clang-format on

struct Counts {
#define DECLARE(name) volatile long name;
  COUNTED(DECLARE)
#undef DECLARE
};
Counts* g_counts;  // shared by all processes
#define COUNT(name) (g_counts->name = g_counts->name + 1)

const char* g_plugin;
int g_null;

// --- what the handler does -----------------------------------------------------------------------

PLAIN void stop_for_parent() { asm volatile("int3"); }

CALLED int leaf(int n) {
  COUNT(leaf);
  return n * 3;
}

CALLED int below_handler(int n) {
  COUNT(below_handler);
  return n + 1;
}

CALLED void handle() {
  COUNT(handle);
  g_sink = g_sink + below_handler(1) + below_handler(2);
  COUNT(write);
  if (write(g_null, "x", 1) != 1) abort();
}

PLAIN void on_signal(int) {
  const int before = errno;
  g_sink = g_sink + leaf(0);  // the very node that may be worked on
  handle();
  errno = before;
  stop_for_parent();
}

// --- scenarios: what is interrupted
// ---------------------------------------------------------------

CALLED int branch(int n) {
  COUNT(branch);
  return leaf(n) + leaf(n + 1);
}

CALLED int recurse(int n) {
  COUNT(recurse);
  return n == 0 ? 0 : recurse(n - 1) + 1;
}

PLAIN void play_hooks() {
  for (int i = 0; i < 3; ++i) g_sink = g_sink + branch(i) + recurse(3);
}

jmp_buf g_back;

CALLED void jump_back(int depth) {
  COUNT(jump_back);
  if (depth == 0) longjmp(g_back, 1);
  if (depth > 0) jump_back(depth - 1);
  g_sink = g_sink + 1;
}

CALLED void jump_over(int depth) {
  COUNT(jump_over);
  if (setjmp(g_back) == 0) jump_back(depth);
  g_sink = g_sink + leaf(1);
}

PLAIN void play_jumps() {
  jump_over(3);
  jump_over(0);
}

PLAIN void play_files() {
  const int ends = memfd_create("ends", 0);
  char bytes[8] = "abcdefg";
  for (int i = 0; i < 2; ++i) {
    COUNT(write);
    if (write(ends, bytes, 8) != 8) abort();
    lseek(ends, 0, SEEK_SET);
    COUNT(read);
    if (read(ends, bytes, 8) != 8) abort();
    COUNT(open);
    const int file = open("/dev/null", O_RDONLY);
    if (fcntl(file, F_GETFD) != 0) abort();
    pollfd one = {file, POLLIN, 0};
    COUNT(poll);
    if (poll(&one, 1, 0) < 0) abort();
    COUNT(close);
    if (close(file) != 0) abort();
    COUNT(read);
    errno = 0;
    if (read(-1, bytes, 8) != -1 || errno != EBADF) abort();
    COUNT(nanosleep);
    const timespec shortest = {0, 1};
    nanosleep(&shortest, nullptr);
  }
  COUNT(close);
  close(ends);
}

PLAIN void play_streams() {
  char line[32];
  for (int i = 0; i < 2; ++i) {
    COUNT(fopen);
    FILE* null = fopen("/dev/null", "w");
    COUNT(fwrite);
    setvbuf(null, nullptr, _IONBF, 0);
    if (fwrite("0123456789", 1, 10, null) != 10) abort();
    COUNT(fprintf);
    if (fprintf(null, "%d", i) != 1) abort();
    COUNT(fclose);
    fclose(null);
    COUNT(fopen);
    FILE* text = fopen("/proc/self/comm", "r");
    COUNT(fgets);
    if (fgets(line, sizeof(line), text) == nullptr) abort();
    COUNT(fclose);
    fclose(text);
  }
}

pthread_mutex_t g_one = PTHREAD_MUTEX_INITIALIZER, g_other = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;
volatile int g_step;

// Holds g_one until somebody waits for it, then wakes who waits for the condition.
PLAIN void* partner(void*) {
  pthread_mutex_lock(&g_one);
  g_step = 1;
  while (*const_cast<volatile int*>(&g_one.__data.__lock) != 2) sched_yield();
  pthread_mutex_unlock(&g_one);
  while (g_step != 2) sched_yield();
  while (pthread_mutex_trylock(&g_other) != 0) sched_yield();  // until the condition is waited for
  g_step = 3;
  pthread_cond_signal(&g_changed);
  pthread_mutex_unlock(&g_other);
  return nullptr;
}

PLAIN void play_locks() {
  pthread_mutex_t spare = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
  pthread_t thread;
  pthread_create(&thread, nullptr, partner, nullptr);
  while (g_step == 0) sched_yield();
  COUNT(pthread_mutex_lock);
  pthread_mutex_lock(&g_one);
  pthread_mutex_lock(&g_other);
  pthread_mutex_lock(&spare);
  pthread_mutex_unlock(&spare);
  pthread_mutex_unlock(&g_one);
  g_step = 2;
  while (g_step == 2) {
    COUNT(pthread_cond_wait);
    pthread_cond_wait(&g_changed, &g_other);
  }
  pthread_mutex_unlock(&g_other);
  for (int i = 0; i < 2; ++i) {
    pthread_mutex_lock(&g_one);  // timed now, as somebody waited for it
    pthread_rwlock_rdlock(&shared);
    pthread_rwlock_unlock(&shared);
    pthread_mutex_unlock(&g_one);
  }
  pthread_rwlock_destroy(&shared);
  pthread_mutex_destroy(&spare);
  COUNT(pthread_join);
  pthread_join(thread, nullptr);
}

CALLED void* in_thread(void*) {
  COUNT(in_thread);
  return nullptr;
}

PLAIN void play_threads() {
  for (int i = 0; i < 2; ++i) {
    pthread_t thread;
    pthread_create(&thread, nullptr, in_thread, nullptr);
    COUNT(pthread_join);
    pthread_join(thread, nullptr);
  }
}

CALLED void fail(int depth) {
  COUNT(fail);
  if (depth == 0) {
    COUNT(__cxa_throw);
    throw std::runtime_error("stepped");
  }
  fail(depth - 1);
  g_sink = g_sink + 1;
}

CALLED void pass_on() {
  COUNT(pass_on);
  try {
    fail(2);
  } catch (...) {
    COUNT(__cxa_rethrow);
    throw;
  }
}

CALLED void catch_all() {
  COUNT(catch_all);
  try {
    pass_on();
  } catch (const std::exception& error) {
    g_sink = g_sink + std::strlen(error.what());
    try {
      fail(0);
    } catch (const std::runtime_error&) {
      g_sink = g_sink + leaf(2);
    }
  }
}

PLAIN void play_exceptions() {
  for (int i = 0; i < 2; ++i) catch_all();
}

CALLED void in_child() { COUNT(in_child); }

PLAIN void play_fork() {
  for (int i = 0; i < 2; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      in_child();
      _exit(3);
    }
    COUNT(waitpid);
    if (waitpid(child, nullptr, 0) != child) abort();
  }
}

// In a child whose first hooks these are: they set its process and lane up.
PLAIN void play_first() { g_sink = g_sink + branch(1); }

PLAIN void play_load() {
  for (int i = 0; i < 2; ++i) {
    COUNT(dlopen);
    void* plugin = dlopen(g_plugin, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) abort();
    COUNT(plugin_entry);
    COUNT(only_in_a);
    reinterpret_cast<void (*)(int)>(dlsym(plugin, "plugin_entry"))(1);
    dlclose(plugin);
  }
}

PLAIN void ignore(int) {}

PLAIN void play_dispositions() {
  for (const int number : {SIGSEGV, SIGPROF, SIGUSR2}) {
    struct sigaction action = {}, old = {};
    action.sa_handler = ignore;
    if (sigaction(number, &action, &old) != 0 || old.sa_handler != SIG_DFL) abort();
    if (signal(number, SIG_DFL) != ignore) abort();
    if (sigaction(number, nullptr, &old) != 0 || old.sa_handler != SIG_DFL) abort();
  }
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGPROF);
  if (sigprocmask(SIG_BLOCK, &set, &before) != 0 || sigismember(&before, SIGPROF)) abort();
  if (pthread_sigmask(SIG_SETMASK, &before, &set) != 0 || !sigismember(&set, SIGPROF)) abort();
}

PLAIN void play_fault() {
  COUNT(fatal_signal);
  *static_cast<volatile int*>(nullptr) = 1;
}

PLAIN void play_exit() { exit(7); }

struct Scenario {
  const char* name;
  void (*play)();
};
constexpr Scenario kScenarios[] = {
    {"hooks", play_hooks},
    {"jumps", play_jumps},
    {"files", play_files},
    {"streams", play_streams},
    {"locks", play_locks},
    {"threads", play_threads},
    {"exceptions", play_exceptions},
    {"fork", play_fork},
    {"first", play_first},

    {"load", play_load},
    {"dispositions", play_dispositions},
    {"fault", play_fault},
    {"exit", play_exit},
};

PLAIN const Scenario* find_scenario(const char* name) {
  for (const Scenario& known : kScenarios) {
    if (std::strcmp(known.name, name) == 0) return &known;
  }
  return nullptr;
}

// --- the parent
// -----------------------------------------------------------------------------------

// Not through libc: waits of the parent are not to be among the operations.
PLAIN bool wait_for_stop(pid_t child, int* status) {
  return syscall(SYS_wait4, child, status, __WALL, nullptr) == child && WIFSTOPPED(*status);
}

PLAIN bool resume(long how, pid_t child, int signal, int* status) {
  return syscall(SYS_ptrace, how, child, nullptr, static_cast<long>(signal)) == 0 &&
         wait_for_stop(child, status);
}

struct Range {
  unsigned long start, end;
};

PLAIN int find_code(dl_phdr_info* module, size_t, void* found) {
  if (std::strstr(module->dlpi_name, "/libspyglass.so") == nullptr) return 0;
  for (int i = 0; i < module->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
      const unsigned long start = module->dlpi_addr + segment.p_vaddr;
      *static_cast<Range*>(found) = {start, start + segment.p_memsz};
    }
  }
  return 1;
}

PLAIN bool is_blocked(pid_t child, int signal) {
  unsigned long mask = 0;
  syscall(SYS_ptrace, PTRACE_GETSIGMASK, child, sizeof(mask), &mask);
  return (mask >> (signal - 1) & 1) != 0;
}

PLAIN bool at_breakpoint(pid_t child) {
  siginfo_t info;
  return ptrace(PTRACE_GETSIGINFO, child, nullptr, &info) == 0 && info.si_code == SI_KERNEL;
}

// The child stands before an instruction: its handler runs, and then it stands there again.
PLAIN bool interrupt(pid_t child, const user_regs_struct& here, int* status) {
  if (!resume(PTRACE_SINGLESTEP, child, SIGUSR1, status)) return false;
  int other = 0;  // a child of its own may end meanwhile
  do {
    if (!resume(PTRACE_CONT, child, other, status)) return false;
    other = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
  } while (other != 0);
  for (int steps = 0; steps < 100; ++steps) {
    user_regs_struct now;
    if (!resume(PTRACE_SINGLESTEP, child, 0, status)) return false;
    ptrace(PTRACE_GETREGS, child, nullptr, &now);
    if (now.rip == here.rip && now.rsp == here.rsp) return true;
  }
  fprintf(stderr, "the handler did not return to %llx\n", here.rip);
  return false;
}

struct Plan {
  Range library;
  long stride;  // between instructions of the library that are interrupted; 0: none is
  long delivered;
  std::set<unsigned long> seen;  // the library's instructions, where none is interrupted

  bool holds(unsigned long pc) const { return pc >= library.start && pc < library.end; }
};

// Until the child says that it is done, or ends.
PLAIN bool step_through(pid_t child, Plan* plan, int* status) {
  long number = 0;  // of the instruction, counting those of the library
  int signal = 0;   // that goes on to the child
  bool enters_handler = false;
  for (;;) {
    user_regs_struct here;
    ptrace(PTRACE_GETREGS, child, nullptr, &here);
    // Where a handler is about to begin, a signal would be lost.
    if (plan->holds(here.rip) && signal == 0 && !enters_handler && !is_blocked(child, SIGUSR1)) {
      if (plan->stride == 0) {
        plan->seen.insert(here.rip);
      } else if (number % plan->stride == 0) {
        plan->delivered += 1;
        if (!interrupt(child, here, status)) return false;
      }
      number += 1;
    }
    enters_handler = signal != 0;
    if (!resume(PTRACE_SINGLESTEP, child, signal, status)) return false;
    signal = WSTOPSIG(*status) == SIGTRAP ? 0 : WSTOPSIG(*status);
    if (signal == 0 && at_breakpoint(child)) return true;
  }
}

// Returns how the child ended.
PLAIN int finish(pid_t child, bool stopped, int status) {
  while (stopped) {
    const int signal = WSTOPSIG(status);
    stopped = resume(PTRACE_CONT, child, signal == SIGTRAP ? 0 : signal, &status);
  }
  return status;
}

PLAIN int trace(pid_t child, Plan* plan) {
  int status = 0;
  bool stopped = wait_for_stop(child, &status);  // where the scenario begins
  if (stopped && plan->library.start != 0) stopped = step_through(child, plan, &status);
  return finish(child, stopped, status);
}

// Lets the child run to `place` and interrupts it there, if it comes by before the scenario ends.
PLAIN int trace_to(pid_t child, unsigned long place, Plan* plan) {
  int status = 0;
  bool stopped = wait_for_stop(child, &status);
  const long code = ptrace(PTRACE_PEEKTEXT, child, place, nullptr);
  ptrace(PTRACE_POKETEXT, child, place, (code & ~0xffL) | 0xcc);
  stopped = stopped && resume(PTRACE_CONT, child, 0, &status);
  while (stopped && WSTOPSIG(status) != SIGTRAP) {
    stopped = resume(PTRACE_CONT, child, WSTOPSIG(status), &status);
  }
  if (!stopped) return status;
  user_regs_struct here;
  ptrace(PTRACE_GETREGS, child, nullptr, &here);
  ptrace(PTRACE_POKETEXT, child, place, code);
  if (here.rip == place + 1) {
    here.rip = place;
    ptrace(PTRACE_SETREGS, child, nullptr, &here);
    plan->delivered += 1;
    stopped = interrupt(child, here, &status);
  }
  return finish(child, stopped, status);
}

PLAIN void write_counts(const char* path, long delivered) {
  const int fd = static_cast<int>(syscall(SYS_open, path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  dprintf(fd, "delivered %ld\n", delivered);
#define WRITE(name) dprintf(fd, #name " %ld\n", g_counts->name);
  COUNTED(WRITE)
#undef WRITE
  syscall(SYS_close, fd);
}

PLAIN void play(const Scenario& scenario) {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  if (scenario.play != play_first) g_sink = g_sink + leaf(0);  // now the lane is there
  stop_for_parent();
  scenario.play();
  stop_for_parent();
}

PLAIN pid_t start_child(const Scenario& scenario) {
  const pid_t child = fork();
  if (child == 0) {
    play(scenario);
    _exit(0);
  }
  return child;
}

PLAIN int play_interrupted(const Scenario& scenario, Plan* plan) {
  int status = trace(start_child(scenario), plan);
  for (const unsigned long place : plan->seen) {
    const int other = trace_to(start_child(scenario), place, plan);
    if (other != status) {
      fprintf(stderr, "at %lx\n", place - plan->library.start);
      return other;
    }
  }
  return status;
}

}  // namespace

PLAIN int main(int argc, char** argv) {
  const Scenario* scenario = argc > 3 ? find_scenario(argv[1]) : nullptr;
  if (scenario == nullptr) return 2;
  g_plugin = argc > 4 ? argv[4] : "";
  g_null = static_cast<int>(syscall(SYS_open, "/dev/null", O_WRONLY));
  g_counts = static_cast<Counts*>(
      mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  Plan plan = {{0, 0}, std::atol(argv[3]), 0, {}};
  dl_iterate_phdr(find_code, &plan.library);
  const int status = play_interrupted(*scenario, &plan);
  if (WIFSIGNALED(status)) printf("killed by %d\n", WTERMSIG(status));
  if (WIFEXITED(status)) printf("exited with %d\n", WEXITSTATUS(status));
  write_counts(argv[2], plan.delivered);
  return 0;
}
