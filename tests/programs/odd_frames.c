// SPDX-License-Identifier: Apache-2.0
// odd_frames HOW ROUNDS [PLUGIN]: allocates, writes and works below frames that no unwinder can
// get past: their unwinding tables lie (`lying`), they have none and use rbp for something else
// (`none`), the return address is gone meanwhile (`gone`), their stack is a piece of heap that ends
// (`heap`), a page in the middle of the stack cannot be read (`closed`), or the tables of PLUGIN,
// whatever they say (`plugin`).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

static int g_null_file;
static long g_done;

// What recording looks at the stack for, and enough work for a sample.
CALLED void work_below(void);
CALLED void work_below(void) {
  char* volatile block = malloc(100);
  block = realloc(block, 5000);
  if (block == NULL || write(g_null_file, block, 1) != 1) abort();
  free(block);
  uint64_t value = g_sink;
  for (int i = 0; i < 20000; ++i) {
    value = value * 3 + 1;
    __asm__ volatile("" : "+r"(value));
  }
  g_sink = value;
  ++g_done;
}

// Each takes a value for rbp, and calls work_below().
void lies_about_cfa(uint64_t rbp);
void lies_far_out(uint64_t rbp);
void lies_by_rbp(uint64_t rbp);
void lies_by_expression(uint64_t rbp);
void has_no_tables(uint64_t rbp);
void loses_return_address(uint64_t rbp);
void moves_stack(uint64_t rbp, void* stack);

#define FUNCTION(name, begin, lie, end)                                                  \
  __asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" begin      \
          "pushq %rbp\n movq %rdi, %rbp\n" lie "call work_below\n popq %rbp\n ret\n" end \
          ".size " #name ", .-" #name "\n")

FUNCTION(lies_about_cfa, ".cfi_startproc\n", ".cfi_def_cfa_offset 8192\n", ".cfi_endproc\n");
FUNCTION(lies_far_out, ".cfi_startproc\n", ".cfi_def_cfa_offset 0x7ffffff0\n", ".cfi_endproc\n");
FUNCTION(lies_by_rbp, ".cfi_startproc\n", ".cfi_def_cfa %rbp, 16\n .cfi_offset %rbp, -16\n",
         ".cfi_endproc\n");
// CFA = *(rbp); a saved rbp that lies there as well.
FUNCTION(lies_by_expression, ".cfi_startproc\n",
         ".cfi_escape 0x0f,0x03,0x76,0x00,0x06\n .cfi_offset %rbp, -16\n", ".cfi_endproc\n");
FUNCTION(has_no_tables, "", "", "");

__asm__(
    ".text\n.type loses_return_address, @function\n"
    "loses_return_address:\n .cfi_startproc\n"
    "  pushq %rbp\n .cfi_def_cfa_offset 16\n .cfi_offset %rbp, -16\n"
    "  movq %rdi, %rbp\n"
    "  pushq 8(%rsp)\n .cfi_def_cfa_offset 24\n"  // kept here
    "  movq $0, 16(%rsp)\n"
    "  subq $8, %rsp\n .cfi_def_cfa_offset 32\n"
    "  call work_below\n"
    "  addq $8, %rsp\n .cfi_def_cfa_offset 24\n"
    "  popq 8(%rsp)\n .cfi_def_cfa_offset 16\n"
    "  popq %rbp\n .cfi_def_cfa_offset 8\n"
    "  ret\n .cfi_endproc\n"
    ".size loses_return_address, .-loses_return_address\n"
    ".type moves_stack, @function\n"
    "moves_stack:\n .cfi_startproc\n"
    "  pushq %rbp\n pushq %r12\n pushq %r13\n"
    "  movq %rsp, %r12\n movq %rdi, %rbp\n movq %rsi, %rsp\n"
    "  call work_below\n"
    "  movq %r12, %rsp\n popq %r13\n popq %r12\n popq %rbp\n"
    "  ret\n .cfi_endproc\n"
    ".size moves_stack, .-moves_stack\n");

static const uint64_t kGarbage[] = {0,
                                    1,
                                    8,
                                    0x4141414141414141,
                                    0x7fffffffffff,
                                    0xffffffffffffff00,
                                    0xffffffffff600000,
                                    0x800000000000};

typedef void (*OddFunction)(uint64_t rbp);

// rbp: nonsense, heap, code, and words of this stack that hold nonsense, or itself.
CALLED static void play_with(OddFunction function) {
  volatile uint64_t words[64];
  for (int i = 0; i < 64; ++i) words[i] = kGarbage[i % 8];
  for (int i = 0; i < 8; ++i) function(kGarbage[i]);
  uint64_t* heap = calloc(64, 8);
  function((uint64_t)heap);
  function((uint64_t)heap + 3);
  function((uint64_t)play_with);
  for (int i = 0; i < 9; ++i) function((uint64_t)(words + i));
  words[40] = (uint64_t)(words + 40);
  words[41] = (uint64_t)play_with;
  function((uint64_t)(words + 40));
  words[40] = (uint64_t)(words + 20);
  words[20] = (uint64_t)(words + 40);
  function((uint64_t)(words + 40));
  free(heap);
}

static void move_to_heap(void) {
  enum { kBytes = 65536 };
  char* heap = malloc(kBytes);
  char* pages = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + kBytes / 2, kBytes / 2, PROT_NONE);
  for (int fill = 0; fill < 2; ++fill) {
    memset(heap, fill ? 0xab : 0, kBytes);
    memset(pages, fill ? 0xab : 0, kBytes / 2);
    for (int i = 0; i < 4; ++i) {
      moves_stack(kGarbage[i], heap + kBytes / 2);
      moves_stack((uint64_t)(heap + kBytes - 8), heap + kBytes / 2);
      moves_stack(kGarbage[i], pages + kBytes / 2);  // the last word of what can be read
      moves_stack((uint64_t)(pages + kBytes / 2 - 8), pages + kBytes / 2 - 16);
    }
  }
  munmap(pages, kBytes);
  free(heap);
}

// Frames below a page of the stack that is closed: nothing of theirs lies there.
CALLED static void close_page(void) {
  enum { kPage = 4096 };
  _Alignas(kPage) char pages[3 * kPage];
  memset(pages, 0, sizeof pages);
  work_below();
  mprotect(pages + kPage, kPage, PROT_NONE);
  work_below();
  for (int i = 0; i < 8; ++i) {
    has_no_tables(kGarbage[i]);
    lies_by_rbp((uint64_t)(pages + 64 * i));
    lies_by_expression((uint64_t)(pages + 2 * kPage + 64 * i));
  }
  mprotect(pages + kPage, kPage, PROT_READ | PROT_WRITE);
  work_below();
}

static void play(const char* how, OddFunction of_plugin) {
  if (!strcmp(how, "lying")) {
    play_with(lies_about_cfa);
    play_with(lies_far_out);
    play_with(lies_by_rbp);
    play_with(lies_by_expression);
  }
  if (!strcmp(how, "none")) play_with(has_no_tables);
  if (!strcmp(how, "gone")) play_with(loses_return_address);
  if (!strcmp(how, "heap")) move_to_heap();
  if (!strcmp(how, "closed")) close_page();
  if (!strcmp(how, "plugin")) play_with(of_plugin);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  const long rounds = argument_or(argc, argv, 2, 20);
  g_null_file = open("/dev/null", O_WRONLY);
  OddFunction of_plugin = NULL;
  if (argc > 3) {
    void* plugin = dlopen(argv[3], RTLD_NOW);
    if (plugin == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      return 2;
    }
    *(void**)&of_plugin = dlsym(plugin, "call_with");
  }
  for (long round = 0; round < rounds; ++round) play(how, of_plugin);
  printf("done %ld\n", g_done);
  return 0;
}
