// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/wait_view.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "analyzer/report/name_match.h"
#include "format/record_names.h"

namespace spyglass {
namespace {

using format::OperationClass;

const Function& function_at(const Profile& profile, std::uint32_t node) {
  return profile.functions[profile.nodes[node].function];
}

bool belongs(OperationClass kind, UseKind wanted) {
  switch (kind) {
    case OperationClass::kException:
      return wanted == UseKind::kException;
    case OperationClass::kSignal:
    case OperationClass::kMemory:
      return false;
    case OperationClass::kRead:
    case OperationClass::kWrite:
    case OperationClass::kFile:
    case OperationClass::kConnect:
      return wanted == UseKind::kWait || wanted == UseKind::kIo;
    default:
      return wanted == UseKind::kWait;
  }
}

bool is_system_code(const Function& function) {
  constexpr std::array<std::string_view, 7> kLibraries = {
      "libc.so", "libstdc++.so",   "libpthread.so", "ld-linux",
      "libm.so", "libspyglass.so", "libgcc_s.so"};
  const std::string_view module = module_name(function.module);
  const bool library = std::any_of(kLibraries.begin(), kLibraries.end(),
                                   [&](std::string_view name) { return module.starts_with(name); });
  // Templates of the C++ library are compiled into the program.
  return library || function.file.starts_with("/usr/include/") ||
         qualified_name(function.name).starts_with("std::") ||
         qualified_name(function.name).starts_with("__gnu_cxx::");
}

void add(const Metrics& from, Metrics& into) {
  into.take_extremes(from);
  into.calls += from.calls;
  into.open_calls += from.open_calls;
  into.wall_total_ns += from.wall_total_ns;
  into.completed_ns += from.completed_ns;
  into.bytes.self += from.bytes.self;
  into.bytes.total += from.bytes.total;
  into.errors.self += from.errors.self;
  into.errors.total += from.errors.total;
  into.histogram.add(from.histogram);
}

template <typename Row, typename Time>
void sort_by_time(std::vector<Row>& rows, Time time) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return time(a) > time(b); });
}

}  // namespace

format::OperationClass class_of(const Profile& profile, std::uint32_t node) {
  const Function& function = function_at(profile, node);
  return function.kind == FunctionKind::kOperation && format::is_operation(function.operation)
             ? format::operation_info(function.operation).kind
             : OperationClass::kSignal;
}

std::vector<WaitRow> wait_rows(const Profile& profile, UseKind kind) {
  std::vector<WaitRow> rows;
  for (const ObjectUse& use : profile.uses) {
    if (!belongs(class_of(profile, use.node), kind)) continue;
    const std::uint32_t node = responsible_node(profile, profile.nodes[use.node].parent);
    const std::uint32_t function = profile.nodes[node].function;
    rows.push_back({use.node, function, use.object, use.metrics, use.off_cpu_ns});
  }
  sort_by_time(rows, [](const WaitRow& row) { return row.metrics.wall_total_ns; });
  return rows;
}

std::vector<WaitRow> merged_rows(const Profile& profile, const std::vector<WaitRow>& rows) {
  std::vector<WaitRow> merged;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::string>, std::size_t> index;
  for (const WaitRow& row : rows) {
    const auto [place, fresh] = index.try_emplace(
        {profile.nodes[row.node].function, row.function, object_text(profile, row.object)},
        merged.size());
    if (fresh) {
      merged.push_back(row);
      continue;
    }
    add(row.metrics, merged[place->second].metrics);
    merged[place->second].off_cpu_ns += row.off_cpu_ns;
  }
  sort_by_time(merged, [](const WaitRow& row) { return row.metrics.wall_total_ns; });
  return merged;
}

std::uint32_t responsible_node(const Profile& profile, std::uint32_t node) {
  std::uint32_t named = 0;
  std::uint32_t nameless = 0;  // of a stripped program
  for (; node != 0; node = profile.nodes[node].parent) {
    const Function& function = function_at(profile, node);
    const bool own = !is_system_code(function);
    if (function.kind == FunctionKind::kUnnamed && own && nameless == 0) nameless = node;
    if (function.kind != FunctionKind::kFunction) continue;
    if (own) return node;
    if (named == 0) named = node;
  }
  return nameless != 0 ? nameless : named;
}

std::string responsible_name(const Profile& profile, std::uint32_t node, bool full) {
  const std::uint32_t found = responsible_node(profile, node);
  if (found == 0) return "?";
  const Function& function = function_at(profile, found);
  const std::string& name =
      full || function.short_name.empty() ? function.name : function.short_name;
  // Of a lambda that is inlined, debug information knows nothing more.
  if (name != "operator()" || function.file.empty()) return name;
  return name + " " + std::string(module_name(function.file)) + ":" + std::to_string(function.line);
}

namespace {
constexpr std::size_t kMostFrames = 512;  // of a stack as a list
}

std::vector<std::uint32_t> stack_of(const Profile& profile, std::uint32_t node) {
  std::vector<std::uint32_t> stack;
  for (; node != 0 && stack.size() < kMostFrames; node = profile.nodes[node].parent) {
    stack.push_back(profile.nodes[node].function);
  }
  return stack;
}

std::vector<const std::vector<std::uint32_t>*> call_lines_of(const Profile& profile,
                                                             std::uint32_t node) {
  std::vector<const std::vector<std::uint32_t>*> lines;
  for (; node != 0 && profile.nodes[node].parent != 0 && lines.size() < kMostFrames;
       node = profile.nodes[node].parent) {
    lines.push_back(&profile.nodes[node].call_lines);
  }
  return lines;
}

std::vector<LockRow> lock_rows(const Profile& profile) {
  std::map<std::uint32_t, LockRow> rows;
  const auto row_of = [&](std::uint32_t object) -> LockRow& {
    LockRow& row = rows[object];
    row.object = object;
    return row;
  };
  for (const ObjectUse& use : profile.uses) {
    if (use.object == ObjectUse::kNoObject ||
        profile.objects[use.object].kind != format::ObjectKind::kLock) {
      continue;
    }
    LockRow& row = row_of(use.object);
    add(use.metrics, row.waits);
    row.holds += use.holds;
    row.hold_ns += use.hold_ns;
  }
  for (const Contention& contention : profile.contention) {
    row_of(contention.object).holders.push_back(&contention);
  }
  std::vector<LockRow> sorted;
  for (auto& [object, row] : rows) {
    std::stable_sort(
        row.holders.begin(), row.holders.end(),
        [](const Contention* a, const Contention* b) { return a->wait_ns > b->wait_ns; });
    sorted.push_back(std::move(row));
  }
  sort_by_time(sorted, [](const LockRow& row) { return row.waits.wall_total_ns; });
  return sorted;
}

namespace {

// Whether each step may be another thread's, none with a lock in common that lets one in at a time.
bool can_deadlock(const std::vector<const LockOrder*>& cycle,
                  std::vector<const LockOrder::Taker*>& chosen) {
  if (chosen.size() == cycle.size()) return true;
  for (const LockOrder::Taker& taker : cycle[chosen.size()]->takers) {
    const bool apart = std::ranges::none_of(chosen, [&](const LockOrder::Taker* other) {
      return other->thread == taker.thread || (other->besides & taker.besides) != 0;
    });
    if (!apart) continue;
    chosen.push_back(&taker);
    if (can_deadlock(cycle, chosen)) return true;
    chosen.pop_back();
  }
  return false;
}

bool can_deadlock(const std::vector<const LockOrder*>& cycle) {
  constexpr std::size_t kLongest = 6;  // of longer ones not every choice is tried
  std::vector<const LockOrder::Taker*> chosen;
  return cycle.size() <= kLongest && can_deadlock(cycle, chosen);
}

}  // namespace

std::vector<std::vector<const LockOrder*>> lock_cycles(const Profile& profile) {
  std::multimap<std::uint32_t, const LockOrder*> from;
  for (const LockOrder& order : profile.lock_orders) {
    if (order.held != order.taken) from.emplace(order.held, &order);
  }
  std::set<std::set<std::uint32_t>> known;
  std::vector<std::vector<const LockOrder*>> cycles;
  for (const LockOrder& order : profile.lock_orders) {
    if (cycles.size() == kMostCycles) break;
    // The shortest way back from the lock that was taken to the one that was held.
    std::map<std::uint32_t, const LockOrder*> reached = {{order.taken, nullptr}};
    std::vector<std::uint32_t> waiting = {order.taken};
    for (std::size_t i = 0; i < waiting.size() && !reached.contains(order.held); ++i) {
      const auto [first, last] = from.equal_range(waiting[i]);
      for (auto next = first; next != last; ++next) {
        if (reached.try_emplace(next->second->taken, next->second).second) {
          waiting.push_back(next->second->taken);
        }
      }
    }
    if (order.held == order.taken || !reached.contains(order.held)) continue;
    std::vector<const LockOrder*> cycle = {&order};
    std::set<std::uint32_t> locks = {order.taken};
    for (std::uint32_t at = order.held; at != order.taken; at = reached[at]->held) {
      cycle.insert(cycle.begin() + 1, reached[at]);
      locks.insert(at);
    }
    if (known.insert(locks).second && can_deadlock(cycle)) cycles.push_back(std::move(cycle));
  }
  return cycles;
}

std::vector<IoRow> io_rows(const Profile& profile) {
  std::map<std::string, IoRow> rows;  // pipes and the like look all the same
  for (const ObjectUse& use : profile.uses) {
    if (!belongs(class_of(profile, use.node), UseKind::kIo)) continue;
    IoRow& row = rows[object_text(profile, use.object)];
    row.object = use.object;
    add(use.metrics, row.metrics);
  }
  std::vector<IoRow> sorted;
  sorted.reserve(rows.size());
  for (auto& [object, row] : rows) sorted.push_back(std::move(row));
  sort_by_time(sorted, [](const IoRow& row) { return row.metrics.wall_total_ns; });
  return sorted;
}

std::string object_text(const Profile& profile, std::uint32_t index) {
  if (index == ObjectUse::kNoObject) return {};
  const Object& object = profile.objects[index];
  std::string text(object.kind == format::ObjectKind::kUnknown
                       ? std::string_view("object")
                       : format::object_kind_name(object.kind));
  if (object.kind == format::ObjectKind::kExceptionType ||
      object.kind == format::ObjectKind::kSignal) {
    return object.name;
  }
  const std::string& name = object.name.empty() ? object.place : object.name;
  if (name == text) return name;
  return name.empty() ? text : text + " " + name;
}

}  // namespace spyglass
