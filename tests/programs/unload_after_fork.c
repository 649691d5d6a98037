// SPDX-License-Identifier: Apache-2.0
// A forked child goes on in a plugin that its parent has unloaded since, unloads it as well, and
// loads another that lands on the same address.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

typedef void Entry(int);

static char g_directory[4096];

static Entry* load(const char* name, void** handle) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", g_directory, name);
  *handle = dlopen(path, RTLD_NOW);
  if (!*handle) abort();
  return (Entry*)dlsym(*handle, "plugin_entry");
}

int main(int argc, char** argv) {
  (void)argc;
  snprintf(g_directory, sizeof g_directory, "%s", argv[0]);
  char* slash = strrchr(g_directory, '/');
  if (slash) *slash = 0;
  void* handle;
  Entry* first = load("plugin_a.so", &handle);
  first(7);
  int used[2], unloaded[2];
  char byte = 0;
  if (pipe(used) != 0 || pipe(unloaded) != 0) return 1;
  const pid_t child = fork();
  if (child != 0) {
    int status = 1;
    if (read(used[0], &byte, 1) != 1) return 1;
    dlclose(handle);
    if (write(unloaded[1], &byte, 1) != 1 || waitpid(child, &status, 0) != child) return 1;
    return status != 0;
  }
  first(10);
  if (write(used[1], &byte, 1) != 1 || read(unloaded[0], &byte, 1) != 1) return 1;
  dlclose(handle);
  Entry* second = load("plugin_b.so", &handle);
  second(100);
  if (second != first) puts("elsewhere");
  return 0;
}
