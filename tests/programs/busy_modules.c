// SPDX-License-Identifier: Apache-2.0
// busy_modules HOW ROUNDS MODULE [OTHER]: loads a module, has it work, unloads it. HOW: as it lies
// there (`plain`); removed (`deleted`) or overwritten by OTHER (`replaced`) once it is loaded; from
// memory, with no file at all (`memfd`); in turn with OTHER, most likely at the same addresses
// (`turns`); then made code at its addresses (`made`); its code put there by hand (`by_hand`).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

enum { kCalls = 5 };

typedef void (*Entry)(long spins);
static const long kSpins = 3000000;
static long g_same;
static void* g_last;

static void* load(const char* path) {
  void* handle = dlopen(path, RTLD_NOW);
  if (handle == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  return handle;
}

static Entry entry_of(void* handle) {
  Entry entry = NULL;
  *(void**)&entry = dlsym(handle, "busy_entry");
  return entry;
}

// Who calls tells what runs there: names are held to that.
CALLED static void call_module(Entry entry) {
  for (int i = 0; i < kCalls; ++i) entry(kSpins);
  ++g_sink;
}
CALLED static void call_other(Entry entry) {
  for (int i = 0; i < kCalls; ++i) entry(kSpins);
  g_sink += 2;
}
CALLED static void call_made(Entry entry) {
  for (int i = 0; i < kCalls; ++i) entry(kSpins * 3);
  g_sink += 3;
}

static void take_turns(const char* path, const char* other) {
  void* handle = load(path);
  g_last = (void*)entry_of(handle);
  call_module(entry_of(handle));
  dlclose(handle);
  handle = load(other);
  g_same += g_last == (void*)entry_of(handle);
  call_other(entry_of(handle));
  dlclose(handle);
}

// push %rbp; mov %rsp,%rbp; again: dec %rdi; jnz again; pop %rbp; ret
static const unsigned char kLoop[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
                                      0xcf, 0x75, 0xfb, 0x5d, 0xc3};

static void make_code_there(const char* path) {
  void* handle = load(path);
  unsigned char* place = (unsigned char*)entry_of(handle);
  call_module(entry_of(handle));
  dlclose(handle);
  unsigned char* page = (unsigned char*)((uintptr_t)place & ~(uintptr_t)4095);
  if (mmap(page, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
           -1, 0) != page) {
    return;  // something else is there already
  }
  for (int i = 0; i < 2; ++i) {
    // Others' code takes the place of it: a NOP more.
    memset(place, 0x90, 16);
    memcpy(place + i, kLoop, sizeof kLoop);
    mprotect(page, 8192, PROT_READ | PROT_EXEC);
    Entry made = NULL;
    *(void**)&made = place;
    call_made(made);
    mprotect(page, 8192, PROT_READ | PROT_WRITE);
  }
  munmap(page, 8192);
  g_same += 1;
}

static void run_from_memory(const char* path) {
  const int from = open(path, O_RDONLY);
  const int fd = memfd_create("module", 0);
  struct stat info;
  fstat(from, &info);
  off_t at = 0;
  while (at < info.st_size && sendfile(fd, from, &at, (size_t)(info.st_size - at)) > 0) {
  }
  close(from);
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  void* handle = load(name);
  close(fd);
  call_module(entry_of(handle));
  dlclose(handle);
}

static void run_after(const char* path, const char* other) {
  void* handle = load(path);
  const int failed = other != NULL ? rename(other, path) : unlink(path);
  if (failed != 0) exit(3);
  call_module(entry_of(handle));
  dlclose(handle);
}

// As loaders of plugins do that know ELF by themselves: segment by segment, and nobody is told.
static void load_by_hand(const char* path) {
  Dl_info known;
  void* handle = load(path);
  dladdr((void*)entry_of(handle), &known);
  const uintptr_t offset = (uintptr_t)entry_of(handle) - (uintptr_t)known.dli_fbase;
  const ElfW(Ehdr)* header = known.dli_fbase;
  const ElfW(Phdr)* segments = (const void*)((const char*)known.dli_fbase + header->e_phoff);
  const int fd = open(path, O_RDONLY);
  char* base = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < header->e_phnum; ++i) {
    if (segments[i].p_type != PT_LOAD) continue;
    const uintptr_t skew = segments[i].p_vaddr & 4095;
    char* at = base + segments[i].p_vaddr - skew;
    const size_t bytes = segments[i].p_memsz + skew;
    if ((segments[i].p_flags & PF_X) != 0) {
      mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
           (off_t)(segments[i].p_offset - skew));
    } else {
      mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      memcpy(at + skew, (char*)known.dli_fbase + segments[i].p_vaddr, segments[i].p_memsz);
    }
  }
  close(fd);
  Entry copy = NULL;
  *(void**)&copy = base + offset;
  call_module(copy);
  munmap(base, 1 << 20);
  dlclose(handle);
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const char* how = argv[1];
  const char* other = argc > 4 ? argv[4] : NULL;
  for (long round = atol(argv[2]); round > 0; --round) {
    if (!strcmp(how, "plain")) call_module(entry_of(load(argv[3])));
    if (!strcmp(how, "deleted") || !strcmp(how, "replaced")) run_after(argv[3], other);
    if (!strcmp(how, "memfd")) run_from_memory(argv[3]);
    if (!strcmp(how, "turns")) take_turns(argv[3], other);
    if (!strcmp(how, "made")) make_code_there(argv[3]);
    if (!strcmp(how, "by_hand")) load_by_hand(argv[3]);
  }
  if (g_same) fprintf(stderr, "same addresses\n");
  printf("done\n");
  return 0;
}
