// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/deadlock_view.h"

#include <algorithm>
#include <unordered_map>

namespace spyglass {
namespace {

constexpr double kLongNs = 100e6;

using Waits = std::unordered_map<std::uint32_t, const UnfinishedWait*>;  // by thread

const UnfinishedWait* wait_of_holder(const Waits& waits, const UnfinishedWait& wait) {
  const auto found = waits.find(wait.holder_thread);
  return found == waits.end() ? nullptr : found->second;
}

}  // namespace

std::vector<std::vector<const UnfinishedWait*>> deadlocks(const Profile& profile) {
  Waits waits;
  for (const UnfinishedWait& wait : profile.unfinished_waits) {
    if (wait.wait_ns >= kLongNs && wait.holder_thread != 0) waits.emplace(wait.thread, &wait);
  }
  std::vector<std::vector<const UnfinishedWait*>> cycles;
  // Each thread waits for at most one other: every wait is on one path, which is walked once.
  std::unordered_map<const UnfinishedWait*, std::size_t> walk_of;
  for (std::size_t walk = 0; walk < profile.unfinished_waits.size(); ++walk) {
    const auto first = waits.find(profile.unfinished_waits[walk].thread);
    const UnfinishedWait* wait = first == waits.end() ? nullptr : first->second;
    while (wait != nullptr && walk_of.try_emplace(wait, walk).second) {
      wait = wait_of_holder(waits, *wait);
    }
    if (wait == nullptr || walk_of[wait] != walk) continue;
    std::vector<const UnfinishedWait*>& cycle = cycles.emplace_back();
    const UnfinishedWait* member = wait;
    do {
      cycle.push_back(member);
      member = wait_of_holder(waits, *member);
    } while (member != wait);
  }
  return cycles;
}

}  // namespace spyglass
