// SPDX-License-Identifier: Apache-2.0
// cxx_runtime_check.h - finds files that were linked with a C++ runtime of their own, whose
// exceptions no hook sees: they throw by a function inside of the file.
//
//   Where    collector, once per file at the end of a session; reads the file.
//   Errors   what can't be read has none.
#pragma once

#include <string>

namespace spyglass::collector {

// Told by what the runtime prints before it aborts, which is in a stripped file, too; and by the
// name of a shared runtime, which a file has where it needs one.
bool has_own_cxx_runtime(const std::string& path);

}  // namespace spyglass::collector
