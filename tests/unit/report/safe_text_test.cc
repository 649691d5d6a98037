// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/safe_text.h"

#include <catch2/catch.hpp>
#include <vector>

namespace spyglass {
namespace {

const std::string kBad = "\xEF\xBF\xBD";

TEST_CASE("terminal escapes and direction overrides are replaced", "[report]") {
  CHECK(printable("plain") == "plain");
  CHECK(printable("a\x1b[31mb") == "a" + kBad + "[31mb");
  CHECK(printable("a\nb\tc\x7f") == "a" + kBad + "b" + kBad + "c" + kBad);
  CHECK(printable("\xC2\x9B") == kBad);                    // C1 CSI
  CHECK(printable("x\xE2\x80\xAEy") == "x" + kBad + "y");  // right-to-left override
  CHECK(printable("x\xE2\x81\xA6y") == "x" + kBad + "y");  // isolate
  CHECK(printable("naïve µ") == "naïve µ");
  CHECK(printable(std::string("a\0b", 3)) == "a" + kBad + "b");
}

TEST_CASE("malformed UTF-8 is replaced byte by byte", "[report]") {
  CHECK(valid_utf8("\xFF\xFE") == kBad + kBad);
  CHECK(valid_utf8("a\xC3") == "a" + kBad);
  CHECK(valid_utf8("\xC0\xAF") == kBad + kBad);             // overlong
  CHECK(valid_utf8("\xED\xA0\x80") == kBad + kBad + kBad);  // surrogate
  CHECK(valid_utf8("\xF4\x90\x80\x80") == kBad + kBad + kBad + kBad);
  CHECK(valid_utf8("\xF0\x9F\x98\x80") == "\xF0\x9F\x98\x80");
  CHECK(valid_utf8("tab\tstays") == "tab\tstays");
}

TEST_CASE("width counts columns, not bytes", "[report]") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("µs") == 2);
  CHECK(display_width("漢字") == 4);
  CHECK(display_width("e\xCC\x81") == 1);
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abcde…");
  CHECK(shortened("漢字漢字", 5) == "漢字…");
  CHECK(shortened("abc", 0).empty());
}

TEST_CASE("CSV fields are quoted, formulas disarmed", "[report]") {
  CHECK(csv_field("f(int)") == "f(int)");
  CHECK(csv_field("f(int, int)") == "\"f(int, int)\"");
  CHECK(csv_field("a\"b") == "\"a\"\"b\"");
  CHECK(csv_field("=HYPERLINK(\"x\")") == "\"'=HYPERLINK(\"\"x\"\")\"");
  CHECK(csv_field("+1") == "'+1");
  CHECK(csv_field("-1") == "'-1");
  CHECK(csv_field("@SUM") == "'@SUM");
  CHECK(csv_field("\t=1").find('\t') == std::string::npos);
}

TEST_CASE("arguments read back in a shell", "[report]") {
  const std::vector<std::string> words = {"./app", "a b", "it's", "", "--x=1"};
  CHECK(command_line(words.data(), words.data() + words.size()) ==
        "./app 'a b' 'it'\\''s' '' --x=1");
}

}  // namespace
}  // namespace spyglass
