// SPDX-License-Identifier: Apache-2.0
// event_sums.h - events added up while blocks pass by: contention by lock and holder, exceptions by
// where they were thrown and caught, the order in which locks were taken, fatal signals.
//
//   Memory   proportional to what is distinct; texts of exceptions and fatal signals are capped.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "analyzer/model/node_table.h"
#include "analyzer/model/tick_range.h"
#include "format/records.h"

namespace spyglass::model {

class EventSums {
 public:
  static constexpr std::size_t kMostTexts = 16;  // of one flow of exceptions
  static constexpr std::size_t kMostFatalSignals = 64;
  static constexpr std::size_t kMostTakers = 8;  // of one order of two locks

  EventSums(NodeTable& nodes, const TickRange& range) : nodes_(nodes), range_(range) {}

  void see(std::uint32_t thread, const format::EventRecord& event);

  struct Sum {
    std::uint64_t count = 0;
    std::uint64_t ticks = 0;
    std::uint64_t value = 0;
  };
  struct Exceptions {
    Sum sum;
    std::map<std::string, std::uint64_t> texts;
    std::uint64_t other_texts = 0;
  };
  struct Order {
    std::uint64_t count = 0;
    std::uint32_t held_node = 0;  // slots
    std::uint32_t taken_node = 0;
    // Threads that took the locks so, and a bit for each other lock that they had.
    std::set<std::pair<std::uint32_t, std::uint64_t>> takers;
  };
  struct Fatal {
    std::uint32_t thread = 0;
    std::uint32_t node = 0;  // slot
    std::uint64_t address = 0;
    std::uint64_t ticks = 0;
    std::string text;
  };
  // A lock that the thread waited for to its end.
  struct UnfinishedWait {
    std::uint32_t node = 0;  // slot
    std::uint32_t holder_thread = 0;
    std::uint32_t holder_node = 0;  // slot
    std::uint64_t ticks = 0;
  };
  // Object id, holder's thread, its tid, its node (slot).
  using Holder = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

  const std::map<Holder, Sum>& contention() const { return contention_; }
  // By nodes (slots) of throw and catch.
  const std::map<std::pair<std::uint32_t, std::uint32_t>, Exceptions>& exceptions() const {
    return exceptions_;
  }
  // By object ids of the lock that was held and the one taken.
  const std::map<std::pair<std::uint32_t, std::uint32_t>, Order>& orders() const { return orders_; }
  // By thread.
  const std::map<std::uint32_t, UnfinishedWait>& unfinished_waits() const { return unfinished_; }
  const std::vector<Fatal>& fatal_signals() const { return fatal_signals_; }

 private:
  std::uint32_t refer(std::uint32_t node);
  std::uint32_t object_at(std::uint32_t slot) const;
  void see_contention(std::uint32_t thread, const format::EventRecord& event);
  void see_exception(const format::EventRecord& event);
  void see_order(std::uint32_t thread, const format::EventRecord& event);

  NodeTable& nodes_;
  TickRange range_;
  std::map<Holder, Sum> contention_;
  std::map<std::uint32_t, UnfinishedWait> unfinished_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Exceptions> exceptions_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Order> orders_;
  std::vector<Fatal> fatal_signals_;
};

}  // namespace spyglass::model
