// SPDX-License-Identifier: Apache-2.0
// Burns CPU, then waits in every call that a signal interrupts; EINTR ends the program.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static void burn_for(int milliseconds) {
  const uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)milliseconds * 1000000;
  while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (int i = 0; i < 1000; ++i) g_sink += (uint64_t)i;
  }
}

// Never in step with the kernel's ticks, at which CPU timers expire.
static void burn(void) {
  static int turn;
  burn_for(1 + turn++ % 7);
}

static void check(const char* call, int result) {
  if (result < 0 && errno == EINTR) {
    printf("%s: EINTR\n", call);
    exit(1);
  }
}

static struct timespec in_a_millisecond(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_nsec -= 1000000000;
    until.tv_sec += 1;
  }
  return until;
}

// With a time limit these are not restarted, whatever the handler's flags.
static void wait_at_sockets(void) {
  static int listener = -1, pair[2];
  const struct timeval limit = {0, 1000};
  if (listener < 0) {
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    const struct sockaddr_un address = {AF_UNIX, ""};
    if (bind(listener, (const struct sockaddr*)&address, sizeof(sa_family_t)) != 0 ||
        listen(listener, 1) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) {
      exit(3);
    }
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  char byte;
  burn();
  check("accept", accept(listener, NULL, NULL));
  burn();
  check("recv", (int)recv(pair[0], &byte, 1, 0));
  burn();
  check("read", (int)read(pair[0], &byte, 1));
}

static void wait_for_semaphores(void) {
  const struct timespec short_time = {0, 1000000};
  struct sembuf down = {0, -1, 0};
  const int set = semget(IPC_PRIVATE, 1, 0600);
  burn();
  const int result = semtimedop(set, &down, 1, &short_time);
  const int error = errno;
  semctl(set, 0, IPC_RMID);  // before the end, whichever it is: it would stay
  errno = set < 0 ? EINTR : error;
  check("semtimedop", result);
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  burn();
  const struct timespec until = in_a_millisecond();
  check("sem_timedwait", sem_timedwait(&semaphore, &until));
}

static void sleep_short(void) {
  const struct timespec short_time = {0, 1000000};
  burn();
  check("nanosleep", nanosleep(&short_time, NULL));
  burn();
  errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &short_time, NULL);
  check("clock_nanosleep", errno == 0 ? 0 : -1);
  burn();
  check("usleep", usleep(1000));
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  burn();
  check("sigtimedwait", sigtimedwait(&one, NULL, &short_time));
}

static void wait_for_descriptors(int fd, int epoll) {
  const struct timespec short_time = {0, 1000000};
  struct pollfd wanted = {fd, POLLIN, 0};
  sigset_t none;
  sigemptyset(&none);
  burn();
  check("poll", poll(&wanted, 1, 1));
  burn();
  check("ppoll", ppoll(&wanted, 1, &short_time, &none));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  struct timeval wait = {0, 1000};
  burn();
  check("select", select(fd + 1, &set, NULL, NULL, &wait));
  FD_SET(fd, &set);
  burn();
  check("pselect", pselect(fd + 1, &set, NULL, NULL, &short_time, &none));
  struct epoll_event event;
  burn();
  check("epoll_wait", epoll_wait(epoll, &event, 1, 1));
  burn();
  check("epoll_pwait", epoll_pwait(epoll, &event, 1, 1, &none));
  burn();
  check("epoll_pwait2", epoll_pwait2(epoll, &event, 1, &short_time, &none));
}

// Says how much of the second is left rather than that it was interrupted.
static void* sleep_long(void* unused) {
  burn_for(9);
  errno = EINTR;
  check("sleep", sleep(1) == 0 ? 0 : -1);
  return unused;
}

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 4);
  int pipes[2];
  pthread_t sleeper;
  if (pipe(pipes) != 0 || pthread_create(&sleeper, NULL, sleep_long, NULL) != 0) return 2;
  const int epoll = epoll_create1(0);
  for (long round = 0; round < rounds; ++round) {
    sleep_short();
    wait_for_descriptors(pipes[0], epoll);
    wait_for_semaphores();
    wait_at_sockets();
  }
  pthread_join(sleeper, NULL);
  puts("no EINTR");
  return 0;
}
