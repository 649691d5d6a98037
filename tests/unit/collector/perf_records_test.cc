// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/perf_records.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <vector>

#include "recorder/collector/perf_ring.h"

namespace spyglass::collector {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void put(Bytes& bytes, const T& value) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), from, from + sizeof(T));
}

// Header, body, and for all but samples the trailer with the time.
Bytes record(std::uint32_t type, std::uint16_t misc, const Bytes& body, std::uint64_t time_ns) {
  Bytes bytes;
  const bool sample = type == PERF_RECORD_SAMPLE;
  put(bytes, perf_event_header{type, misc,
                               static_cast<std::uint16_t>(8 + body.size() + (sample ? 0 : 16))});
  bytes.insert(bytes.end(), body.begin(), body.end());
  if (!sample) {
    put(bytes, std::uint64_t{0});
    put(bytes, time_ns);
  }
  return bytes;
}

Bytes sample_body(std::uint64_t stack_bytes, std::uint64_t copied) {
  Bytes body;
  put(body, std::uint64_t{0x401000});
  put(body, std::uint32_t{7});
  put(body, std::uint32_t{8});
  put(body, std::uint64_t{1234});
  put(body, std::uint64_t{2});
  for (std::uint64_t i = 0; i < kPerfRegisterCount; ++i) {
    put(body, 100 + i);
  }
  put(body, stack_bytes);
  body.resize(body.size() + stack_bytes, 0x55);
  put(body, copied);
  return body;
}

TEST_CASE("perf records: a sample keeps registers and the copied part of its stack") {
  const PerfRecord parsed =
      parse_perf_record(record(PERF_RECORD_SAMPLE, 0, sample_body(64, 40), 0));
  CHECK(parsed.time_ns == 1234);
  const auto* sample = std::get_if<PerfSample>(&parsed.content);
  REQUIRE(sample != nullptr);
  CHECK(sample->pid == 7);
  CHECK(sample->tid == 8);
  CHECK(sample->ip == 0x401000);
  CHECK(sample->has_registers);
  CHECK(sample->registers[kRip] == 100 + kRip);
  CHECK(sample->stack.size() == 40);
}

TEST_CASE("perf records: a mapping is told by build-id or by inode") {
  Bytes body;
  put(body, std::uint32_t{7});
  put(body, std::uint32_t{7});
  put(body, std::uint64_t{0x1000});
  put(body, std::uint64_t{0x2000});
  put(body, std::uint64_t{0x3000});
  put(body, std::uint32_t{8});  // device, or length of the build-id
  put(body, std::uint32_t{0});
  put(body, std::uint64_t{99});
  put(body, std::uint64_t{0});
  put(body, std::uint64_t{5});
  const char path[8] = "/bin/x";
  put(body, path);
  const Bytes by_inode = record(PERF_RECORD_MMAP2, 0, body, 5);
  const auto parsed = parse_perf_record(by_inode);
  const auto* mapping = std::get_if<PerfMapping>(&parsed.content);
  REQUIRE(mapping != nullptr);
  CHECK(mapping->inode == 99);
  CHECK(mapping->path == "/bin/x");
  CHECK(mapping->file_offset == 0x3000);
  const Bytes by_id = record(PERF_RECORD_MMAP2, 1U << 14U, body, 5);
  const auto with_id = parse_perf_record(by_id);
  CHECK(std::get<PerfMapping>(with_id.content).build_id.size() == 8);
}

TEST_CASE("perf records: whatever is cut or lies about its size is no record") {
  std::mt19937 random(5);
  const std::vector<Bytes> records = {
      record(PERF_RECORD_SAMPLE, 0, sample_body(64, 40), 0),
      record(PERF_RECORD_SAMPLE, 0, sample_body(64, ~std::uint64_t{0}), 0),
      record(PERF_RECORD_MMAP2, 0, Bytes(80, 'x'), 5),
      record(PERF_RECORD_COMM, 0, Bytes(16, 'x'), 5),
      record(PERF_RECORD_FORK, 0, Bytes(24, 'x'), 5),
      record(PERF_RECORD_LOST, 0, Bytes(16, 'x'), 5),
  };
  for (const Bytes& whole : records) {
    for (std::size_t bytes = 0; bytes <= whole.size(); ++bytes) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(bytes));
      parse_perf_record(cut);  // sanitizers watch
    }
    for (int round = 0; round < 2000; ++round) {
      Bytes damaged = whole;
      damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      parse_perf_record(damaged);
    }
  }
  Bytes huge = sample_body(64, 40);
  const std::uint64_t lie = ~std::uint64_t{0} - 8;
  std::memcpy(huge.data() + huge.size() - 8 - 64 - 8, &lie, sizeof(lie));
  CHECK(std::holds_alternative<PerfNothing>(
      parse_perf_record(record(PERF_RECORD_SAMPLE, 0, huge, 0)).content));
}

TEST_CASE("perf ring: records that wrap come whole, nonsense is passed over") {
  perf_event_mmap_page control = {};
  Bytes data(256);
  PerfRing ring(&control, data.data(), data.size());
  const Bytes one = record(PERF_RECORD_COMM, 0, Bytes(72, 'x'), 5);  // 96 bytes
  std::uint64_t head = 0;
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < one.size(); ++i) {
      data[(head + i) % data.size()] = one[i];
    }
    head += one.size();
    control.data_head = head;
    ring.refresh();
    const auto front = ring.front();
    REQUIRE(Bytes(front.begin(), front.end()) == one);
    ring.pop();
    CHECK(ring.front().empty());
    ring.release();
    CHECK(control.data_tail == head);
  }
  std::memset(data.data(), 0, data.size());  // a size of 0
  control.data_head = head + 64;
  ring.refresh();
  CHECK(ring.front().empty());
  control.data_head = head + (std::uint64_t{1} << 40U);
  ring.refresh();
  CHECK(ring.front().empty());
}

}  // namespace
}  // namespace spyglass::collector
