// SPDX-License-Identifier: Apache-2.0
// What C++ programs allocate: containers, strings, streams, shared pointers, exceptions.
#include <deque>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "program.h"

namespace {

CALLED std::size_t fill_map(int count) {
  std::map<std::string, std::vector<int>> map;
  for (int i = 0; i < count; ++i) {
    map["a key too long for the small string " + std::to_string(i % 97)].push_back(i);
  }
  return map.size();
}

CALLED std::size_t fill_lists(int count) {
  std::list<std::string> list;
  std::deque<std::unique_ptr<int>> deque;
  std::set<int> set;
  std::unordered_map<int, std::shared_ptr<std::string>> table;
  for (int i = 0; i < count; ++i) {
    list.emplace_back(static_cast<std::size_t>(i % 50), 'x');
    deque.push_back(std::make_unique<int>(i));
    set.insert(i * 7919 % 1009);
    table[i % 300] = std::make_shared<std::string>("shared " + std::to_string(i));
    if (i % 3 == 0) {
      list.pop_front();
      deque.pop_front();
    }
  }
  return list.size() + deque.size() + set.size() + table.size();
}

CALLED int throw_some(int count) {
  int caught = 0;
  for (int i = 0; i < count; ++i) {
    try {
      throw std::runtime_error("number " + std::to_string(i));
    } catch (const std::exception&) {
      ++caught;
    }
  }
  return caught;
}

CALLED std::string print_numbers(int count) {
  std::ostringstream out;
  for (int i = 0; i < count; ++i) out << i << ' ' << i * 0.5 << '\n';
  return out.str();
}

struct Kept {
  std::vector<std::function<int()>> calls;
  std::string name = std::string(100, 'n');
};

}  // namespace

int main(int argc, char** argv) {
  const int count = static_cast<int>(argument_or(argc, argv, 1, 3000));
  auto* kept = new Kept;  // and never deleted
  for (int i = 0; i < 10; ++i) {
    kept->calls.emplace_back([i, text = std::string(60, 'c')] { return i + int(text.size()); });
  }
  std::cout << fill_map(count) << ' ' << fill_lists(count) << ' ' << throw_some(count / 10) << ' '
            << print_numbers(count).size() << ' ' << kept->calls[3]() << std::endl;
  return 0;
}
