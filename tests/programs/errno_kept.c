// SPDX-License-Identifier: Apache-2.0
// errno after calls that succeed stays as it was, and after calls that fail is theirs; bad pointers
// are the kernel's to report.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define CHECK(call)                                        \
  do {                                                     \
    errno = 12345;                                         \
    const long result = (long)(call);                      \
    const int error = errno;                               \
    printf("%s = %ld, errno %d\n", #call, result, error); \
  } while (0)

int main(void) {
  char buffer[8] = "";
  int ends[2];
  char* const bad = (char*)8;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  sem_t semaphore;
  struct sockaddr_un nobody = {AF_UNIX, "/nonexistent/socket"};
  sem_init(&semaphore, 0, 1);
  CHECK(pipe(ends));
  CHECK(write(ends[1], "x", 1));
  CHECK(read(ends[0], buffer, 1));
  CHECK(read(-1, buffer, 1));
  CHECK(write(4711, buffer, 1));
  CHECK(read(ends[0], bad, 0));
  CHECK(write(ends[1], bad, 1));
  CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
  CHECK(read(ends[0], buffer, 1));
  CHECK(open(bad, O_RDONLY));
  CHECK(open("/nonexistent/file", O_RDONLY));
  CHECK(openat(-1, "relative", O_RDONLY));
  CHECK(rename(bad, bad));
  CHECK(unlink("/nonexistent/file"));
  CHECK(unlink(bad));
  CHECK(close(4711));
  CHECK(close(ends[0]));
  CHECK(close(ends[1]));
  CHECK(fsync(4711));
  CHECK(dup2(4711, 5));
  CHECK(pthread_mutex_lock(&mutex));
  CHECK(pthread_mutex_trylock(&mutex));
  CHECK(pthread_mutex_unlock(&mutex));
  CHECK(sem_wait(&semaphore));
  CHECK(sem_trywait(&semaphore));
  CHECK(socket(AF_UNIX, SOCK_STREAM, 0));
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(connect(fd, (struct sockaddr*)&nobody, sizeof(nobody)));
  CHECK(connect(fd, (struct sockaddr*)bad, sizeof(nobody)));
  CHECK(accept(fd, NULL, NULL));
  CHECK(recv(fd, buffer, 1, 0));
  CHECK(send(fd, buffer, 1, MSG_NOSIGNAL));
  CHECK(usleep(1));
  CHECK(waitpid(-1, NULL, WNOHANG));
  CHECK(fopen("/nonexistent/file", "r") == NULL);
  CHECK(fopen("/dev/null", "w") == NULL);
  return 0;
}
