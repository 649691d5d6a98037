// SPDX-License-Identifier: Apache-2.0
// sample_image.h - the files whose code samples hit: where their addresses begin, how to unwind
// them.
//
// A file is opened when a sample first needs it. Only the parts that unwinding reads are copied, so
// that a file cut short meanwhile is no harm.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   the unwinding tables of every file met, each at most kMaxTableBytes.
//   Errors   a file that is missing, damaged or not the one that was mapped has no tables.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "recorder/unwind/cfi.h"

namespace spyglass::collector {

inline constexpr std::uint64_t kMaxTableBytes = 256U << 20U;

// How a mapping names its file.
struct MappedFile {
  std::string path;
  std::vector<std::uint8_t> build_id;  // empty: unknown
  std::uint64_t inode = 0;             // 0: unknown
  std::uint32_t pid = 0;               // who has it mapped, for files in its own file system
};

enum class ImageKind {
  kFile,  // ELF
  kJit,   // code made at run time: no file, it keeps frame pointers
  kOther  // something else that is mapped: no rules
};

class SampleImage {
 public:
  struct Segment {
    std::uint64_t file_offset;
    std::uint64_t bytes;
    std::uint64_t address;
  };

  static SampleImage open(const MappedFile& file);
  static SampleImage jit(std::uint32_t pid);

  ImageKind kind() const { return kind_; }
  const std::string& path() const { return path_; }
  const std::vector<std::uint8_t>& build_id() const { return build_id_; }
  const unwind::Tables& tables() const { return tables_; }

  // Address in the process less address in the file, for a mapping of the file's code.
  std::uint64_t bias(std::uint64_t start, std::uint64_t file_offset) const;
  // Where the file's code begins to run; 0: nowhere.
  std::uint64_t entry() const { return entry_; }
  // The tables' bytes at a link-time address; false: not among them.
  bool read(std::uint64_t address, std::uint64_t& value) const;

 private:
  bool read_file(int fd, const MappedFile& file);
  void read_own_vdso();
  void copy_tables(int fd, std::uint64_t file_bytes);
  void copy_frames_section(int fd, std::uint64_t file_bytes);

  ImageKind kind_ = ImageKind::kOther;
  std::string path_;
  std::vector<std::uint8_t> build_id_;
  std::uint64_t entry_ = 0;
  std::vector<Segment> code_;
  std::vector<std::uint8_t> copy_;
  unwind::Tables tables_ = {};
};

// Each file once.
class SampleImages {
 public:
  // Index in the session; files are equal by path and identity.
  std::uint32_t index_of(const MappedFile& file);
  // Opens it if need be.
  const SampleImage& image(std::uint32_t index);
  std::size_t size() const { return files_.size(); }

 private:
  std::vector<MappedFile> files_;
  std::vector<std::unique_ptr<SampleImage>> images_;
  std::map<std::string, std::uint32_t> indices_;
};

// Mappings without a file: the kernel's names for them.
bool is_anonymous(const std::string& path);

}  // namespace spyglass::collector
