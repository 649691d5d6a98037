// SPDX-License-Identifier: Apache-2.0
// templates: STL-heavy code whose header functions are instrumented too: long names, many of them.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace shop {

template <typename Key, typename Value>
class Index {
 public:
  void add(const Key& key, Value value) { items_[key].push_back(std::move(value)); }
  template <typename Predicate>
  size_t count(Predicate predicate) const {
    size_t total = 0;
    for (const auto& [key, values] : items_) {
      total += static_cast<size_t>(std::count_if(values.begin(), values.end(), predicate));
    }
    return total;
  }

 private:
  std::map<Key, std::vector<Value>> items_;
};

}  // namespace shop

int main() {
  shop::Index<std::string, int> index;
  for (int i = 0; i < 500; ++i) index.add("key" + std::to_string(i % 17), i);
  std::function<bool(int)> is_even = [](int value) { return value % 2 == 0; };
  std::printf("even %zu\n", index.count(is_even));
  return 0;
}
