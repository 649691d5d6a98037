// SPDX-License-Identifier: Apache-2.0
// Burns CPU, then waits in every call that a signal interrupts; EINTR ends the program.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static void burn(void) {
  const uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + 3000000;
  while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (int i = 0; i < 1000; ++i) g_sink += (uint64_t)i;
  }
}

static void check(const char* call, int result) {
  if (result < 0 && errno == EINTR) {
    printf("%s: EINTR\n", call);
    exit(1);
  }
}

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 20);
  int pipes[2];
  if (pipe(pipes) != 0) return 2;
  const int epoll = epoll_create1(0);
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  for (long round = 0; round < rounds; ++round) {
    const struct timespec short_time = {0, 1000000};
    burn();
    check("nanosleep", nanosleep(&short_time, NULL));
    burn();
    check("clock_nanosleep", -clock_nanosleep(CLOCK_MONOTONIC, 0, &short_time, NULL) == -EINTR
                                 ? (errno = EINTR, -1)
                                 : 0);
    burn();
    check("usleep", usleep(1000));
    burn();
    struct pollfd wanted = {pipes[0], POLLIN, 0};
    check("poll", poll(&wanted, 1, 1));
    burn();
    check("ppoll", ppoll(&wanted, 1, &short_time, NULL));
    burn();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[0], &set);
    struct timeval wait = {0, 1000};
    check("select", select(pipes[0] + 1, &set, NULL, NULL, &wait));
    burn();
    struct epoll_event event;
    check("epoll_wait", epoll_wait(epoll, &event, 1, 1));
    burn();
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 1000000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_nsec -= 1000000000;
      until.tv_sec += 1;
    }
    check("sem_timedwait", sem_timedwait(&semaphore, &until));
  }
  puts("no EINTR");
  return 0;
}
