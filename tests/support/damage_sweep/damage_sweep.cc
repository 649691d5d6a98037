// SPDX-License-Identifier: Apache-2.0
// damage_sweep - every damaged version of a recording through the commands of `spyglass`.
//
// usage: damage_sweep FILE bytes|lengths [STEP]
//
// `bytes` changes one byte, `lengths` cuts the file, at every STEP-th position. All of it happens
// in one process: starting three tools for each position is what would make a whole sweep too slow.
// Names that the damage cost are looked up in the program's and the libraries' own files only at
// every 16th position: these are always the same files, and reading them is most of the time.
//
// Prints each position before it is tried, so the last line tells where a sanitizer ended it. Exit
// code: 0, or 1 after the first promise that was broken:
//
//   - verify tells every damage, by exit code 1; by 2 only where the file header is damaged;
//   - verify finds every block that lies outside the damage;
//   - analyze, dump and info end in order.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile_builder.h"
#include "analyzer/reader/sgz_reader.h"
#include "analyzer/report/report.h"
#include "tools/commands.h"

namespace spyglass {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr unsigned kSecondsPerPosition = 60;  // more than that is a hang
constexpr std::size_t kLookUpEvery = 16;      // positions
constexpr std::size_t kHeaderBytes = sizeof(format::FileHeader);
constexpr std::array<std::uint8_t, 4> kChanges = {0x01, 0x80, 0xff, 0x10};

class NullBuffer : public std::streambuf {
 protected:
  int overflow(int character) override { return traits_type::not_eof(character); }
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
};

// Standard output goes to `buffer` while this lives.
class Redirected {
 public:
  explicit Redirected(std::streambuf* buffer) : before_(std::cout.rdbuf(buffer)) {}
  ~Redirected() {
    std::cout.rdbuf(before_);
    std::cout.clear();
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  std::streambuf* before_;
};

int run_command(const std::vector<std::string>& words) {
  CLI::App app;
  int exit_code = 0;
  add_analyze_command(app, exit_code);
  add_info_command(app, exit_code);
  add_verify_command(app, exit_code);
  add_dump_command(app, exit_code);
  std::vector<std::string> last_first(words.rbegin(), words.rend());  // as CLI11 takes them
  app.parse(last_first);
  return exit_code;
}

struct Block {
  std::size_t begin;
  std::size_t end;
};

std::vector<Block> blocks_of(const Bytes& bytes) {
  std::vector<Block> blocks;
  Result<SgzReader> reader = SgzReader::from_bytes(bytes);
  BlockView block;
  while (reader && reader->next(block)) {
    blocks.push_back(
        {block.offset, block.offset + sizeof(block.header) + block.header.stored_bytes});
  }
  return blocks;
}

class Sweep {
 public:
  explicit Sweep(Bytes whole)
      : whole_(std::move(whole)),
        blocks_(blocks_of(whole_)),
        fd_(::memfd_create("damaged", 0)),
        path_("/proc/self/fd/" + std::to_string(fd_)) {}

  std::size_t size() const { return whole_.size(); }
  std::size_t blocks() const { return blocks_.size(); }

  void change_byte(std::size_t at) {
    Bytes damaged = whole_;
    damaged[at] ^= kChanges[(at ^ at / kChanges.size()) % kChanges.size()];
    examine(damaged, at, at + 1);
  }
  void cut(std::size_t length) { examine(std::span(whole_).first(length), length, whole_.size()); }

 private:
  // What differs from the whole recording lies in [begin, end).
  void examine(std::span<const std::uint8_t> damaged, std::size_t begin, std::size_t end) {
    if (::ftruncate(fd_, 0) != 0 ||
        ::pwrite(fd_, damaged.data(), damaged.size(), 0) != static_cast<ssize_t>(damaged.size())) {
      throw std::runtime_error("cannot write the damaged recording");
    }
    ::alarm(kSecondsPerPosition);
    check_verify(begin, end);
    const Redirected nowhere(&null_);
    expect_order("dump");
    expect_order("info");
    if (begin % kLookUpEvery == 0) {
      expect_order("analyze");
      run_command({"analyze", "--tree", path_});
    } else {
      analyze(damaged);
    }
  }

  void expect_order(const char* command) const {
    if (const int status = run_command({command, "--json", path_}); status > 2 || status < 0) {
      throw std::runtime_error(std::string(command) + " ended with " + std::to_string(status));
    }
  }

  // As the command does, but for names in local files.
  static void analyze(std::span<const std::uint8_t> damaged) {
    ProfileOptions options;
    options.resolve_missing = false;
    const Result<Profile> profile = build_profile_from_bytes(damaged, "damaged", options);
    if (profile) {
      write_json(std::cout, *profile, SortKey::kSelf, {});
      write_tree(std::cout, {}, *profile, {});
    }
  }

  void check_verify(std::size_t begin, std::size_t end) {
    std::ostringstream text;
    const Redirected captured(text.rdbuf());
    const int status = run_command({"verify", "--json", path_});
    if (status == 2 && begin < kHeaderBytes) return;
    if (status != 1) {
      throw std::runtime_error("verify ended with " + std::to_string(status));
    }
    std::size_t outside = 0;
    for (const Block& block : blocks_) {
      outside += block.end <= begin || block.begin >= end ? 1U : 0U;
    }
    if (const std::size_t found = intact_blocks(text.str()); found != outside) {
      throw std::runtime_error("verify found " + std::to_string(found) + " of " +
                               std::to_string(outside) + " intact blocks");
    }
  }

  static std::size_t intact_blocks(std::string_view json) {
    constexpr std::string_view kKey = "\"intact_blocks\":";
    const std::size_t at = json.find(kKey);
    if (at == std::string_view::npos) throw std::runtime_error("verify counted no blocks");
    std::size_t begin = at + kKey.size();
    begin = json.find_first_not_of(' ', begin);
    std::size_t count = 0;
    std::from_chars(json.data() + begin, json.data() + json.size(), count);
    return count;
  }

  Bytes whole_;
  std::vector<Block> blocks_;
  int fd_;
  std::string path_;
  NullBuffer null_;
};

int sweep(const std::string& file, std::string_view kind, std::size_t step) {
  std::ifstream input(file, std::ios::binary);
  Sweep all(Bytes{std::istreambuf_iterator<char>(input), {}});
  std::size_t tried = 0;
  for (std::size_t position = 0; position < all.size(); position += step) {
    std::printf("%.*s %zu\n", static_cast<int>(kind.size()), kind.data(), position);
    std::fflush(stdout);
    try {
      if (kind == "bytes") {
        all.change_byte(position);
      } else {
        all.cut(position);
      }
    } catch (const std::exception& broken) {
      std::printf("broken: %s\n", broken.what());
      return 1;
    }
    ++tried;
  }
  std::printf("%zu %.*s of a recording of %zu bytes and %zu blocks\n", tried,
              static_cast<int>(kind.size()), kind.data(), all.size(), all.blocks());
  return all.blocks() == 0 ? 1 : 0;
}

}  // namespace
}  // namespace spyglass

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  if (words.size() < 2 || (words[1] != "bytes" && words[1] != "lengths")) {
    std::fputs("usage: damage_sweep FILE bytes|lengths [STEP]\n", stderr);
    return 2;
  }
  std::size_t step = 1;
  if (words.size() > 2) {
    std::from_chars(words[2].data(), words[2].data() + words[2].size(), step);
  }
  return spyglass::sweep(std::string(words[0]), words[1], step == 0 ? 1 : step);
}
