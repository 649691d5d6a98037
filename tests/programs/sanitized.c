// SPDX-License-Identifier: Apache-2.0
// sanitized.c - built with a sanitizer, whose functions take the place of libc's and must not be
// called before it has set itself up; that of threads wants most of the address space.
// usage: sanitized [leak | overflow]     what the sanitizers of addresses are to find
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void* work(void* word) {
  char* copy = malloc(strlen(word) + 1);
  strcpy(copy, word);
  puts(copy);
  free(copy);
  return NULL;
}

int main(int argc, char** argv) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, "worked") != 0) return 1;
  pthread_join(thread, NULL);
  if (argc > 1 && strcmp(argv[1], "leak") == 0) {
    char* volatile lost = malloc(321);
    lost = NULL;
    (void)lost;
  }
  if (argc > 1 && strcmp(argv[1], "overflow") == 0) {
    char* block = malloc(10);
    block[argc + 8] = 1;
    free(block);
  }
  return 3;
}
