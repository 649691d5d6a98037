// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/drift.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace spyglass {
namespace {

constexpr double kModerate = 0.1;
constexpr double kHigh = 0.2;
// 95 % quantiles of the chi-square distribution with 1 to 9 degrees of freedom.
constexpr std::array<double, 9> kChiSquare95 = {3.841,  5.991,  7.815,  9.488, 11.070,
                                                12.592, 14.067, 15.507, 16.919};
constexpr std::uint64_t kFewestCalls = 100;

std::size_t bin_count(double base_calls, double new_calls) {
  const double room = kModerate / (1 / base_calls + 1 / new_calls);
  std::size_t bins = 2;
  while (bins < kChiSquare95.size() + 1 && kChiSquare95.at(bins - 1) <= room) ++bins;
  return bins;
}

struct Bin {
  double base = 0;
  double now = 0;
};

// One entry per bucket that either histogram has, ascending.
std::vector<Bin> side_by_side(const Histogram& base, const Histogram& now) {
  std::vector<Bin> bins;
  auto a = base.buckets.begin();
  auto b = now.buckets.begin();
  while (a != base.buckets.end() || b != now.buckets.end()) {
    const bool take_a =
        b == now.buckets.end() || (a != base.buckets.end() && a->bucket <= b->bucket);
    const bool take_b =
        a == base.buckets.end() || (b != now.buckets.end() && b->bucket <= a->bucket);
    Bin bin;
    if (take_a) bin.base = static_cast<double>((a++)->count);
    if (take_b) bin.now = static_cast<double>((b++)->count);
    bins.push_back(bin);
  }
  return bins;
}

// Joins neighbours until each bin has at least `share` of the two recordings, weighted alike.
std::vector<Bin> joined(const std::vector<Bin>& buckets, double base_calls, double new_calls,
                        double share) {
  std::vector<Bin> bins;
  const auto mass = [&](const Bin& bin) {
    return (bin.base / base_calls + bin.now / new_calls) / 2;
  };
  Bin open;
  for (const Bin& bucket : buckets) {
    open.base += bucket.base;
    open.now += bucket.now;
    if (mass(open) < share * 0.999999) continue;
    bins.push_back(open);
    open = {};
  }
  if (mass(open) > 0) {
    if (bins.empty()) bins.emplace_back();
    bins.back().base += open.base;
    bins.back().now += open.now;
  }
  return bins;
}

}  // namespace

std::optional<double> population_stability_index(const Histogram& base, const Histogram& now) {
  if (base.count() < kFewestCalls || now.count() < kFewestCalls) return std::nullopt;
  const auto base_calls = static_cast<double>(base.count());
  const auto new_calls = static_cast<double>(now.count());
  const double share = 1 / static_cast<double>(bin_count(base_calls, new_calls));
  const auto bins = joined(side_by_side(base, now), base_calls, new_calls, share);
  const double extra = 0.5 * static_cast<double>(bins.size());
  double index = 0;
  for (const Bin& bin : bins) {
    const double p = (bin.base + 0.5) / (base_calls + extra);
    const double q = (bin.now + 0.5) / (new_calls + extra);
    // Logarithms apart, so that swapping the sides gives the same bits.
    index += (q - p) * (std::log(q) - std::log(p));
  }
  return index;
}

std::string_view drift_level(std::optional<double> index) {
  if (!index) return "unknown";
  if (*index < kModerate) return "none";
  return *index < kHigh ? "moderate" : "high";
}

}  // namespace spyglass
