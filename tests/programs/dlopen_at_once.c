// SPDX-License-Identifier: Apache-2.0
// dlopen_at_once ROUNDS: two threads load, call and unload a plugin each, so that a module goes
// while the other thread's dlclose looks which ones are gone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static char g_directory[4096];
static long g_rounds;

static void* load_and_unload(void* name) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", g_directory, (const char*)name);
  for (long i = 0; i < g_rounds; ++i) {
    void* handle = dlopen(path, RTLD_NOW);
    if (!handle) abort();
    void (*entry)(int) = (void (*)(int))dlsym(handle, "plugin_entry");
    entry(3);
    dlclose(handle);
  }
  return NULL;
}

int main(int argc, char** argv) {
  g_rounds = argument_or(argc, argv, 1, 1000);
  snprintf(g_directory, sizeof g_directory, "%s", argv[0]);
  char* slash = strrchr(g_directory, '/');
  if (slash) *slash = 0;
  pthread_t other;
  if (pthread_create(&other, NULL, load_and_unload, "plugin_b.so") != 0) return 1;
  load_and_unload("plugin_a.so");
  pthread_join(other, NULL);
  printf("rounds %ld\n", g_rounds);
  return 0;
}
