// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/heap_json.h"

#include <string_view>

#include "analyzer/report/heap_view.h"
#include "analyzer/report/stack_json.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

class HeapJson {
 public:
  HeapJson(JsonWriter& json, const Profile& profile, const std::vector<std::uint32_t>& position)
      : json_(json), profile_(profile), heap_(*profile.heap), position_(position) {}

  void write() {
    json_.begin_object();
    write_kind();
    write_totals();
    write_suppressions();
    write_people();
    write_stacks();
    write_maps();
    write_time();
    json_.end_object();
  }

 private:
  void count(std::string_view key, std::uint64_t value) { json_.key(key).count(value); }
  void number(std::string_view key, double value) { json_.key(key).number(value); }

  void write_kind() {
    const bool sampled = heap_.mode == format::MemoryMode::kSample;
    json_.key("mode").text(sampled ? "sample" : "full");
    count("sample_bytes", heap_.sample_bytes);
    json_.key("exact").boolean(heap_.exact);
    count("lost_records", heap_.lost_records);
  }

  void write_totals() {
    count("allocations", heap_.allocations);
    number("allocations_error", heap_.allocations_error);
    count("allocated_bytes", heap_.allocated_bytes);
    number("allocated_bytes_error", heap_.allocated_bytes_error);
    count("frees", heap_.frees);
    count("reallocations", heap_.reallocations);
    count("moved_bytes", heap_.moved_bytes);
    count("longest_chain", heap_.longest_chain);
    count("failed", heap_.failed);
    count("temporary", heap_.temporary);
    count("unmatched_frees", heap_.unmatched_frees);
    count("inherited_frees", heap_.inherited_frees);
    count("late_frees", heap_.late_frees);
    count("peak_bytes", heap_.peak_bytes);
    number("peak_bytes_error", heap_.peak_bytes_error);
    count("peak_allocations", heap_.peak_allocations);
    number("peak_at_ns", heap_.peak_at_ns);
    count("leaked_bytes", heap_.leaked_bytes);
    number("leaked_bytes_error", heap_.leaked_bytes_error);
    count("leaked_allocations", heap_.leaked_allocations);
    count("suppressed_bytes", heap_.suppressed_bytes);
    count("suppressed_allocations", heap_.suppressed_allocations);
    count("live_bytes", heap_.live_bytes);
    count("live_allocations", heap_.live_allocations);
    json_.key("live_at_ns");
    heap_.live_at_ns < 0 ? json_.null() : json_.number(heap_.live_at_ns);
    count("execed_bytes", heap_.execed_bytes);
    count("maps", heap_.maps);
    count("mapped_bytes", heap_.mapped_bytes);
    count("mapped_peak_bytes", heap_.mapped_peak_bytes);
    count("mapped_live_bytes", heap_.mapped_live_bytes);
    write_histogram("size_histogram", heap_.sizes);
    write_histogram("lifetime_histogram", heap_.lifetimes);
  }

  void write_histogram(std::string_view key, const Histogram& histogram) {
    json_.key(key).begin_array();
    for (const format::BucketCount& bucket : histogram.buckets) {
      json_.begin_array();
      json_.count(bucket.bucket);
      json_.count(bucket.count);
      json_.end_array();
    }
    json_.end_array();
  }

  // An object on a line of its own for each item; `write` writes its fields.
  template <typename Items, typename Write>
  void list(std::string_view key, const Items& items, Write write) {
    json_.key(key).begin_array();
    for (const auto& item : items) {
      json_.new_line();
      json_.begin_object();
      write(item);
      json_.end_object();
    }
    json_.end_array();
  }

  void write_suppressions() {
    list("suppressions", heap_.suppressions, [&](const Suppression& suppression) {
      json_.key("pattern").text(suppression.pattern);
      json_.key("by_design").boolean(suppression.by_design);
      count("bytes", suppression.bytes);
      count("allocations", suppression.allocations);
    });
  }

  void write_people() {
    list("processes", heap_.processes, [&](const ProcessHeap& process) {
      count("pid", process.pid);
      count("allocations", process.allocations);
      count("allocated_bytes", process.allocated_bytes);
      count("frees", process.frees);
      count("peak_bytes", process.peak_bytes);
      number("peak_at_ns", process.peak_at_ns);
      count("leaked_bytes", process.leaked_bytes);
      count("leaked_allocations", process.leaked_allocations);
      count("suppressed_bytes", process.suppressed_bytes);
      count("suppressed_allocations", process.suppressed_allocations);
    });
    list("threads", heap_.threads, [&](const ThreadHeap& thread) {
      count("pid", thread.pid);
      count("tid", thread.tid);
      count("allocations", thread.allocations);
      count("allocated_bytes", thread.allocated_bytes);
      count("frees", thread.frees);
      count("frees_of_others", thread.frees_of_others);
    });
  }

  // Who asked, and the stack without the operation itself.
  void write_place(std::uint32_t node) {
    json_.key("operation");
    node == 0 ? json_.null() : json_.text(operation_name(profile_, node));
    spyglass::write_stack(json_, profile_, position_, node);
  }

  void write_stack(const HeapStack& stack) {
    write_place(stack.node);
    count("allocations", stack.allocations);
    number("allocations_error", stack.allocations_error);
    count("allocated_bytes", stack.allocated_bytes);
    number("allocated_bytes_error", stack.allocated_bytes_error);
    count("frees", stack.frees);
    count("reallocations", stack.reallocations);
    count("moved_bytes", stack.moved_bytes);
    count("longest_chain", stack.longest_chain);
    count("temporary", stack.temporary);
    count("peak_bytes", stack.peak_bytes);
    number("peak_bytes_error", stack.peak_bytes_error);
    count("peak_allocations", stack.peak_allocations);
    count("own_peak_bytes", stack.own_peak_bytes);
    count("leaked_bytes", stack.leaked_bytes);
    number("leaked_bytes_error", stack.leaked_bytes_error);
    count("leaked_allocations", stack.leaked_allocations);
    count("live_bytes", stack.live_bytes);
    count("live_allocations", stack.live_allocations);
    json_.key("suppressed");
    stack.suppression == 0 ? json_.null()
                           : json_.text(heap_.suppressions[stack.suppression - 1].pattern);
    write_histogram("size_histogram", stack.sizes);
    write_histogram("lifetime_histogram", stack.lifetimes);
  }

  void write_stacks() {
    const auto order =
        heap_order(heap_, [](const HeapStack& s) { return s.allocated_bytes + s.allocations; });
    list("stacks", order, [&](std::uint32_t i) { write_stack(heap_.stacks[i]); });
  }

  void write_maps() {
    list("map_stacks", heap_.map_stacks, [&](const MapStack& stack) {
      write_place(stack.node);
      count("maps", stack.maps);
      count("mapped_bytes", stack.mapped_bytes);
      count("own_peak_bytes", stack.own_peak_bytes);
      count("live_bytes", stack.live_bytes);
    });
  }

  void write_time() {
    list("timeline", heap_.timeline, [&](const HeapMoment& moment) {
      number("at_ns", moment.at_ns);
      count("allocations", moment.allocations);
      count("allocated_bytes", moment.allocated_bytes);
      count("live_bytes", moment.live_bytes);
      count("mapped_bytes", moment.mapped_bytes);
      json_.key("resident_bytes");
      moment.resident_known ? json_.count(moment.resident_bytes) : json_.null();
    });
    const Fragmentation fragmentation = fragmentation_of(heap_);
    json_.key("fragmentation");
    if (!fragmentation.known) {
      json_.null();
      return;
    }
    json_.begin_object();
    number("at_ns", fragmentation.at_ns);
    count("resident_bytes", fragmentation.resident_bytes);
    count("live_bytes", fragmentation.live_bytes);
    count("mapped_bytes", fragmentation.mapped_bytes);
    count("unused_bytes", fragmentation.unused_bytes);
    number("mean_live_share", fragmentation.mean_share);
    json_.end_object();
  }

  JsonWriter& json_;
  const Profile& profile_;
  const Heap& heap_;
  const std::vector<std::uint32_t>& position_;
};

}  // namespace

void write_heap_json(JsonWriter& json, const Profile& profile,
                     const std::vector<std::uint32_t>& position) {
  json.key("memory");
  if (!profile.heap) {
    json.null();
    return;
  }
  HeapJson(json, profile, position).write();
}

}  // namespace spyglass
