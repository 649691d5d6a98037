// SPDX-License-Identifier: Apache-2.0
// span_hooks.c - writes the first spans of a one-threaded program to BENCH_SPANS_FILE, uncoded.
//
// Gives codec_bench real streams: how well times compress depends on the steps of this machine's
// counter and on what the program does, which no simulation gets right. The file is an array of
// format::SpanRecord (24 bytes), in the order of end times; nodes are numbered as they appear.
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

enum { kMaxSpans = 8000000, kMaxNodes = 1 << 18, kMaxDepth = 1 << 20 };

struct Span {
  uint64_t start_ticks;
  uint64_t duration_ticks;
  uint32_t node;
  uint32_t padding;
};

struct Node {
  void* function;
  struct Node* first_child;
  struct Node* next_sibling;
  struct Node* last_child;
  struct Node* parent;
};

static struct Span* spans;
static struct Node* nodes;
static uint64_t* open_since_ticks;
static struct Node* current;
static uint32_t span_count;
static uint32_t node_count;
static uint32_t depth;

static void* pages(size_t bytes) {
  void* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) abort();
  return memory;
}

static __attribute__((noinline, cold)) void start(void) {
  spans = pages(sizeof(struct Span) * kMaxSpans);
  nodes = pages(sizeof(struct Node) * kMaxNodes);
  open_since_ticks = pages(sizeof(uint64_t) * kMaxDepth);
  current = &nodes[0];
  node_count = 1;
}

static __attribute__((noinline)) struct Node* find_child(struct Node* parent, void* function) {
  for (struct Node* child = parent->first_child; child != NULL; child = child->next_sibling) {
    if (child->function == function) return child;
  }
  if (node_count == kMaxNodes) abort();
  struct Node* child = &nodes[node_count++];
  *child =
      (struct Node){.function = function, .next_sibling = parent->first_child, .parent = parent};
  parent->first_child = child;
  return child;
}

void __cyg_profile_func_enter(void* function, void* call_site);
void __cyg_profile_func_exit(void* function, void* call_site);

void __cyg_profile_func_enter(void* function, void* call_site) {
  (void)call_site;
  if (__builtin_expect(current == NULL, 0)) start();
  struct Node* parent = current;
  struct Node* node = parent->last_child;
  if (node == NULL || node->function != function) {
    node = find_child(parent, function);
    parent->last_child = node;
  }
  current = node;
  if (depth == kMaxDepth) abort();
  open_since_ticks[depth++] = __rdtsc();
}

void __cyg_profile_func_exit(void* function, void* call_site) {
  (void)function;
  (void)call_site;
  const uint64_t end_ticks = __rdtsc();
  const uint64_t start_ticks = open_since_ticks[--depth];
  if (span_count < kMaxSpans) {
    spans[span_count++] = (struct Span){.start_ticks = start_ticks,
                                        .duration_ticks = end_ticks - start_ticks,
                                        .node = (uint32_t)(current - nodes) + 1};
  }
  current = current->parent;
}

__attribute__((destructor)) static void write_spans(void) {
  const char* path = getenv("BENCH_SPANS_FILE");
  if (path == NULL || spans == NULL) return;
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const char* next = (const char*)spans;
  const char* end = (const char*)(spans + span_count);
  while (file >= 0 && next < end) {
    ssize_t written = write(file, next, (size_t)(end - next));
    if (written <= 0) break;
    next += written;
  }
}
