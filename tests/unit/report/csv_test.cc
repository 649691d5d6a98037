// SPDX-License-Identifier: Apache-2.0
// Every table of a program without hooks as CSV.
#include <catch2/catch.hpp>
#include <sstream>
#include <string>

#include "analyzer/report/report.h"
#include "tests/support/heap_script.h"

namespace spyglass {
namespace {

using format::ObjectKind;
using tests::HeapScript;
using tests::StackScript;

template <typename Write>
std::string csv_of(const Profile& profile, Write write) {
  std::ostringstream out;
  write(out, profile, std::size_t{0});
  return out.str();
}

std::string functions_csv(const Profile& profile) {
  return csv_of(profile, [](std::ostream& out, const Profile& of, std::size_t top) {
    write_functions_csv(out, of, SortKey::kSelf, top);
  });
}

TEST_CASE("CSV: functions of samples have their samples and CPU time", "[report]") {
  StackScript script;
  script.sample({"main", "parse"}, 7).sample({"main"}, 3);
  const std::string csv = functions_csv(script.profile());
  CHECK(csv.find(",samples_total,samples_self,sampled_cpu_total_ns,sampled_cpu_self_ns\n") !=
        std::string::npos);
  CHECK(csv.find("parse,parse,/bin/script,script.c,50,0,0,0,7000000,7000000,0,0,0,0,0,0,0,0,"
                 "7,7,7000000,7000000\n") != std::string::npos);
  CHECK(csv.find("main,main,/bin/script,script.c,40,0,0,0,10000000,3000000,0,0,0,0,0,0,0,0,"
                 "10,3,10000000,3000000\n") != std::string::npos);
}

TEST_CASE("CSV: beside recorded calls, samples do not pass for measured CPU time", "[report]") {
  StackScript script;
  script.call({"hook:main"}, 1, 1000).sample({"hook:main", "helper"}, 5);
  const std::string csv = functions_csv(script.profile());
  CHECK(csv.find("helper,helper,/bin/script,script.c,60,0,0,0,0,0,0,0,0,0,0,0,0,0,"
                 "5,5,5000000,5000000\n") != std::string::npos);
}

TEST_CASE("CSV: waits, I/O and locks", "[report]") {
  StackScript script;
  script.operate({"main", "load"}, {"read", ObjectKind::kFile, "/tmp/x"},
                 {.calls = 3, .each_ns = 500, .off_cpu_ns = 900, .bytes = 30, .errors = 1});
  script.operate({"main", "take"}, {"pthread_mutex_lock", ObjectKind::kLock, "g_lock"},
                 {.calls = 2, .each_ns = 400, .hold_ns = 900, .holds = 3});
  const Profile profile = script.profile();
  const std::string waits = csv_of(profile, write_waits_csv);
  CHECK(
      waits.starts_with("operation,function,object,calls,open_calls,wall_total_ns,mean_ns,"
                        "p99_ns,bytes,errors,off_cpu_ns\n"
                        "read,load,file /tmp/x,3,0,1500,500,"));
  CHECK(waits.find(",30,1,900\n") != std::string::npos);
  CHECK(waits.find("\npthread_mutex_lock,take,lock g_lock,2,0,800,400,") != std::string::npos);
  const std::string io = csv_of(profile, write_io_csv);
  CHECK(io.find("\nread,load,file /tmp/x,3,1500,500,") != std::string::npos);
  CHECK(io.find("pthread") == std::string::npos);
  const std::string locks = csv_of(profile, write_locks_csv);
  CHECK(locks.find("\nlock g_lock,2,800,400,") != std::string::npos);
  CHECK(locks.find(",3,900,,\n") != std::string::npos);
}

TEST_CASE("CSV: exceptions", "[report]") {
  StackScript script;
  script.operate({"main", "load"}, {"__cxa_throw", ObjectKind::kExceptionType, "4boom"},
                 {.calls = 3, .each_ns = 10});
  CHECK(csv_of(script.profile(), write_exceptions_csv) ==
        "type,thrown_in,caught_in,escaped,count,cost_ns,frames\nboom,load,,,3,,\n");
}

TEST_CASE("CSV: memory", "[report]") {
  HeapScript script;
  script.get(10, {"main", "parse"}, 0x1000, 100).get(20, {"main", "load"}, 0x2000, 50);
  script.give(30, 0x2000);
  CHECK(csv_of(script.profile(), write_memory_csv) ==
        "operation,function,allocations,allocated_bytes,frees,temporary,peak_bytes,leaked_bytes\n"
        "malloc,parse,1,100,0,0,100,100\n"
        "malloc,load,1,50,1,1,50,0\n");
  CHECK(csv_of(StackScript().profile(), write_memory_csv).find('\n') ==
        csv_of(StackScript().profile(), write_memory_csv).size() - 1);
}

}  // namespace
}  // namespace spyglass
