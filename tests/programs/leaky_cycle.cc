// SPDX-License-Identifier: Apache-2.0
// Objects that own each other: parent and child hold shared pointers, and nobody holds them.
#include <memory>
#include <string>
#include <vector>

#include "leaks.h"

namespace {

struct Child;
struct Parent {
  std::vector<std::shared_ptr<Child>> children;
  std::string name = std::string(50, 'p');
};
struct Child {
  std::shared_ptr<Parent> parent;
  int* data = nullptr;
};

CALLED int* make_data(int count) { return new int[static_cast<std::size_t>(count)]{}; }

CALLED void adopt(const std::shared_ptr<Parent>& parent, int number) {
  auto child = std::make_shared<Child>();
  child->parent = parent;
  child->data = make_data(number + 3);
  parent->children.push_back(std::move(child));
}

CALLED void lose_family(int children) {
  auto parent = std::make_shared<Parent>();
  for (int i = 0; i < children; ++i) adopt(parent, i);
}

CALLED void keep_order() {
  std::vector<std::string> fine(100, std::string(40, 'f'));
  g_sink = g_sink + fine.size();
}

}  // namespace

int main() {
  for (int i = 1; i < 20; ++i) {
    lose_family(i);
    keep_order();
  }
  forget_stack();
  return 0;
}
