// SPDX-License-Identifier: Apache-2.0
// The two functions that code compiled with -finstrument-functions calls.
#include "recorder/runtime/record.h"

extern "C" {

[[gnu::visibility("default")]] void __cyg_profile_func_enter(void* function, void* /*call_site*/) {
  spyglass::runtime::record_enter(reinterpret_cast<std::uint64_t>(function),
                                  reinterpret_cast<std::uint64_t>(__builtin_dwarf_cfa()));
}

[[gnu::visibility("default")]] void __cyg_profile_func_exit(void* function, void* /*call_site*/) {
  spyglass::runtime::record_exit(reinterpret_cast<std::uint64_t>(function),
                                 reinterpret_cast<std::uint64_t>(__builtin_dwarf_cfa()));
}

}  // extern "C"
