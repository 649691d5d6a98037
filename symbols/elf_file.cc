// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_file.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace spyglass {
namespace {

Error cannot_open(const std::string& path, int reason) {
  std::string why = reason == ENOENT ? "no such file" : std::strerror(reason);
  return {ErrorKind::kSystem, "cannot open '" + path + "': " + why};
}

bool is_of(SymbolSort sort, unsigned kind) {
  return sort == SymbolSort::kVariables ? kind == STT_OBJECT
                                        : kind == STT_FUNC || kind == STT_GNU_IFUNC;
}

}  // namespace

Result<ElfFile> open_vdso() {
  const auto image = static_cast<std::uintptr_t>(getauxval(AT_SYSINFO_EHDR));
  ElfFile file;
  if (image != 0) {
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(image);  // NOLINT: where it is mapped
    const std::size_t bytes = header->e_shoff + std::size_t{header->e_shnum} * header->e_shentsize;
    elf_version(EV_CURRENT);
    file.elf = elf_memory(reinterpret_cast<char*>(image), bytes);  // NOLINT
  }
  if (file.elf == nullptr || elf_kind(file.elf) != ELF_K_ELF) {
    return Error{ErrorKind::kFormat, "this process has no vdso"};
  }
  return file;
}

Result<ElfFile> open_elf(const std::string& path) {
  ElfFile file;
  // Non-blocking, so that a FIFO in the place of a file cannot hold us up.
  file.descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor < 0) {
    return cannot_open(path, errno);
  }
  struct stat status {};
  const bool regular = fstat(file.descriptor, &status) == 0 && S_ISREG(status.st_mode);
  elf_version(EV_CURRENT);
  if (regular) {
    file.elf = elf_begin(file.descriptor, ELF_C_READ_MMAP, nullptr);
  }
  if (file.elf == nullptr || elf_kind(file.elf) != ELF_K_ELF) {
    return Error{ErrorKind::kFormat, "'" + path + "' is not an ELF file"};
  }
  return file;
}

Elf_Scn* find_section(Elf* elf, std::uint32_t type, const char* name) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) {
    return nullptr;
  }
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type == SHT_NOBITS) {
      continue;
    }
    const char* section_name = name == nullptr ? nullptr : elf_strptr(elf, names, header.sh_name);
    if (name == nullptr ? header.sh_type == type
                        : section_name != nullptr && std::strcmp(section_name, name) == 0) {
      return section;
    }
  }
  return nullptr;
}

bool has_debug_info(Elf* elf) {
  return find_section(elf, 0, ".debug_info") != nullptr ||
         find_section(elf, 0, ".zdebug_info") != nullptr;
}

std::string unversioned(const char* name) {
  const std::string_view whole = name;
  const std::size_t at = whole.find('@');
  return std::string(at == 0 ? whole : whole.substr(0, at));
}

void read_symbols(Elf* elf, std::uint32_t type, SymbolSort sort, std::vector<FunctionSymbol>& out) {
  Elf_Scn* section = elf == nullptr ? nullptr : find_section(elf, type, nullptr);
  GElf_Shdr header;
  Elf_Data* data = section == nullptr ? nullptr : elf_getdata(section, nullptr);
  if (data == nullptr || gelf_getshdr(section, &header) == nullptr || header.sh_entsize == 0) {
    return;
  }
  const std::size_t count = data->d_size / header.sh_entsize;
  for (std::size_t i = 1; i < count && i <= 0x7fffffffU; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) {
      return;
    }
    if (!is_of(sort, GELF_ST_TYPE(symbol.st_info)) || symbol.st_shndx == SHN_UNDEF ||
        symbol.st_shndx == SHN_ABS) {
      continue;
    }
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr || *name == '\0') {
      continue;
    }
    const unsigned bind = GELF_ST_BIND(symbol.st_info);
    const SymbolBinding binding = bind == STB_LOCAL  ? SymbolBinding::kLocal
                                  : bind == STB_WEAK ? SymbolBinding::kWeak
                                                     : SymbolBinding::kGlobal;
    const std::uint64_t end = symbol.st_value + symbol.st_size;
    out.push_back(
        {symbol.st_value, std::max(end, symbol.st_value), name, binding, end > symbol.st_value});
  }
}

}  // namespace spyglass
