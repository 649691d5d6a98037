// SPDX-License-Identifier: Apache-2.0
// A cache that forgets keys but not values, and a static one, which is still reachable at the end:
// no leak to a checker of pointers, since its owner is known, and freed by its destructor.
#include <memory>
#include <string>
#include <unordered_map>

#include "leaks.h"

namespace {

struct Entry {
  char* payload = nullptr;
  long hits = 0;
};

std::unordered_map<long, std::unique_ptr<std::string>> g_owned;

CALLED Entry* load(long key) {
  auto* entry = new Entry;
  entry->payload = static_cast<char*>(std::malloc(64 + static_cast<std::size_t>(key)));
  return entry;
}

CALLED void evict(std::unordered_map<long, Entry*>& cache, long key) {
  const auto found = cache.find(key);
  if (key % 2) std::free(found->second->payload);
  if (key % 3 == 0) delete found->second;
  cache.erase(found);
}

CALLED void use_cache() {
  std::unordered_map<long, Entry*> cache;
  for (long key = 0; key < 60; ++key) {
    cache[key] = load(key);
    if (key >= 10) evict(cache, key - 10);
    g_owned[key % 20] = std::make_unique<std::string>(70, 'o');
  }
}

}  // namespace

int main() {
  use_cache();
  forget_stack();
  return 0;
}
