// SPDX-License-Identifier: Apache-2.0
// What is written by RapidJSON is read back by another library.
#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analyzer/report/json_writer.h"
#include "analyzer/report/report.h"
#include "tests/unit/report/profile_sketch.h"

namespace spyglass {
namespace {

using nlohmann::json;

json parsed(const Profile& profile, SortKey key = SortKey::kSelf) {
  std::ostringstream out;
  write_json(out, profile, key, grouped(profile, "module", {}));
  return json::parse(out.str());
}

TEST_CASE("the JSON of a report keeps its contract", "[report]") {
  test::ProfileSketch sketch = test::small_sketch();
  sketch.raw().losses = {{format::LossKind::kSpans, 7, 1, "ring full"}};
  sketch.raw().coverage = {{"/bin/x", "static"}};
  sketch.raw().damage = {{10, 20, "checksum differs"}};
  const json report = parsed(sketch.build());
  CHECK(report["schema"] == "spyglass-analyze/1");
  const json& recording = report["recording"];
  CHECK(recording["file"] == "app.1.sgz");
  CHECK(recording["uuid"] == "00112233445566778899aabbccddeeff");
  CHECK(recording["started"] == "2023-11-14T22:13:20.123456789Z");
  CHECK(recording["duration_ns"] == 2'000'000);
  CHECK(recording["command"] == json({"./app", "--size", "10 MB"}));
  CHECK(recording["host"] == "box");
  CHECK(recording["version"] == "0.1.0");
  CHECK(report["processes"][0]["pid"] == 100);
  CHECK(report["processes"][0]["ppid"] == 99);
  CHECK(report["processes"][0]["exit"] == json({{"code", 0}}));
  CHECK(report["processes"][0]["threads"] == 1);
  CHECK(report["threads"][0]["tid"] == 100);
  CHECK(report["threads"][0]["wall_ns"] == 2'000'000);
  CHECK(report["threads"][0]["cpu_ns"] == 1'000'000);
  CHECK(report["threads"][0]["calls"] == 55'202);
  CHECK(report["losses"] ==
        json({{{"kind", "spans"}, {"count", 7}, {"reason", "ring full"}, {"lost", true}}}));
  CHECK(report["coverage"] == json({{{"subject", "/bin/x"}, {"reason", "static"}}}));
  CHECK(report["damage"] == json({{{"offset", 10}, {"bytes", 20}, {"what", "checksum differs"}}}));
  CHECK(report["groups"].size() == 2);
}

TEST_CASE("functions and tree agree with each other", "[report]") {
  const json report = parsed(test::small_sketch().build(), SortKey::kTotal);
  const json& functions = report["functions"];
  CHECK(functions[0]["name"] == "main");
  CHECK(functions[1]["name"] == "parse");
  CHECK(functions[1]["calls"] == 1200);
  CHECK(functions[1]["wall_ns"]["total"] == 1'400'000);
  CHECK(functions[1]["wall_ns"]["self"] == 440'000);
  CHECK(functions[1]["wall_ns"]["mean"] == 1250);
  CHECK(functions[1]["wall_ns"]["min"] == 500);
  CHECK(functions[1]["wall_ns"]["p50"].get<double>() == Approx(1360).epsilon(0.091));
  CHECK(functions[1]["file"].is_null());
  CHECK(functions[2]["line"] == 42);
  const json& tree = report["tree"];
  REQUIRE(tree.size() == 6);
  double self_ns = 0;
  for (const json& node : tree) {
    self_ns += node["wall_ns"]["self"].get<double>();
    if (node["parent"].is_null()) {
      CHECK(functions[node["function"].get<std::size_t>()]["name"] == "main");
    } else {
      CHECK(node["parent"] < node["id"]);
    }
  }
  CHECK(self_ns == Approx(2'000'000));
  for (const json& function : functions) {
    std::uint64_t calls = 0;
    for (const json& bucket : function["histogram"]) calls += bucket[1].get<std::uint64_t>();
    CHECK(calls == function["calls"]);
  }
}

TEST_CASE("hostile text is valid JSON", "[report]") {
  test::ProfileSketch sketch;
  sketch.call("\xFF\"\\\x01\xED\xA0\x80", 1, 5);
  sketch.raw().session.command = {"\xC0", std::string("a\0b", 3)};
  sketch.raw().threads[0].record.name = "\x80\n";
  const json report = parsed(sketch.build());
  CHECK(report["functions"][0]["name"] ==
        "\xEF\xBF\xBD\"\\\x01\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(report["recording"]["command"][1] == std::string("a\0b", 3));
}

TEST_CASE("ways a process ends", "[report]") {
  test::ProfileSketch sketch;
  auto& process = sketch.raw().processes[0].record;
  process.exit = format::ExitKind::kSignaled;
  process.exit_value = 9;
  CHECK(parsed(sketch.build())["processes"][0]["exit"] ==
        json({{"signal", 9}, {"name", "SIGKILL"}}));
  process.exit = format::ExitKind::kRunning;
  CHECK(parsed(sketch.raw())["processes"][0]["exit"].is_null());
}

TEST_CASE("numbers that JSON does not have become null", "[report]") {
  std::ostringstream out;
  {
    JsonWriter writer(out);
    writer.begin_array();
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -0.0,
          1e300, 0.0004, -1.5}) {
      writer.new_line();
      writer.number(value);
    }
    writer.end_array();
  }
  CHECK(json::parse(out.str()) == json({nullptr, nullptr, 0, 1e300, 0, -1.5}));
}

}  // namespace
}  // namespace spyglass
