// SPDX-License-Identifier: Apache-2.0
// heap_suppressions.h - leaks that nobody wants to hear of: the user's list, in the form that
// LeakSanitizer reads, and what runtimes keep until the end by design.
//
//   leak:pattern     matched against function, file and module of every frame of the stack; `*`
//                    stands for anything, `^` and `$` for the begin and the end of a name. A
//                    pattern without them matches anywhere in a name.
//   # a comment
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/model/tree_layout.h"
#include "format/result.h"

namespace spyglass::model {

Result<std::vector<std::string>> parse_suppressions(std::string_view text);

// As LeakSanitizer's documentation says.
bool suppression_matches(std::string_view pattern, std::string_view name);

// For every node which suppression hides what was allocated there: 1 + its index in `known`, 0 if
// none does. `patterns` are the user's; what is by design is added to `known` behind them.
std::vector<std::uint32_t> suppressed_nodes(const std::vector<LaidNode>& nodes,
                                            const std::vector<Function>& functions,
                                            const std::vector<std::string>& patterns,
                                            std::vector<Suppression>& known);

}  // namespace spyglass::model
