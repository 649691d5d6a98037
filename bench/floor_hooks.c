// SPDX-License-Identifier: Apache-2.0
// floor_hooks.c - the least that a tracer which times calls can do.
//
// One time stamp and one 16-byte record per enter and per exit, written into a ring of 256 KiB per
// thread that nobody reads. Every figure of Spyglass is stated as a ratio to this library, measured
// in the same run: a floor measured on another day is worth nothing on a shared machine.
//
// The ring wraps by an end check, not by a mask, and is populated when the thread's first call
// makes it: page faults are no part of the floor.
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define NO_HOOK __attribute__((no_instrument_function))

enum { kRingBytes = 256 << 10 };
static const uint64_t kExitMark = 1ull << 63;

struct Record {
  uint64_t ticks;
  uint64_t function;
};

static __thread __attribute__((tls_model("initial-exec"))) struct Record* next_record;
static __thread __attribute__((tls_model("initial-exec"))) struct Record* ring_end;
static __thread __attribute__((tls_model("initial-exec"))) struct Record* ring_begin;

// Called at the end of the ring, and at a thread's first call, when all three pointers are null.
NO_HOOK static __attribute__((noinline, cold)) void wrap_ring(void) {
  if (ring_begin == NULL) {
    void* memory = mmap(NULL, kRingBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) abort();
    ring_begin = memory;
    ring_end = ring_begin + kRingBytes / sizeof(struct Record);
  }
  next_record = ring_begin;
}

NO_HOOK static inline void write_record(uint64_t function) {
  if (__builtin_expect(next_record == ring_end, 0)) wrap_ring();
  struct Record* record = next_record;
  record->ticks = __rdtsc();
  record->function = function;
  next_record = record + 1;
}

NO_HOOK void __cyg_profile_func_enter(void* function, void* call_site);
NO_HOOK void __cyg_profile_func_exit(void* function, void* call_site);

void __cyg_profile_func_enter(void* function, void* call_site) {
  (void)call_site;
  write_record((uint64_t)function);
}

void __cyg_profile_func_exit(void* function, void* call_site) {
  (void)call_site;
  write_record((uint64_t)function | kExitMark);
}
