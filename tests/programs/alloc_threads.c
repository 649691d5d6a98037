// SPDX-License-Identifier: Apache-2.0
// Producers allocate, consumers free what others allocated, and free what is their own as well.
// usage: alloc_threads [pairs of threads] [blocks of each producer]
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { kQueue = 64, kMostPairs = 64 };

struct Queue {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  void* blocks[kQueue];
  unsigned long first, next;
  long left;
};

static struct Queue g_queues[kMostPairs];

CALLED static void* produce_block(long number) {
  const size_t bytes = 16 + (size_t)(number * 37 % 2000);
  return memset(malloc(bytes), 1, bytes);
}

CALLED static void scratch(long number) {
  char* own = malloc(100 + (size_t)number % 50);
  own[0] = 1;
  g_sink += (uint64_t)(unsigned char)own[0];
  free(own);
}

static void* produce(void* argument) {
  struct Queue* queue = argument;
  for (long i = queue->left; i > 0; --i) {
    void* block = produce_block(i);
    pthread_mutex_lock(&queue->mutex);
    while (queue->next - queue->first == kQueue) pthread_cond_wait(&queue->changed, &queue->mutex);
    queue->blocks[queue->next++ % kQueue] = block;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    if (i % 4 == 0) scratch(i);
  }
  return NULL;
}

static void* consume(void* argument) {
  struct Queue* queue = argument;
  for (long i = queue->left; i > 0; --i) {
    pthread_mutex_lock(&queue->mutex);
    while (queue->next == queue->first) pthread_cond_wait(&queue->changed, &queue->mutex);
    void* block = queue->blocks[queue->first++ % kQueue];
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    if (i % 3 == 0) block = realloc(block, 3000);
    if (i % 100 == 0) continue;  // lost
    free(block);
    if (i % 5 == 0) scratch(i);
  }
  return NULL;
}

int main(int argc, char** argv) {
  const long pairs = argument_or(argc, argv, 1, 2), blocks = argument_or(argc, argv, 2, 5000);
  pthread_t threads[2 * kMostPairs];
  for (long i = 0; i < pairs; ++i) {
    pthread_mutex_init(&g_queues[i].mutex, NULL);
    pthread_cond_init(&g_queues[i].changed, NULL);
    g_queues[i].left = blocks;
    if (pthread_create(&threads[2 * i], NULL, produce, &g_queues[i]) != 0 ||
        pthread_create(&threads[2 * i + 1], NULL, consume, &g_queues[i]) != 0) {
      return 1;
    }
  }
  for (long i = 0; i < 2 * pairs; ++i) pthread_join(threads[i], NULL);
  printf("%ld blocks\n", pairs * blocks);
  return 0;
}
