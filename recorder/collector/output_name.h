// SPDX-License-Identifier: Apache-2.0
// output_name.h - the recording's file name from a pattern.
#pragma once

#include <cstdint>
#include <string>

namespace spyglass::collector {

struct OutputNameParts {
  std::string program;  // path or name as given; its last component is used
  std::uint32_t pid = 0;
  std::string host;
  std::uint64_t unix_seconds = 0;
};

// Replaces %p (pid), %e (program), %h (host), %t (time) and %%; leaves any other % as it is. An
// empty pattern means "%e.%p.sgz".
std::string expand_output_name(const std::string& pattern, const OutputNameParts& parts);

}  // namespace spyglass::collector
