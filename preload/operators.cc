// SPDX-License-Identifier: Apache-2.0
// operator new and delete, in all forms.
//
// A program without C++ may load some later, visible to itself only, and that finds these hooks all
// the same. Then there is no next function: memory is malloc()'s, as it would be libstdc++'s; only
// what to do when there is none is left to what the caller sees.
#include "preload/allocation_call.h"
#include "preload/cxx_runtime.h"
#include "preload/hook.h"

namespace spyglass::hooks {
namespace {

using runtime::t_memory;

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline void* make_new(const StackPoint& caller, std::size_t bytes,
                                             Call call) {
  real::make_ready();
  if (runtime::g_memory_mode == format::MemoryMode::kOff ||
      !runtime::wants_memory(kOperation, caller, bytes)) {
    return call();
  }
  void* block = call();
  if (__builtin_expect(static_cast<long>(t_memory.wanted != 0), 0) != 0) {
    t_memory.wanted = 0;
    if (block != t_memory.smaller && runtime::keeps_allocation(bytes)) {
      runtime::record_allocation(kOperation, caller, block, bytes);
    }
  }
  return block;
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline void make_delete(void* block, Call call) {
  real::make_ready();
  // One delete may be made of another.
  if (runtime::g_memory_mode == format::MemoryMode::kOff || block == nullptr ||
      t_memory.released == block) {
    return call();
  }
  if (runtime::keeps_release(block)) {
    runtime::record_release(kOperation, block);
  }
  t_memory.released = block;
  call();
  t_memory.released = nullptr;
}

// `next`: the function after the hook named `name`, which may be missing.
template <typename Function, typename... Arguments>
void* call_new(Function* next, const char* name, const StackPoint& caller, std::size_t alignment,
               std::size_t bytes, Arguments... more) {
  if (__builtin_expect(static_cast<long>(next != nullptr), 1) != 0) {
    return next(bytes, more...);
  }
  const std::size_t some = bytes == 0 ? 1 : bytes;
  void* block = alignment == 0
                    ? real::malloc(some)
                    : real::aligned_alloc(alignment, (some + alignment - 1) & ~(alignment - 1));
  if (block != nullptr) {
    return block;
  }
  auto* own = reinterpret_cast<Function*>(find_for(caller.pc - 1, name));
  return own != nullptr ? own(bytes, more...) : nullptr;
}

// `next` by reference: make_new() may look it up first.
template <Operation kOperation, typename Function, typename... Arguments>
[[gnu::always_inline]] inline void* new_by(Function* const& next, const char* name,
                                           const StackPoint& caller, std::size_t alignment,
                                           std::size_t bytes, Arguments... more) {
  return make_new<kOperation>(
      caller, bytes, [&] { return call_new(next, name, caller, alignment, bytes, more...); });
}

template <Operation kOperation, typename Function, typename... Arguments>
[[gnu::always_inline]] inline void delete_by(Function* const& next, void* block,
                                             Arguments... more) {
  make_delete<kOperation>(block,
                          [&] { next != nullptr ? next(block, more...) : real::free(block); });
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using hooks::Operation;
using spyglass::runtime::caller_point;

extern "C" {

void* hook__Znwm(size_t bytes) {
  return hooks::new_by<Operation::k_operator_new>(real::_Znwm, "_Znwm", caller_point(), 0, bytes);
}

void* hook__ZnwmRKSt9nothrow_t(size_t bytes, const void* nothrow) {
  return hooks::new_by<Operation::k_operator_new>(real::_ZnwmRKSt9nothrow_t, "_ZnwmRKSt9nothrow_t",
                                                  caller_point(), 0, bytes, nothrow);
}

void* hook__ZnwmSt11align_val_t(size_t bytes, size_t alignment) {
  return hooks::new_by<Operation::k_operator_new>(real::_ZnwmSt11align_val_t,
                                                  "_ZnwmSt11align_val_t", caller_point(), alignment,
                                                  bytes, alignment);
}

void* hook__ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void* nothrow) {
  return hooks::new_by<Operation::k_operator_new>(
      real::_ZnwmSt11align_val_tRKSt9nothrow_t, "_ZnwmSt11align_val_tRKSt9nothrow_t",
      caller_point(), alignment, bytes, alignment, nothrow);
}

void* hook__Znam(size_t bytes) {
  return hooks::new_by<Operation::k_operator_new_array>(real::_Znam, "_Znam", caller_point(), 0,
                                                        bytes);
}

void* hook__ZnamRKSt9nothrow_t(size_t bytes, const void* nothrow) {
  return hooks::new_by<Operation::k_operator_new_array>(
      real::_ZnamRKSt9nothrow_t, "_ZnamRKSt9nothrow_t", caller_point(), 0, bytes, nothrow);
}

void* hook__ZnamSt11align_val_t(size_t bytes, size_t alignment) {
  return hooks::new_by<Operation::k_operator_new_array>(real::_ZnamSt11align_val_t,
                                                        "_ZnamSt11align_val_t", caller_point(),
                                                        alignment, bytes, alignment);
}

void* hook__ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t alignment, const void* nothrow) {
  return hooks::new_by<Operation::k_operator_new_array>(
      real::_ZnamSt11align_val_tRKSt9nothrow_t, "_ZnamSt11align_val_tRKSt9nothrow_t",
      caller_point(), alignment, bytes, alignment, nothrow);
}

void hook__ZdlPv(void* block) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPv, block);
}

void hook__ZdlPvm(void* block, size_t bytes) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPvm, block, bytes);
}

void hook__ZdlPvRKSt9nothrow_t(void* block, const void* nothrow) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPvRKSt9nothrow_t, block, nothrow);
}

void hook__ZdlPvSt11align_val_t(void* block, size_t alignment) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPvSt11align_val_t, block, alignment);
}

void hook__ZdlPvmSt11align_val_t(void* block, size_t bytes, size_t alignment) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPvmSt11align_val_t, block, bytes,
                                                 alignment);
}

void hook__ZdlPvSt11align_val_tRKSt9nothrow_t(void* block, size_t alignment, const void* nothrow) {
  hooks::delete_by<Operation::k_operator_delete>(real::_ZdlPvSt11align_val_tRKSt9nothrow_t, block,
                                                 alignment, nothrow);
}

void hook__ZdaPv(void* block) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPv, block);
}

void hook__ZdaPvm(void* block, size_t bytes) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPvm, block, bytes);
}

void hook__ZdaPvRKSt9nothrow_t(void* block, const void* nothrow) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPvRKSt9nothrow_t, block, nothrow);
}

void hook__ZdaPvSt11align_val_t(void* block, size_t alignment) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPvSt11align_val_t, block,
                                                       alignment);
}

void hook__ZdaPvmSt11align_val_t(void* block, size_t bytes, size_t alignment) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPvmSt11align_val_t, block, bytes,
                                                       alignment);
}

void hook__ZdaPvSt11align_val_tRKSt9nothrow_t(void* block, size_t alignment, const void* nothrow) {
  hooks::delete_by<Operation::k_operator_delete_array>(real::_ZdaPvSt11align_val_tRKSt9nothrow_t,
                                                       block, alignment, nothrow);
}

}  // extern "C"

// Hidden versions, as in exceptions.cc: what is linked with libspyglass.so and with a static C++
// runtime takes these from the latter.
asm(".symver _Znwm, _Znwm@GLIBCXX_3.4, remove\n"
    ".symver _Znam, _Znam@GLIBCXX_3.4, remove\n"
    ".symver _ZnwmRKSt9nothrow_t, _ZnwmRKSt9nothrow_t@GLIBCXX_3.4, remove\n"
    ".symver _ZnamRKSt9nothrow_t, _ZnamRKSt9nothrow_t@GLIBCXX_3.4, remove\n"
    ".symver _ZnwmSt11align_val_t, _ZnwmSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZnamSt11align_val_t, _ZnamSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZnwmSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11, "
    "remove\n"
    ".symver _ZnamSt11align_val_tRKSt9nothrow_t, _ZnamSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11, "
    "remove\n"
    ".symver _ZdlPv, _ZdlPv@GLIBCXX_3.4, remove\n"
    ".symver _ZdlPvm, _ZdlPvm@CXXABI_1.3.9, remove\n"
    ".symver _ZdlPvRKSt9nothrow_t, _ZdlPvRKSt9nothrow_t@GLIBCXX_3.4, remove\n"
    ".symver _ZdlPvSt11align_val_t, _ZdlPvSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZdlPvmSt11align_val_t, _ZdlPvmSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZdlPvSt11align_val_tRKSt9nothrow_t, "
    "_ZdlPvSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11, remove\n"
    ".symver _ZdaPv, _ZdaPv@GLIBCXX_3.4, remove\n"
    ".symver _ZdaPvm, _ZdaPvm@CXXABI_1.3.9, remove\n"
    ".symver _ZdaPvRKSt9nothrow_t, _ZdaPvRKSt9nothrow_t@GLIBCXX_3.4, remove\n"
    ".symver _ZdaPvSt11align_val_t, _ZdaPvSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZdaPvmSt11align_val_t, _ZdaPvmSt11align_val_t@CXXABI_1.3.11, remove\n"
    ".symver _ZdaPvSt11align_val_tRKSt9nothrow_t, "
    "_ZdaPvSt11align_val_tRKSt9nothrow_t@CXXABI_1.3.11, remove\n");
