// SPDX-License-Identifier: Apache-2.0
// Libraries that only their caller's RUNPATH or $ORIGIN finds, loaded from a library. Built three
// times: the program, the library that loads (LOADER) and the one that is loaded (LEAF).
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#if defined(LEAF)

int answer(void) { return 42; }

#elif defined(LOADER)

int load(const char* name) {
  void* library = dlopen(name, RTLD_NOW);
  int (*answer)(void) = library == NULL ? NULL : (int (*)(void))dlsym(library, "answer");
  const int found = answer == NULL ? -1 : answer();
  return library != NULL && dlclose(library) != 0 ? -2 : found;
}

#else

int main(int argc, char** argv) {
  char path[4096];
  snprintf(path, sizeof(path), "%s", argc > 1 ? argv[1] : argv[0]);
  char* end = strrchr(path, '/') + 1;
  strcpy(end, "search_loader.so");
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  int (*load)(const char*) = library == NULL ? NULL : (int (*)(const char*))dlsym(library, "load");
  if (load == NULL) {
    puts(dlerror());
    return 1;
  }
  printf("by name %d\n", load("search_leaf.so"));
  printf("by origin %d\n", load("$ORIGIN/search/search_leaf.so"));
  strcpy(end, "search/search_leaf.so");
  printf("by path %d\n", load(path));
  printf("not there %d, %s\n", load("/nonexistent/library.so"), dlerror() == NULL ? "-" : "error");
  printf("self %d\n", dlopen(NULL, RTLD_NOW) != NULL);
  return 0;
}

#endif
