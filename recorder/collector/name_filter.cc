// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/name_filter.h"

#include <fnmatch.h>

#include <algorithm>
#include <string_view>

namespace spyglass::collector {
namespace {

using format::FilterRange;

constexpr std::uint64_t kEverything = ~std::uint64_t{0};
constexpr std::string_view kModulePrefix = "module:";

bool matches(const std::string& glob, const std::string& text) {
  return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
}

// Sorted and apart.
std::vector<FilterRange> merged(std::vector<FilterRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const FilterRange& a, const FilterRange& b) { return a.start < b.start; });
  std::vector<FilterRange> result;
  for (const FilterRange& range : ranges) {
    if (!result.empty() && range.start <= result.back().end) {
      result.back().end = std::max(result.back().end, range.end);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

// Requires: sorted and apart.
std::vector<FilterRange> complement(const std::vector<FilterRange>& ranges) {
  std::vector<FilterRange> result;
  std::uint64_t from = 0;
  for (const FilterRange& range : ranges) {
    if (range.start > from) {
      result.push_back({from, range.start});
    }
    from = range.end;
  }
  if (from != kEverything) {
    result.push_back({from, kEverything});
  }
  return result;
}

FilterRange range_of(const FunctionRange& function) {
  return {function.start, std::max(function.end, function.start + 1)};
}

}  // namespace

NameFilter::NameFilter(const std::vector<std::string>& include,
                       const std::vector<std::string>& exclude)
    : include_(read(include)), exclude_(read(exclude)) {}

std::vector<NameFilter::Pattern> NameFilter::read(const std::vector<std::string>& texts) {
  std::vector<Pattern> patterns;
  for (const std::string& text : texts) {
    if (text.starts_with(kModulePrefix)) {
      patterns.push_back({text.substr(kModulePrefix.size()), true});
    } else {
      const bool has_slash =
          text.find('/') != std::string::npos && text.find("operator/") == std::string::npos;
      patterns.push_back({text, has_slash || text.find(".so") != std::string::npos});
    }
  }
  return patterns;
}

bool NameFilter::names_module(const std::vector<Pattern>& patterns, const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
    return pattern.of_module && (matches(pattern.glob, path) || matches(pattern.glob, name));
  });
}

bool NameFilter::names_function(const std::vector<Pattern>& patterns, const std::string& symbol) {
  const std::string full = demangle(symbol);
  const std::string brief = short_name(full);
  return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
    return !pattern.of_module && (matches(pattern.glob, brief) || matches(pattern.glob, full) ||
                                  matches(pattern.glob, symbol));
  });
}

std::vector<FilterRange> NameFilter::excluded(const std::string& module_path,
                                              std::span<const FunctionRange> functions) const {
  if (names_module(exclude_, module_path)) {
    return {{0, kEverything}};
  }
  std::vector<FilterRange> ranges;
  if (!include_.empty() && !names_module(include_, module_path)) {
    std::vector<FilterRange> included;
    for (const FunctionRange& function : functions) {
      if (names_function(include_, function.name)) {
        included.push_back(range_of(function));
      }
    }
    ranges = complement(merged(std::move(included)));
  }
  for (const FunctionRange& function : functions) {
    if (!exclude_.empty() && names_function(exclude_, function.name)) {
      ranges.push_back(range_of(function));
    }
  }
  return merged(std::move(ranges));
}

}  // namespace spyglass::collector
