// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/function_index.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "symbols/elf_symbols.h"

namespace spyglass::model {
namespace {

std::string hex_offset(std::uint64_t offset) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), offset, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

Function special(const char* name) {
  Function function;
  function.name = name;
  function.short_name = name;
  return function;
}

// Sites in modules that are one and the same have the same first part.
std::string identity(std::uint32_t module, const format::SiteRecord& site,
                     const format::FrameInfo& frame) {
  std::string key = std::to_string(module);
  key += '\0';
  key += frame.function;
  key += '\0';
  if (frame.function.empty() || frame.file.empty()) {
    // Damage can leave offsets without their module: those are nobody's.
    return key + hex_offset(site.offset);
  }
  return key + frame.file + '\0' + std::to_string(frame.line);
}

}  // namespace

FunctionIndex::Site& FunctionIndex::site(std::uint32_t id) {
  const auto count = static_cast<std::uint32_t>(sites_.size());
  const std::uint32_t slot = index_.find_or_add(id, count);
  if (slot == count) {
    sites_.emplace_back();
  }
  return sites_[slot];
}

void FunctionIndex::add(const format::SiteRecord& record) {
  Site& place = site(record.id);
  place.record = record;
  place.known = true;
}

void FunctionIndex::add(const format::SymbolRecord& symbol) {
  if (symbol.frames.empty() || symbol.frames.back().function.empty()) {
    return;
  }
  Site& place = site(symbol.site);
  place.frame = symbol.frames.back();
  place.named = true;
}

void FunctionIndex::resolve_missing_names() {
  std::map<std::uint32_t, std::vector<std::size_t>> missing;  // by module
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    if (sites_[i].known && !sites_[i].named && sites_[i].record.module != 0) {
      missing[sites_[i].record.module].push_back(i);
    }
  }
  for (const auto& [id, places] : missing) {
    const auto module = modules_.find(id);
    // Without a build-id nothing says that the file is still the one that ran.
    if (module == modules_.end() || module->second.path.empty() ||
        module->second.build_id.empty()) {
      continue;
    }
    auto symbols = ElfSymbols::open(module->second.path, module->second.build_id);
    for (const std::size_t place : symbols ? places : std::vector<std::size_t>{}) {
      if (auto frame = symbols->function_at(sites_[place].record.offset)) {
        sites_[place].frame = *std::move(frame);
        sites_[place].named = true;
      }
    }
  }
}

std::map<std::uint32_t, std::uint32_t> FunctionIndex::canonical_modules() const {
  std::map<std::uint32_t, std::uint32_t> canonical;
  std::map<std::vector<std::uint8_t>, std::uint32_t> by_build_id;
  std::map<std::string, std::uint32_t> by_path;
  for (const auto& [id, module] : modules_) {
    std::uint32_t same = id;
    if (const auto known = by_build_id.find(module.build_id);
        !module.build_id.empty() && known != by_build_id.end()) {
      same = known->second;
    } else if (const auto path = by_path.find(module.path);
               !module.path.empty() && path != by_path.end()) {
      same = path->second;
    }
    by_build_id.try_emplace(module.build_id, same);
    by_path.try_emplace(module.path, same);
    canonical[id] = same;
  }
  return canonical;
}

Function FunctionIndex::describe(const Site& site) const {
  const format::SiteRecord& record = site.record;
  if (!site.known && !site.named) {
    return special(kDamagedName);
  }
  if (site.known && record.module == 0 && record.offset == format::kOverflowSiteOffset) {
    return special(kOverflowName);
  }
  Function function;
  const auto module = modules_.find(record.module);
  if (module != modules_.end()) {
    function.module = module->second.path;
  }
  if (site.named) {
    function.symbol = site.frame.function;
    function.name = demangle(function.symbol);
    function.short_name = short_name(function.name);
    function.file = site.frame.file;
    function.line = site.frame.line;
  } else {
    const std::string offset = hex_offset(record.offset);
    function.name = function.module.empty() ? offset : file_name(function.module) + "+" + offset;
    function.short_name = function.name;
  }
  return function;
}

void FunctionIndex::sort_functions() {
  std::vector<std::uint32_t> order(functions_.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto key = [this](std::uint32_t index) {
    const Function& function = functions_[index];
    return std::tie(function.name, function.module, function.file, function.line, function.symbol);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&key](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
  std::vector<std::uint32_t> place(order.size());
  std::vector<Function> sorted;
  sorted.reserve(order.size());
  for (const std::uint32_t index : order) {
    place[index] = static_cast<std::uint32_t>(sorted.size());
    sorted.push_back(std::move(functions_[index]));
  }
  functions_ = std::move(sorted);
  for (Site& site : sites_) {
    site.function = place[site.function];
  }
  damaged_ = place[damaged_];
}

void FunctionIndex::finish(bool resolve_missing) {
  if (resolve_missing) {
    resolve_missing_names();
  }
  const std::map<std::uint32_t, std::uint32_t> canonical = canonical_modules();
  std::unordered_map<std::string, std::uint32_t> known;
  functions_.push_back(special(kDamagedName));
  damaged_ = 0;
  for (Site& site : sites_) {
    if (!site.known && !site.named) {
      site.function = damaged_;
      continue;
    }
    const auto module = canonical.find(site.record.module);
    const std::uint32_t same = module == canonical.end() ? site.record.module : module->second;
    const auto [place, added] = known.try_emplace(identity(same, site.record, site.frame),
                                                  static_cast<std::uint32_t>(functions_.size()));
    if (added) {
      functions_.push_back(describe(site));
    }
    site.function = place->second;
  }
  sort_functions();
}

std::uint32_t FunctionIndex::function_of(std::uint32_t site) const {
  const std::uint32_t slot = index_.find(site);
  return slot == IdIndex::kNone ? damaged_ : sites_[slot].function;
}

std::vector<format::ModuleInfo> FunctionIndex::modules() const {
  std::vector<format::ModuleInfo> all;
  for (const auto& [id, module] : modules_) {
    all.push_back(module);
  }
  return all;
}

}  // namespace spyglass::model
