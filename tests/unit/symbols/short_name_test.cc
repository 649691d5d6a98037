// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "symbols/elf_symbols.h"

namespace {

using spyglass::demangle;
using spyglass::short_name;

struct Case {
  const char* full;
  const char* brief;
};

TEST_CASE("short_name keeps what a reader needs", "[symbols]") {
  const Case cases[] = {
      {"main", "main"},
      {"", ""},
      {"foo(int, char const*)", "foo"},
      {"A::B::method(int) const", "A::B::method"},
      {"A::method() &&", "A::method"},
      {"A::~A()", "A::~A"},
      {"sort.(*IntSlice).Less", "sort.(*IntSlice).Less"},  // of Go
      {"(anonymous namespace)::hidden(int)", "(anonymous namespace)::hidden"},
      {"a::(anonymous namespace)::B::f() const", "a::(anonymous namespace)::B::f"},
      {"std::vector<int, std::allocator<int> >::push_back(int const&)",
       "std::vector<int>::push_back"},
      {"std::map<int, std::vector<int, std::allocator<int> >, std::less<int>, "
       "std::allocator<std::pair<int const, std::vector<int> > > >::at(int const&)",
       "std::map<int, std::vector<...>>::at"},
      {"std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
       ">::append(char const*)",
       "std::string::append"},
      {"std::vector<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> "
       ">, "
       "std::allocator<std::__cxx11::basic_string<char, std::char_traits<char>, "
       "std::allocator<char> > > >::size() const",
       "std::vector<std::string>::size"},
      {"std::basic_ostream<char, std::char_traits<char> >& std::operator<< "
       "<std::char_traits<char> >(std::basic_ostream<char, std::char_traits<char> >&, char const*)",
       "std::operator<<<std::char_traits<...>>"},
      {"void sort<int*>(int*, int*)", "sort<int*>"},
      {"unsigned long count<int>(int)", "count<int>"},
      {"int const& pick<int>(int const&)", "pick<int>"},
      {"decltype (f(1)) g<int>(int)", "g<int>"},
      {"void (*select<int>(int))(char)", "select<int>"},
      {"widget[abi:cxx11](int)", "widget"},
      {"run(int) [clone .isra.0]", "run"},
      {"run(int) const [clone .cold]", "run"},
      {"non-virtual thunk to A::f(int)", "non-virtual thunk to A::f"},
      {"core::fmt::Formatter::pad::h0123456789abcdef", "core::fmt::Formatter::pad"},
      {"<alloc::vec::Vec<u8> as core::ops::drop::Drop>::drop",
       "<alloc::vec::Vec<u8> as core::ops::drop::Drop>::drop"},
      {"[past the tree's bound]", "[past the tree's bound]"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.full);
    CHECK(short_name(one.full) == one.brief);
  }
}

TEST_CASE("short_name reads operators and lambdas", "[symbols]") {
  const Case cases[] = {
      {"A::operator<(A const&) const", "A::operator<"},
      {"operator<<(std::ostream&, A const&)", "operator<<"},
      {"bool operator< <int>(X<int> const&, X<int> const&)", "operator<<int>"},
      {"A::operator()(int) const", "A::operator()"},
      {"A::operator->() const", "A::operator->"},
      {"P<int>::operator->*(int)", "P<int>::operator->*"},
      {"A::operator[](unsigned long)", "A::operator[]"},
      {"A::operator int() const", "A::operator int"},
      {"A::operator std::vector<int, std::allocator<int> >() const",
       "A::operator std::vector<int>"},
      {"A::operator new(unsigned long)", "A::operator new"},
      {"operator new[](unsigned long)", "operator new[]"},
      {"operator\"\" _km(long double)", "operator\"\" _km"},
      {"A::operator,(int)", "A::operator,"},
      {"operators::run(int)", "operators::run"},
      {"main::{lambda(int)#1}::operator()(int) const", "main::{lambda(int)#1}"},
      {"A::f(int) const::{lambda()#2}::operator()() const", "A::f::{lambda()#2}"},
      {"auto main::{lambda(auto:1)#1}::operator()<int>(int) const", "main::{lambda(auto:1)#1}"},
      {"main::{lambda(int)#1}::_FUN(int)", "main::{lambda(int)#1}::_FUN"},
      {"f()::{lambda(std::vector<int, std::allocator<int> > "
       "const&)#1}::operator()(std::vector<int> "
       "const&) const",
       "f::{lambda(std::vector<int> const&)#1}"},
      {"void each<main::{lambda(int)#1}>(main::{lambda(int)#1})", "each<main::{...}>"},
      {"Box<&(A::operator<(A const&) const)>::get()", "Box<&(...)>::get"},
      {"Flag<((1)>(2))>::get()", "Flag<((1)>(2))>::get"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.full);
    CHECK(short_name(one.full) == one.brief);
  }
}

TEST_CASE("short_name survives whatever stands in a symbol table", "[symbols]") {
  for (const char piece : std::string("<>(){}[]:, o*&\"")) {
    CHECK_NOTHROW(short_name(std::string(20'000, piece)));
    CHECK_NOTHROW(short_name("a" + std::string(50, piece) + "b<"));
  }
  for (const char* text :
       {"operator", "operator ", "a::operator", "<", "a<", "a<b", "a>", "(", ")", "(*", "(*)",
        "{lambda(", "{lambda(a", "a {lambda(<)", "[abi:", "::", " ", "a<>", "f()("}) {
    CAPTURE(text);
    CHECK_NOTHROW(short_name(text));
  }
  const std::string source =
      "a::b<int, (c)>::operator<< <x>({lambda(int)#1}, y const&)[abi:z] const";
  for (std::size_t cut = 0; cut <= source.size(); ++cut) {
    CHECK_NOTHROW(short_name(source.substr(cut)));
    CHECK_NOTHROW(short_name(source.substr(0, cut)));
  }
}

TEST_CASE("demangle reads C++ and Rust and leaves the rest", "[symbols]") {
  CHECK(demangle("main") == "main");
  CHECK(demangle("i") == "i");
  CHECK(demangle("").empty());
  CHECK(demangle("_ZN1A3fooEi") == "A::foo(int)");
  CHECK(demangle("_ZNK1A3fooEv.cold") == "A::foo() const [clone .cold]");
  CHECK(demangle("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE") ==
        "core::fmt::Write::write_fmt");
  CHECK(demangle("_RNvC6_123foo3bar") == "123foo::bar");
  CHECK(demangle("_Znot_mangled") == "_Znot_mangled");
  CHECK(short_name(demangle("_ZZ4mainENKUliE_clEi")) == "main::{lambda(int)#1}");
}

TEST_CASE("demangle is bounded in time and size", "[symbols]") {
  // Every pair doubles the text.
  std::string doubling = "_Z1fSt4pairIiiE";
  for (int i = 0; i < 200; ++i) {
    const std::string last =
        i == 0 ? "S_" : "S" + std::string(1, static_cast<char>('0' + i % 10)) + "_";
    doubling += "St4pairI" + last + last + "E";
  }
  CHECK(demangle(doubling).size() <= (64U << 10U) + doubling.size());
  CHECK_NOTHROW(demangle("_Z1f" + std::string(8'000, 'P') + "i"));
  CHECK(demangle("_Z1f" + std::string(200'000, 'P') + "i").size() == 200'005);

  std::string wide = "_Z1f";  // longer than libiberty's own guard lets through
  for (int i = 0; i < 500; ++i) {
    wide += "3abc";
  }
  CHECK(demangle(wide).starts_with("f(abc"));
}

}  // namespace
