// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <string>
#include <vector>

#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/tree_view.h"

namespace spyglass {
namespace {

// Paths are written in full on every line, so their length is bounded: without this, a recursion
// 10^6 deep would be a file of terabytes. What is deeper counts at one frame at the bound.
constexpr std::uint32_t kMostFrames = 512;
constexpr const char* kDeeper = "[deeper calls]";

// Neither a separator nor a line break may come from a name.
std::string frame_name(const Function& function, bool full_names) {
  std::string name =
      printable(full_names || function.short_name.empty() ? function.name : function.short_name);
  for (char& character : name) {
    if (character == ';') character = ':';
  }
  return name.empty() ? "[unnamed]" : name;
}

void write_line(std::ostream& out, const std::string& path, double amount) {
  const auto whole = std::llround(std::min(amount, 9e18));
  if (whole > 0) out << path << ' ' << whole << '\n';
}

}  // namespace

void write_folded(std::ostream& out, const Profile& profile, bool full_names, Weight weight) {
  std::vector<std::string> names;
  names.reserve(profile.functions.size());
  for (const Function& function : profile.functions) {
    names.push_back(frame_name(function, full_names));
  }
  const ChildIndex children(profile.nodes);
  std::string path;
  std::vector<std::size_t> lengths;  // of `path`, before each frame
  std::uint32_t depth = 0;
  double deeper = 0;
  walk_tree(
      profile.nodes, children,
      [&](std::uint32_t node) {
        const double self = self_of(profile.nodes[node].metrics, weight);
        if (++depth > kMostFrames) {
          deeper += self;
          return;
        }
        lengths.push_back(path.size());
        if (!path.empty()) path += ';';
        path += names[profile.nodes[node].function];
        write_line(out, path, self);
      },
      [&](std::uint32_t) {
        if (depth-- > kMostFrames) return;
        if (deeper > 0) write_line(out, path + ";" + kDeeper, deeper);
        deeper = 0;
        path.resize(lengths.back());
        lengths.pop_back();
      });
}

}  // namespace spyglass
