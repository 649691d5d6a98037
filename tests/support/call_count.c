// SPDX-License-Identifier: Apache-2.0
// An independent, deliberately plain count of entered functions, to hold Spyglass's counts against.
//
// LD_PRELOAD=libcallcount.so CALLCOUNT_OUTPUT=DIR program
//
// Every process writes DIR/<pid>.<n>.counts, a shared mapping, so its counts outlive any death.
// A forked child starts from zero in a file of its own. tests/end_to_end/call_count.py reads it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "count_file.h"

#define PLAIN __attribute__((no_instrument_function))
#define EXPORTED __attribute__((no_instrument_function, visibility("default")))

enum { kSlots = 1 << 14, kModuleBytes = 224 };

// One function of one module; 256 bytes. `key` is the address mixed with the dlclose epoch.
struct Slot {
  _Atomic uint64_t key;
  _Atomic uint64_t calls;
  uint64_t module_offset;
  uint64_t reserved;
  char module[kModuleBytes];
};

// Lives on a page that the kernel empties in every child, however the child was made.
struct ProcessState {
  _Atomic(struct Slot*) table;
  atomic_int opening;
};

static _Atomic(struct ProcessState*) g_state;
static _Atomic uint64_t g_epoch;

PLAIN static struct ProcessState* state(void) {
  struct ProcessState* known = atomic_load(&g_state);
  if (known) return known;
  struct ProcessState* fresh =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(fresh, 4096, MADV_WIPEONFORK);
  if (atomic_compare_exchange_strong(&g_state, &known, fresh)) return fresh;
  munmap(fresh, 4096);
  return known;
}

PLAIN static struct Slot* open_table(void) {
  static const char kVariable[] = "CALLCOUNT_OUTPUT";
  struct Slot* table = open_count_file(kVariable, "counts", sizeof(struct Slot) * kSlots);
  if (!table && output_folder(kVariable)) abort();
  return table;
}

PLAIN static struct Slot* table(void) {
  struct ProcessState* process = state();
  for (;;) {
    struct Slot* known = atomic_load(&process->table);
    if (known) return known;
    if (atomic_exchange(&process->opening, 1) == 0) {
      struct Slot* fresh = open_table();
      atomic_store(&process->table, fresh);
      atomic_store(&process->opening, 0);
      return fresh;
    }
  }
}

PLAIN static void name_slot(struct Slot* slot, void* function) {
  Dl_info info;
  if (!dladdr(function, &info) || !info.dli_fname) return;
  // The main program's dli_fname is argv[0], which is whatever the parent chose.
  char executable[4096];
  ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
  const char* module = info.dli_fname;
  if (length > 0) {
    executable[length] = 0;
    if (!strstr(module, ".so")) module = executable;
  }
  if (strlen(module) >= sizeof slot->module) abort();  // The test needs shorter paths.
  strcpy(slot->module, module);
  slot->module_offset = (uint64_t)function - (uint64_t)info.dli_fbase;
}

EXPORTED void __cyg_profile_func_enter(void* function, void* call_site) {
  (void)call_site;
  struct Slot* slots = table();
  if (!slots) return;
  uint64_t key = (uint64_t)function | (atomic_load(&g_epoch) << 48);
  uint64_t start = (key ^ (key >> 17)) * 0x9E3779B97F4A7C15ull >> 50;
  for (uint64_t probe = 0; probe < kSlots; ++probe) {
    struct Slot* slot = &slots[(start + probe) % kSlots];
    uint64_t seen = atomic_load(&slot->key);
    if (seen == 0 && atomic_compare_exchange_strong(&slot->key, &seen, key)) {
      name_slot(slot, function);
      seen = key;
    }
    if (seen == key) {
      atomic_fetch_add_explicit(&slot->calls, 1, memory_order_relaxed);
      return;
    }
  }
  abort();  // More functions than slots: the test needs a bigger table.
}

EXPORTED void __cyg_profile_func_exit(void* function, void* call_site) {
  (void)function;
  (void)call_site;
}

// Addresses seen before and after an unload may be different functions.
EXPORTED int dlclose(void* handle) {
  int (*next)(void*) = (int (*)(void*))dlsym(RTLD_NEXT, "dlclose");
  int result = next(handle);
  atomic_fetch_add(&g_epoch, 1);
  return result;
}
