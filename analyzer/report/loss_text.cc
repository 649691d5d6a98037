// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/loss_text.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

using format::LossKind;

struct KindText {
  LossKind kind;
  bool lost;
  std::string_view name;
  std::string_view one;  // what was lost
  std::string_view many;
  std::string_view fate;
};

constexpr std::array<KindText, 17> kKinds = {
    {{LossKind::kCalls, true, "calls", "call", "calls", "not recorded"},
     {LossKind::kSpans, true, "spans", "span", "spans", "not kept; counts and times stay exact"},
     {LossKind::kBlocks, true, "blocks", "block", "blocks", "not written"},
     {LossKind::kThreads, true, "threads", "thread", "threads", "not recorded"},
     {LossKind::kProcesses, true, "processes", "process", "processes", "not recorded"},
     {LossKind::kModules, true, "modules", "module", "modules", "not recorded"},
     {LossKind::kOrphanExits, false, "orphan_exits", "return", "returns", "without a call"},
     {LossKind::kRepairedFrames, false, "repaired_frames", "call", "calls",
      "left without a return, closed"},
     {LossKind::kFoldedCalls, false, "folded_calls", "call", "calls",
      "counted at another call path"},
     {LossKind::kClockClamps, false, "clock_clamps", "duration", "durations",
      "corrected for a clock going back"},
     {LossKind::kUnfilteredNodes, false, "unfiltered_nodes", "call path", "call paths",
      "recorded before filters"},
     {LossKind::kSymbols, false, "symbols", "function", "functions", "without a name"},
     {LossKind::kSamples, true, "samples", "sample", "samples", "not kept"},
     {LossKind::kEvents, true, "events", "event", "events",
      "not kept; counts and times stay exact"},
     {LossKind::kAllocations, true, "allocations", "allocation or free", "allocations and frees",
      "not kept; counts stay exact"},
     {LossKind::kShortenedStacks, true, "shortened_stacks", "stack", "stacks",
      "without inner frames"},
     {LossKind::kTruncatedStacks, false, "truncated_stacks", "stack", "stacks",
      "without the outermost part"}}};

const KindText* find_kind(LossKind kind) {
  for (const KindText& text : kKinds) {
    if (text.kind == kind) return &text;
  }
  return nullptr;
}

}  // namespace

std::string_view loss_kind_name(LossKind kind) {
  const KindText* text = find_kind(kind);
  return text != nullptr ? text->name : "unknown";
}

bool is_real_loss(LossKind kind) {
  const KindText* text = find_kind(kind);
  return text == nullptr || text->lost;
}

std::string describe_loss(const format::LossRecord& loss) {
  const KindText* text = find_kind(loss.kind);
  const std::string reason = loss.reason.empty() ? "" : " (" + loss.reason + ")";
  if (text == nullptr) {
    return fmt::format("{} of an unknown kind{}", plural(loss.count, "loss", "losses"), reason);
  }
  return fmt::format("{} {}{}", plural(loss.count, text->one, text->many), text->fate, reason);
}

std::vector<format::LossRecord> merged_losses(const Profile& profile) {
  std::map<std::pair<LossKind, std::string>, std::uint64_t> counts;
  for (const format::LossRecord& loss : profile.losses) {
    counts[{loss.kind, loss.reason}] += loss.count;
  }
  std::vector<format::LossRecord> merged;
  for (const bool real : {true, false}) {
    for (const auto& [key, count] : counts) {
      if (count == 0 || is_real_loss(key.first) != real) continue;
      merged.push_back({key.first, count, 0, key.second});
    }
  }
  return merged;
}

std::string signal_name(std::uint32_t signal) {
  const char* name = signal < 1000 ? sigabbrev_np(static_cast<int>(signal)) : nullptr;
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", signal);
}

std::string describe_exit(const format::ProcessRecord& process) {
  switch (process.exit) {
    case format::ExitKind::kExited:
      return fmt::format("exit {}", process.exit_value);
    case format::ExitKind::kSignaled:
      return "killed by " + signal_name(process.exit_value);
    case format::ExitKind::kExeced:
      return "replaced by exec";
    case format::ExitKind::kRunning:
      return "still running";
    case format::ExitKind::kUnknown:
      break;
  }
  return "exit unknown";
}

}  // namespace spyglass
