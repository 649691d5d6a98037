// SPDX-License-Identifier: Apache-2.0
// deep_cpu.cc - burns CPU time in C++ functions about 30 calls deep, as an evaluator of expressions
// does: what sampling is measured with.
//
// Deterministic: own random numbers, no addresses in the output.
// usage: deep_cpu [rounds]     (default 300)
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "self_timing.h"

namespace {

constexpr int kDepth = 24;  // main and libc's start add the rest

struct Expression {
  virtual ~Expression() = default;
  virtual double value(const std::unordered_map<std::string, double>& names) const = 0;
};

struct Name : Expression {
  explicit Name(std::string text) : text_(std::move(text)) {}
  double value(const std::unordered_map<std::string, double>& names) const override {
    const auto found = names.find(text_);
    return found == names.end() ? 0 : found->second;
  }
  std::string text_;
};

struct Sum : Expression {
  double value(const std::unordered_map<std::string, double>& names) const override {
    double sum = 0;
    for (const auto& part : parts_) sum += part->value(names);
    return sum;
  }
  std::vector<std::unique_ptr<Expression>> parts_;
};

struct Smooth : Expression {
  double value(const std::unordered_map<std::string, double>& names) const override {
    double x = inner_->value(names);
    for (int i = 0; i < 8; ++i) x = x * 0.75 + 1.0 / (1.0 + x * x);
    return x;
  }
  std::unique_ptr<Expression> inner_;
};

// A long chain with a bush of names at each level, so that time is spent at every depth.
std::unique_ptr<Expression> make(int depth) {
  auto sum = std::make_unique<Sum>();
  for (int i = 0; i < 3; ++i) {
    sum->parts_.push_back(std::make_unique<Name>("name" + std::to_string((depth * 3 + i) % 50)));
  }
  if (depth > 0) {
    auto smooth = std::make_unique<Smooth>();
    smooth->inner_ = make(depth - 1);
    sum->parts_.push_back(std::move(smooth));
  } else {
    for (int i = 0; i < 200; ++i) {
      sum->parts_.push_back(std::make_unique<Name>("name" + std::to_string(i % 50)));
    }
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 300;
  std::unordered_map<std::string, double> names;
  for (int i = 0; i < 50; ++i) names["name" + std::to_string(i)] = 0.01 * i;
  const std::unique_ptr<Expression> expression = make(kDepth / 2);
  bench_begin();
  double checksum = 0;
  for (int round = 0; round < rounds * 2000; ++round) {
    names["name7"] = round;
    checksum += expression->value(names);
  }
  bench_end();
  std::printf("checksum %.6f\n", checksum);
  return 0;
}
