// SPDX-License-Identifier: Apache-2.0
// change.h - one number in both recordings.
#pragma once

namespace spyglass {

struct Change {
  double base = 0;
  double now = 0;
  double delta() const { return now - base; }
};

// How many standard deviations a change of counted random events (samples) is away from none; 0
// where there are none at all. Turns its sign when the sides are swapped.
double sigmas(const Change& count);

// From here on a change of samples is no chance (1 in 370 is).
inline constexpr double kSignificantSigmas = 3;

}  // namespace spyglass
