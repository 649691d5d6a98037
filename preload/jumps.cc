// SPDX-License-Identifier: Apache-2.0
// The longjmp family: the calls between here and the target end without a return.
#include <csetjmp>
#include <cstdint>

#include "preload/real.h"
#include "recorder/runtime/allocations.h"
#include "recorder/runtime/record.h"

namespace {

// glibc keeps the stack pointer in slot 6, rotated by 17 bits after an xor with the word at
// %fs:0x30 (its PTR_MANGLE on x86-64).
std::uint64_t target_sp(const __jmp_buf_tag* environment) {
  constexpr unsigned kStackPointerSlot = 6;
  constexpr unsigned kRotation = 17;
  const auto mangled = static_cast<std::uint64_t>(environment->__jmpbuf[kStackPointerSlot]);
  std::uint64_t guard = 0;
  asm("movq %%fs:0x30, %0" : "=r"(guard));
  return (mangled >> kRotation | mangled << (64U - kRotation)) ^ guard;
}

void note_jump(const __jmp_buf_tag* environment) {
  spyglass::real::make_ready();
  spyglass::runtime::forget_allocator();
  spyglass::runtime::record_jump(target_sp(environment),
                                 reinterpret_cast<std::uint64_t>(__builtin_dwarf_cfa()));
}

}  // namespace

extern "C" {

[[gnu::visibility("default"), gnu::noreturn]] void longjmp(__jmp_buf_tag* environment,
                                                           int value) noexcept {
  note_jump(environment);
  spyglass::real::longjmp(environment, value);
  __builtin_unreachable();
}

[[gnu::visibility("default"), gnu::noreturn]] void _longjmp(__jmp_buf_tag* environment,
                                                            int value) noexcept {
  note_jump(environment);
  spyglass::real::_longjmp(environment, value);
  __builtin_unreachable();
}

[[gnu::visibility("default"), gnu::noreturn]] void siglongjmp(__jmp_buf_tag* environment,
                                                              int value) noexcept {
  note_jump(environment);
  spyglass::real::siglongjmp(environment, value);
  __builtin_unreachable();
}

[[gnu::visibility("default"), gnu::noreturn]] void __longjmp_chk(__jmp_buf_tag* environment,
                                                                 int value) noexcept {
  note_jump(environment);
  spyglass::real::__longjmp_chk(environment, value);
  __builtin_unreachable();
}

}  // extern "C"
