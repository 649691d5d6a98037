// SPDX-License-Identifier: Apache-2.0
// real.h - the interposed functions as the program would have got them without us.
//
// Every hook begins with make_ready(): a hook may run before our constructor.
//
//   Where    target side.
//   Threads  any. The pointers are filled in the constructor, while the program has one thread.
//   Errors   a function that no library has stays null; nobody can have called its hook then.
#pragma once

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>  // NOLINT: FILE; <cstdio> is not for this side
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>

#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace spyglass::real {

#define SPYGLASS_HOOK(result, name, parameters) extern result(*name) parameters;
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK

// What hooks call besides.
extern void (*pthread_testcancel)();
extern int (*sem_trywait)(sem_t* semaphore);
extern int (*dirfd)(DIR* folder);
// Not libc's by name: a sanitizer's in the program is not ready when the library is loaded.
extern int (*on_exit)(void (*function)(int status, void* argument), void* argument);
// Likewise; by its version, which a sanitizer's does not have.
extern int (*libc_sigaction)(int number, const struct sigaction* action, struct sigaction* old);
extern int (*old_pthread_cond_wait)(void* condition, pthread_mutex_t* mutex);
extern int (*old_pthread_cond_timedwait)(void* condition, pthread_mutex_t* mutex,
                                         const timespec* until);

// Fills every pointer above with the next definition after ours. Idempotent. While it looks up, it
// may allocate (early_memory.h).
void resolve();

extern bool g_resolved;
// Volatile: compilers believe that dlsym() calls nothing of ours.
extern volatile bool g_resolving;

inline void make_ready() {
  if (__builtin_expect(static_cast<long>(!g_resolved), 0) != 0) {
    resolve();
  }
}

}  // namespace spyglass::real
