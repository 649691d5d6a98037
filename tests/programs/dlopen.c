// SPDX-License-Identifier: Apache-2.0
// dlopen ROUNDS [report]: loads plugin a, calls, unloads, loads plugin b (which lands on the same
// address), and so on. With `report`, says how often the address was the same.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

CALLED static uintptr_t call_plugin(const char* directory, const char* name, int calls) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  void* handle = dlopen(path, RTLD_NOW);
  if (!handle) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  void (*entry)(int) = (void (*)(int))dlsym(handle, "plugin_entry");
  entry(calls);
  uintptr_t address = (uintptr_t)entry;
  dlclose(handle);
  return address;
}

int main(int argc, char** argv) {
  long rounds = argument_or(argc, argv, 1, 20);
  char directory[4096];
  snprintf(directory, sizeof directory, "%s", argv[0]);
  char* slash = strrchr(directory, '/');
  if (slash) *slash = 0;
  long same = 0;
  for (long i = 0; i < rounds; ++i) {
    uintptr_t a = call_plugin(directory, "plugin_a.so", 7);
    uintptr_t b = call_plugin(directory, "plugin_b.so", 11);
    same += a == b;
  }
  printf("rounds %ld\n", rounds);
  if (argc > 2) printf("same address %ld\n", same);
  return 0;
}
