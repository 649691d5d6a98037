// SPDX-License-Identifier: Apache-2.0
// Objects of all kinds of new that nobody deletes, and one that deletes only half of what it
// should: no virtual destructor has its base class.
#include <new>
#include <string>
#include <vector>

#include "leaks.h"

namespace {

struct Shape {
  virtual ~Shape() = default;
  long id = 1;
};
struct Polygon : Shape {
  std::vector<double> points = std::vector<double>(40);
};
struct alignas(64) Line {
  char bytes[64];
};

CALLED Shape* make_shape() { return new Polygon; }
CALLED Line* make_lines(std::size_t count) { return new Line[count]; }
CALLED void* make_raw(std::size_t bytes) { return ::operator new(bytes, std::nothrow); }
CALLED std::string* make_names(std::size_t count) { return new std::string[count]; }

template <typename Value>
CALLED Value* make_value(Value value) {
  return new Value(value);
}

CALLED void lose_some(int rounds) {
  for (int i = 1; i <= rounds; ++i) {
    Shape* shape = make_shape();
    if (i % 2) delete shape;
    Line* lines = make_lines(static_cast<std::size_t>(i));
    g_sink = g_sink + reinterpret_cast<std::uintptr_t>(lines) % 64;
    void* raw = make_raw(static_cast<std::size_t>(10 * i));
    if (i % 3 == 0) ::operator delete(raw);
    std::string* names = make_names(2);
    names[1].assign(static_cast<std::size_t>(100 + i), 'n');
    g_sink = g_sink + static_cast<std::uint64_t>(*make_value(3) + *make_value(4L));
  }
}

}  // namespace

int main() {
  lose_some(15);
  forget_stack();
  return 0;
}
