// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/fail_rule.h"

#include <catch2/catch.hpp>

#include "tests/unit/report/profile_sketch.h"

namespace spyglass {
namespace {

using test::ProfileSketch;

bool fails(const char* text, const ProfileDiff& diff) {
  const auto rule = parse_fail_rule(text);
  INFO(text);
  REQUIRE(rule);
  const auto outcome = apply_rule(*rule, diff);
  REQUIRE(outcome);
  return outcome->failed();
}

TEST_CASE("the grammar of --fail-on", "[diff]") {
  const auto whole = parse_fail_rule("total_wall>5%");
  REQUIRE(whole);
  CHECK_FALSE(whole->function_glob);
  CHECK(whole->metric == RuleMetric::kTotalWall);
  REQUIRE(whole->limits.size() == 1);
  CHECK(whole->limits[0].relative);
  CHECK(whole->limits[0].amount == Approx(0.05));
  const auto function = parse_fail_rule(" func( operator()* ) . p99 >= 1.5 ms and >10 % ");
  REQUIRE(function);
  CHECK(function->function_glob == "operator()*");
  CHECK(function->metric == RuleMetric::kP99);
  REQUIRE(function->limits.size() == 2);
  CHECK(function->limits[0].comparison == RuleLimit::Comparison::kAtLeast);
  CHECK(function->limits[0].amount == 1.5e6);
  CHECK(function->limits[1].relative);
  for (const char* good :
       {"calls>1000", "calls<-5%", "func(*).psi>0.2", "self_cpu<=0ns", "func(parse*).self_wall>10%",
        "func(a and b).calls>1", "total_cpu>1e3us"}) {
    INFO(good);
    CHECK(parse_fail_rule(good));
  }
}

TEST_CASE("sampled memory fails by more than chance only", "[diff]") {
  ProfileDiff diff;
  diff.heap.peak_bytes = {.base = 1000, .now = 1200, .variance = 70 * 70};
  CHECK_FALSE(fails("peak>5%", diff));
  diff.heap.peak_bytes.variance = 60 * 60;
  CHECK(fails("peak>5%", diff));
  diff.heap.peak_bytes.variance = 0;  // exact
  diff.heap.peak_bytes.now = 1051;
  CHECK(fails("peak>5%", diff));
}

TEST_CASE("expressions that make no sense are refused with a reason", "[diff]") {
  const std::pair<const char*, const char*> examples[] = {
      {"", "'' is no metric"},
      {"total_wall", "expected >, >=, < or <="},
      {"total_wall>", "expected >, >=, < or <="},
      {"wall>5%", "'wall' is no metric; one of self_wall"},
      {"total_wall>5", "should be a time (5ms) or a percentage (5%)"},
      {"total_wall>x%", "is no percentage"},
      {"total_wall=5%", "is no metric"},
      {"total_wall==5%", "is no metric"},
      {"total_wall>5% and", "should be"},
      {"total_wall>5% and calls>3", "expected >, >=, < or <="},
      {"calls>5ms", "should be a number (1000)"},
      {"p99>5%", "p99 needs a function, such as func(*).p99"},
      {"mean>5%", "mean needs a function"},
      {"psi>0.2", "psi needs a function"},
      {"func(*).psi>5%", "psi is compared with a number"},
      {"func(*.calls>5", "no closing bracket"},
      {"func().calls>5", "needs a name or a glob"},
      {"func(x)calls>5", "expected '.METRIC'"},
      {"func(x).>5", "is no metric"},
      {"calls>nan", "should be a number"},
      {"calls>inf", "should be a number"}};
  for (const auto& [text, reason] : examples) {
    const auto rule = parse_fail_rule(text);
    INFO(text);
    REQUIRE_FALSE(rule);
    INFO(rule.error().what);
    CHECK(rule.error().what.find(reason) != std::string::npos);
    CHECK(rule.error().what.find('\n') == std::string::npos);
  }
}

TEST_CASE("rules judge the change", "[diff]") {
  const Profile base = ProfileSketch().call("main", 1, 1000).call("main;parse", 100, 9000).build();
  const Profile now = ProfileSketch()
                          .call("main", 1, 1000)
                          .call("main;parse", 110, 9900)
                          .call("main;fresh", 1, 100)
                          .build();
  const ProfileDiff diff = diff_profiles(base, now);
  CHECK(fails("total_wall>5%", diff));
  CHECK(fails("total_wall>=10%", diff));
  CHECK_FALSE(fails("total_wall>10%", diff));
  CHECK(fails("total_wall>999ns", diff));
  CHECK_FALSE(fails("total_wall>1us", diff));
  CHECK(fails("calls>10", diff));
  CHECK_FALSE(fails("calls>11", diff));
  CHECK_FALSE(fails("calls<0", diff));
  CHECK(fails("func(parse).calls>9%", diff));
  CHECK_FALSE(fails("func(parse).mean>1%", diff));
  CHECK_FALSE(fails("func(main).self_wall>0ns", diff));
  CHECK(fails("func(par*).self_wall>5% and >500ns", diff));
  CHECK_FALSE(fails("func(par*).self_wall>5% and >1us", diff));
  CHECK(fails("func(fresh).self_wall>1000%", diff));  // new: beyond any percentage
  CHECK_FALSE(fails("func(fresh).mean>1%", diff));    // nothing to compare with
  CHECK_FALSE(fails("func(*).psi>0.2", diff));
  const ProfileDiff back = diff_profiles(now, base);
  CHECK_FALSE(fails("total_wall>5%", back));
  CHECK(fails("total_wall<-5%", back));
  CHECK(fails("func(fresh).calls<0", back));
}

TEST_CASE("a rule that matches no function is an error", "[diff]") {
  const Profile profile = ProfileSketch().call("main", 1, 10).build();
  const auto rule = parse_fail_rule("func(typo*).calls>1");
  REQUIRE(rule);
  const auto outcome = apply_rule(*rule, diff_profiles(profile, profile));
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().what ==
        "--fail-on 'func(typo*).calls>1': no function matches 'typo*' in either recording");
}

}  // namespace
}  // namespace spyglass
