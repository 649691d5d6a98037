// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/call_on_stack.h"

// The frame is found through rbp, so that debuggers and unwinders see the caller's stack behind it.
asm(R"(
  .text
  .globl spyglass_call_on_stack
  .hidden spyglass_call_on_stack
  .type spyglass_call_on_stack, @function
spyglass_call_on_stack:
  .cfi_startproc
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdi, %rsp
  movq %rdx, %rdi
  call *%rsi
  leave
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size spyglass_call_on_stack, . - spyglass_call_on_stack
)");
