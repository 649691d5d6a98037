// SPDX-License-Identifier: Apache-2.0
// lock_orders.c - pairs of locks taken in both orders. Only those of `opposite` can deadlock: each
// order by a thread of its own, and nothing in between. Nobody ever waits here: the threads run one
// after the other.
#include <pthread.h>
#include <stdio.h>

#define LOCK(name) pthread_mutex_t name = PTHREAD_MUTEX_INITIALIZER
LOCK(opposite_a);
LOCK(opposite_b);
LOCK(tried_a);
LOCK(tried_b);
LOCK(alone_a);
LOCK(alone_b);
LOCK(gated_a);
LOCK(gated_b);
LOCK(gate);
LOCK(ring_a);
LOCK(ring_b);
LOCK(ring_c);

static void take_both(pthread_mutex_t* first, pthread_mutex_t* second) {
  pthread_mutex_lock(first);
  pthread_mutex_lock(second);
  pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static void try_second(pthread_mutex_t* first, pthread_mutex_t* second) {
  pthread_mutex_lock(first);
  if (pthread_mutex_trylock(second) == 0) pthread_mutex_unlock(second);
  pthread_mutex_unlock(first);
}

static void take_gated(pthread_mutex_t* first, pthread_mutex_t* second) {
  pthread_mutex_lock(&gate);
  take_both(first, second);
  pthread_mutex_unlock(&gate);
}

static void* one_way(void* nothing) {
  take_both(&alone_a, &alone_b);
  take_both(&alone_b, &alone_a);
  take_both(&opposite_a, &opposite_b);
  take_both(&tried_a, &tried_b);
  take_gated(&gated_a, &gated_b);
  take_both(&ring_a, &ring_b);
  return nothing;
}

static void* the_other(void* nothing) {
  take_both(&opposite_b, &opposite_a);
  try_second(&tried_b, &tried_a);
  take_gated(&gated_b, &gated_a);
  take_both(&ring_b, &ring_c);
  return nothing;
}

static void* a_third(void* nothing) {
  take_both(&ring_c, &ring_a);
  return nothing;
}

int main(void) {
  void* (*const bodies[])(void*) = {one_way, the_other, a_third};
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) {
    pthread_create(&threads[i], NULL, bodies[i], NULL);
    pthread_join(threads[i], NULL);
  }
  puts("done");
  return 0;
}
