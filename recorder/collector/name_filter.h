// SPDX-License-Identifier: Apache-2.0
// name_filter.h - --include and --exclude as address ranges of one module.
//
// A pattern with '/' or '.so', or that begins with "module:", names modules (path or last
// component); any other names functions: by demangled name, by short name without parameters or by
// symbol. With include patterns, what matches none of them is excluded; exclude patterns come on
// top.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "format/arena.h"
#include "symbols/elf_symbols.h"

namespace spyglass::collector {

class NameFilter {
 public:
  NameFilter(const std::vector<std::string>& include, const std::vector<std::string>& exclude);

  bool active() const { return !include_.empty() || !exclude_.empty(); }
  // What leaves no trace, ascending and apart. `functions` is empty if the module could not be
  // read.
  std::vector<format::FilterRange> excluded(const std::string& module_path,
                                            std::span<const FunctionRange> functions) const;

 private:
  struct Pattern {
    std::string glob;
    bool of_module = false;
  };
  static std::vector<Pattern> read(const std::vector<std::string>& texts);
  static bool names_module(const std::vector<Pattern>& patterns, const std::string& path);
  static bool names_function(const std::vector<Pattern>& patterns, const std::string& symbol);

  std::vector<Pattern> include_;
  std::vector<Pattern> exclude_;
};

}  // namespace spyglass::collector
