// SPDX-License-Identifier: Apache-2.0
// embed_symbols.h - names of the functions, instructions and locks that a recording mentions, so
// that it can be read elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/records.h"

namespace spyglass::collector {

struct FoundSymbols {
  std::vector<format::SymbolRecord> symbols;
  std::uint64_t not_looked_up = 0;  // sites left out, so that closing a recording takes no minutes
  // /tmp/perf-PID.map that are not there, of code made at run time.
  std::vector<std::string> missing_maps;
};

// Only from files whose build-id is that of the module. Sites without a name have no record.
FoundSymbols find_symbols(const std::vector<format::ModuleInfo>& modules,
                          const std::vector<format::SiteRecord>& sites);

}  // namespace spyglass::collector
