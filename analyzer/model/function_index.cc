// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/function_index.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "symbols/elf_symbols.h"
#include "symbols/perf_map.h"

namespace spyglass::model {
namespace {

std::string hex_offset(std::uint64_t offset) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), offset, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

std::string in_brackets(const std::string& name) {
  return name.starts_with('[') ? name : "[" + name + "]";
}

Function special(const std::string& name) {
  Function function;
  function.kind = FunctionKind::kSpecial;
  function.name = name;
  function.short_name = name;
  return function;
}

std::string demangled(const std::string& symbol) {
  // A place inside of a variable: name+0x10.
  const std::size_t plus = symbol.rfind("+0x");
  return plus == std::string::npos ? demangle(symbol)
                                   : demangle(symbol.substr(0, plus)) + symbol.substr(plus);
}

void set_module(const std::string& path, Function& function) {
  function.module = path;
  function.made_at_run_time = is_perf_map_path(path);
}

void name_function(const format::FrameInfo& frame, Function& function) {
  function.symbol = frame.function;
  function.name = demangled(frame.function);
  // Of code made at run time it is no C++: "JS:*run server.js:7:11".
  function.short_name = function.made_at_run_time ? function.name : short_name(function.name);
  function.file = frame.file;
  function.line = frame.line;
}

std::string symbol_key(std::uint32_t module, const std::string& symbol) {
  return std::to_string(module) + '\0' + symbol;
}

// Sites in modules that are one and the same have the same first part.
std::string identity(std::uint32_t module, const std::string& symbol,
                     const format::FrameInfo& frame) {
  return symbol_key(module, symbol) + '\0' + frame.file + '\0' + std::to_string(frame.line);
}

// Where threads and processes begin, before code of the program runs.
bool is_outermost_name(std::string_view symbol) {
  constexpr std::string_view kNames[] = {
      "_start", "clone", "clone3", "__clone", "__clone3", "start_thread", "__libc_start_call_main"};
  return std::ranges::find(kNames, symbol) != std::end(kNames) ||
         symbol.starts_with("__libc_start_main");
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
  std::vector<format::FrameInfo> frames = symbol.frames;
  std::erase_if(frames, [](const format::FrameInfo& frame) { return frame.function.empty(); });
  if (!frames.empty()) {
    site(symbol.site).frames = std::move(frames);
  }
}

void FunctionIndex::resolve_missing_names() {
  std::map<std::uint32_t, std::vector<std::size_t>> missing;  // by module
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    if (sites_[i].known && !sites_[i].named() && sites_[i].record.module != 0) {
      missing[sites_[i].record.module].push_back(i);
    }
  }
  for (auto& [id, places] : missing) {
    const auto module = modules_.find(id);
    // Without a build-id nothing says that the file is still the one that ran.
    if (module == modules_.end() || module->second.path.empty() ||
        module->second.build_id.empty()) {
      continue;
    }
    auto symbols = ElfSymbols::open(module->second.path, module->second.build_id);
    if (!symbols) {
      continue;
    }
    std::ranges::sort(places, {}, [this](std::size_t i) { return sites_[i].record.offset; });
    for (const std::size_t place : places) {
      Site& site = sites_[place];
      if (site.is_frame()) {
        site.frames = symbols->frames_at(site.offset());
        continue;
      }
      auto frame = symbols->function_at(site.offset());
      if (!frame) {
        frame = symbols->variable_at(site.offset());
      }
      if (frame) {
        site.frames.push_back(*std::move(frame));
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

const std::string& FunctionIndex::module_path(std::uint32_t module) const {
  static const std::string kNone;
  const auto found = modules_.find(module);
  return found == modules_.end() ? kNone : found->second.path;
}

Function FunctionIndex::describe(const Site& site) const {
  const format::SiteRecord& record = site.record;
  if (site.known && record.module == 0 && record.offset == format::kOverflowSiteOffset) {
    return special(kOverflowName);
  }
  Function function;
  set_module(module_path(record.module), function);
  if (site.named()) {
    name_function(site.frames.back(), function);
  } else {
    const std::string offset = hex_offset(record.offset);
    function.name = function.module.empty() ? offset : file_name(function.module) + "+" + offset;
    function.short_name = function.name;
  }
  return function;
}

std::uint32_t FunctionIndex::add_function(const std::string& key, Function&& function) {
  const auto [place, added] =
      known_.try_emplace(key, static_cast<std::uint32_t>(functions_.size()));
  if (added) {
    functions_.push_back(std::move(function));
  }
  return place->second;
}

// A site that is no instruction.
void FunctionIndex::add_called(Site& site, std::uint32_t module) {
  site.first = static_cast<std::uint32_t>(chains_.size());
  site.count = 1;
  const SiteRole role = site.known ? role_of(site.record) : SiteRole{};
  if (!site.known && !site.named()) {
    chains_.push_back(damaged_);
    return;
  }
  if (role.role == Role::kObject) {
    chains_.push_back(damaged_);  // never shown: objects are part of their operation
    return;
  }
  if (role.role == Role::kOperation) {
    Function function =
        special(format::is_operation(role.number) ? format::operation_info(role.number).name
                                                  : "[unknown operation]");
    function.kind = FunctionKind::kOperation;
    function.operation = role.number;
    chains_.push_back(
        add_function("operation " + std::to_string(role.number), std::move(function)));
    return;
  }
  const bool placed = site.named() && !site.frames.back().file.empty();
  // Damage can leave offsets without their module: those are nobody's.
  const std::string symbol = site.named() ? site.frames.back().function : std::string();
  const std::string key = placed
                              ? identity(module, symbol, site.frames.back())
                              : symbol_key(module, symbol) + '\0' + hex_offset(site.record.offset);
  const std::uint32_t function = add_function(key, describe(site));
  if (site.named()) {
    by_symbol_.try_emplace(symbol_key(module, symbol), function);
  }
  chains_.push_back(function);
}

void FunctionIndex::add_frames(Site& site, std::uint32_t module) {
  site.first = static_cast<std::uint32_t>(chains_.size());
  site.show = show_frame(site);
  if (site.record.module == 0 && site.record.offset == format::kTruncatedSiteOffset) {
    chains_.push_back(add_function("truncated", special(kTruncatedName)));
  } else if (!site.named()) {
    const std::string& path = module_path(site.record.module);
    Function function =
        special(is_perf_map_path(path) ? kMadeAtRunTime
                                       : in_brackets(path.empty() ? "unknown" : file_name(path)));
    set_module(path, function);
    function.kind = FunctionKind::kUnnamed;
    chains_.push_back(add_function("module " + std::to_string(module), std::move(function)));
  }
  // NOLINTNEXTLINE(modernize-loop-convert): views are beyond clang 14
  for (auto frame = site.frames.rbegin(); frame != site.frames.rend(); ++frame) {
    const std::string by_symbol = symbol_key(module, frame->function);
    // Without debug information the name has to do, also for what hooks reported.
    const auto same = frame->file.empty() ? by_symbol_.find(by_symbol) : by_symbol_.end();
    if (same != by_symbol_.end()) {
      chains_.push_back(same->second);
      continue;
    }
    Function function;
    set_module(module_path(site.record.module), function);
    name_function(*frame, function);
    if (is_nameless(site)) {
      function.kind = FunctionKind::kUnnamed;
    }
    chains_.push_back(add_function(identity(module, frame->function, *frame), std::move(function)));
    by_symbol_.try_emplace(by_symbol, chains_.back());
  }
  site.count = static_cast<std::uint32_t>(chains_.size()) - site.first;
}

bool FunctionIndex::is_nameless(const Site& site) const {
  return !site.named() ||
         (site.frames.size() == 1 &&
          site.frames[0].function.starts_with(file_name(module_path(site.record.module)) + "+0x"));
}

FunctionIndex::Show FunctionIndex::show_frame(const Site& site) const {
  const std::string module = file_name(module_path(site.record.module));
  if (module.starts_with("libspyglass.so")) {
    return Show::kNever;
  }
  const bool of_system = module.starts_with("libc.so") || module.starts_with("ld-linux") ||
                         module.starts_with("libpthread.so");
  const bool outermost =
      is_nameless(site) ? of_system : is_outermost_name(site.frames.back().function);
  return outermost ? Show::kNotOutermost : Show::kAlways;
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
  for (std::uint32_t& function : chains_) {
    function = place[function];
  }
  damaged_ = place[damaged_];
  recording_ = place[recording_];
}

void FunctionIndex::finish(bool resolve_missing) {
  if (resolve_missing) {
    resolve_missing_names();
  }
  const std::map<std::uint32_t, std::uint32_t> canonical = canonical_modules();
  functions_.push_back(special(kDamagedName));
  damaged_ = 0;
  functions_.push_back(special(kRecordingName));
  recording_ = 1;
  const auto same_module = [&canonical](const Site& site) {
    const auto module = canonical.find(site.record.module);
    return module == canonical.end() ? site.record.module : module->second;
  };
  // Functions first: instructions join them.
  for (const bool frames : {false, true}) {
    for (Site& site : sites_) {
      if (site.is_frame() != frames) {
        continue;
      }
      frames ? add_frames(site, same_module(site)) : add_called(site, same_module(site));
    }
  }
  known_.clear();
  by_symbol_.clear();
  sort_functions();
}

std::uint32_t FunctionIndex::function_of(std::uint32_t site) const { return chain_of(site).back(); }

std::span<const std::uint32_t> FunctionIndex::chain_of(std::uint32_t site) const {
  const std::uint32_t slot = index_.find(site);
  if (slot == IdIndex::kNone || sites_[slot].count == 0) {
    return {&damaged_, 1};
  }
  return std::span(chains_).subspan(sites_[slot].first, sites_[slot].count);
}

std::uint32_t FunctionIndex::line_of(std::uint32_t id, std::size_t position) const {
  const std::uint32_t slot = index_.find(id);
  if (slot == IdIndex::kNone || !sites_[slot].is_frame()) {
    return 0;
  }
  const std::vector<format::FrameInfo>& frames = sites_[slot].frames;
  return position < frames.size() ? frames[frames.size() - 1 - position].at_line : 0;
}

FunctionIndex::Show FunctionIndex::show_of(std::uint32_t site) const {
  const std::uint32_t slot = index_.find(site);
  return slot == IdIndex::kNone ? Show::kAlways : sites_[slot].show;
}

bool FunctionIndex::is_unnamed(std::uint32_t site) const {
  const std::uint32_t slot = index_.find(site);
  return slot != IdIndex::kNone && sites_[slot].known && is_nameless(sites_[slot]) &&
         sites_[slot].record.module != 0;
}

std::string FunctionIndex::place_of(std::uint32_t id) const {
  const std::uint32_t slot = index_.find(id);
  if (slot == IdIndex::kNone || !sites_[slot].known) {
    return {};
  }
  const Site& site = sites_[slot];
  const std::string module = file_name(module_path(site.record.module));
  if (!site.named()) {
    return (module.empty() ? "" : module + "+") + hex_offset(site.offset());
  }
  // Not the wrapper that is inlined into its user.
  const format::FrameInfo& frame = site.frames.back();
  std::string name = demangled(frame.function);
  if (!site.is_frame()) {
    return name;
  }
  const std::string line = frame.at_line == 0 ? "" : ":" + std::to_string(frame.at_line);
  return short_name(name) + (frame.file.empty() ? "" : " " + file_name(frame.file) + line);
}

std::vector<format::ModuleInfo> FunctionIndex::modules() const {
  std::vector<format::ModuleInfo> all;
  for (const auto& [id, module] : modules_) {
    all.push_back(module);
  }
  return all;
}

}  // namespace spyglass::model
