// SPDX-License-Identifier: Apache-2.0
// private_runtime PLUGIN ROUNDS: a C program whose plugin, visible to itself only, brings the C++
// runtime along and throws.
#include <dlfcn.h>
#include <stdio.h>

#include "program.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  long rounds = argument_or(argc, argv, 2, 3);
  long caught = 0;
  for (long round = 0; round < rounds; ++round) {
    void* plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
      printf("%s\n", dlerror());
      return 1;
    }
    long (*catch_some)(long) = (long (*)(long))dlsym(plugin, "catch_some");
    caught += catch_some(10);
    dlsym(plugin, "there_is_no_such_thing");
    caught += catch_some(10);
    const char* error = dlerror();
    printf("%s\n", error ? "an error" : "no error");
    dlclose(plugin);
  }
  printf("caught %ld\n", caught);
  return 0;
}
