// SPDX-License-Identifier: Apache-2.0
// stl_heavy.cc - ordinary C++ over the standard library, whose headers are instrumented too.
//
// With -finstrument-functions every inlined iterator increment is a call of its own: millions of
// distinct short calls over a tree of some thousand nodes, which is what unprepared C++ code looks
// like to a tracer. Deterministic: own random numbers, own hash, no addresses in the output.
// usage: stl_heavy [rounds]     (default 4: about 45 million calls)
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "self_timing.h"

namespace {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

struct KeyHash {
  std::size_t operator()(const std::string& key) const {
    std::size_t hash = 1469598103934665603u;
    for (char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return hash;
  }
};

std::string make_word(Random& random) {
  std::string word;
  const std::size_t length = 3 + random.below(9);
  for (std::size_t i = 0; i < length; ++i) {
    word.push_back(static_cast<char>('a' + random.below(26)));
  }
  return word;
}

std::uint64_t count_words(Random& random) {
  std::unordered_map<std::string, std::uint64_t, KeyHash> counts;
  std::map<std::string, std::uint64_t> sorted;
  for (int i = 0; i < 6000; ++i) {
    std::string word = make_word(random);
    word.resize(std::min<std::size_t>(word.size(), 3));
    ++counts[word];
    ++sorted[std::move(word)];
  }
  std::uint64_t sum = 0;
  for (const auto& [word, count] : sorted) sum = sum * 31 + count * counts.at(word);
  return sum;
}

std::uint64_t sort_records(Random& random) {
  struct Record {
    std::string name;
    std::uint64_t value;
  };
  std::vector<Record> records;
  for (int i = 0; i < 5000; ++i) records.push_back({make_word(random), random.below(1000)});
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return a.value != b.value ? a.value < b.value : a.name < b.name;
  });
  std::vector<std::uint64_t> values;
  std::transform(records.begin(), records.end(), std::back_inserter(values),
                 [](const Record& record) { return record.value * record.name.size(); });
  std::stable_sort(values.begin(), values.end(), std::greater<>());
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0},
                         [](std::uint64_t sum, std::uint64_t value) { return sum * 17 + value; });
}

class Shape {
 public:
  virtual ~Shape() = default;
  virtual std::uint64_t area() const = 0;
};

class Square : public Shape {
 public:
  explicit Square(std::uint64_t side) : side_(side) {}
  std::uint64_t area() const override { return side_ * side_; }

 private:
  std::uint64_t side_;
};

class Rectangle : public Shape {
 public:
  Rectangle(std::uint64_t width, std::uint64_t height) : width_(width), height_(height) {}
  std::uint64_t area() const override { return width_ * height_; }

 private:
  std::uint64_t width_;
  std::uint64_t height_;
};

std::uint64_t sum_shapes(Random& random) {
  std::vector<std::shared_ptr<Shape>> shapes;
  std::function<bool(const std::shared_ptr<Shape>&)> is_large =
      [](const std::shared_ptr<Shape>& shape) { return shape->area() > 2000; };
  for (int i = 0; i < 8000; ++i) {
    if (random.below(2) == 0) {
      shapes.push_back(std::make_shared<Square>(random.below(100)));
    } else {
      shapes.push_back(std::make_shared<Rectangle>(random.below(100), random.below(100)));
    }
  }
  shapes.erase(std::remove_if(shapes.begin(), shapes.end(), is_large), shapes.end());
  std::uint64_t sum = 0;
  for (const auto& shape : shapes) sum += shape->area();
  return sum;
}

std::uint64_t walk_graph(Random& random) {
  std::vector<std::set<int>> edges(1500);
  for (int i = 0; i < 6000; ++i) {
    const int from = static_cast<int>(random.below(edges.size()));
    const int to = static_cast<int>(random.below(edges.size()));
    edges[from].insert(to);
    edges[to].insert(from);
  }
  std::vector<int> distance(edges.size(), -1);
  std::deque<int> queue{0};
  distance[0] = 0;
  while (!queue.empty()) {
    const int node = queue.front();
    queue.pop_front();
    for (int next : edges[node]) {
      if (distance[next] >= 0) continue;
      distance[next] = distance[node] + 1;
      queue.push_back(next);
    }
  }
  return std::accumulate(distance.begin(), distance.end(), std::uint64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 4;
  bench_begin();
  std::uint64_t checksum = 0;
  for (int round = 0; round < rounds; ++round) {
    Random random(static_cast<std::uint64_t>(round) + 1);
    checksum = checksum * 1000003 + count_words(random);
    checksum = checksum * 1000003 + sort_records(random);
    checksum = checksum * 1000003 + sum_shapes(random);
    checksum = checksum * 1000003 + walk_graph(random);
  }
  bench_end();
  std::printf("checksum %016llx\n", static_cast<unsigned long long>(checksum));
  return 0;
}
