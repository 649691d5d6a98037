// SPDX-License-Identifier: Apache-2.0
// One descriptor number stands for one thing after the other; every byte that moves is known.
// argv[1]: a folder to write to.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "program.h"

static void need(int right) {
  if (!right) {
    perror("descriptors");
    abort();
  }
}

static void write_file(const char* name, size_t bytes, int wanted) {
  static char data[100000];
  const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  need(fd == wanted);
  need(write(fd, data, bytes) == (ssize_t)bytes);
  close(fd);
}

static void churn_pipes(int wanted) {
  int ends[2];
  char data[64] = "";
  for (int i = 0; i < 10; ++i) {
    need(pipe(ends) == 0 && ends[0] == wanted);
    need(write(ends[1], data, 64) == 64 && read(ends[0], data, 64) == 64);
    need(dup2(ends[1], ends[0]) == ends[0]);
    close(ends[0]);
    close(ends[1]);
  }
}

static void talk(int wanted) {
  char data[256] = "";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t bytes = sizeof(address);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  need(listener == wanted && bind(listener, (struct sockaddr*)&address, bytes) == 0);
  need(listen(listener, 1) == 0);
  need(getsockname(listener, (struct sockaddr*)&address, &bytes) == 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  need(connect(client, (struct sockaddr*)&address, bytes) == 0);
  const int server = accept(listener, NULL, NULL);
  need(send(client, data, 200, 0) == 200);
  need(recv(server, data, 256, MSG_WAITALL * 0) == 200);
  close(client);
  close(server);
  close(listener);
}

static void use_event(int wanted) {
  uint64_t value = 1;
  const int fd = eventfd(0, 0);
  need(fd == wanted && write(fd, &value, 8) == 8 && read(fd, &value, 8) == 8);
  close(fd);
}

static void use_stream(const char* name) {
  char text[1000];
  memset(text, 'a', sizeof(text));
  FILE* file = fopen(name, "w");
  for (int i = 0; i < 100; ++i) {
    need(fwrite(text, 1, sizeof(text), file) == sizeof(text));
  }
  fclose(file);
  file = fopen(name, "r");
  for (int i = 0; i < 100; ++i) {
    need(fread(text, 1, sizeof(text), file) == sizeof(text));
  }
  fclose(file);
}

int main(int argc, char** argv) {
  char path[4096];
  need(argc > 1 && chdir(argv[1]) == 0);
  const int first = dup(0);
  close(first);
  snprintf(path, sizeof(path), "%s/absolute", argv[1]);
  write_file(path, 70000, first);
  write_file("relative", 30000, first);
  churn_pipes(first);
  talk(first);
  use_event(first);
  use_stream("stream");
  int fd = open(path, O_RDONLY);
  need(fd == first);
  close_range((unsigned)first, ~0u, 0);
  write_file("after", 500, first);
  struct iovec parts[2] = {{path, 10}, {path, 20}};
  fd = open("vector", O_RDWR | O_CREAT, 0600);
  need(writev(fd, parts, 2) == 30 && pread(fd, path, 7, 3) == 7);
  close(fd);
  puts("moved");
  return 0;
}
