// SPDX-License-Identifier: Apache-2.0
// embed_symbols.h - names of the functions that a recording mentions, so that it can be read
// elsewhere.
#pragma once

#include <vector>

#include "format/records.h"

namespace spyglass::collector {

// Only from files whose build-id is that of the module. Sites without a name have no record.
std::vector<format::SymbolRecord> find_symbols(const std::vector<format::ModuleInfo>& modules,
                                               const std::vector<format::SiteRecord>& sites);

}  // namespace spyglass::collector
