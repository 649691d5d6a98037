// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/weight.h"

#include <array>
#include <cmath>
#include <utility>

#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

constexpr std::array<std::pair<std::string_view, Weight>, 6> kWeights = {
    {{"wall", Weight::kWall},
     {"cpu", Weight::kCpu},
     {"samples", Weight::kSamples},
     {"calls", Weight::kCalls},
     {"bytes", Weight::kBytes},
     {"errors", Weight::kErrors}}};

double number(std::uint64_t count) { return static_cast<double>(count); }

}  // namespace

std::optional<Weight> parse_weight(std::string_view name) {
  for (const auto& [known, weight] : kWeights) {
    if (known == name) return weight;
  }
  return std::nullopt;
}

std::string_view weight_names() { return "wall, cpu, samples, calls, bytes, errors"; }

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
  const Metrics& all = profile.nodes.front().metrics;
  switch (weight) {
    case Weight::kSamples:
      return all.samples.total != 0;
    case Weight::kBytes:
      return all.bytes.total != 0;
    case Weight::kErrors:
      return all.errors.total != 0;
    default:
      return true;
  }
}

double self_of(const Metrics& metrics, Weight weight) {
  switch (weight) {
    case Weight::kWall:
      return metrics.wall_self_ns;
    case Weight::kCpu:
      return metrics.cpu_self_ns;
    case Weight::kSamples:
      return number(metrics.samples.self);
    case Weight::kCalls:
      return number(metrics.calls);
    case Weight::kBytes:
      return number(metrics.bytes.self);
    case Weight::kErrors:
      return number(metrics.errors.self);
  }
  return 0;
}

double total_of(const Metrics& metrics, Weight weight) {
  switch (weight) {
    case Weight::kWall:
      return metrics.wall_total_ns;
    case Weight::kCpu:
      return metrics.cpu_total_ns;
    case Weight::kSamples:
      return number(metrics.samples.total);
    case Weight::kCalls:
      return number(metrics.calls);
    case Weight::kBytes:
      return number(metrics.bytes.total);
    case Weight::kErrors:
      return number(metrics.errors.total);
  }
  return 0;
}

bool is_time(Weight weight) { return weight == Weight::kWall || weight == Weight::kCpu; }

std::string format_weight(double amount, Weight weight) {
  if (is_time(weight)) return format_duration(amount);
  const auto count = static_cast<std::uint64_t>(std::llround(std::fmax(0, amount)));
  return weight == Weight::kBytes ? format_bytes(count) : format_count(count);
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
