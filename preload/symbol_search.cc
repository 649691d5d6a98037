// SPDX-License-Identifier: Apache-2.0
// The tables are those of the System V ABI, the hashes its own and that of the GNU linker's
// .gnu.hash.
#include "preload/symbol_search.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdint>

namespace spyglass::hooks {
namespace {

struct GnuHash {
  std::uint32_t buckets;
  std::uint32_t first_symbol;
  std::uint32_t bloom_words;
  std::uint32_t bloom_shift;
};

struct SysvHash {
  std::uint32_t buckets;
  std::uint32_t symbols;
};

struct Tables {
  const GnuHash* hash = nullptr;
  const SysvHash* sysv_hash = nullptr;  // some linkers write only this
  const ElfW(Sym) * symbols = nullptr;
  const char* strings = nullptr;
  const ElfW(Versym) * versions = nullptr;  // null: it has none
};

// The loader has put most addresses in place, but not those of a dynamic section that it can't
// write.
std::uint64_t placed(const link_map& library, std::uint64_t address) {
  return address < library.l_addr ? address + library.l_addr : address;
}

Tables tables_of(const link_map& library) {
  Tables tables;
  for (const ElfW(Dyn)* entry = library.l_ld; entry != nullptr && entry->d_tag != DT_NULL;
       ++entry) {
    const std::uint64_t address = placed(library, entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) {
      tables.hash = reinterpret_cast<const GnuHash*>(address);
    } else if (entry->d_tag == DT_HASH) {
      tables.sysv_hash = reinterpret_cast<const SysvHash*>(address);
    } else if (entry->d_tag == DT_SYMTAB) {
      tables.symbols = reinterpret_cast<const ElfW(Sym)*>(address);
    } else if (entry->d_tag == DT_STRTAB) {
      tables.strings = reinterpret_cast<const char*>(address);
    } else if (entry->d_tag == DT_VERSYM) {
      tables.versions = reinterpret_cast<const ElfW(Versym)*>(address);
    }
  }
  return tables;
}

std::uint32_t gnu_hash(const char* name) {
  std::uint32_t hash = 5381;
  for (; *name != 0; ++name) {
    hash = hash * 33 + static_cast<unsigned char>(*name);
  }
  return hash;
}

std::uint32_t sysv_hash(const char* name) {
  std::uint32_t hash = 0;
  for (; *name != 0; ++name) {
    hash = (hash << 4U) + static_cast<unsigned char>(*name);
    const std::uint32_t high = hash & 0xF000'0000U;
    hash = (hash ^ high >> 24U) & ~high;
  }
  return hash;
}

// What is looked for.
struct Name {
  explicit Name(const char* wanted)
      : text(wanted), gnu(gnu_hash(wanted)), sysv(sysv_hash(wanted)) {}
  const char* text;
  std::uint32_t gnu;
  std::uint32_t sysv;
};

bool is_same(const char* a, const char* b) {
  while (*a != 0 && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

// dlsym() passes over versions that are there for old programs only.
bool is_current(const Tables& tables, std::uint32_t symbol) {
  constexpr ElfW(Versym) kHidden = 0x8000;
  return tables.versions == nullptr || (tables.versions[symbol] & kHidden) == 0;
}

bool is_named(const Tables& tables, std::uint32_t symbol, const char* name) {
  return is_current(tables, symbol) &&
         is_same(tables.strings + tables.symbols[symbol].st_name, name);
}

const ElfW(Sym) * find_by_gnu_hash(const Tables& tables, const Name& name) {
  const GnuHash& table = *tables.hash;
  const auto* bloom = reinterpret_cast<const std::uint64_t*>(&table + 1);
  const auto* buckets = reinterpret_cast<const std::uint32_t*>(bloom + table.bloom_words);
  const std::uint32_t* chain = buckets + table.buckets;
  if (table.buckets == 0 || table.bloom_words == 0) {
    return nullptr;
  }
  const std::uint64_t word = bloom[name.gnu / 64 % table.bloom_words];
  const std::uint64_t bits =
      std::uint64_t{1} << name.gnu % 64 | std::uint64_t{1} << (name.gnu >> table.bloom_shift) % 64;
  std::uint32_t symbol = buckets[name.gnu % table.buckets];
  if ((word & bits) != bits || symbol < table.first_symbol) {
    return nullptr;
  }
  for (;; ++symbol) {
    const std::uint32_t candidate = chain[symbol - table.first_symbol];
    if ((candidate | 1U) == (name.gnu | 1U) && is_named(tables, symbol, name.text)) {
      return &tables.symbols[symbol];
    }
    if ((candidate & 1U) != 0) {
      return nullptr;
    }
  }
}

const ElfW(Sym) * find_by_sysv_hash(const Tables& tables, const Name& name) {
  const SysvHash& table = *tables.sysv_hash;
  const auto* buckets = reinterpret_cast<const std::uint32_t*>(&table + 1);
  const std::uint32_t* next = buckets + table.buckets;
  if (table.buckets == 0) {
    return nullptr;
  }
  std::uint32_t symbol = buckets[name.sysv % table.buckets];
  for (; symbol != STN_UNDEF && symbol < table.symbols; symbol = next[symbol]) {
    if (is_named(tables, symbol, name.text)) {
      return &tables.symbols[symbol];
    }
  }
  return nullptr;
}

bool has_symbols(const Tables& tables) {
  return tables.symbols != nullptr && tables.strings != nullptr;
}

bool has_hash(const Tables& tables) {
  return tables.hash != nullptr || tables.sysv_hash != nullptr;
}

// As dlsym() looks it up, undefined symbols that stand for a definition elsewhere included.
// Requires: has_symbols(), has_hash().
const ElfW(Sym) * find_symbol(const Tables& tables, const Name& name) {
  return tables.hash != nullptr ? find_by_gnu_hash(tables, name) : find_by_sysv_hash(tables, name);
}

const link_map* library_of(void* address) {
  dl_find_object found = {};
  return _dl_find_object(address, &found) == 0 ? found.dlfo_link_map : nullptr;
}

const link_map* own_library() { return library_of(reinterpret_cast<void*>(&library_of)); }

// In the order in which the loader looks.
const link_map* first_library(const link_map* library) {
  while (library != nullptr && library->l_prev != nullptr) {
    library = library->l_prev;
  }
  return library;
}

// The GNU table leaves out what a library only wants; the other has that, too.
bool may_stand_for(const ElfW(Sym) * symbol) {
  return symbol != nullptr && (symbol->st_shndx != SHN_UNDEF || symbol->st_value != 0);
}

// By `first` or a library after it.
bool is_defined_from(const link_map* first, const link_map* own, const char* text) {
  const Name name(text);
  for (const link_map* library = first; library != nullptr; library = library->l_next) {
    const Tables tables = library == own ? Tables{} : tables_of(*library);
    if (has_symbols(tables) && (!has_hash(tables) || may_stand_for(find_symbol(tables, name)))) {
      return true;
    }
  }
  return false;
}

// A program at a fixed address that takes the function's address does not, but has an undefined
// symbol with a value: a jump to whoever defines it.
bool defines_itself(const link_map& library, const Name& name) {
  const Tables tables = tables_of(library);
  if (!has_symbols(tables)) {
    return false;
  }
  if (!has_hash(tables)) {
    return library_of(dlsym(RTLD_DEFAULT, name.text)) == &library;
  }
  const ElfW(Sym)* symbol = find_symbol(tables, name);
  return symbol != nullptr && symbol->st_shndx != SHN_UNDEF;
}

}  // namespace

bool is_defined_elsewhere(const char* name) {
  const link_map* own = own_library();
  return own == nullptr || is_defined_from(first_library(own), own, name);
}

bool is_ours_first(const char* name) {
  const link_map* own = own_library();
  const Name wanted(name);
  for (const link_map* library = first_library(own); library != own; library = library->l_next) {
    if (defines_itself(*library, wanted)) {
      return false;
    }
  }
  return true;
}

void* find_next(const char* name) {
  const link_map* own = own_library();
  const bool found = own == nullptr || is_defined_from(own->l_next, own, name);
  return found ? dlsym(RTLD_NEXT, name) : nullptr;
}

}  // namespace spyglass::hooks
