// SPDX-License-Identifier: Apache-2.0
// function_table.h - the function symbols of one file, one per address, by address.
//
// Several symbols often name one address (aliases, constructor variants). Which of them stands for
// the function must not depend on the order in the file: sized before unsized, global before weak
// before local, fewer leading underscores, then alphabetical.
//
//   Memory   names stay in the caller's string table, which must outlive the table.
#pragma once

#include <cstdint>
#include <vector>

namespace spyglass {

enum class SymbolBinding : std::uint8_t { kGlobal = 0, kWeak = 1, kLocal = 2 };

struct FunctionSymbol {
  std::uint64_t start = 0;
  std::uint64_t end = 0;  // start of what follows where the symbol has no size
  const char* name = nullptr;
  SymbolBinding binding = SymbolBinding::kLocal;
  bool sized = false;
};

class FunctionTable {
 public:
  FunctionTable() = default;
  explicit FunctionTable(std::vector<FunctionSymbol> symbols);

  // The function that begins at `offset`, else the innermost that contains it, else null.
  const FunctionSymbol* find(std::uint64_t offset) const;
  const std::vector<FunctionSymbol>& all() const { return symbols_; }

 private:
  std::vector<FunctionSymbol> symbols_;
};

}  // namespace spyglass
