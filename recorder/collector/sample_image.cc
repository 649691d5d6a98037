// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "recorder/collector/unique_fd.h"
#include "symbols/perf_map.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kMaxSegments = 256;
constexpr std::uint64_t kMaxNoteBytes = 65536;
constexpr std::uint64_t kMaxVdsoBytes = 65536;
constexpr std::uint64_t kPage = 4096;
// .eh_frame_hdr: version, pointer to .eh_frame as pcrel sdata4, no count, no table; the pointer.
constexpr std::array<std::uint8_t, 8> kBareIndex = {1, 0x1b, 0xff, 0xff, 4, 0, 0, 0};
constexpr std::string_view kVdso = "[vdso]";
constexpr std::string_view kDeleted = " (deleted)";

template <typename T>
bool read_at(int fd, std::uint64_t offset, T& value) {
  return ::pread(fd, &value, sizeof(value), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(sizeof(value));
}

std::vector<std::uint8_t> read_bytes(int fd, std::uint64_t offset, std::uint64_t bytes) {
  std::vector<std::uint8_t> content(bytes);
  std::uint64_t done = 0;
  while (done < bytes) {
    const ssize_t got =
        ::pread(fd, content.data() + done, bytes - done, static_cast<off_t>(offset + done));
    if (got <= 0) {
      return {};
    }
    done += static_cast<std::uint64_t>(got);
  }
  return content;
}

bool is_readable_elf(const Elf64_Ehdr& header) {
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
         header.e_phentsize == sizeof(Elf64_Phdr);
}

Elf64_Ehdr read_header(int fd) {
  Elf64_Ehdr header = {};
  return read_at(fd, 0, header) && is_readable_elf(header) ? header : Elf64_Ehdr{};
}

std::vector<Elf64_Phdr> read_segments(int fd) {
  const Elf64_Ehdr header = read_header(fd);
  std::vector<Elf64_Phdr> segments;
  const std::size_t count = std::min<std::size_t>(header.e_phnum, kMaxSegments);
  for (std::size_t index = 0; index < count; ++index) {
    Elf64_Phdr segment = {};
    if (!read_at(fd, header.e_phoff + index * sizeof(segment), segment)) {
      break;
    }
    segments.push_back(segment);
  }
  return segments;
}

std::vector<std::uint8_t> build_id_in(std::span<const std::uint8_t> notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header = {};
    std::memcpy(&header, notes.data(), sizeof(header));
    const std::uint64_t name = (std::uint64_t{header.n_namesz} + 3) & ~std::uint64_t{3};
    const std::uint64_t content = (std::uint64_t{header.n_descsz} + 3) & ~std::uint64_t{3};
    if (sizeof(header) + name + content > notes.size()) {
      break;
    }
    const std::uint8_t* text = notes.data() + sizeof(header);
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
        std::memcmp(text, "GNU", 4) == 0) {
      return {text + name, text + name + header.n_descsz};
    }
    notes = notes.subspan(static_cast<std::size_t>(sizeof(header) + name + content));
  }
  return {};
}

std::vector<std::uint8_t> read_build_id(int fd, const std::vector<Elf64_Phdr>& segments) {
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE && segment.p_filesz <= kMaxNoteBytes) {
      auto id = build_id_in(read_bytes(fd, segment.p_offset, segment.p_filesz));
      if (!id.empty()) {
        return id;
      }
    }
  }
  return {};
}

// .eh_frame by the section headers; empty: none.
std::optional<Elf64_Shdr> find_frames_section(int fd) {
  const Elf64_Ehdr header = read_header(fd);
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum) {
    return std::nullopt;
  }
  const auto section_at = [&](std::size_t index) {
    Elf64_Shdr section = {};
    read_at(fd, header.e_shoff + index * sizeof(section), section);
    return section;
  };
  const Elf64_Shdr names = section_at(header.e_shstrndx);
  for (std::size_t index = 0; index < header.e_shnum; ++index) {
    const Elf64_Shdr section = section_at(index);
    std::array<char, 10> name = {};
    if (read_at(fd, names.sh_offset + section.sh_name, name) &&
        std::string_view(name.data(), name.size()) == std::string_view(".eh_frame\0", 10)) {
      return section;
    }
  }
  return std::nullopt;
}

bool covers(const Elf64_Phdr& segment, std::uint64_t address) {
  return segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
         address - segment.p_vaddr < segment.p_filesz;
}

}  // namespace

bool is_anonymous(const std::string& path) {
  const auto begins = [&](const char* text) { return path.starts_with(text); };
  return path.empty() || begins("//anon") || begins("[heap]") || begins("[stack") ||
         begins("[anon") || begins("/dev/zero") || begins("/memfd:") || begins("/SYSV") ||
         begins("anon_inode:") || begins("/anon_hugepage");
}

SampleImage SampleImage::jit(std::uint32_t pid) {
  SampleImage image;
  image.kind_ = ImageKind::kJit;
  image.path_ = perf_map_path(pid);
  return image;
}

SampleImage SampleImage::open(const MappedFile& file) {
  if (is_anonymous(file.path)) {
    return jit(file.pid);
  }
  SampleImage image;
  image.path_ = file.path;
  image.build_id_ = file.build_id;
  if (file.path == kVdso) {
    image.read_own_vdso();
    return image;
  }
  // The program may live in a file system of its own.
  for (const std::string& root : {std::string(), "/proc/" + std::to_string(file.pid) + "/root"}) {
    const UniqueFd fd(::open((root + file.path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd && image.read_file(fd.get(), file)) {
      break;
    }
  }
  if (image.path_.ends_with(kDeleted)) {
    image.path_.resize(image.path_.size() - kDeleted.size());
  }
  return image;
}

// False: it is another file than the one that was mapped.
bool SampleImage::read_file(int fd, const MappedFile& file) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return false;
  }
  const std::vector<Elf64_Phdr> segments = read_segments(fd);
  const std::vector<std::uint8_t> id = read_build_id(fd, segments);
  if (file.build_id.empty() ? file.inode != 0 && info.st_ino != file.inode : id != file.build_id) {
    return false;
  }
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
      code_.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr});
    }
  }
  entry_ = read_header(fd).e_entry;
  build_id_ = id;
  kind_ = code_.empty() ? ImageKind::kOther : ImageKind::kFile;
  copy_tables(fd, static_cast<std::uint64_t>(info.st_size));
  return true;
}

// .eh_frame follows .eh_frame_hdr, or with some linkers comes before it, in the same segment.
void SampleImage::copy_tables(int fd, std::uint64_t file_bytes) {
  const std::vector<Elf64_Phdr> segments = read_segments(fd);
  const auto header = std::find_if(segments.begin(), segments.end(), [](const Elf64_Phdr& segment) {
    return segment.p_type == PT_GNU_EH_FRAME;
  });
  if (header == segments.end()) {
    copy_frames_section(fd, file_bytes);
    return;
  }
  const auto load = std::find_if(segments.begin(), segments.end(), [&](const Elf64_Phdr& segment) {
    return covers(segment, header->p_vaddr);
  });
  if (load == segments.end() || load->p_offset > file_bytes ||
      load->p_filesz > file_bytes - load->p_offset) {
    return;
  }
  const std::uint64_t inside = header->p_vaddr - load->p_vaddr;
  if (header->p_filesz > load->p_filesz - inside) {
    return;
  }
  // The header's first pointer says where .eh_frame begins; relative to itself as all linkers
  // write it.
  std::uint64_t first = 0;
  struct {
    std::uint8_t version, pointer_encoding, count_encoding, table_encoding;
    std::int32_t frames;
  } start = {};
  if (read_at(fd, load->p_offset + inside, start) && start.pointer_encoding == 0x1b) {
    const std::uint64_t frames = unwind::plus(inside + 4, start.frames);
    first = std::min(inside, frames);
  }
  const std::uint64_t bytes = load->p_filesz - first;
  if (first > load->p_filesz || bytes > kMaxTableBytes) {
    return;
  }
  copy_ = read_bytes(fd, load->p_offset + first, bytes);
  if (copy_.empty()) {
    return;
  }
  const std::uint8_t* begin = copy_.data();
  tables_.frames = {begin, begin + copy_.size(), load->p_vaddr + first};
  tables_.header = {begin + (inside - first), begin + (inside - first) + header->p_filesz,
                    header->p_vaddr};
}

// Static programs have no index. One without a table, in front of the copy, says where the frames
// begin.
void SampleImage::copy_frames_section(int fd, std::uint64_t file_bytes) {
  const std::optional<Elf64_Shdr> section = find_frames_section(fd);
  if (!section || section->sh_offset > file_bytes || section->sh_size > kMaxTableBytes ||
      section->sh_size > file_bytes - section->sh_offset || section->sh_addr < kBareIndex.size()) {
    return;
  }
  const auto frames = read_bytes(fd, section->sh_offset, section->sh_size);
  if (frames.empty()) {
    return;
  }
  copy_.assign(kBareIndex.begin(), kBareIndex.end());
  copy_.insert(copy_.end(), frames.begin(), frames.end());
  const std::uint8_t* begin = copy_.data();
  const std::uint64_t address = section->sh_addr - kBareIndex.size();
  tables_.header = {begin, begin + kBareIndex.size(), address};
  tables_.frames = {begin, begin + copy_.size(), address};
}

// Ours is everybody's.
void SampleImage::read_own_vdso() {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(::getauxval(AT_SYSINFO_EHDR));
  if (begin == nullptr) {
    return;
  }
  Elf64_Ehdr header = {};
  std::memcpy(&header, begin, sizeof(header));
  if (!is_readable_elf(header) || header.e_phnum > kMaxSegments) {
    return;
  }
  std::uint64_t end = 0;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  std::memcpy(segments.data(), begin + header.e_phoff, segments.size() * sizeof(Elf64_Phdr));
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_LOAD) {
      end = std::max(end, segment.p_offset + segment.p_filesz);
      code_.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr});
    }
  }
  if (end > kMaxVdsoBytes) {
    return;
  }
  copy_.assign(begin, begin + end);
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE && segment.p_offset + segment.p_filesz <= end) {
      build_id_ = build_id_in(std::span(copy_).subspan(segment.p_offset, segment.p_filesz));
    }
  }
  kind_ = ImageKind::kFile;
  tables_ = unwind::tables_of(copy_.data(), copy_.data() + copy_.size(), unwind::Layout::kFile);
}

std::uint64_t SampleImage::bias(std::uint64_t start, std::uint64_t file_offset) const {
  for (const Segment& segment : code_) {
    const std::uint64_t first_page = segment.file_offset & ~(kPage - 1);
    if (file_offset >= first_page && file_offset < segment.file_offset + segment.bytes) {
      return start - (segment.address + file_offset - segment.file_offset);
    }
  }
  // Code that no segment names: by its place in the file.
  return start - file_offset;
}

bool SampleImage::read(std::uint64_t address, std::uint64_t& value) const {
  for (const unwind::View& view : {tables_.header, tables_.frames}) {
    const auto bytes = static_cast<std::uint64_t>(view.end - view.begin);
    if (address >= view.address && bytes >= sizeof(value) &&
        address - view.address <= bytes - sizeof(value)) {
      std::memcpy(&value, view.begin + (address - view.address), sizeof(value));
      return true;
    }
  }
  return false;
}

std::uint32_t SampleImages::index_of(const MappedFile& file) {
  std::string key = file.path;
  key.push_back('\0');
  if (is_anonymous(file.path)) {
    key = "jit";
    key += std::to_string(file.pid);
  } else if (!file.build_id.empty()) {
    key.append(file.build_id.begin(), file.build_id.end());
  } else {
    key += std::to_string(file.inode);
  }
  const auto [place, added] =
      indices_.try_emplace(std::move(key), static_cast<std::uint32_t>(files_.size()));
  if (added) {
    files_.push_back(file);
    images_.emplace_back();
  }
  return place->second;
}

const SampleImage& SampleImages::image(std::uint32_t index) {
  std::unique_ptr<SampleImage>& image = images_[index];
  if (image == nullptr) {
    image = std::make_unique<SampleImage>(SampleImage::open(files_[index]));
  }
  return *image;
}

}  // namespace spyglass::collector
