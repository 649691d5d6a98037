// SPDX-License-Identifier: Apache-2.0
// signal_storm MILLISECONDS [COUNTS]: SIGALRM at 1 kHz, whose handler calls every interposed
// function that POSIX allows there, while the main thread is in interposed functions that it allows
// nowhere near a handler, or throws. How often depends on the machine, so the program writes its
// own counts to the file COUNTS: `name calls` lines.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "program.h"

namespace {

// Of those that the handler calls, none is the main thread's, too: increments are not interrupted.
// clang-format off
#define COUNTED(X)                                                                                 \
  X(write) X(poll) X(select) X(read) X(close) X(send) X(recv) X(sendto) X(recvfrom) X(open)        \
      X(fsync) X(unlink) X(rename) X(nanosleep) X(waitpid)                                         \
      X(pthread_join) X(dlopen) X(fopen) X(fgets) X(fclose)      \
      X(usleep) X(__cxa_throw) X(__cxa_rethrow)
// clang-format on

struct Counts {
#define DECLARE(name) volatile long name;
  COUNTED(DECLARE)
#undef DECLARE
};
Counts g_counts;

#define COUNT(name) (g_counts.name = g_counts.name + 1)
#define DO(name, ...) (COUNT(name), name(__VA_ARGS__))

sem_t g_semaphore;
volatile sig_atomic_t g_signals, g_wrong;

void expect(bool right) {
  if (!right) g_wrong = g_wrong + 1;
}

void use_descriptors() {
  int ends[2], pair[2];
  char byte = 'x';
  expect(pipe(ends) == 0);
  expect(DO(write, ends[1], &byte, 1) == 1);
  pollfd one = {ends[0], POLLIN, 0};
  expect(DO(poll, &one, 1, 0) == 1);
  fd_set set;
  FD_ZERO(&set);
  timeval none = {0, 0};
  FD_SET(ends[0], &set);
  expect(DO(select, ends[0] + 1, &set, nullptr, nullptr, &none) == 1);
  expect(DO(read, ends[0], &byte, 1) == 1);
  const int copy = dup(ends[0]);
  expect(dup2(ends[1], copy) == copy);
  expect(fcntl(copy, F_GETFD) == 0);
  expect(DO(close, copy) == 0);
  expect(DO(close, ends[0]) == 0);
  expect(DO(close, ends[1]) == 0);
  expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  expect(DO(send, pair[0], &byte, 1, 0) == 1);
  expect(DO(recv, pair[1], &byte, 1, 0) == 1);
  expect(DO(sendto, pair[0], &byte, 1, 0, nullptr, 0) == 1);
  expect(DO(recvfrom, pair[1], &byte, 1, 0, nullptr, nullptr) == 1);
  expect(DO(close, pair[0]) == 0);
  expect(DO(close, pair[1]) == 0);
}

void use_files() {
  const int fd = DO(open, "/dev/null", O_WRONLY);
  expect(fd >= 0 && DO(write, fd, "x", 1) == 1);
  expect(DO(fsync, fd) == -1 && errno == EINVAL);
  expect(DO(close, fd) == 0);
  expect(DO(unlink, "/nonexistent/file") == -1 && errno == ENOENT);
  expect(DO(rename, "/nonexistent/file", "/nonexistent/other") == -1 && errno == ENOENT);
}

void make_child() {
  const pid_t child = _Fork();
  if (child == 0) {
    char name[] = "signal_storm", end[] = "end";
    char* const arguments[] = {name, end, nullptr};
    if (g_signals % 128 == 0) execv("/proc/self/exe", arguments);
    _exit(0);
  }
  int status = -1;
  expect(DO(waitpid, child, &status, 0) == child && status == 0);
}

void on_alarm(int) {
  const int before = errno;
  use_descriptors();
  use_files();
  const timespec shortest = {0, 1};
  DO(nanosleep, &shortest, nullptr);
  sem_post(&g_semaphore);
  g_signals = g_signals + 1;
  if (g_signals % 64 == 0) make_child();
  errno = before;
}

void* do_nothing(void* unused) { return unused; }

void make_thread() {
  pthread_t thread;
  sigset_t alarm_only, old;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm_only, &old);
  const int error = pthread_create(&thread, nullptr, do_nothing, nullptr);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  expect(error == 0 && DO(pthread_join, thread, nullptr) == 0);
}

void load() {
  void* handle = dlopen("libm.so.6", RTLD_NOW);
  expect(handle != nullptr && dlclose(handle) == 0);
  handle = DO(dlopen, "/usr/lib/x86_64-linux-gnu/libm.so.6", RTLD_NOW);  // by path: recorded
  expect(handle != nullptr && dlclose(handle) == 0);
}

// No std::exception: while its what() is asked for, hooks of handlers are mute.
struct Thrown {
  long value;
};

CALLED void fail(int depth) {
  if (depth == 0) {
    COUNT(__cxa_throw);
    throw Thrown{g_signals};
  }
  fail(depth - 1);
  g_sink = g_sink + 1;
}

CALLED void pass_on(int depth) {
  try {
    fail(depth);
  } catch (...) {
    COUNT(__cxa_rethrow);
    throw;
  }
}

CALLED void throw_some() {
  for (int depth = 0; depth < 40; ++depth) {
    try {
      pass_on(depth);
    } catch (const Thrown& thrown) {
      g_sink = g_sink + static_cast<uint64_t>(thrown.value);
    }
  }
}

void use_streams(FILE* nowhere) {
  char text[256];
  for (int i = 0; i < 100; ++i) fprintf(nowhere, "%d of %s: %f\n", i, "some", i / 3.0);
  FILE* file = DO(fopen, "/proc/self/status", "r");
  expect(file != nullptr && DO(fgets, text, sizeof(text), file) != nullptr);
  expect(DO(fclose, file) == 0);
}

void storm(uint64_t end_ns, FILE* nowhere) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
    make_thread();
    load();
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < 100; ++i) {
      void* volatile block = malloc(static_cast<size_t>(g_signals) % 1000 + i);
      free(block);
    }
    pthread_mutex_unlock(&mutex);
    sem_wait(&g_semaphore);
    use_streams(nowhere);
    throw_some();
    DO(usleep, 100);
  }
}

void tick(long microseconds) {
  const itimerval every = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &every, nullptr);
}

// Not by what is counted.
void write_counts(const char* path) {
  const int fd = creat(path, 0600);
#define WRITE(name) dprintf(fd, #name " %ld\n", g_counts.name);
  COUNTED(WRITE)
#undef WRITE
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "end") == 0) return 0;
  const auto milliseconds = static_cast<uint64_t>(argument_or(argc, argv, 1, 1000));
  sem_init(&g_semaphore, 0, 0);
  struct sigaction action = {};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  COUNT(fopen);
  FILE* nowhere = fopen("/dev/null", "w");
  tick(1000);
  storm(clock_ns(CLOCK_MONOTONIC) + milliseconds * 1000000, nowhere);
  tick(0);
  fprintf(stderr, "%s, %d wrong\n", g_signals > 100 ? "many signals" : "few signals",
          static_cast<int>(g_wrong));
  if (argc > 2) write_counts(argv[2]);
  return g_wrong != 0;
}
