// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "recorder/collector/collector_options.h"
#include "recorder/collector/elf_check.h"
#include "recorder/collector/option_values.h"
#include "recorder/collector/output_name.h"

namespace spyglass::collector {
namespace {

TEST_CASE("options: durations, sizes and policies") {
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("250ns") == 250);
  CHECK(*parse_duration("1.5ms") == 1'500'000);
  CHECK(*parse_duration("2s") == 2'000'000'000);
  for (const char* bad : {"", "5", "-1ms", "1h", "nan", "infs", "1e300s", "us"}) {
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK(*parse_span_threshold("all") == 0);
  CHECK(*parse_span_threshold("off") == kSpansOff);
  CHECK(*parse_span_threshold("10us") == 10'000);
  CHECK(parse_span_threshold("never").error().what ==
        "bad --trace value 'never': expected all, off or a duration like 10us");
  CHECK(*parse_size("4096") == 4096);
  CHECK(*parse_size("256K") == 262'144);
  CHECK(*parse_size("2GiB") == 2ULL << 30U);
  CHECK_FALSE(parse_size("0"));
  CHECK_FALSE(parse_size("12Q"));
  CHECK(*parse_on_full("block") == format::OnFull::kBlock);
  CHECK_FALSE(parse_on_full("Block"));
}

TEST_CASE("options: output names") {
  const OutputNameParts parts = {"./bin/app", 42, "box", 1700000000};
  CHECK(expand_output_name("", parts) == "app.42.sgz");
  CHECK(expand_output_name("%h-%t/%e%%%p.x", parts) == "box-1700000000/app%42.x");
  CHECK(expand_output_name("100%", parts) == "100%");
  CHECK(expand_output_name("%q", parts) == "%q");
}

TEST_CASE("elf check: what can be recorded") {
  CHECK(find_program("sh", "/nowhere:/bin").path == "/bin/sh");
  CHECK(find_program("no-such-program", "/bin:/usr/bin").path.empty());
  CHECK(find_program("/etc/passwd", nullptr).path == "/etc/passwd");
  CHECK_FALSE(find_program("/etc/passwd", nullptr).executable);
  CHECK_FALSE(find_program("/tmp", nullptr).executable);
  CHECK(check_program("/bin/sh") == ProgramKind::kRecordable);
  CHECK(check_program("/etc/passwd") == ProgramKind::kUnknown);
  CHECK(check_program("/nonexistent") == ProgramKind::kUnknown);

  const std::string script = "/tmp/spyglass-elf-check-" + std::to_string(::getpid());
  std::ofstream(script) << "#! /bin/sh -e\n";
  CHECK(check_program(script) == ProgramKind::kRecordable);
  std::ofstream(script) << "#!" << script << "\n";  // its own interpreter
  CHECK(check_program(script) == ProgramKind::kUnknown);
  std::ifstream shell("/bin/sh", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(shell)), {});
  bytes[4] = 1;  // ELFCLASS32
  std::ofstream(script) << bytes;
  CHECK(check_program(script) == ProgramKind::k32Bit);
  bytes[4] = 2;
  bytes[56] = 0;  // no program headers: no interpreter
  std::ofstream(script) << bytes;
  CHECK(check_program(script) == ProgramKind::kStatic);
  std::remove(script.c_str());
}

}  // namespace
}  // namespace spyglass::collector
