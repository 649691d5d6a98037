// SPDX-License-Identifier: Apache-2.0
// What is known here of other libraries' data is their binary interface (Itanium C++ ABI, and
// libstdc++'s __cxa_exception, which programs depend on through std::rethrow_exception).
#include "preload/cxx_runtime.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstddef>

#include "preload/real.h"
#include "preload/symbol_search.h"
#include "recorder/runtime/exception_record.h"

namespace spyglass::hooks {
namespace {

constexpr std::uint64_t kLanguageMask = ~std::uint64_t{0xff};
constexpr std::uint64_t kGnuClass = 0x474e5543432b2b00;    // "GNUCC++\0"; +1: dependent
constexpr std::uint64_t kClangClass = 0x434c4e47432b2b00;  // "CLNGC++\0"

// Distances in bytes from an exception's _Unwind_Exception.
constexpr std::ptrdiff_t kObjectAfter = 32;
constexpr std::ptrdiff_t kGnuTypeBefore = 80;  // of a dependent one: the other's object

constexpr unsigned kDoCatchSlot = 4;  // in std::type_info's vtable
constexpr unsigned kWhatSlot = 2;     // in std::exception's

// Remembered for libraries that see a runtime of their own.
struct PrivateRuntime {
  std::atomic<std::uint32_t> state;  // 0: free, 1: being filled in, 2: ready
  const void* caller;                // the library's link_map
  const void* library;               // the runtime's, and where it begins: to see that it is there
  const void* start;
  CxxRuntime runtime;
};

constinit PrivateRuntime g_private[8] = {};
constinit CxxRuntime g_first = {};

dl_find_object library_at(const void* address) {
  dl_find_object found = {};
  if (_dl_find_object(const_cast<void*>(address), &found) != 0) {
    found = {};
  }
  return found;
}

template <typename Function>
void look_up(Function& function, void* scope, const char* name) {
  void* found = scope == RTLD_NEXT           ? find_next(name)
                : is_defined_elsewhere(name) ? dlsym(scope, name)
                                             : nullptr;
  if (found != nullptr &&
      library_at(found).dlfo_link_map !=
          library_at(reinterpret_cast<const void*>(&find_first_runtime)).dlfo_link_map) {
    function = reinterpret_cast<Function>(found);
  }
}

bool fill(CxxRuntime& runtime, void* scope) {
  look_up(runtime.throw_object, scope, "__cxa_throw");
  look_up(runtime.rethrow, scope, "__cxa_rethrow");
  look_up(runtime.begin_catch, scope, "__cxa_begin_catch");
  if (runtime.throw_object == nullptr || runtime.rethrow == nullptr ||
      runtime.begin_catch == nullptr) {
    return false;
  }
  look_up(runtime.terminate, scope, "_ZSt9terminatev");
  look_up(runtime.rethrow_pointer, scope,
          "_ZSt17rethrow_exceptionNSt15__exception_ptr13exception_ptrE");
  look_up(runtime.current_type, scope, "__cxa_current_exception_type");
  look_up(runtime.globals, scope, "__cxa_get_globals");
  look_up(runtime.std_exception, scope, "_ZTISt9exception");
  return true;
}

bool is_still_there(const PrivateRuntime& known) {
  const dl_find_object found =
      library_at(reinterpret_cast<const void*>(known.runtime.throw_object));
  return found.dlfo_link_map == known.library && found.dlfo_map_start == known.start;
}

bool recall(const dl_find_object& caller, CxxRuntime& runtime) {
  for (const PrivateRuntime& known : g_private) {
    if (known.state.load(std::memory_order_acquire) == 2 && known.caller == caller.dlfo_link_map &&
        is_still_there(known)) {
      runtime = known.runtime;
      return true;
    }
  }
  return false;
}

void remember(const dl_find_object& caller, const CxxRuntime& runtime) {
  const dl_find_object library = library_at(reinterpret_cast<const void*>(runtime.throw_object));
  for (PrivateRuntime& place : g_private) {
    std::uint32_t free = 0;
    if (place.state.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
      place.caller = caller.dlfo_link_map;
      place.library = library.dlfo_link_map;
      place.start = library.dlfo_map_start;
      place.runtime = runtime;
      place.state.store(2, std::memory_order_release);
      return;
    }
  }
}

// Calls `use` with a handle of what `library` sees: itself and what it needs.
template <typename Use>
bool with_scope_of(const link_map& library, Use use) {
  void* handle = real::dlopen(library.l_name, RTLD_NOLOAD | RTLD_LAZY);
  if (handle == nullptr) {
    return false;
  }
  const bool result = use(handle);
  real::dlclose(handle);
  return result;
}

std::uint64_t word_at(const void* address, std::ptrdiff_t offset) {
  return *reinterpret_cast<const std::uint64_t*>(static_cast<const char*>(address) + offset);
}

}  // namespace

void find_first_runtime() {
  if (g_first.throw_object == nullptr && !fill(g_first, RTLD_NEXT)) {
    g_first = {};
  }
}

bool find_runtime(std::uint64_t caller, CxxRuntime& runtime) {
  if (g_first.throw_object != nullptr) {
    runtime = g_first;
    return true;
  }
  const dl_find_object library = library_at(reinterpret_cast<const void*>(caller));
  if (library.dlfo_link_map != nullptr && recall(library, runtime)) {
    return true;
  }
  runtime = {};
  if (library.dlfo_link_map != nullptr &&
      with_scope_of(*library.dlfo_link_map, [&](void* scope) { return fill(runtime, scope); })) {
    remember(library, runtime);
    return true;
  }
  runtime = {};
  const bool found = fill(runtime, RTLD_NEXT);
  dlerror();
  return found;
}

void* find_for(std::uint64_t caller, const char* name) {
  void* found = nullptr;
  const link_map* library = library_at(reinterpret_cast<const void*>(caller)).dlfo_link_map;
  if (library != nullptr) {
    with_scope_of(*library, [&](void* scope) {
      look_up(found, scope, name);
      return true;
    });
  }
  dlerror();
  return found;
}

bool is_inside(const CxxRuntime& runtime, std::uint64_t pc) {
  const void* library =
      library_at(reinterpret_cast<const void*>(runtime.throw_object)).dlfo_link_map;
  return library_at(reinterpret_cast<const void*>(pc)).dlfo_link_map == library;
}

const void* object_at(const void* header) {
  const std::uint64_t exception_class = word_at(header, 0);
  const std::uint64_t language = exception_class & kLanguageMask;
  if (language != kGnuClass && language != kClangClass) {
    return nullptr;
  }
  if (exception_class == language) {
    return static_cast<const char*>(header) + kObjectAfter;
  }
  return language == kGnuClass ? reinterpret_cast<const void*>(word_at(header, -kGnuTypeBefore))
                               : nullptr;
}

const void* current_object(const CxxRuntime& runtime) {
  if (runtime.globals == nullptr) {
    return nullptr;
  }
  const void* caught = *static_cast<const void* const*>(runtime.globals());
  const void* header =
      caught != nullptr ? static_cast<const char*>(caught) + kGnuTypeBefore : nullptr;
  // Of libstdc++ only the distance is known.
  return header != nullptr && (word_at(header, 0) & kLanguageMask) == kGnuClass ? object_at(header)
                                                                                : nullptr;
}

const void* current_type(const CxxRuntime& runtime) {
  // libstdc++ reads what a foreign exception does not have; others look whose it is.
  const bool is_libstdcxx = runtime.rethrow_pointer != nullptr;
  if (runtime.current_type == nullptr || (is_libstdcxx && current_object(runtime) == nullptr)) {
    return nullptr;
  }
  return runtime.current_type();
}

const void* type_of_object(const void* object) {
  if (object == nullptr || word_at(object, -kObjectAfter) != kGnuClass) {
    return nullptr;
  }
  return reinterpret_cast<const void*>(word_at(object, -kObjectAfter - kGnuTypeBefore));
}

const char* name_of_type(const void* type) {
  if (type == nullptr) {
    return nullptr;
  }
  const auto* name = reinterpret_cast<const char*>(word_at(type, sizeof(void*)));
  return *name == '*' ? name + 1 : name;  // compared by address, not by text
}

const char* what_of(const CxxRuntime& cxx, const void* type, const void* object) {
  if (type == nullptr || object == nullptr || cxx.std_exception == nullptr) {
    return nullptr;
  }
  using DoCatch =
      bool (*)(const void* self, const void* thrown, const void** object, unsigned outer);
  using What = const char* (*)(const void* self);
  const auto* catching = *static_cast<const DoCatch* const*>(cxx.std_exception);
  const void* exception = object;
  if (!catching[kDoCatchSlot](cxx.std_exception, type, &exception, 1)) {
    return nullptr;
  }
  const auto* functions = *static_cast<const What* const*>(exception);
  return runtime::call_muted(functions[kWhatSlot], exception);
}

}  // namespace spyglass::hooks
