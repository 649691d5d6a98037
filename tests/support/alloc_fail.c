// SPDX-License-Identifier: Apache-2.0
// An allocator that has nothing left at a chosen moment.
//
// LD_PRELOAD=libfailalloc.so FAILALLOC_AT=N program      the N-th request of the process fails
// FAILALLOC_ONWARDS=1                                    and all after it
// FAILALLOC_MARK=PATH                                    is created when a request fails
//
// Everything else comes from the next malloc. Requests are numbered from 1 over all functions.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static atomic_ulong g_requests;

static int fails(void) {
  const char* at = getenv("FAILALLOC_AT");
  if (!at) return 0;
  const unsigned long chosen = strtoul(at, NULL, 10), number = atomic_fetch_add(&g_requests, 1) + 1;
  if (number != chosen && !(number > chosen && getenv("FAILALLOC_ONWARDS"))) return 0;
  const char* mark = getenv("FAILALLOC_MARK");
  const int fd = mark ? open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
  if (fd >= 0) close(fd);
  errno = ENOMEM;
  return 1;
}

static void* next(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

EXPORTED void* malloc(size_t bytes) {
  return fails() ? NULL : ((__typeof__(&malloc))next("malloc"))(bytes);
}
EXPORTED void* calloc(size_t count, size_t bytes) {
  return fails() ? NULL : ((__typeof__(&calloc))next("calloc"))(count, bytes);
}
EXPORTED void* realloc(void* block, size_t bytes) {
  return fails() ? NULL : ((__typeof__(&realloc))next("realloc"))(block, bytes);
}
EXPORTED void* aligned_alloc(size_t alignment, size_t bytes) {
  return fails() ? NULL : ((__typeof__(&aligned_alloc))next("aligned_alloc"))(alignment, bytes);
}
EXPORTED int posix_memalign(void** block, size_t alignment, size_t bytes) {
  const int saved = errno;
  if (fails()) {
    errno = saved;
    return ENOMEM;
  }
  return ((__typeof__(&posix_memalign))next("posix_memalign"))(block, alignment, bytes);
}
