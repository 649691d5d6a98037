// SPDX-License-Identifier: Apache-2.0
#include <elf.h>

#include "recorder/unwind/cfi.h"

namespace spyglass::unwind {
namespace {

// More program headers than any linker writes.
constexpr unsigned kMaxSegments = 256;

bool in_range(std::uint64_t offset, std::uint64_t bytes, std::uint64_t limit) {
  return offset <= limit && bytes <= limit - offset;
}

// May lie at any byte: structures are copied out.
template <typename T>
T copy_of(const std::uint8_t* from) {
  T value;
  __builtin_memcpy(&value, from, sizeof(T));
  return value;
}

struct Image {
  const std::uint8_t* begin;
  std::uint64_t bytes;
  Layout layout;
  std::uint64_t bias;  // run-time address = link-time address + bias; of a mapped image
  Elf64_Ehdr elf;

  Elf64_Phdr segment(unsigned index) const {
    return copy_of<Elf64_Phdr>(begin + elf.e_phoff + std::uint64_t{index} * sizeof(Elf64_Phdr));
  }
};

bool open_image(Image& image) {
  if (image.bytes < sizeof(Elf64_Ehdr)) {
    return false;
  }
  image.elf = copy_of<Elf64_Ehdr>(image.begin);
  const auto& elf = image.elf;
  constexpr char kMagic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB};
  for (unsigned i = 0; i < sizeof(kMagic); ++i) {
    if (elf.e_ident[i] != static_cast<unsigned char>(kMagic[i])) {
      return false;
    }
  }
  constexpr std::uint64_t kFirstPage = 4096;  // all that is certainly there of a mapped image
  const std::uint64_t readable =
      image.layout == Layout::kMapped && image.bytes > kFirstPage ? kFirstPage : image.bytes;
  return elf.e_machine == EM_X86_64 && elf.e_phentsize == sizeof(Elf64_Phdr) &&
         elf.e_phnum <= kMaxSegments &&
         in_range(elf.e_phoff, std::uint64_t{elf.e_phnum} * sizeof(Elf64_Phdr), readable);
}

// The loader maps the page that holds the first segment's begin to the image's begin.
bool find_bias(Image& image) {
  for (unsigned i = 0; i < image.elf.e_phnum; ++i) {
    const Elf64_Phdr segment = image.segment(i);
    if (segment.p_type == PT_LOAD) {
      image.bias = reinterpret_cast<std::uint64_t>(image.begin) - (segment.p_vaddr & ~0xfffULL);
      return true;
    }
  }
  return false;
}

// The loaded bytes of `segment`.
bool view_of(const Image& image, const Elf64_Phdr& segment, View& view) {
  const bool mapped = image.layout == Layout::kMapped;
  const std::uint64_t offset =
      mapped ? segment.p_vaddr + image.bias - reinterpret_cast<std::uint64_t>(image.begin)
             : segment.p_offset;
  if (!in_range(offset, segment.p_filesz, image.bytes)) {
    return false;
  }
  view = {image.begin + offset, image.begin + offset + segment.p_filesz,
          mapped ? segment.p_vaddr + image.bias : segment.p_vaddr};
  return true;
}

// Cuts from the loaded part that covers it the bytes that `segment` names.
bool view_inside(const Image& image, const Elf64_Phdr& segment, View& loaded, View& view) {
  for (unsigned i = 0; i < image.elf.e_phnum; ++i) {
    const Elf64_Phdr load = image.segment(i);
    if (load.p_type != PT_LOAD || segment.p_vaddr < load.p_vaddr ||
        !in_range(segment.p_vaddr - load.p_vaddr, segment.p_filesz, load.p_filesz)) {
      continue;
    }
    if (!view_of(image, load, loaded)) {
      return false;
    }
    const std::uint64_t inside = segment.p_vaddr - load.p_vaddr;
    view = {loaded.begin + inside, loaded.begin + inside + segment.p_filesz,
            loaded.address + inside};
    return true;
  }
  return false;
}

}  // namespace

Tables tables_of(const std::uint8_t* begin, const std::uint8_t* end, Layout layout) {
  Tables tables = {};
  Image image = {begin, static_cast<std::uint64_t>(end - begin), layout, 0, {}};
  if (!open_image(image) || (layout == Layout::kMapped && !find_bias(image))) {
    return tables;
  }
  for (unsigned i = 0; i < image.elf.e_phnum; ++i) {
    const Elf64_Phdr segment = image.segment(i);
    if (segment.p_type != PT_GNU_EH_FRAME) {
      continue;
    }
    Tables found = {};
    // Linkers place .eh_frame into the same segment as its header.
    if (view_inside(image, segment, found.frames, found.header)) {
      tables = found;
    }
    break;
  }
  return tables;
}

}  // namespace spyglass::unwind
