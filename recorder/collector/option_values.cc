// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/option_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace spyglass::collector {
namespace {

struct Unit64 {
  std::string_view name;
  double factor;
};

Error unreadable(std::string_view what, std::string_view text, std::string_view expected) {
  return Error{ErrorKind::kUsage, "bad " + std::string(what) + " '" + std::string(text) +
                                      "': expected " + std::string(expected)};
}

// A number and what follows it; false if there is no non-negative number or the product does not
// fit.
template <std::size_t kCount>
bool scale(std::string_view text, const std::array<Unit64, kCount>& units, std::uint64_t& value) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0)) {
    return false;
  }
  const std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  for (const Unit64& candidate : units) {
    const double scaled = number * candidate.factor;
    if (unit == candidate.name && scaled < 9e18) {
      value = static_cast<std::uint64_t>(std::llround(scaled));
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::uint64_t> parse_duration(std::string_view text) {
  static constexpr std::array<Unit64, 4> kUnits = {
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}}};
  std::uint64_t value = 0;
  if (text == "0" || scale(text, kUnits, value)) {
    return value;
  }
  return unreadable("duration", text, "a number with ns, us, ms or s");
}

Result<std::uint64_t> parse_span_threshold(std::string_view text) {
  if (text == "all") {
    return std::uint64_t{0};
  }
  if (text == "off") {
    return kSpansOff;
  }
  Result<std::uint64_t> duration = parse_duration(text);
  return duration ? duration
                  : unreadable("--trace value", text, "all, off or a duration like 10us");
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr double kKibi = 1024;
  static constexpr std::array<Unit64, 8> kUnits = {{{"", 1},
                                                    {"B", 1},
                                                    {"K", kKibi},
                                                    {"KiB", kKibi},
                                                    {"M", kKibi * kKibi},
                                                    {"MiB", kKibi * kKibi},
                                                    {"G", kKibi * kKibi * kKibi},
                                                    {"GiB", kKibi * kKibi * kKibi}}};
  std::uint64_t value = 0;
  if (scale(text, kUnits, value) && value != 0) {
    return value;
  }
  return unreadable("size", text, "a number with K, M or G");
}

Result<format::OnFull> parse_on_full(std::string_view text) {
  for (const format::OnFull policy :
       {format::OnFull::kDropNewest, format::OnFull::kDropOldest, format::OnFull::kBlock}) {
    if (text == on_full_name(policy)) {
      return policy;
    }
  }
  return unreadable("--on-full value", text, "drop-newest, drop-oldest or block");
}

Result<std::uint32_t> parse_operations(std::string_view text) {
  if (text == "all" || text == "none") {
    return text == "all" ? kAllOperations : 0;
  }
  std::uint32_t bits = 0;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    const auto* const known = std::find(std::begin(format::kOperationClassNames),
                                        std::end(format::kOperationClassNames), name);
    if (known == std::end(format::kOperationClassNames)) {
      return Error{ErrorKind::kUsage, "bad --operations value '" + std::string(name) +
                                          "': expected all, none or classes such as lock,read"};
    }
    bits |= 1U << static_cast<unsigned>(known - std::begin(format::kOperationClassNames));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
  }
  return bits;
}

Result<Sampler> parse_sampler(std::string_view text) {
  if (text == "auto") {
    return Sampler::kAuto;
  }
  if (text == "perf") {
    return Sampler::kPerf;
  }
  if (text == "timer") {
    return Sampler::kTimer;
  }
  if (text == "off") {
    return Sampler::kOff;
  }
  return unreadable("--sampler value", text, "auto, perf, timer or off");
}

Result<MemoryChoice> parse_memory(std::string_view text) {
  MemoryChoice choice;
  const std::string_view mode = text.substr(0, text.find('='));
  if (text == "full" || text == "off") {
    choice.mode = text == "full" ? format::MemoryMode::kFull : format::MemoryMode::kOff;
    return choice;
  }
  if (mode == "sample") {
    choice.mode = format::MemoryMode::kSample;
    const Result<std::uint64_t> size = text == mode ? Result<std::uint64_t>(choice.sample_bytes)
                                                    : parse_size(text.substr(mode.size() + 1));
    constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40U;
    if (size && *size <= kMostBytes) {
      choice.sample_bytes = *size;
      return choice;
    }
  }
  return unreadable("--memory value", text, "full, off, sample or sample=SIZE");
}

std::string on_full_name(format::OnFull policy) {
  switch (policy) {
    case format::OnFull::kDropOldest:
      return "drop-oldest";
    case format::OnFull::kBlock:
      return "block";
    case format::OnFull::kDropNewest:
      break;
  }
  return "drop-newest";
}

}  // namespace spyglass::collector
