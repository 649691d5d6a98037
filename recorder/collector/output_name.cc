// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/output_name.h"

namespace spyglass::collector {
namespace {

std::string last_component(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.empty() ? "program" : name;
}

}  // namespace

std::string expand_output_name(const std::string& pattern, const OutputNameParts& parts) {
  const std::string& from = pattern.empty() ? "%e.%p.sgz" : pattern;
  std::string name;
  for (std::size_t at = 0; at < from.size(); ++at) {
    const char letter = from[at] == '%' && at + 1 < from.size() ? from[at + 1] : '\0';
    switch (letter) {
      case 'p':
        name += std::to_string(parts.pid);
        break;
      case 'e':
        name += last_component(parts.program);
        break;
      case 'h':
        name += parts.host;
        break;
      case 't':
        name += std::to_string(parts.unix_seconds);
        break;
      case '%':
        name += '%';
        break;
      default:
        name += from[at];
        continue;
    }
    ++at;
  }
  return name;
}

}  // namespace spyglass::collector
