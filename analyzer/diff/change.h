// SPDX-License-Identifier: Apache-2.0
// change.h - one number in both recordings.
#pragma once

#include <cmath>

namespace spyglass {

// A change of an estimate counts from here on (1 in 22 is chance).
inline constexpr double kErrorSigmas = 2;

struct Change {
  double base = 0;
  double now = 0;
  double variance = 0;  // of delta(), where the sides are estimates; 0: they are exact

  double delta() const { return now - base; }
  double error() const { return std::sqrt(variance); }  // standard
  // The errors of the estimates are enough to explain it. Not so of exact numbers.
  bool within_error() const { return variance > 0 && std::fabs(delta()) < kErrorSigmas * error(); }
};

// How many standard deviations a change of counted random events (samples) is away from none; 0
// where there are none at all. Turns its sign when the sides are swapped.
double sigmas(const Change& count);

// From here on a change of samples is no chance (1 in 370 is).
inline constexpr double kSignificantSigmas = 3;

}  // namespace spyglass
