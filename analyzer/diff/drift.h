// SPDX-License-Identifier: Apache-2.0
// drift.h - how far the distribution of a function's durations moved between two recordings.
//
// The population stability index: the sum over bins of (q - p) * ln(q / p), with p and q the shares
// of calls in a bin. It is the symmetric form of the Kullback-Leibler divergence (Jeffreys, 1946),
// and by long use in credit scoring below 0.1 is no drift, below 0.2 a moderate and else a high
// one.
//
// Those bounds assume about ten well-filled bins. So neighbouring histogram buckets are joined
// until each bin holds its part of both recordings together; half a call is added to every bin of
// both sides, so that none is empty; and where there are few calls there are fewer bins: by chance
// alone the index is about (1/n + 1/m) times a chi-square variable of (bins - 1) degrees of
// freedom, and the number of bins is the largest for which 95 % of that is below 0.1. Below 100
// calls each, there is no answer.
//
// All of it treats both sides alike: drift(a, b) = drift(b, a), and 0 for equal histograms.
#pragma once

#include <optional>
#include <string_view>

#include "analyzer/model/profile.h"

namespace spyglass {

// Nothing when there are too few calls to say.
std::optional<double> population_stability_index(const Histogram& base, const Histogram& now);

// "none", "moderate", "high"; "unknown" for nothing.
std::string_view drift_level(std::optional<double> index);

}  // namespace spyglass
