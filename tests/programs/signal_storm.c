// SPDX-License-Identifier: Apache-2.0
// SIGALRM at 1 kHz, whose handler calls every interposed function that POSIX allows there, while the
// main thread is in interposed functions that it allows nowhere near a handler. argv[1]: seconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static sem_t g_semaphore;
static volatile sig_atomic_t g_signals, g_wrong;

static void expect(int right) {
  if (!right) {
    g_wrong += 1;
  }
}

static void use_descriptors(void) {
  int ends[2], pair[2];
  char byte = 'x';
  expect(pipe(ends) == 0);
  expect(write(ends[1], &byte, 1) == 1);
  struct pollfd one = {ends[0], POLLIN, 0};
  expect(poll(&one, 1, 0) == 1);
  fd_set set;
  FD_ZERO(&set);
  if (ends[0] < FD_SETSIZE) {
    struct timeval none = {0, 0};
    FD_SET(ends[0], &set);
    expect(select(ends[0] + 1, &set, NULL, NULL, &none) == 1);
  }
  expect(read(ends[0], &byte, 1) == 1);
  const int copy = dup(ends[0]);
  expect(dup2(ends[1], copy) == copy);
  expect(fcntl(copy, F_GETFD) == 0);
  expect(close(copy) == 0);
  expect(close(ends[0]) == 0 && close(ends[1]) == 0);
  expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  expect(send(pair[0], &byte, 1, 0) == 1);
  expect(recv(pair[1], &byte, 1, 0) == 1);
  expect(sendto(pair[0], &byte, 1, 0, NULL, 0) == 1);
  expect(recvfrom(pair[1], &byte, 1, 0, NULL, NULL) == 1);
  expect(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void use_files(void) {
  const int fd = open("/dev/null", O_WRONLY);
  expect(fd >= 0 && write(fd, "x", 1) == 1);
  expect(fsync(fd) == -1 && errno == EINVAL);
  expect(close(fd) == 0);
  expect(unlink("/nonexistent/file") == -1 && errno == ENOENT);
  expect(rename("/nonexistent/file", "/nonexistent/other") == -1 && errno == ENOENT);
}

static void on_alarm(int signal) {
  const int before = errno;
  (void)signal;
  use_descriptors();
  use_files();
  const struct timespec shortest = {0, 1};
  nanosleep(&shortest, NULL);
  sem_post(&g_semaphore);
  g_signals += 1;
  if (g_signals % 64 == 0) {
    const pid_t child = _Fork();
    if (child == 0) {
      char* const arguments[] = {"true", NULL};
      if (g_signals % 128 == 0) {
        execv("/bin/true", arguments);
      }
      _exit(0);
    }
    int status = -1;
    expect(waitpid(child, &status, 0) == child && status == 0);
  }
  errno = before;
}

static void* nothing(void* unused) { return unused; }

int main(int argc, char** argv) {
  const uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)argument_or(argc, argv, 1, 2) * 1000000000u;
  const struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  const struct itimerval every = {{0, 1000}, {0, 1000}};
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  sem_init(&g_semaphore, 0, 0);
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
  char text[256];
  while (clock_ns(CLOCK_MONOTONIC) < end) {
    pthread_t thread;
    sigset_t alarm_only, old;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, &old);
    const int error = pthread_create(&thread, NULL, nothing, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    expect(error == 0 && pthread_join(thread, NULL) == 0);
    void* handle = dlopen("libm.so.6", RTLD_NOW);
    expect(handle != NULL && dlclose(handle) == 0);
    handle = dlopen("/usr/lib/x86_64-linux-gnu/libm.so.6", RTLD_NOW);
    expect(handle != NULL && dlclose(handle) == 0);
    pthread_mutex_lock(&mutex);
    free(malloc((size_t)g_signals % 1000 + 1));
    pthread_mutex_unlock(&mutex);
    sem_wait(&g_semaphore);
    FILE* file = fopen("/proc/self/status", "r");
    expect(file != NULL && fgets(text, sizeof(text), file) != NULL && fclose(file) == 0);
    usleep(100);
  }
  const struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  fprintf(stderr, "%s, %d wrong\n", g_signals > 100 ? "many signals" : "few signals", (int)g_wrong);
  return g_wrong != 0;
}
