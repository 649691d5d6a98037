// SPDX-License-Identifier: Apache-2.0
// Plain libdw without libdwfl: no search path but ours, no debuginfod, nothing that recurses with
// the nesting of a hostile file's debug information.
#include "symbols/elf_symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "symbols/debug_file.h"
#include "symbols/elf_file.h"
#include "symbols/function_table.h"

namespace spyglass {
namespace {

// No real compilation unit comes near; a file that lies about its entries must not cost minutes.
constexpr std::size_t kMaxDebugEntries = 20'000'000;
constexpr std::size_t kMaxInlineDepth = 256;
constexpr std::size_t kMaxInlineScopes = 1'000'000;

std::span<const std::uint8_t> build_id_of(const ElfFile& file) {
  const void* id = nullptr;
  const ssize_t bytes = file.elf == nullptr ? 0 : dwelf_elf_gnu_build_id(file.elf, &id);
  return bytes <= 0
             ? std::span<const std::uint8_t>{}
             : std::span(static_cast<const std::uint8_t*>(id), static_cast<std::size_t>(bytes));
}

Result<ElfFile> open_debug_candidate(const std::string& path,
                                     std::span<const std::uint8_t> build_id, std::uint32_t crc) {
  Result<ElfFile> file = open_elf(path);
  if (!file) {
    return file;
  }
  const bool same = build_id.empty() ? debug_link_checksum(file->descriptor) == crc
                                     : std::ranges::equal(build_id_of(*file), build_id);
  if (!same) {
    return Error{ErrorKind::kFormat, "'" + path + "' belongs to another build"};
  }
  return file;
}

ElfFile find_debug_file(const std::string& path, const ElfFile& main) {
  GElf_Word crc = 0;
  const char* link = dwelf_elf_gnu_debuglink(main.elf, &crc);
  for (const std::string& candidate :
       debug_file_candidates(path, build_id_of(main), link == nullptr ? "" : link)) {
    if (Result<ElfFile> file = open_debug_candidate(candidate, build_id_of(main), crc)) {
      return std::move(*file);
    }
  }
  return {};
}

std::string tidy_path(const char* file) {
  return file == nullptr ? std::string() : std::filesystem::path(file).lexically_normal().string();
}

// Files by the address of their name in a line table, which lives as long as its file is open.
class FileNames {
 public:
  const std::string& tidy(const char* file) {
    const auto [place, added] = names_.try_emplace(file);
    if (added) {
      place->second = tidy_path(file);
    }
    return place->second;
  }

 private:
  std::unordered_map<const char*, std::string> names_;
};

// One range of a subprogram, of the unit it stands in.
struct SubprogramRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Dwarf_Off entry = 0;
};

using UnitIndex = std::vector<SubprogramRange>;  // by start, then entry

void add_ranges(Dwarf_Die& entry, UnitIndex& index) {
  Dwarf_Addr base = 0;
  Dwarf_Addr start = 0;
  Dwarf_Addr end = 0;
  std::ptrdiff_t position = 0;
  std::size_t budget = 4096;
  while (budget-- > 0 && (position = dwarf_ranges(&entry, position, &base, &start, &end)) > 0) {
    if (start < end) {
      index.push_back({start, end, dwarf_dieoffset(&entry)});
    }
  }
}

// Visits the entries below `top`, parents first, without recursion. `visit` says whether to go
// below.
template <typename Visit>
void walk_entries(Dwarf_Die& top, Visit&& visit) {
  std::vector<Dwarf_Die> path;
  Dwarf_Die current;
  if (dwarf_child(&top, &current) != 0) {
    return;
  }
  Dwarf_Off newest = dwarf_dieoffset(&top);
  for (std::size_t visited = 0; visited < kMaxDebugEntries; ++visited) {
    const Dwarf_Off offset = dwarf_dieoffset(&current);
    if (offset <= newest) {
      return;  // a sibling reference that leads back
    }
    newest = offset;
    Dwarf_Die next;
    if (visit(current) && dwarf_haschildren(&current) == 1 && dwarf_child(&current, &next) == 0) {
      path.push_back(current);
      current = next;
      continue;
    }
    while (dwarf_siblingof(&current, &next) != 0) {
      if (path.empty()) {
        return;
      }
      current = path.back();
      path.pop_back();
    }
    current = next;
  }
}

bool can_hold_subprograms(int tag) {
  switch (tag) {
    case DW_TAG_subprogram:
    case DW_TAG_lexical_block:
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
      return true;
    default:
      return false;
  }
}

std::string entry_name(Dwarf_Die& entry) {
  Dwarf_Attribute attribute;
  for (const unsigned kind : {static_cast<unsigned>(DW_AT_linkage_name),
                              static_cast<unsigned>(DW_AT_MIPS_linkage_name)}) {
    const char* name = dwarf_formstring(dwarf_attr_integrate(&entry, kind, &attribute));
    if (name != nullptr) {
      return name;
    }
  }
  const char* name = dwarf_diename(&entry);
  return name == nullptr ? std::string() : name;
}

// A range of a subprogram where another one is inlined. Outer scopes stand before inner ones.
struct InlineScope {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Dwarf_Off entry = 0;
};

// Name and declaration of an entry, and for an inlined one where its caller calls it.
struct Described {
  format::FrameInfo frame;
  std::string call_file;
  std::uint32_t call_line = 0;
};

}  // namespace

struct ElfSymbols::State {
  ElfFile main;
  ElfFile debug;
  Dwarf* dwarf = nullptr;
  FunctionTable table;
  std::vector<FunctionRange> ranges;
  bool ranges_known = false;
  std::unordered_map<Dwarf_Off, UnitIndex> units;  // by the offset of the unit's first entry
  UnitIndex unit_ranges;  // entry: the unit's; for what .debug_aranges lacks
  bool unit_ranges_known = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (dwarf != nullptr) {
      dwarf_end(dwarf);  // before the Elf it reads from
    }
  }

  void load(const std::string& path);
  bool find_unit(std::uint64_t offset, Dwarf_Die& unit);
  const UnitIndex& index_of(Dwarf_Die& unit);
  bool find_subprogram(std::uint64_t offset, Dwarf_Die& unit, Dwarf_Die& subprogram);
  const std::vector<InlineScope>& scopes_of(Dwarf_Die& subprogram);
  const Described& describe(Dwarf_Die& unit, Dwarf_Off offset);
  void inline_chain(Dwarf_Die& unit, Dwarf_Die subprogram, std::uint64_t offset,
                    std::vector<format::FrameInfo>& out);

  FunctionTable variables;
  bool variables_known = false;
  FileNames files;
  std::vector<InlineScope> scopes;  // of one subprogram
  Dwarf_Off scopes_owner = 0;
  std::unordered_map<Dwarf_Off, Described> described;
};

void ElfSymbols::State::load(const std::string& path) {
  const bool own_symbols = find_section(main.elf, SHT_SYMTAB, nullptr) != nullptr;
  const bool own_debug_info = has_debug_info(main.elf);
  if (!own_symbols || !own_debug_info) {
    debug = find_debug_file(path, main);
  }
  std::vector<FunctionSymbol> symbols;
  read_symbols(main.elf, SHT_SYMTAB, SymbolSort::kFunctions, symbols);
  if (symbols.empty()) {
    read_symbols(debug.elf, SHT_SYMTAB, SymbolSort::kFunctions, symbols);
  }
  if (symbols.empty()) {
    read_symbols(main.elf, SHT_DYNSYM, SymbolSort::kFunctions, symbols);
  }
  table = FunctionTable(std::move(symbols));
  if (Elf* source = own_debug_info ? main.elf : debug.elf; source != nullptr) {
    dwarf = dwarf_begin_elf(source, DWARF_C_READ, nullptr);
  }
}

bool ElfSymbols::State::find_unit(std::uint64_t offset, Dwarf_Die& unit) {
  if (dwarf == nullptr) {
    return false;
  }
  if (dwarf_addrdie(dwarf, offset, &unit) != nullptr) {
    return true;
  }
  if (!unit_ranges_known) {
    unit_ranges_known = true;
    Dwarf_CU* cursor = nullptr;
    Dwarf_CU* found = nullptr;
    Dwarf_Die entry;
    std::uint8_t kind = 0;
    while (dwarf_get_units(dwarf, cursor, &found, nullptr, &kind, &entry, nullptr) == 0) {
      cursor = found;
      if (kind == DW_UT_compile) {
        add_ranges(entry, unit_ranges);
      }
    }
    std::ranges::sort(unit_ranges, {}, &SubprogramRange::start);
  }
  auto after = std::ranges::upper_bound(unit_ranges, offset, {}, &SubprogramRange::start);
  return after != unit_ranges.begin() && offset < (--after)->end &&
         dwarf_offdie(dwarf, after->entry, &unit) != nullptr;
}

const UnitIndex& ElfSymbols::State::index_of(Dwarf_Die& unit) {
  const auto [place, added] = units.try_emplace(dwarf_dieoffset(&unit));
  UnitIndex& index = place->second;
  if (added) {
    walk_entries(unit, [&](Dwarf_Die& entry) {
      const int tag = dwarf_tag(&entry);
      if (tag == DW_TAG_subprogram) {
        add_ranges(entry, index);
      }
      return can_hold_subprograms(tag);
    });
    std::ranges::sort(index, {}, [](const SubprogramRange& range) {
      return std::pair(range.start, range.entry);
    });
  }
  return index;
}

bool ElfSymbols::State::find_subprogram(std::uint64_t offset, Dwarf_Die& unit,
                                        Dwarf_Die& subprogram) {
  if (!find_unit(offset, unit)) {
    return false;
  }
  const UnitIndex& index = index_of(unit);
  auto range = std::ranges::lower_bound(index, offset, {}, &SubprogramRange::start);
  if (range == index.end() || range->start != offset) {
    if (range == index.begin() || offset >= (--range)->end) {
      return false;
    }
  }
  return dwarf_offdie(dwarf, range->entry, &subprogram) != nullptr;
}

const std::vector<InlineScope>& ElfSymbols::State::scopes_of(Dwarf_Die& subprogram) {
  const Dwarf_Off owner = dwarf_dieoffset(&subprogram);
  if (owner == scopes_owner) {
    return scopes;
  }
  scopes_owner = owner;
  scopes.clear();
  UnitIndex parts;
  walk_entries(subprogram, [&](Dwarf_Die& entry) {
    const int tag = dwarf_tag(&entry);
    if (tag == DW_TAG_inlined_subroutine && scopes.size() < kMaxInlineScopes) {
      parts.clear();
      add_ranges(entry, parts);
      for (const SubprogramRange& range : parts) {
        scopes.push_back({range.start, range.end, range.entry});
      }
    }
    return tag == DW_TAG_lexical_block || tag == DW_TAG_inlined_subroutine;
  });
  return scopes;
}

const Described& ElfSymbols::State::describe(Dwarf_Die& unit, Dwarf_Off offset) {
  const auto [place, added] = described.try_emplace(offset);
  Described& found = place->second;
  Dwarf_Die entry;
  if (!added || dwarf_offdie(dwarf, offset, &entry) == nullptr) {
    return found;
  }
  found.frame.function = entry_name(entry);
  if (const char* file = dwarf_decl_file(&entry); file != nullptr) {
    found.frame.file = files.tidy(file);
  }
  int line = 0;
  dwarf_decl_line(&entry, &line);
  found.frame.line = static_cast<std::uint32_t>(std::max(line, 0));
  Dwarf_Files* list = nullptr;
  std::size_t count = 0;
  Dwarf_Attribute attribute;
  Dwarf_Word number = 0;
  if (dwarf_formudata(dwarf_attr(&entry, DW_AT_call_file, &attribute), &number) == 0 &&
      dwarf_getsrcfiles(&unit, &list, &count) == 0) {
    if (const char* file = dwarf_filesrc(list, number, nullptr, nullptr); file != nullptr) {
      found.call_file = files.tidy(file);
    }
  }
  if (dwarf_formudata(dwarf_attr(&entry, DW_AT_call_line, &attribute), &number) == 0) {
    found.call_line = static_cast<std::uint32_t>(number & 0x7fffffffU);
  }
  return found;
}

void ElfSymbols::State::inline_chain(Dwarf_Die& unit, Dwarf_Die subprogram, std::uint64_t offset,
                                     std::vector<format::FrameInfo>& out) {
  std::vector<Dwarf_Off> chain{dwarf_dieoffset(&subprogram)};
  for (const InlineScope& scope : scopes_of(subprogram)) {
    if (offset >= scope.start && offset < scope.end && chain.size() < kMaxInlineDepth) {
      chain.push_back(scope.entry);
    }
  }
  std::string file;
  int line = 0;
  if (Dwarf_Line* row = dwarf_getsrc_die(&unit, offset); row != nullptr) {
    if (const char* name = dwarf_linesrc(row, nullptr, nullptr); name != nullptr) {
      file = files.tidy(name);
    }
    dwarf_lineno(row, &line);
  }
  auto at_line = static_cast<std::uint32_t>(std::max(line, 0));
  // NOLINTNEXTLINE(modernize-loop-convert): views are beyond clang 14
  for (auto entry = chain.rbegin(); entry != chain.rend(); ++entry) {
    const Described& function = describe(unit, *entry);
    format::FrameInfo& frame = out.emplace_back(function.frame);
    frame.inlined = entry + 1 != chain.rend();
    frame.at_line = file == frame.file ? at_line : 0;
    file = function.call_file;
    at_line = function.call_line;
  }
}

ElfSymbols::ElfSymbols(std::unique_ptr<State> state) : state_(std::move(state)) {}
ElfSymbols::ElfSymbols(ElfSymbols&&) noexcept = default;
ElfSymbols& ElfSymbols::operator=(ElfSymbols&&) noexcept = default;
ElfSymbols::~ElfSymbols() = default;

Result<ElfSymbols> ElfSymbols::open(const std::string& path,
                                    std::span<const std::uint8_t> expected_build_id) {
  if (path.starts_with("/proc/self/") || path.starts_with("/proc/thread-self/")) {
    return Error{ErrorKind::kFormat, "'" + path + "' is another file in each process"};
  }
  Result<ElfFile> file = path == "[vdso]" ? open_vdso() : open_elf(path);
  if (!file) {
    return file.error();
  }
  if (!expected_build_id.empty() && !std::ranges::equal(build_id_of(*file), expected_build_id)) {
    return Error{ErrorKind::kFormat, "'" + path + "' is another build than the one recorded"};
  }
  auto state = std::make_unique<State>();
  state->main = std::move(*file);
  state->load(path);
  return ElfSymbols(std::move(state));
}

std::optional<format::FrameInfo> ElfSymbols::function_at(std::uint64_t offset) {
  const FunctionSymbol* symbol = state_->table.find(offset);
  format::FrameInfo frame;
  Dwarf_Die unit;
  Dwarf_Die subprogram;
  const bool described =
      state_->find_subprogram(symbol != nullptr ? symbol->start : offset, unit, subprogram);
  if (described) {
    frame.file = tidy_path(dwarf_decl_file(&subprogram));
    int line = 0;
    dwarf_decl_line(&subprogram, &line);
    frame.line = static_cast<std::uint32_t>(std::max(line, 0));
  }
  if (symbol != nullptr) {
    frame.function = unversioned(symbol->name);
  } else if (described) {
    frame.function = entry_name(subprogram);
  }
  return frame.function.empty() ? std::nullopt : std::optional(std::move(frame));
}

std::vector<format::FrameInfo> ElfSymbols::frames_at(std::uint64_t offset) {
  std::vector<format::FrameInfo> frames;
  Dwarf_Die unit;
  Dwarf_Die subprogram;
  const FunctionSymbol* symbol = state_->table.find(offset);
  if (state_->find_subprogram(offset, unit, subprogram)) {
    state_->inline_chain(unit, subprogram, offset, frames);
    if (symbol != nullptr) {
      frames.back().function = unversioned(symbol->name);
    }
  } else if (symbol != nullptr) {
    frames.push_back({unversioned(symbol->name), {}, 0, false, 0});
  }
  return frames;
}

std::optional<format::FrameInfo> ElfSymbols::variable_at(std::uint64_t offset) {
  if (!state_->variables_known) {
    state_->variables_known = true;
    std::vector<FunctionSymbol> symbols;
    read_symbols(state_->main.elf, SHT_SYMTAB, SymbolSort::kVariables, symbols);
    if (symbols.empty()) {
      read_symbols(state_->debug.elf, SHT_SYMTAB, SymbolSort::kVariables, symbols);
    }
    if (symbols.empty()) {
      read_symbols(state_->main.elf, SHT_DYNSYM, SymbolSort::kVariables, symbols);
    }
    state_->variables = FunctionTable(std::move(symbols));
  }
  const FunctionSymbol* variable = state_->variables.find(offset);
  if (variable == nullptr) {
    return std::nullopt;
  }
  format::FrameInfo frame;
  frame.function = unversioned(variable->name);
  if (offset != variable->start) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "+0x%llx",
                  static_cast<unsigned long long>(offset - variable->start));
    frame.function += text.data();
  }
  return frame;
}

const std::vector<FunctionRange>& ElfSymbols::functions() {
  if (!state_->ranges_known) {
    state_->ranges_known = true;
    state_->ranges.reserve(state_->table.all().size());
    for (const FunctionSymbol& symbol : state_->table.all()) {
      state_->ranges.push_back({symbol.start, symbol.end, symbol.name});
    }
  }
  return state_->ranges;
}

}  // namespace spyglass
