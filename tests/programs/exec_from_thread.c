// SPDX-License-Identifier: Apache-2.0
// exec fails in every way and the program goes on; then a thread executes while others work.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void* work(void* argument) {
  for (;;) {
    pthread_mutex_lock(&lock);
    g_sink += 1;
    pthread_mutex_unlock(&lock);
    usleep(10);
  }
  return argument;
}

static void* execute(void* path) {
  usleep(20000);
  execl(path, path, "again", (char*)NULL);
  _exit(9);
}

int main(int argc, char** argv) {
  if (argc > 1) {
    puts("again");
    return 5;
  }
  execl("/nowhere/at/all", "x", (char*)NULL);
  printf("%s\n", strerror(errno));
  execl("/", "x", (char*)NULL);
  printf("%s\n", strerror(errno));
  execl("/etc/passwd", "x", (char*)NULL);
  printf("%s\n", strerror(errno));
  char path[] = "/tmp/spyglass-noexec-XXXXXX";
  const int fd = mkstemp(path);
  if (write(fd, "\x7f" "ELFgarbage", 11) != 11) return 1;
  fchmod(fd, 0700);
  close(fd);
  execl(path, "x", (char*)NULL);
  printf("%s\n", strerror(errno));
  unlink(path);
  fflush(stdout);
  pthread_t thread;
  for (int i = 0; i < 8; ++i) pthread_create(&thread, NULL, work, NULL);
  pthread_create(&thread, NULL, execute, argv[0]);
  pthread_join(thread, NULL);
  return 1;
}
