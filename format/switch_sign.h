// SPDX-License-Identifier: Apache-2.0
// switch_sign.h - how a thread finds out, without a system call, that it was off the CPU.
//
// The C library registers an area of each thread with the kernel for restartable sequences
// (rseq(2), glibc 2.35). Whenever the kernel has switched a thread and finds `rseq_cs` there to
// point to a sequence that the thread is not in, it clears the pointer. So a pointer to a sequence
// that nobody ever runs is a sign that the next switch takes away. A program's own sequences put
// theirs in its place; both are then as good as a switch.
//
//   Where    target side, to use it; collector, to try whether this kernel does so.
//   Threads  each its own area; safe in signal handlers (the kernel has left a sequence that was
//            interrupted, before the handler begins).
#pragma once

#include <sys/rseq.h>

#include <cstdint>

namespace spyglass::format {

// The calling thread's pointer; null: it has no registered area.
inline volatile std::uint64_t* switch_sign_place() {
  if (__rseq_size == 0) {
    return nullptr;
  }
  auto* area = reinterpret_cast<volatile struct rseq*>(
      static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset);
  const bool registered = static_cast<std::int32_t>(area->cpu_id) >= 0;
  return registered ? reinterpret_cast<volatile std::uint64_t*>(&area->rseq_cs) : nullptr;
}

// Address of the sequence (struct rseq_cs: version, flags, start, length, where to go on when it is
// left). The kernel wants the program's signature in front of the latter.
[[gnu::noinline, gnu::noclone]] inline std::uint64_t switch_sign() {
  std::uint64_t sequence = 0;
  asm(R"(leaq 1f(%%rip), %0
    .pushsection .text.spyglass_switch_sign, "ax"
    .long %c1
  2: ud2
  3: nop
    ud2
    .popsection
    .pushsection .data.rel.ro.spyglass_switch_sign, "aw"
    .balign 32
  1: .long 0, 0
    .quad 3b, 1, 2b
    .popsection)"
      : "=r"(sequence)
      : "i"(RSEQ_SIG));
  return sequence;
}

}  // namespace spyglass::format
