// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/function_order.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>
#include <utility>

#include "analyzer/report/weight.h"

namespace spyglass {
namespace {

constexpr std::array<std::pair<std::string_view, SortKey>, 13> kSortKeys = {
    {{"self", SortKey::kSelf},
     {"total", SortKey::kTotal},
     {"calls", SortKey::kCalls},
     {"cpu", SortKey::kCpu},
     {"mean", SortKey::kMean},
     {"p50", SortKey::kP50},
     {"p90", SortKey::kP90},
     {"p99", SortKey::kP99},
     {"min", SortKey::kMin},
     {"max", SortKey::kMax},
     {"samples", SortKey::kSamples},
     {"bytes", SortKey::kBytes},
     {"name", SortKey::kName}}};

double sort_value(const Function& function, SortKey key, Weight weight) {
  const Metrics& metrics = function.metrics;
  switch (key) {
    case SortKey::kSelf:
      return self_of(metrics, weight);
    case SortKey::kTotal:
      return total_of(metrics, weight);
    case SortKey::kCalls:
      return static_cast<double>(metrics.calls);
    case SortKey::kCpu:
      return metrics.cpu_self_ns;
    case SortKey::kMean:
      return mean_ns(function);
    case SortKey::kP50:
      return quantile_ns(metrics, 0.50);
    case SortKey::kP90:
      return quantile_ns(metrics, 0.90);
    case SortKey::kP99:
      return quantile_ns(metrics, 0.99);
    case SortKey::kMin:
      return metrics.min_ns;
    case SortKey::kMax:
      return metrics.max_ns;
    case SortKey::kSamples:
      return static_cast<double>(metrics.samples.self);
    case SortKey::kBytes:
      return static_cast<double>(metrics.bytes.total);
    case SortKey::kName:
      return 0;
  }
  return 0;
}

}  // namespace

std::optional<SortKey> parse_sort_key(std::string_view name) {
  for (const auto& [known, key] : kSortKeys) {
    if (known == name) return key;
  }
  return std::nullopt;
}

std::string_view sort_key_names() {
  return "self, total, calls, cpu, mean, p50, p90, p99, min, max, samples, bytes, name";
}

double mean_ns(const Function& function) {
  const Metrics& metrics = function.metrics;
  if (metrics.calls == 0) return 0;
  if (function.inclusive_sum_ns > 0) {
    return function.inclusive_sum_ns / static_cast<double>(metrics.calls);
  }
  return metrics.mean_ns();
}

double quantile_ns(const Metrics& metrics, double q) {
  return metrics.histogram.quantile_ns(q, metrics.min_ns, metrics.max_ns);
}

std::vector<std::uint32_t> sorted_functions(const Profile& profile, SortKey key) {
  const auto& functions = profile.functions;
  const Weight weight = usual_weight(profile);
  std::vector<double> values(functions.size());
  for (std::size_t i = 0; i < functions.size(); ++i) {
    values[i] = sort_value(functions[i], key, weight);
  }
  std::vector<std::uint32_t> order(functions.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (values[a] != values[b]) return values[a] > values[b];
    const auto rank = [&](std::uint32_t i) {
      return std::make_tuple(std::string_view(functions[i].name),
                             std::string_view(functions[i].module), i);
    };
    return rank(a) < rank(b);
  });
  return order;
}

double recorded_wall_ns(const Profile& profile) {
  const double wall = profile.nodes.empty() ? 0 : profile.nodes.front().metrics.wall_total_ns;
  return wall > 0 ? wall : 1;
}

}  // namespace spyglass
