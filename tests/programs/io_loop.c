// SPDX-License-Identifier: Apache-2.0
// The same few calls over and over, argv[1] times: what one of them costs shows in the difference.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 1000);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  int ends[2];
  char byte = 'x';
  if (pipe(ends) != 0) {
    return 1;
  }
  for (long i = 0; i < rounds; ++i) {
    struct pollfd one = {ends[0], POLLIN, 0};
    pthread_mutex_lock(&mutex);
    if (write(ends[1], &byte, 1) != 1 || poll(&one, 1, 0) != 1 || read(ends[0], &byte, 1) != 1) {
      return 1;
    }
    pthread_mutex_unlock(&mutex);
    usleep(0);
    close(open("/dev/null", O_RDONLY));
  }
  return 0;
}
