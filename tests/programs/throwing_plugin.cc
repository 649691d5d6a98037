// SPDX-License-Identifier: Apache-2.0
// Throws and catches for a program that knows nothing of C++.
#include <exception>
#include <stdexcept>
#include <vector>

#include "program.h"

extern "C" long catch_some(long count) {
  long caught = 0;
  for (long i = 0; i < count; ++i) {
    try {
      std::vector<int> few(3);
      g_sink = static_cast<uint64_t>(few.at(static_cast<size_t>(i) + 3));
    } catch (const std::out_of_range&) {
      ++caught;
    }
  }
  return caught;
}
