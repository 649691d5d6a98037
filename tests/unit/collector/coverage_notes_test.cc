// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/coverage_notes.h"

#include <catch2/catch.hpp>
#include <csignal>

#include "format/arena.h"

namespace format = spyglass::format;
using spyglass::collector::CoverageNotes;

TEST_CASE("coverage notes: each reason of a program is told once, in the order of its first time") {
  CoverageNotes notes;
  notes.add("/bin/a", "is static");
  notes.add("/bin/b", "is static");
  notes.add({{"/bin/a", "is static"}, {"/bin/a", "ended before it joined the session"}});
  const auto all = notes.all();
  REQUIRE(all.size() == 3);
  CHECK(all[0].subject == "/bin/a");
  CHECK(all[1].subject == "/bin/b");
  CHECK(all[2].reason == "ended before it joined the session");
}

TEST_CASE("coverage notes: an allocator is named for each of its traits, and for nothing else") {
  CoverageNotes notes;
  notes.add_allocator("/bin/a", 0);
  CHECK(notes.all().empty());
  notes.add_allocator("/bin/a", format::kAllocatorOwn | format::kAllocatorTcmalloc);
  const auto all = notes.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].reason.find("malloc() of its own") != std::string::npos);
  CHECK(all[1].reason.find("tcmalloc") != std::string::npos);
}

TEST_CASE("coverage notes: a death without a record is a gap only where there could be one") {
  CoverageNotes notes;
  for (const int signal : {SIGTERM, SIGKILL, SIGINT, SIGPIPE, 0, 64, 1000}) {
    notes.add_unseen_crash("/bin/a", signal);
  }
  CHECK(notes.all().empty());
  notes.add_unseen_crash("/bin/a", SIGSEGV);
  notes.add_unseen_crash("/bin/b", SIGABRT);
  const auto all = notes.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].reason.find("died of SIGSEGV") == 0);
  CHECK(all[0].reason.find("recursion") != std::string::npos);
  CHECK(all[1].reason.find("died of SIGABRT") == 0);
  CHECK(all[1].reason.find("recursion") == std::string::npos);
}

TEST_CASE("coverage notes: what a program gave up is told, and nothing else") {
  CoverageNotes notes;
  notes.add_unseen("/bin/a", 0);
  CHECK(notes.all().empty());
  notes.add_unseen("/bin/a", format::kUnseenUntimedThreads | format::kUnseenSinceNoClock);
  const auto all = notes.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].reason.find("timers") != std::string::npos);
  CHECK(all[1].reason.find("time stamp counter") != std::string::npos);
}

TEST_CASE("coverage notes: a module that can't be read has no C++ runtime of its own") {
  CoverageNotes notes;
  format::ModuleInfo module;
  module.path = "/nonexistent/library.so";
  notes.add_cxx_runtimes({&module, 1});
  CHECK(notes.all().empty());
}
