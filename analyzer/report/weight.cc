// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/weight.h"

#include <array>
#include <cmath>
#include <utility>

#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

constexpr std::array<std::pair<std::string_view, Weight>, 11> kWeights = {
    {{"wall", Weight::kWall},
     {"cpu", Weight::kCpu},
     {"samples", Weight::kSamples},
     {"calls", Weight::kCalls},
     {"bytes", Weight::kBytes},
     {"errors", Weight::kErrors},
     {"allocations", Weight::kAllocations},
     {"allocated", Weight::kAllocated},
     {"peak", Weight::kPeak},
     {"leaked", Weight::kLeaked},
     {"temporary", Weight::kTemporary}}};

double number(std::uint64_t count) { return static_cast<double>(count); }

// Null for what is no plain count.
const Tally* tally_of(const Metrics& metrics, Weight weight) {
  switch (weight) {
    case Weight::kSamples:
      return &metrics.samples;
    case Weight::kBytes:
      return &metrics.bytes;
    case Weight::kErrors:
      return &metrics.errors;
    case Weight::kAllocations:
      return &metrics.memory.allocations;
    case Weight::kAllocated:
      return &metrics.memory.allocated_bytes;
    case Weight::kPeak:
      return &metrics.memory.peak_bytes;
    case Weight::kLeaked:
      return &metrics.memory.leaked_bytes;
    case Weight::kTemporary:
      return &metrics.memory.temporary;
    default:
      return nullptr;
  }
}

}  // namespace

std::optional<Weight> parse_weight(std::string_view name) {
  for (const auto& [known, weight] : kWeights) {
    if (known == name) return weight;
  }
  return std::nullopt;
}

std::string_view weight_names() {
  return "wall, cpu, samples, calls, bytes, errors, allocations, allocated, peak, leaked, "
         "temporary";
}

std::string_view weight_name(Weight weight) {
  for (const auto& [name, known] : kWeights) {
    if (known == weight) return name;
  }
  return "";
}

Weight usual_weight(const Profile& profile) {
  return !profile.timed_calls && profile.samples != 0 ? Weight::kCpu : Weight::kWall;
}

bool has_weight(const Profile& profile, Weight weight) {
  if (profile.nodes.empty()) return false;
  const Tally* tally = tally_of(profile.nodes.front().metrics, weight);
  return tally == nullptr || tally->total != 0;
}

double self_of(const Metrics& metrics, Weight weight) {
  if (const Tally* tally = tally_of(metrics, weight)) return number(tally->self);
  switch (weight) {
    case Weight::kCpu:
      return metrics.cpu_self_ns;
    case Weight::kCalls:
      return number(metrics.calls);
    default:
      return metrics.wall_self_ns;
  }
}

double total_of(const Metrics& metrics, Weight weight) {
  if (const Tally* tally = tally_of(metrics, weight)) return number(tally->total);
  switch (weight) {
    case Weight::kCpu:
      return metrics.cpu_total_ns;
    case Weight::kCalls:
      return number(metrics.calls);
    default:
      return metrics.wall_total_ns;
  }
}

bool is_time(Weight weight) { return weight == Weight::kWall || weight == Weight::kCpu; }

bool is_memory(Weight weight) {
  return weight == Weight::kAllocations || weight == Weight::kAllocated ||
         weight == Weight::kPeak || weight == Weight::kLeaked || weight == Weight::kTemporary;
}

std::string format_weight(double amount, Weight weight) {
  if (is_time(weight)) return format_duration(amount);
  const auto count = static_cast<std::uint64_t>(std::llround(std::fmax(0, amount)));
  const bool bytes = weight == Weight::kBytes || weight == Weight::kAllocated ||
                     weight == Weight::kPeak || weight == Weight::kLeaked;
  return bytes ? format_bytes(count) : format_count(count);
}

double whole_of(const Profile& profile, Weight weight) {
  double whole = 0;
  if (weight == Weight::kCalls) {
    for (const Function& function : profile.functions) whole += number(function.metrics.calls);
  } else if (!profile.nodes.empty()) {
    whole = total_of(profile.nodes.front().metrics, weight);
  }
  return whole > 0 ? whole : 1;
}

}  // namespace spyglass
