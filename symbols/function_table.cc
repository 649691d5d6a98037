// SPDX-License-Identifier: Apache-2.0
#include "symbols/function_table.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

namespace spyglass {
namespace {

std::size_t leading_underscores(const char* name) { return std::strspn(name, "_"); }

bool stands_before(const FunctionSymbol& a, const FunctionSymbol& b) {
  const auto rank = [](const FunctionSymbol& symbol) {
    return std::tuple(symbol.start, !symbol.sized, symbol.binding,
                      leading_underscores(symbol.name));
  };
  const auto rank_a = rank(a);
  const auto rank_b = rank(b);
  return rank_a != rank_b ? rank_a < rank_b : std::strcmp(a.name, b.name) < 0;
}

}  // namespace

FunctionTable::FunctionTable(std::vector<FunctionSymbol> symbols) : symbols_(std::move(symbols)) {
  std::sort(symbols_.begin(), symbols_.end(), stands_before);
  const auto same_start = [](const FunctionSymbol& a, const FunctionSymbol& b) {
    return a.start == b.start;
  };
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end(), same_start), symbols_.end());
  symbols_.shrink_to_fit();
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (!symbols_[i].sized) {
      symbols_[i].end = i + 1 < symbols_.size() ? symbols_[i + 1].start : symbols_[i].start + 1;
    }
  }
}

const FunctionSymbol* FunctionTable::find(std::uint64_t offset) const {
  auto after = std::upper_bound(
      symbols_.begin(), symbols_.end(), offset,
      [](std::uint64_t value, const FunctionSymbol& symbol) { return value < symbol.start; });
  // An enclosing function can begin a few symbols earlier; a hostile table must not make this a
  // scan.
  constexpr int kEnclosingSearch = 16;
  for (int i = 0; i < kEnclosingSearch && after != symbols_.begin(); ++i) {
    --after;
    if (offset == after->start || offset < after->end) {
      return &*after;
    }
  }
  return nullptr;
}

}  // namespace spyglass
