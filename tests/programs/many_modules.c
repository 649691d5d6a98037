// SPDX-License-Identifier: Apache-2.0
// many_modules DIRECTORY N: loads DIRECTORY/module_0000.so … and calls into each; all stay loaded.
#include <dlfcn.h>
#include <stdio.h>

#include "program.h"

CALLED static int call_module(const char* directory, long index) {
  char path[4096];
  snprintf(path, sizeof path, "%s/module_%04ld.so", directory, index);
  void* handle = dlopen(path, RTLD_NOW);
  if (!handle) {
    fprintf(stderr, "%s\n", dlerror());
    return 0;
  }
  void (*entry)(void) = (void (*)(void))dlsym(handle, "module_entry");
  for (long i = 0; i <= index % 5; ++i) entry();
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  int loaded = 0;
  for (long i = 0; i < atol(argv[2]); ++i) loaded += call_module(argv[1], i);
  printf("loaded %d\n", loaded);
  return 0;
}
