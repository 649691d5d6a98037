// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/heap_diff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

#include "analyzer/report/heap_view.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

double& side(Change& change, bool is_new) { return is_new ? change.now : change.base; }
void count(double amount, double error, bool is_new, Change& change) {
  side(change, is_new) += amount;
  change.variance += error * error;
}
double number(std::uint64_t count) { return static_cast<double>(count); }

auto key_of(const HeapRow& row) { return std::tie(row.operation, row.function, row.stack); }

struct RowLess {
  bool operator()(const HeapRow& a, const HeapRow& b) const { return key_of(a) < key_of(b); }
};

class RowTable {
 public:
  void add(HeapRow key, const HeapStack& stack, bool is_new) {
    HeapRow& row = rows_.try_emplace(key, key).first->second;
    count(number(stack.allocations), stack.allocations_error, is_new, row.allocations);
    count(number(stack.allocated_bytes), stack.allocated_bytes_error, is_new, row.allocated_bytes);
    count(number(stack.peak_bytes), stack.peak_bytes_error, is_new, row.peak_bytes);
    if (stack.suppression == 0) {
      count(number(stack.leaked_bytes), stack.leaked_bytes_error, is_new, row.leaked_bytes);
    }
  }

  std::vector<HeapRow> finish() {
    std::vector<HeapRow> rows;
    for (auto& [key, row] : rows_) rows.push_back(std::move(row));
    const auto rank = [](const HeapRow& row) {
      const auto size = [](const Change& change) { return -std::fabs(change.delta()); };
      return std::array{size(row.allocated_bytes), size(row.peak_bytes), size(row.leaked_bytes),
                        size(row.allocations)};
    };
    std::sort(rows.begin(), rows.end(), [&](const HeapRow& a, const HeapRow& b) {
      return std::pair(rank(a), key_of(a)) < std::pair(rank(b), key_of(b));
    });
    return rows;
  }

 private:
  std::map<HeapRow, HeapRow, RowLess> rows_;
};

HeapRow row_of(const Profile& profile, const HeapStack& stack, bool with_stack) {
  HeapRow row;
  const std::uint32_t caller = profile.nodes[stack.node].parent;
  row.operation = operation_name(profile, stack.node);
  row.function = responsible_name(profile, caller, true);
  row.short_function = responsible_name(profile, caller, false);
  if (with_stack) {
    for (const std::uint32_t function : stack_of(profile, caller)) {
      row.stack.push_back(profile.functions[function].name);
    }
  }
  return row;
}

bool any_changed(const std::vector<HeapRow>& rows) {
  return std::ranges::any_of(rows, [](const HeapRow& row) { return row.changed(); });
}

}  // namespace

bool HeapRow::changed() const {
  for (const Change* change : {&allocations, &allocated_bytes, &peak_bytes, &leaked_bytes}) {
    if (change->delta() != 0) return true;
  }
  return false;
}

bool HeapRow::significant() const {
  for (const Change* change : {&allocations, &allocated_bytes, &peak_bytes, &leaked_bytes}) {
    if (change->delta() != 0 && !change->within_error()) return true;
  }
  return false;
}

bool HeapDiff::estimated() const { return allocations.variance > 0; }

bool HeapDiff::empty() const { return !any_changed(functions) && !any_changed(stacks); }

HeapDiff diff_heaps(const Profile& base, const Profile& now) {
  HeapDiff diff;
  RowTable functions;
  RowTable stacks;
  for (const bool is_new : {false, true}) {
    const Profile& profile = is_new ? now : base;
    if (!profile.heap) continue;
    diff.known = true;
    for (const HeapStack& stack : profile.heap->stacks) {
      functions.add(row_of(profile, stack, false), stack, is_new);
      stacks.add(row_of(profile, stack, true), stack, is_new);
    }
    const Heap& heap = *profile.heap;
    count(number(heap.allocations), heap.allocations_error, is_new, diff.allocations);
    count(number(heap.allocated_bytes), heap.allocated_bytes_error, is_new, diff.allocated_bytes);
    count(number(heap.peak_bytes), heap.peak_bytes_error, is_new, diff.peak_bytes);
    count(number(heap.leaked_bytes), heap.leaked_bytes_error, is_new, diff.leaked_bytes);
  }
  diff.functions = functions.finish();
  diff.stacks = stacks.finish();
  return diff;
}

}  // namespace spyglass
