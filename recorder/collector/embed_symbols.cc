// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/embed_symbols.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "symbols/elf_symbols.h"

namespace spyglass::collector {

std::vector<format::SymbolRecord> find_symbols(const std::vector<format::ModuleInfo>& modules,
                                               const std::vector<format::SiteRecord>& sites) {
  // One module is open at a time.
  std::vector<format::SiteRecord> by_module = sites;
  std::sort(by_module.begin(), by_module.end(), [](const auto& a, const auto& b) {
    return std::pair(a.module, a.offset) < std::pair(b.module, b.offset);
  });
  std::vector<format::SymbolRecord> symbols;
  std::optional<ElfSymbols> file;
  std::uint32_t module = 0;
  for (const format::SiteRecord& site : by_module) {
    if (site.module == 0 || site.module > modules.size()) {
      continue;
    }
    if (site.module != module) {
      module = site.module;
      file.reset();
      const format::ModuleInfo& info = modules[module - 1];
      if (Result<ElfSymbols> opened = ElfSymbols::open(info.path, info.build_id)) {
        file.emplace(std::move(*opened));
      }
    }
    if (file) {
      if (std::optional<format::FrameInfo> frame = file->function_at(site.offset)) {
        symbols.push_back({site.id, {std::move(*frame)}});
      }
    }
  }
  return symbols;
}

}  // namespace spyglass::collector
