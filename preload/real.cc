// SPDX-License-Identifier: Apache-2.0
#include "preload/real.h"

#include <dlfcn.h>

#include "preload/symbol_search.h"
#include "recorder/runtime/session.h"

namespace spyglass::real {

#define SPYGLASS_HOOK(result, name, parameters) result(*name) parameters;
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK

void (*pthread_testcancel)();
int (*sem_trywait)(sem_t* semaphore);
int (*dirfd)(DIR* folder);
int (*on_exit)(void (*function)(int status, void* argument), void* argument);
int (*libc_sigaction)(int number, const struct sigaction* action, struct sigaction* old);
int (*old_pthread_cond_wait)(void* condition, pthread_mutex_t* mutex);
int (*old_pthread_cond_timedwait)(void* condition, pthread_mutex_t* mutex, const timespec* until);

constinit bool g_resolved = false;
constinit volatile bool g_resolving = false;

namespace {

// A program built with -fsanitize=thread ends at once when anything is mapped where it wants its
// shadow: nearly everywhere. Right below its libraries there is always room for so much.
constexpr std::uint64_t kRoomBesideShadow = std::uint64_t{1} << 38U;

// Linked statically by GCC, it shows of itself only what takes the place of libc's.
bool has_thread_sanitizer() {
  return hooks::is_defined_elsewhere("__tsan_init") ||
         dlsym(RTLD_DEFAULT, "on_exit") != reinterpret_cast<void*>(on_exit);
}

struct Place {
  void** pointer;
  const char* name;
  const char* version;  // null: the newest
};

template <typename Function>
Place place(Function*& pointer, const char* name, const char* version = nullptr) {
  return {reinterpret_cast<void**>(&pointer), name, version};
}

}  // namespace

void resolve() {
  const Place places[] = {
#define SPYGLASS_HOOK(result, name, parameters) place(name, #name),
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK
      place(pthread_testcancel, "pthread_testcancel"),
      place(sem_trywait, "sem_trywait"),
      place(dirfd, "dirfd"),
      place(on_exit, "on_exit"),
      place(libc_sigaction, "sigaction", "GLIBC_2.2.5"),
      place(old_pthread_cond_wait, "pthread_cond_wait", "GLIBC_2.2.5"),
      place(old_pthread_cond_timedwait, "pthread_cond_timedwait", "GLIBC_2.2.5"),
  };
  g_resolving = true;
  for (const Place& wanted : places) {
    if (*wanted.pointer == nullptr) {
      *wanted.pointer = wanted.version == nullptr ? hooks::find_next(wanted.name)
                                                  : dlvsym(RTLD_NEXT, wanted.name, wanted.version);
    }
  }
  if (has_thread_sanitizer()) {
    runtime::limit_arena(kRoomBesideShadow);
  }
  g_resolved = true;
  g_resolving = false;
}

}  // namespace spyglass::real
