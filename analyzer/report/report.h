// SPDX-License-Identifier: Apache-2.0
// report.h - a Profile as text: the door of this folder.
//
// The text forms are for people; docs/json.md is the contract for programs.
//
//   Where    analyzer.
//   Errors   those of the stream that is written to.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/report/function_order.h"
#include "analyzer/report/group_view.h"
#include "analyzer/report/text_table.h"
#include "analyzer/report/weight.h"

namespace spyglass {

struct TreeLimits {
  double min_share = 0.005;        // of the recorded time; lines below are summed up
  std::size_t top = 0;             // lines; 0: no limit
  std::optional<Weight> weight{};  // nothing: the usual one of the recording
};

// What was recorded, how it ended, what is missing.
void write_summary(std::ostream& out, const TextStyle& style, const Profile& profile);
// `top` rows, 0 for all.
void write_functions(std::ostream& out, const TextStyle& style, const Profile& profile, SortKey key,
                     std::size_t top);
void write_tree(std::ostream& out, const TextStyle& style, const Profile& profile,
                const TreeLimits& limits);
// Requires: a valid function index.
void write_callers(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::uint32_t function, const TreeLimits& limits);
void write_callees(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::uint32_t function, const TreeLimits& limits);
void write_threads(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::size_t top);
void write_groups(std::ostream& out, const TextStyle& style, const Profile& profile,
                  const std::vector<Group>& groups, std::string_view title, std::size_t top);
// Where threads waited, on what, and who let them wait. `top` rows of each table, 0 for all; with
// `brief` a few, and nothing where there is nothing.
void write_waits(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
                 bool brief);
void write_locks(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
                 bool brief);
void write_io(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
              bool brief);
void write_exceptions(std::ostream& out, const TextStyle& style, const Profile& profile,
                      std::size_t top, bool brief);
// How the time of each thread is made up.
void write_thread_times(std::ostream& out, const TextStyle& style, const Profile& profile,
                        std::size_t top, bool brief);
enum class MemoryView { kSummary, kPeak, kLive, kLeaks, kTemporary, kChurn, kLifetime };
std::optional<MemoryView> parse_memory_view(std::string_view name);
struct MemoryLimits {
  MemoryView view = MemoryView::kSummary;
  std::size_t top = 0;  // stacks or rows; 0: no limit
  bool brief = false;   // a few rows, and nothing where there is nothing
  bool all = false;     // also what runtimes keep by design
};
void write_memory(std::ostream& out, const TextStyle& style, const Profile& profile,
                  const MemoryLimits& limits);
// The command that would show more, when a person is watching.
void write_next_step(std::ostream& out, const TextStyle& style, const Profile& profile,
                     std::string_view seen);

// Semicolon-separated call paths with what they weigh themselves (times in whole nanoseconds), for
// flame graph tools.
void write_folded(std::ostream& out, const Profile& profile, bool full_names,
                  Weight weight = Weight::kWall);
void write_functions_csv(std::ostream& out, const Profile& profile, SortKey key, std::size_t top);
void write_threads_csv(std::ostream& out, const Profile& profile);
void write_groups_csv(std::ostream& out, const std::vector<Group>& groups);
// One table each; `top` rows, 0 for all.
void write_waits_csv(std::ostream& out, const Profile& profile, std::size_t top);
void write_locks_csv(std::ostream& out, const Profile& profile, std::size_t top);
void write_io_csv(std::ostream& out, const Profile& profile, std::size_t top);
void write_exceptions_csv(std::ostream& out, const Profile& profile, std::size_t top);
void write_memory_csv(std::ostream& out, const Profile& profile, std::size_t top);
// Everything, as docs/json.md says. Groups, if any, are those of --by.
void write_json(std::ostream& out, const Profile& profile, SortKey key,
                const std::vector<Group>& groups);

// How a function is called in text.
const std::string& shown_name(const TextStyle& style, const Function& function);
// "parser.cc:12", or empty.
std::string source_place(const TextStyle& style, const Function& function);
// Likewise, but with the lines where the function of `callee`'s parent calls it: "parser.cc:12,15".
// Where these are not known, source_place() of that function.
std::string call_place(const TextStyle& style, const Profile& profile, const TreeNode& callee);

}  // namespace spyglass
