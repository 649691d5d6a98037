# SPDX-License-Identifier: Apache-2.0
# spyglass_runtime_rules: code that runs inside someone else's program. The reasons are in
# docs/runtime_rules.md; tests/artifact checks the result.

add_library(spyglass_runtime_rules INTERFACE)
target_compile_options(spyglass_runtime_rules INTERFACE
  -O2
  -fPIC
  -fvisibility=hidden
  -ftls-model=initial-exec
  -fno-stack-protector
  -fcf-protection=none
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti -fno-threadsafe-statics>)
# Hooks are called where a compiler knows that no call is: vector and x87 state of the program may
# be live, and the less of it a hook touches, the less it can cost or disturb. (clang refuses
# libstdc++'s headers under this flag.)
target_compile_options(spyglass_runtime_rules INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-mgeneral-regs-only>)

# Links only against libc: an accidental std::string is then a link error.
add_library(spyglass_runtime_link_rules INTERFACE)
target_link_options(spyglass_runtime_link_rules INTERFACE
  -nodefaultlibs
  LINKER:-z,defs LINKER:-z,now LINKER:-z,relro LINKER:-z,nodelete LINKER:-z,initfirst LINKER:--hash-style=gnu)
target_link_libraries(spyglass_runtime_link_rules INTERFACE c gcc)
