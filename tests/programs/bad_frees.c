// SPDX-License-Identifier: Apache-2.0
// Frees what must not be freed, in one way each: glibc says what is wrong and aborts.
// usage: bad_frees
// double|double_large|stack|middle|unaligned|realloc_stack|static|realloc_freed|uaf_ok
#include <stdio.h>
#include <string.h>

#include "program.h"

#pragma GCC diagnostic ignored "-Wfree-nonheap-object"
#pragma GCC diagnostic ignored "-Wuse-after-free"

static char g_static[256];

int main(int argc, char** argv) {
  char on_stack[256];
  memset(on_stack, 0, sizeof on_stack);
  const char* how = argc > 1 ? argv[1] : "";
  char* volatile block = malloc(40);
  char* volatile wrong = block;
  puts(how);
  fflush(stdout);
  if (!strcmp(how, "double")) free(block);
  if (!strcmp(how, "double_large")) {
    free(wrong);
    block = malloc(2000);
    char* volatile guard = malloc(10);
    free(block);
    wrong = block;
    g_sink = (uint64_t)guard;
  }
  if (!strcmp(how, "stack")) wrong = on_stack + 64;
  if (!strcmp(how, "static")) wrong = g_static + 16;
  if (!strcmp(how, "middle")) wrong = block + 16;
  if (!strcmp(how, "unaligned")) wrong = block + 1;
  if (!strcmp(how, "realloc_stack")) wrong = realloc(on_stack + 64, 100);
  if (!strcmp(how, "realloc_middle")) wrong = realloc(block + 16, 100);
  free(wrong);
  if (!strcmp(how, "realloc_freed")) g_sink = (uint64_t)realloc(wrong, 5000);
  puts("survived");
  return 0;
}
