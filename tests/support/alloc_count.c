// SPDX-License-Identifier: Apache-2.0
// An independent, deliberately plain account of allocations, to hold Spyglass's against: one lock,
// one table of live blocks, nothing sampled, no stacks.
//
// LD_PRELOAD=libcountalloc.so COUNTALLOC_OUTPUT=DIR program
//
// Every process writes DIR/<pid>.<n>.allocations, a shared mapping, so its counts outlive any
// death. A forked child starts from zero in a file of its own and knows none of its parent's
// blocks. tests/end_to_end/alloc_count.py reads it.
//
// What is counted: every successful malloc, calloc, realloc, reallocarray, memalign and its kind,
// bytes as asked for; operator new by the malloc inside, but with the bytes that new was asked for.
// A realloc of a block that succeeds is a free, an allocation and a reallocation.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "count_file.h"

#define EXPORTED __attribute__((visibility("default")))

enum { kThreads = 4096, kBlockBits = 22, kBlocks = 1 << kBlockBits };

struct Thread {
  uint64_t tid, allocations, allocated_bytes, frees, frees_of_others;
};

// What the file holds; all of it is 64-bit numbers.
struct Counts {
  uint64_t pid, allocations, allocated_bytes, frees, reallocations, failed, unmatched_frees;
  uint64_t live_blocks, live_bytes, peak_bytes, temporary, thread_count;
  struct Thread threads[kThreads];
};

struct Block {
  uint64_t address, bytes, thread, number;
};

// Lives on pages that the kernel empties in every child, however the child was made.
struct Process {
  atomic_int locked, opened, silent;
  struct Counts* counts;
  struct Block blocks[kBlocks];
};

static struct Process* g_process;
static _Thread_local uint64_t t_pid, t_slot;
static _Thread_local size_t t_asked;  // by the operator new that runs
static _Thread_local int t_in_new;

// What dlsym itself may ask for while the real functions are looked up.
static char g_arena[1 << 16];
static size_t g_arena_used;
static _Thread_local int t_resolving;

static int in_arena(const void* p) {
  return (const char*)p >= g_arena && (const char*)p < g_arena + sizeof g_arena;
}

static void* from_arena(size_t bytes) {
  size_t at = (g_arena_used + 15) & ~(size_t)15;
  if (bytes > sizeof g_arena - at) abort();
  g_arena_used = at + bytes;
  return g_arena + at;
}

static void* next(void** known, const char* name) {
  if (*known) return *known;
  ++t_resolving;
  *known = dlsym(RTLD_NEXT, name);
  --t_resolving;
  if (!*known) abort();
  return *known;
}

static void *g_malloc, *g_calloc, *g_free, *g_realloc, *g_aligned_alloc, *g_posix_memalign,
    *g_valloc;
#define NEXT(function) ((__typeof__(&(function)))next(&g_##function, #function))

static struct Counts* open_counts(void) {
  struct Counts* counts = open_count_file("COUNTALLOC_OUTPUT", "allocations", sizeof *counts);
  if (counts) counts->pid = (uint64_t)syscall(SYS_getpid);
  return counts;
}

// The process's state, locked; NULL when nobody wants to know.
static struct Process* lock(void) {
  static atomic_int mapping;
  while (!g_process) {
    if (atomic_exchange(&mapping, 1) == 0 && !g_process) {
      struct Process* fresh = mmap(NULL, sizeof(struct Process), PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (fresh == MAP_FAILED || madvise(fresh, sizeof *fresh, MADV_WIPEONFORK) != 0) abort();
      atomic_thread_fence(memory_order_seq_cst);
      g_process = fresh;
    }
  }
  struct Process* process = g_process;
  while (atomic_exchange(&process->locked, 1)) {
  }
  if (!process->opened) {
    int saved = errno;
    process->counts = open_counts();
    process->opened = 1;
    errno = saved;
  }
  if (process->counts) return process;
  atomic_store(&process->locked, 0);
  return NULL;
}

static void unlock(struct Process* process) { atomic_store(&process->locked, 0); }

static struct Thread* this_thread(struct Counts* counts) {
  if (t_pid != counts->pid) {
    if (counts->thread_count == kThreads) abort();  // The test needs a bigger table.
    t_slot = counts->thread_count++;
    counts->threads[t_slot].tid = (uint64_t)syscall(SYS_gettid);
    t_pid = counts->pid;
  }
  return &counts->threads[t_slot];
}

static uint64_t start_of(uint64_t address) {
  return (address >> 4) * 0x9E3779B97F4A7C15ull >> (64 - kBlockBits);
}

static void insert(struct Process* process, struct Block block) {
  struct Counts* counts = process->counts;
  uint64_t at = start_of(block.address);
  while (process->blocks[at].address) at = (at + 1) % kBlocks;
  if (counts->live_blocks > kBlocks / 4 * 3) abort();  // The test needs a bigger table.
  process->blocks[at] = block;
  ++counts->live_blocks;
  counts->live_bytes += block.bytes;
  if (counts->live_bytes > counts->peak_bytes) counts->peak_bytes = counts->live_bytes;
}

// Takes the block out and closes the gap; one of address 0 when it is not known.
static struct Block take(struct Process* process, uint64_t address) {
  uint64_t at = start_of(address);
  while (process->blocks[at].address != address) {
    if (!process->blocks[at].address) return (struct Block){0};
    at = (at + 1) % kBlocks;
  }
  struct Block taken = process->blocks[at];
  for (uint64_t gap = at;;) {
    at = (at + 1) % kBlocks;
    if (!process->blocks[at].address) {
      process->blocks[gap].address = 0;
      break;
    }
    uint64_t home = start_of(process->blocks[at].address);
    if ((at - home) % kBlocks >= (at - gap) % kBlocks) {
      process->blocks[gap] = process->blocks[at];
      gap = at;
    }
  }
  --process->counts->live_blocks;
  process->counts->live_bytes -= taken.bytes;
  return taken;
}

static void* allocated(void* p, size_t bytes) {
  if (t_in_new) {
    // Rounding up to the alignment may overflow: then libstdc++ gets less than was asked for.
    bytes = t_asked < bytes ? t_asked : bytes;
    t_in_new = 0;
  }
  struct Process* process = lock();
  if (!process) return p;
  if (p) {
    struct Thread* thread = this_thread(process->counts);
    uint64_t number = ++process->counts->allocations;
    process->counts->allocated_bytes += bytes;
    ++thread->allocations;
    thread->allocated_bytes += bytes;
    insert(process, (struct Block){(uint64_t)p, bytes, thread->tid, number});
  } else {
    ++process->counts->failed;
  }
  unlock(process);
  return p;
}

// Before the memory is given back: afterwards another thread may have it already.
static struct Block freed(void* p) {
  struct Block block = {0};
  struct Process* process = lock();
  if (!process) return block;
  struct Thread* thread = this_thread(process->counts);
  block = take(process, (uint64_t)p);
  ++process->counts->frees;
  ++thread->frees;
  if (!block.address) ++process->counts->unmatched_frees;
  if (block.address && block.thread != thread->tid) ++thread->frees_of_others;
  if (block.address && process->counts->allocations - block.number <= 1)
    ++process->counts->temporary;
  unlock(process);
  return block;
}

// A realloc that failed left everything as it was.
static void not_freed(void* p, struct Block block) {
  struct Process* process = lock();
  if (!process) return;
  struct Thread* thread = this_thread(process->counts);
  --process->counts->frees;
  --thread->frees;
  ++process->counts->failed;
  if (!block.address) --process->counts->unmatched_frees;
  if (block.address && block.thread != thread->tid) --thread->frees_of_others;
  if (block.address && process->counts->allocations - block.number <= 1)
    --process->counts->temporary;
  if (block.address == (uint64_t)p) insert(process, block);
  unlock(process);
}

EXPORTED void* malloc(size_t bytes) {
  if (t_resolving) return from_arena(bytes);
  return allocated(NEXT(malloc)(bytes), bytes);
}

EXPORTED void* calloc(size_t count, size_t bytes) {
  if (t_resolving) return from_arena(count * bytes);  // in .bss: zero
  return allocated(NEXT(calloc)(count, bytes), count * bytes);
}

EXPORTED void free(void* p) {
  if (!p || in_arena(p)) return;
  int saved = errno;
  freed(p);
  errno = saved;
  NEXT(free)(p);
}

EXPORTED void* realloc(void* p, size_t bytes) {
  if (in_arena(p)) {
    size_t there = (size_t)(g_arena + sizeof g_arena - (char*)p);
    void* moved = malloc(bytes);
    return moved ? memcpy(moved, p, bytes < there ? bytes : there) : NULL;
  }
  if (!p) return allocated(NEXT(realloc)(NULL, bytes), bytes);
  struct Block block = freed(p);
  void* moved = NEXT(realloc)(p, bytes);
  if (moved) {
    struct Process* process = lock();
    if (process) {
      ++process->counts->reallocations;
      unlock(process);
    }
    return allocated(moved, bytes);
  }
  if (bytes) not_freed(p, block);  // of size 0: it is gone
  return NULL;
}

EXPORTED void* reallocarray(void* p, size_t count, size_t bytes) {
  size_t all;
  if (__builtin_mul_overflow(count, bytes, &all)) {
    errno = ENOMEM;
    return allocated(NULL, 0);
  }
  return realloc(p, all);
}

EXPORTED void* memalign(size_t alignment, size_t bytes) {
  static void* known;
  void* (*real)(size_t, size_t) = (void* (*)(size_t, size_t))next(&known, "memalign");
  return allocated(real(alignment, bytes), bytes);
}

EXPORTED void* aligned_alloc(size_t alignment, size_t bytes) {
  return allocated(NEXT(aligned_alloc)(alignment, bytes), bytes);
}

EXPORTED int posix_memalign(void** p, size_t alignment, size_t bytes) {
  int result = NEXT(posix_memalign)(p, alignment, bytes);
  allocated(result == 0 ? *p : NULL, bytes);
  return result;
}

EXPORTED void* valloc(size_t bytes) { return allocated(NEXT(valloc)(bytes), bytes); }

EXPORTED void* pvalloc(size_t bytes) {
  static void* known;
  void* (*real)(size_t) = (void* (*)(size_t))next(&known, "pvalloc");
  return allocated(real(bytes), bytes);
}

// What operator new was asked for, which is not what it asks malloc for: 1 instead of 0, and
// multiples of the alignment. One that has memory of its own is counted here.
static void* new_done(void* p, size_t bytes) {
  if (!t_in_new) return p;
  t_in_new = 0;
  return allocated(p, bytes);
}

#define OPERATOR_NEW(name, parameters, arguments)                     \
  EXPORTED void* name parameters {                                    \
    static void* known;                                               \
    void*(*real)parameters = (void*(*)parameters)next(&known, #name); \
    t_asked = bytes;                                                  \
    t_in_new = 1;                                                     \
    return new_done(real arguments, bytes);                           \
  }

OPERATOR_NEW(_Znwm, (size_t bytes), (bytes))
OPERATOR_NEW(_Znam, (size_t bytes), (bytes))
OPERATOR_NEW(_ZnwmRKSt9nothrow_t, (size_t bytes, const void* tag), (bytes, tag))
OPERATOR_NEW(_ZnamRKSt9nothrow_t, (size_t bytes, const void* tag), (bytes, tag))
OPERATOR_NEW(_ZnwmSt11align_val_t, (size_t bytes, size_t alignment), (bytes, alignment))
OPERATOR_NEW(_ZnamSt11align_val_t, (size_t bytes, size_t alignment), (bytes, alignment))
OPERATOR_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t bytes, size_t alignment, const void* tag),
             (bytes, alignment, tag))
OPERATOR_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t bytes, size_t alignment, const void* tag),
             (bytes, alignment, tag))
