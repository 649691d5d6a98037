// SPDX-License-Identifier: Apache-2.0
#include "format/metadata_codec.h"

#include <catch2/catch.hpp>
#include <random>

namespace spyglass::format {
namespace {

// Compares by encoding again: every field takes part in the encoding.
template <typename Record, typename Encode, typename Decode>
Bytes check_message(const Record& record, Encode encode, Decode decode) {
  Bytes bytes = {9, 9, 9};
  encode(record, bytes);
  auto decoded = decode(bytes);
  REQUIRE(decoded);
  Bytes again;
  encode(*decoded, again);
  CHECK(again == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    (void)decode(ByteSpan(bytes).first(size)).has_value();
  }
  return bytes;
}

SessionInfo some_session() {
  SessionInfo session;
  session.command = {"./app", "", "--name=\xc3\xa9"};
  session.working_directory = "/home/user";
  session.host = "box";
  session.kernel = "Linux 6.1";
  session.version = "0.1.0";
  session.processors = 2;
  session.start = {~std::uint64_t{0}, 2, 3};
  session.ns_per_tick_q60 = 1;
  session.interval_ns = 100'000'000;
  session.span_threshold_ns = ~std::uint64_t{0};
  session.on_full = "block";
  session.include = {"a*"};
  session.exclude = {"b*", "c"};
  session.max_depth = 7;
  session.max_overhead_percent = 2.5;
  session.cpu_clock = "exact";
  session.sampler = "timer";
  session.sampler_reason = "perf_event_open: not permitted";
  session.sample_interval_ns = 1'000'000;
  return session;
}

TEST_CASE("metadata codec: session") {
  check_message(SessionInfo{}, encode_session, decode_session);
  const Bytes bytes = check_message(some_session(), encode_session, decode_session);
  const Result<SessionInfo> session = decode_session(bytes);
  REQUIRE(session);
  CHECK(session->command == some_session().command);
  CHECK(session->start.ticks == ~std::uint64_t{0});
  CHECK(session->max_overhead_percent == 2.5);
  CHECK(session->exclude == std::vector<std::string>{"b*", "c"});
}

TEST_CASE("metadata codec: end") {
  EndInfo end;
  end.end = {1, 2, 3};
  end.interrupted = true;
  end.coverage = {{"/bin/static", "static program"}, {"", ""}};
  end.demoted = {{4, 5}};
  const Bytes bytes = check_message(end, encode_end, decode_end);
  const Result<EndInfo> decoded = decode_end(bytes);
  REQUIRE(decoded);
  CHECK(decoded->coverage.size() == 2);
  CHECK(decoded->demoted.at(0).since_ticks == 5);
}

TEST_CASE("metadata codec: lists of records") {
  check_message(std::vector<ProcessRecord>{{},
                                           {.id = 1,
                                            .pid = 2,
                                            .ppid = 3,
                                            .parent = 4,
                                            .command = {"a", "b"},
                                            .executable = "/bin/a",
                                            .start_ticks = 5,
                                            .end_ticks = 6,
                                            .exit = ExitKind::kUnknown,
                                            .exit_value = 9,
                                            .forked = true}},
                encode_processes, decode_processes);
  check_message(std::vector<ThreadRecord>{{.id = 1,
                                           .process = 1,
                                           .tid = 77,
                                           .name = "worker",
                                           .birth_ticks = 1,
                                           .exit_ticks = 2,
                                           .cpu_ns = 3,
                                           .runnable_ns = 4,
                                           .cpu_accuracy = CpuAccuracy::kApproximate}},
                encode_threads, decode_threads);
  check_message(std::vector<ModuleInfo>{{.id = 1, .path = "/bin/a", .build_id = {0, 255, 7}}, {}},
                encode_modules, decode_modules);
  check_message(
      std::vector<ObjectInfo>{
          {.id = 1, .kind = ObjectKind::kSocket, .name = "127.0.0.1:80", .site = 7},
          {.id = ~0U, .kind = ObjectKind::kUnknown, .name = ""}},
      encode_objects, decode_objects);
  check_message(std::vector<LossRecord>{{.kind = LossKind::kSymbols,
                                         .count = ~std::uint64_t{0},
                                         .thread = 3,
                                         .reason = "ring full"}},
                encode_losses, decode_losses);
  check_message(
      std::vector<SymbolRecord>{
          {.site = 3, .frames = {{"main", "a.c", 3, false}, {"inner", "", 0, true, 9}}},
          {.site = 4, .frames = {}}},
      encode_symbols, decode_symbols);
}

TEST_CASE("metadata codec: an exit that is unknown is not taken for the default") {
  ProcessRecord process;
  process.exit = ExitKind::kUnknown;
  Bytes bytes;
  encode_processes({&process, 1}, bytes);
  const auto decoded = decode_processes(bytes);
  REQUIRE(decoded);
  CHECK(decoded->at(0).exit == ExitKind::kUnknown);
}

TEST_CASE("metadata codec: fields of later versions are skipped") {
  Bytes bytes;
  encode_session(some_session(), bytes);
  // Field 500 as varint, as bytes and as fixed 64 bits.
  const Bytes later = {0xa0, 0x1f, 0x05, 0xa2, 0x1f, 0x02, 0x41, 0x42, 0xa1,
                       0x1f, 1,    2,    3,    4,    5,    6,    7,    8};
  bytes.insert(bytes.end(), later.begin(), later.end());
  const Result<SessionInfo> session = decode_session(bytes);
  REQUIRE(session);
  CHECK(session->host == "box");
}

TEST_CASE("metadata codec: malformed messages are refused") {
  CHECK_FALSE(decode_session(Bytes{0x0a}));              // length missing
  CHECK_FALSE(decode_session(Bytes{0x0a, 0x7f, 0x41}));  // length past the end
  CHECK_FALSE(decode_session(Bytes{0x1d, 1, 2, 3, 4}));  // host as a fixed 32-bit number
  CHECK_FALSE(
      decode_session(Bytes{0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));  // processors > 32 bits
  CHECK_FALSE(decode_processes(Bytes{0x0a, 0x02, 0x0a, 0x01}));          // inner message cut off
}

TEST_CASE("metadata codec: random bytes never crash a decoder") {
  std::mt19937 random(9);
  Bytes valid;
  encode_session(some_session(), valid);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes = valid;
    if (round % 2 == 0) {
      bytes.resize(random() % 64);
    }
    for (int i = 0; i < 4 && !bytes.empty(); ++i) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    (void)decode_session(bytes).has_value();
    (void)decode_end(bytes).has_value();
    (void)decode_processes(bytes).has_value();
    (void)decode_threads(bytes).has_value();
    (void)decode_modules(bytes).has_value();
    (void)decode_losses(bytes).has_value();
    (void)decode_objects(bytes).has_value();
    (void)decode_symbols(bytes).has_value();
  }
}

}  // namespace
}  // namespace spyglass::format
