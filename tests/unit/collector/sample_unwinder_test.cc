// SPDX-License-Identifier: Apache-2.0
// Stacks of this very process, copied as the kernel would.
#include "recorder/collector/sample_unwinder.h"

#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "recorder/collector/proc_files.h"
#include "recorder/collector/remote_unwind.h"
#include "recorder/collector/sample_tree.h"

namespace spyglass::collector {
namespace {

struct OwnSample {
  PerfSample sample;
  std::vector<std::uint8_t> stack;
};

__attribute__((noinline, no_sanitize("address"))) void sample_here(OwnSample& own,
                                                                   std::size_t bytes) {
  ucontext_t context = {};
  ::getcontext(&context);
  const greg_t* from = context.uc_mcontext.gregs;
  const int order[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI,
                       REG_RBP, REG_RSP, REG_RIP, REG_R8,  REG_R9,  REG_R10,
                       REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (std::size_t i = 0; i < kPerfRegisterCount; ++i) {
    own.sample.registers[i] = static_cast<std::uint64_t>(from[order[i]]);
  }
  own.sample.has_registers = true;
  own.sample.tid = 1;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(own.sample.registers[kRsp]);
  own.stack.resize(bytes);
  const auto* words = reinterpret_cast<const volatile std::uint64_t*>(begin);
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = words[at / sizeof(std::uint64_t)];
    std::memcpy(own.stack.data() + at, &word, sizeof(word));
  }
  own.sample.stack = own.stack;
}

__attribute__((noinline)) int nest(OwnSample& own, int depth, std::size_t bytes) {
  volatile char frame[64] = {};
  frame[0] = static_cast<char>(depth);
  if (depth > 0) {
    return nest(own, depth - 1, bytes) + frame[0];
  }
  sample_here(own, bytes);
  return frame[0];
}

AddressSpace own_space(SampleImages& images) {
  AddressSpace space;
  for (const ProcMapping& mapping : read_code_mappings(static_cast<std::uint32_t>(::getpid()))) {
    MappedFile file;
    file.path = mapping.path;
    file.inode = mapping.inode;
    file.pid = static_cast<std::uint32_t>(::getpid());
    space.map({mapping.start, mapping.end, mapping.file_offset, images.index_of(file)});
  }
  return space;
}

// Of the stack: surely there, and enough for the frames that are looked at.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kCopyBytes = 8192;  // these make larger frames
#else
constexpr std::size_t kCopyBytes = 2048;
#endif

TEST_CASE("sample unwinder: follows the frames of a stack") {
  OwnSample own;
  nest(own, 20, kCopyBytes);
  SampleImages images;
  const AddressSpace space = own_space(images);
  SampleUnwinder unwinder(images, 512, kCopyBytes);
  const SampledStack& stack = unwinder.unwind(own.sample, space);
  REQUIRE(stack.frames.size() > 10);
  // sample_here, then nest again and again from the same call.
  for (std::size_t i = 3; i < 10; ++i) {
    CHECK(stack.frames[i] == stack.frames[2]);
  }
  CHECK(stack.frames[0].image == stack.frames[2].image);
}

TEST_CASE("sample unwinder: a copy that ends early is told, and not completed from others") {
  OwnSample deep;
  nest(deep, 40, 2048);
  SampleImages images;
  const AddressSpace space = own_space(images);
  SampleUnwinder unwinder(images, 512, kCopyBytes);
  const SampledStack cut = unwinder.unwind(deep.sample, space);
  CHECK(cut.end == StackEnd::kCopyTooShort);
  const std::size_t seen = cut.frames.size();
  // Another thread's stack does not help.
  OwnSample whole;
  nest(whole, 40, 2048);
  whole.sample.tid = 2;
  unwinder.unwind(whole.sample, space);
  CHECK(unwinder.unwind(deep.sample, space).frames.size() == seen);
}

// The stack copy of a sample and this process's files.
class OwnMemory : public StackMemory {
 public:
  OwnMemory(const OwnSample& own, const AddressSpace& space, SampleImages& images)
      : own_(own), space_(space), images_(images) {}
  bool read(std::uint64_t address, std::uint64_t& value) const override {
    const std::uint64_t at = address - own_.sample.registers[kRsp];
    if (at <= own_.stack.size() - sizeof(value)) {
      std::memcpy(&value, own_.stack.data() + at, sizeof(value));
      return true;
    }
    const CodeMapping* mapping = space_.find(pc_);
    return mapping != nullptr && images_.image(mapping->image).read(address - bias_, value);
  }
  bool find_tables(std::uint64_t pc, unwind::Tables& tables, std::uint64_t& bias) const override {
    const CodeMapping* mapping = space_.find(pc);
    if (mapping == nullptr) {
      return false;
    }
    pc_ = pc;
    tables = images_.image(mapping->image).tables();
    bias_ = bias = images_.image(mapping->image).bias(mapping->start, mapping->file_offset);
    return true;
  }

 private:
  const OwnSample& own_;
  const AddressSpace& space_;
  SampleImages& images_;
  mutable std::uint64_t pc_ = 0;
  mutable std::uint64_t bias_ = 0;
};

#ifndef __SANITIZE_THREAD__  // whose getcontext() leaves a frame of its own in between
TEST_CASE("remote unwind: libunwind finds the frames that the rules find") {
  OwnSample own;
  nest(own, 20, kCopyBytes);
  SampleImages images;
  const AddressSpace space = own_space(images);
  SampleUnwinder unwinder(images, 512, kCopyBytes);
  const SampledStack& stack = unwinder.unwind(own.sample, space);
  const RemoteStack remote =
      unwind_remotely(own.sample.registers, OwnMemory(own, space, images), 512);
  REQUIRE(remote.frames.size() > 10);
  const std::size_t common = std::min(stack.frames.size(), remote.frames.size());
  for (std::size_t i = 0; i < common; ++i) {
    const RemoteFrame& frame = remote.frames[i];
    const std::uint64_t pc = frame.after_call ? frame.pc - 1 : frame.pc;
    const CodeMapping* mapping = space.find(pc);
    REQUIRE(mapping != nullptr);
    const std::uint64_t bias =
        images.image(mapping->image).bias(mapping->start, mapping->file_offset);
    CHECK(stack.frames[i] == SampledFrame{mapping->image, pc - bias});
  }
}
#endif

TEST_CASE("sample unwinder: damaged stacks and registers end somewhere") {
  SampleImages images;
  const AddressSpace space = own_space(images);
  SampleUnwinder unwinder(images, 64, 2048);
  OwnSample own;
  nest(own, 20, kCopyBytes);
  std::uint64_t state = 1;
  for (int round = 0; round < 5000; ++round) {
    OwnSample damaged = own;
    for (int i = 0; i < 8; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      damaged.stack[(state >> 20U) % damaged.stack.size()] ^=
          static_cast<std::uint8_t>(state >> 50U);
    }
    if (round % 3 == 0) {
      damaged.sample.registers[(state >> 40U) % kPerfRegisterCount] = state;
    }
    damaged.sample.stack = damaged.stack;
    const SampledStack& stack = unwinder.unwind(damaged.sample, space);
    CHECK(stack.frames.size() <= 64);
    CHECK_FALSE(stack.frames.empty());
  }
}

TEST_CASE("sample unwinder: 32-bit code has one frame") {
  SampleImages images;
  SampleUnwinder unwinder(images, 64, 2048);
  PerfSample sample;
  sample.ip = 0x8048000;
  const SampledStack& stack = unwinder.unwind(sample, AddressSpace());
  REQUIRE(stack.frames.size() == 1);
  CHECK(stack.frames[0] == SampledFrame{kNoImage, 0x8048000});
  CHECK(stack.end == StackEnd::kNoRule);
}

TEST_CASE("sample tree: a stack is handed on once, outermost frame first") {
  SampleTree tree;
  std::vector<SampledNode> added;
  const SampledStack stack = {{{1, 0x30}, {1, 0x20}, {1, 0x10}}, StackEnd::kWhole};
  const std::uint32_t node = tree.place_of(stack, added).node;
  REQUIRE(added.size() == 3);
  CHECK(added[0].frame.offset == 0x10);
  CHECK(added[0].parent == 0);
  CHECK(added[2].parent == 2);
  CHECK(node == 3);
  CHECK(tree.place_of(stack, added).node == 3);
  CHECK(added.size() == 3);
  const SampledStack cut = {{{1, 0x30}}, StackEnd::kNoRule};
  tree.place_of(cut, added);
  REQUIRE(added.size() == 5);
  CHECK(added[3].frame.image == kTruncatedImage);
  CHECK(added[4].parent == 4);
}

TEST_CASE("sample tree: a full one says which stacks it shortens") {
  SampleTree tree(3);
  std::vector<SampledNode> added;
  const SampledStack known = {{{1, 0x30}, {1, 0x20}, {1, 0x10}}, StackEnd::kWhole};
  CHECK_FALSE(tree.place_of(known, added).shortened);
  const auto [node, shortened] =
      tree.place_of({{{1, 0x50}, {1, 0x40}, {1, 0x20}, {1, 0x10}}, StackEnd::kWhole}, added);
  CHECK(node == 2);
  CHECK(shortened);
  CHECK(added.size() == 3);
  CHECK_FALSE(tree.place_of(known, added).shortened);
}

}  // namespace
}  // namespace spyglass::collector
