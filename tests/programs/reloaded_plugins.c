// SPDX-License-Identifier: Apache-2.0
// Two plugins, loaded in turn, most likely at the same addresses: their frames differ in size.
//
//   reloaded_plugins FOLDER ROUNDS
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((noinline)) static void call_plugin(const char* folder, char which, int fd) {
  char path[4096];
  snprintf(path, sizeof(path), "%s/reloaded_plugin_%c", folder, which);
  void* plugin = dlopen(path, RTLD_NOW);
  if (plugin == NULL) {
    exit(3);
  }
  char name[] = "write_in_a";
  name[sizeof(name) - 2] = which;
  void (*function)(int) = (void (*)(int))dlsym(plugin, name);
  for (int i = 0; i < 10; ++i) {
    function(fd);
  }
  dlclose(plugin);
}

int main(int argc, char** argv) {
  int ends[2];
  if (argc < 3 || pipe(ends) != 0) {
    return 2;
  }
  char block[64];
  for (int round = atoi(argv[2]); round > 0; --round) {
    call_plugin(argv[1], 'a', ends[1]);
    call_plugin(argv[1], 'b', ends[1]);
    if (read(ends[0], block, sizeof(block)) != 20) {
      return 1;
    }
  }
  return 0;
}
