// SPDX-License-Identifier: Apache-2.0
#include "symbols/perf_map.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <string>

namespace spyglass {
namespace {

class MapFile {
 public:
  explicit MapFile(const std::string& text) {
    char name[] = "/tmp/spyglass_perf_map_XXXXXX";
    close(mkstemp(name));
    path_ = name;
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~MapFile() { unlink(path_.c_str()); }
  MapFile(const MapFile&) = delete;
  MapFile& operator=(const MapFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_CASE("perf map: only the places where compilers put them") {
  CHECK(is_perf_map_path("/tmp/perf-1.map"));
  CHECK(is_perf_map_path("/tmp/perf-4711.map"));
  CHECK_FALSE(is_perf_map_path("/tmp/perf-.map"));
  CHECK_FALSE(is_perf_map_path("/tmp/perf-1/../../etc/passwd.map"));
  CHECK_FALSE(is_perf_map_path("/var/tmp/perf-1.map"));
  CHECK_FALSE(is_perf_map_path("/tmp/perf-1.map.bak"));
}

TEST_CASE("perf map: names by address, what is no line passed over") {
  const MapFile file(
      "1000 20 LazyCompile:~add /x.js:1\n"
      "garbage\n"
      "zzzz 10 no number\n"
      "2000 0 empty\n"
      "ffffffffffffffff 10 wraps\n"
      "0x3000 0x10 with prefix\n"
      "1010 10 replaced\n"
      "4000 10");
  const Result<PerfMap> map = PerfMap::open(file.path());
  REQUIRE(map);
  REQUIRE(map->find(0x1000) != nullptr);
  CHECK(*map->find(0x1000) == "LazyCompile:~add /x.js:1");
  CHECK(*map->find(0x1010) == "replaced");
  CHECK(*map->find(0x300f) == "with prefix");
  for (const std::uint64_t address :
       {0ULL, 0xfffULL, 0x1020ULL, 0x2000ULL, 0x3010ULL, 0x4000ULL, ~0ULL}) {
    CHECK(map->find(address) == nullptr);
  }
}

TEST_CASE("perf map: no file, a link and a pipe are refused") {
  CHECK_FALSE(PerfMap::open("/tmp/perf-0000.map"));
  const MapFile file("1000 20 name\n");
  const std::string link = file.path() + ".link";
  REQUIRE(symlink(file.path().c_str(), link.c_str()) == 0);
  CHECK_FALSE(PerfMap::open(link));
  unlink(link.c_str());
  REQUIRE(mkfifo(link.c_str(), 0600) == 0);
  CHECK_FALSE(PerfMap::open(link));
  unlink(link.c_str());
}

}  // namespace
}  // namespace spyglass
