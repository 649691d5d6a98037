// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/unwind_rules.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>

#include "recorder/unwind/cfi.h"

namespace spyglass::runtime {

RuleSlot g_rule_slots[std::uint64_t{1} << kRuleBits];
// Not 0: an empty slot must not match any instruction, pc 0 included.
std::atomic<std::uint64_t> g_rule_epoch{std::uint64_t{1} << (kCodeAddressBits + 1)};

namespace {

bool find_module(std::uint64_t pc, dl_find_object& found) {
  return pc >> kCodeAddressBits == 0 && _dl_find_object(reinterpret_cast<void*>(pc), &found) == 0 &&
         pc >= reinterpret_cast<std::uint64_t>(found.dlfo_map_start) &&
         pc < reinterpret_cast<std::uint64_t>(found.dlfo_map_end);
}

// In a test that this is linked into, our code is the program's.
bool is_own_module(const dl_find_object& found) {
  const auto here = reinterpret_cast<std::uint64_t>(&g_rule_slots);
  return here >= reinterpret_cast<std::uint64_t>(found.dlfo_map_start) &&
         here < reinterpret_cast<std::uint64_t>(found.dlfo_map_end) &&
         found.dlfo_link_map->l_name[0] != '\0';
}

// Of a program with gaps between its segments, which the kernel leaves unmapped, `found` says only
// the segment that holds the address.
unwind::Tables tables_in(const dl_find_object& found) {
  const auto* tables_begin = static_cast<const std::uint8_t*>(found.dlfo_eh_frame);
  const auto* begin = static_cast<const std::uint8_t*>(found.dlfo_map_start);
  const auto* end = static_cast<const std::uint8_t*>(found.dlfo_map_end);
  if (tables_begin == nullptr) {
    return {};
  }
  if (tables_begin < begin || tables_begin >= end) {
    constexpr std::uint64_t kPageBytes = 4096;
    // The program headers are on the first page.
    const std::uint64_t image = getauxval(AT_PHDR) & ~(kPageBytes - 1);
    begin = reinterpret_cast<const std::uint8_t*>(image);
    end = reinterpret_cast<const std::uint8_t*>(std::uint64_t{1} << kCodeAddressBits);
  }
  const unwind::Tables tables = unwind::tables_of(begin, end, unwind::Layout::kMapped);
  return tables.header.begin == tables_begin ? tables : unwind::Tables{};
}

}  // namespace

std::uint64_t find_rule_slowly(std::uint64_t pc) {
  // Before the look: a module that goes meanwhile leaves no rule behind.
  const std::uint64_t epoch = g_rule_epoch.load(std::memory_order_acquire);
  dl_find_object found = {};
  if (!find_module(pc, found)) {
    return std::bit_cast<std::uint64_t>(
        unwind::kUnknownRule);  // not kept: a module may be loaded there, and nobody would tell
  }
  const unwind::Tables tables = tables_in(found);
  unwind::Rule rule = unwind::find_rule(tables, pc);
  if (rule.kind == unwind::RuleKind::kUnknown && unwind::has_entry(tables, pc + 1) &&
      !unwind::has_entry(tables, pc)) {
    rule = kNeverCalledRule;
  }
  if (is_own_module(found)) {
    rule.kind = static_cast<unwind::RuleKind>(static_cast<std::uint8_t>(rule.kind) | kOwnCodeBit);
  }
  RuleSlot& slot = rule_slot(pc);
  const auto word = std::bit_cast<std::uint64_t>(rule);
  slot.rule.store(word, std::memory_order_relaxed);
  slot.check.store(mixed(word) ^ pc ^ epoch, std::memory_order_relaxed);
  return word;
}

void forget_rules() {
  // Wraps after 65536 unloads, when no entry of the first is likely to be there; if one is, a frame
  // of code that is at the same address as another's was then may be unwound wrongly.
  g_rule_epoch.fetch_add(std::uint64_t{1} << (kCodeAddressBits + 1), std::memory_order_acq_rel);
}

}  // namespace spyglass::runtime
