// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "recorder/collector/name_filter.h"
#include "recorder/collector/recording.h"
#include "tests/unit/collector/fake_target.h"

namespace spyglass::collector {
namespace {

std::string temporary_path() { return "/tmp/spyglass-writing-" + std::to_string(::getpid()); }

// Limits file sizes while it lives, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_ = {};
};

TEST_CASE("sgz writer: makes a private new file") {
  const std::string path = temporary_path();
  const mode_t mask = ::umask(0);
  {
    Result<SgzWriter> writer = SgzWriter::create(path, false, 1);
    REQUIRE(writer);
    CHECK(writer->close());
  }
  ::umask(mask);
  struct stat info = {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600);
  CHECK(SgzWriter::create(path, false, 1).error().what ==
        "cannot create '" + path + "': it exists (use --force to replace it)");
  CHECK(SgzWriter::create(path, true, 1));
  CHECK_FALSE(SgzWriter::create("/nonexistent/x.sgz", true, 1));
  const std::string link = path + ".link";
  REQUIRE(::symlink("/tmp/elsewhere", link.c_str()) == 0);
  CHECK_FALSE(SgzWriter::create(link, true, 1));
  ::unlink(link.c_str());
  ::unlink(path.c_str());
}

TEST_CASE("recording: a full disk costs spans, never totals") {
  const std::string path = temporary_path();
  Recording recording(std::move(*SgzWriter::create(path, true, 1)));
  recording.write_session({});
  const std::uint32_t node = recording.nodes().node(1, recording.nodes().site(0, 0x10));
  format::CounterRow row;
  row.thread = 1;
  row.node = node;
  row.calls = 5;
  row.buckets = {{3, 2}, {9, 3}};
  std::vector<format::SpanRecord> spans(100, {1, 1, node});
  {
    const FileSizeLimit limit(200);
    for (int round = 0; round < 3; ++round) {
      recording.add(row);
      CHECK_FALSE(recording.flush(10, true));
      recording.write_spans(1, spans, true, format::Codec::kLz4);
    }
  }
  recording.write_spans(1, spans, true, format::Codec::kLz4);
  CHECK(recording.flush(20, true));
  CHECK(recording.finish({}, {}));
  const tests::Recorded recorded = tests::read_recording(path);
  CHECK_FALSE(recorded.damaged);
  CHECK(recorded.has_footer);
  std::uint64_t calls = 0;
  for (const format::CounterRow& read : recorded.rows) {
    calls += read.calls;
  }
  CHECK(calls == 15);
  CHECK(recorded.spans.size() == 100);
  std::uint64_t lost = 0;
  for (const format::LossRecord& loss : recorded.tables.losses) {
    if (loss.kind == format::LossKind::kSpans) {
      CHECK(loss.reason == "file size limit");
      lost += loss.count;
    }
  }
  CHECK(lost == 300);
  ::unlink(path.c_str());
}

TEST_CASE("node interner: the same function on the same path is one node") {
  NodeInterner nodes;
  const std::uint8_t id[] = {1, 2};
  const std::uint32_t module = nodes.module("/a", id);
  CHECK(nodes.module("/a", id) == module);
  CHECK(nodes.module("/a", {}) != module);
  const std::uint32_t site = nodes.site(module, 5);
  CHECK(nodes.site(module, 5) == site);
  CHECK(nodes.site(module, 6) != site);
  const std::uint32_t node = nodes.node(format::kRootNode, site);
  CHECK(nodes.node(format::kRootNode, site) == node);
  CHECK(nodes.node(node, site) != node);
  CHECK(nodes.site_of(node) == site);
}

TEST_CASE("name filter: ranges of what leaves no trace") {
  const std::vector<FunctionRange> functions = {
      {0x10, 0x20, "_Z5parsei"}, {0x20, 0x30, "_ZN2io4readEv"}, {0x30, 0x30, "main"}};
  const auto ranges = [&](const std::vector<std::string>& include,
                          const std::vector<std::string>& exclude) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> result;
    for (const format::FilterRange& range :
         NameFilter(include, exclude).excluded("/usr/lib/libio.so.1", functions)) {
      result.emplace_back(range.start, range.end);
    }
    return result;
  };
  using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  CHECK(ranges({}, {"parse"}) == Ranges{{0x10, 0x20}});
  CHECK(ranges({}, {"parse(int)"}) == Ranges{{0x10, 0x20}});
  CHECK(ranges({}, {"_Z5parse*", "io::*"}) == Ranges{{0x10, 0x30}});
  CHECK(ranges({}, {"main"}) == Ranges{{0x30, 0x31}});
  CHECK(ranges({"io::read"}, {}) == Ranges{{0, 0x20}, {0x30, kAll}});
  CHECK(ranges({"libio.so*"}, {}).empty());
  CHECK(ranges({"libio.so*"}, {"main"}) == Ranges{{0x30, 0x31}});
  CHECK(ranges({"libother.so"}, {}) == Ranges{{0, kAll}});
  CHECK(ranges({}, {"module:libio*"}) == Ranges{{0, kAll}});
  CHECK(ranges({}, {"/usr/lib/*"}) == Ranges{{0, kAll}});
  CHECK(ranges({}, {"nothing"}).empty());
}

}  // namespace
}  // namespace spyglass::collector
