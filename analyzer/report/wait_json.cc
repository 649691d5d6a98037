// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/wait_json.h"

#include "analyzer/report/deadlock_view.h"
#include "analyzer/report/exception_view.h"
#include "analyzer/report/function_order.h"
#include "analyzer/report/stack_json.h"
#include "analyzer/report/wait_view.h"
#include "format/record_names.h"

namespace spyglass {
namespace {

class OperationsWriter {
 public:
  OperationsWriter(JsonWriter& json, const Profile& profile,
                   const std::vector<std::uint32_t>& position)
      : json_(json), profile_(profile), position_(position) {}

  void write_waits() {
    json_.key("waits").begin_array();
    for (const WaitRow& row : wait_rows(profile_, UseKind::kWait)) {
      json_.new_line();
      json_.begin_object();
      json_.key("operation").text(operation(row.node));
      json_.key("class").text(
          format::kOperationClassNames[static_cast<unsigned>(class_of(profile_, row.node))]);
      write_object("object", row.object);
      write_place(row.node);
      write_calls(row.metrics);
      json_.key("off_cpu_ns").number(row.off_cpu_ns);
      json_.end_object();
    }
    json_.end_array();
  }

  void write_locks() {
    json_.key("locks").begin_array();
    for (const LockRow& row : lock_rows(profile_)) {
      json_.new_line();
      json_.begin_object();
      write_object("object", row.object);
      write_calls(row.waits);
      json_.key("holds").count(row.holds);
      json_.key("hold_ns").number(row.hold_ns);
      json_.key("holders").begin_array();
      for (const Contention* contention : row.holders) {
        json_.begin_object();
        json_.key("tid");
        contention->holder_tid == 0 ? json_.null() : json_.count(contention->holder_tid);
        write_place(contention->holder_node);
        json_.key("waits").count(contention->waits);
        json_.key("wait_ns").number(contention->wait_ns);
        json_.end_object();
      }
      json_.end_array();
      json_.end_object();
    }
    json_.end_array();
    json_.key("lock_cycles").begin_array();
    for (const auto& cycle : lock_cycles(profile_)) {
      json_.new_line();
      json_.begin_array();
      for (const LockOrder* order : cycle) {
        json_.begin_object();
        write_object("held", order->held);
        json_.key("held_in").text(responsible_name(profile_, order->held_node, true));
        write_object("taken", order->taken);
        json_.key("taken_in").text(responsible_name(profile_, order->taken_node, true));
        json_.key("count").count(order->count);
        json_.end_object();
      }
      json_.end_array();
    }
    json_.end_array();
  }

  void write_deadlocks() {
    json_.key("deadlocks").begin_array();
    for (const auto& cycle : deadlocks(profile_)) {
      json_.new_line();
      json_.begin_array();
      for (const UnfinishedWait* wait : cycle) {
        json_.begin_object();
        write_thread("tid", wait->thread);
        write_object("lock", wait->object);
        json_.key("wait_ns").number(wait->wait_ns);
        write_place(wait->node);
        write_thread("holder_tid", wait->holder_thread);
        json_.key("taken_in").text(responsible_name(profile_, wait->holder_node, true));
        json_.end_object();
      }
      json_.end_array();
    }
    json_.end_array();
  }

  void write_io() {
    json_.key("io").begin_array();
    for (const IoRow& row : io_rows(profile_)) {
      json_.new_line();
      json_.begin_object();
      write_object("object", row.object);
      write_calls(row.metrics);
      json_.end_object();
    }
    json_.end_array();
  }

  void write_exceptions() {
    json_.key("exceptions").begin_array();
    for (const ExceptionFlow& flow : exception_flows(profile_)) {
      const bool unknown = flow.catch_node == ExceptionFlow::kUnknown;
      const bool caught = !unknown && flow.catch_node != 0;
      json_.new_line();
      json_.begin_object();
      json_.key("type").text(object_text(profile_, flow.type));
      json_.key("count").count(flow.count);
      json_.key("operation").text(operation(flow.node));
      write_place(flow.node);
      json_.key("caught_in");
      caught ? json_.text(responsible_name(profile_, flow.catch_node, true)) : json_.null();
      json_.key("escaped");
      unknown ? json_.null() : json_.boolean(!caught);
      json_.key("frames").count(flow.frames);
      json_.key("cost_ns").number(flow.cost_ns);
      json_.key("texts").begin_array();
      for (const auto& [text, count] : flow.texts) {
        json_.begin_object();
        json_.key("what").text(text);
        json_.key("count").count(count);
        json_.end_object();
      }
      json_.end_array();
      json_.key("other_texts").count(flow.other_texts);
      json_.end_object();
    }
    json_.end_array();
  }

  void write_fatal_signals() {
    json_.key("fatal_signals").begin_array();
    for (const FatalSignal& fatal : profile_.fatal_signals) {
      json_.new_line();
      json_.begin_object();
      json_.key("signal").text(object_text(profile_, fatal.object));
      write_thread("tid", fatal.thread);
      json_.key("at_ns").number(fatal.at_ns);
      json_.key("address").count(fatal.address);
      json_.key("text").text(fatal.text);
      write_place(fatal.node);
      json_.end_object();
    }
    json_.end_array();
  }

 private:
  const std::string& operation(std::uint32_t node) const {
    return profile_.functions[profile_.nodes[node].function].name;
  }

  void write_thread(std::string_view key, std::uint32_t id) {
    const ThreadInfo* thread = nullptr;
    for (const ThreadInfo& info : profile_.threads) {
      if (info.record.id == id) thread = &info;
    }
    json_.key(key);
    thread == nullptr ? json_.null() : json_.count(thread->record.tid);
  }

  void write_object(std::string_view key, std::uint32_t index) {
    json_.key(key);
    if (index == ObjectUse::kNoObject) {
      json_.null();
      return;
    }
    const Object& object = profile_.objects[index];
    json_.begin_object();
    json_.key("kind").text(format::object_kind_name(object.kind));
    json_.key("name").text(object.name.empty() ? object.place : object.name);
    json_.end_object();
  }

  void write_place(std::uint32_t node) { write_stack(json_, profile_, position_, node); }

  void write_calls(const Metrics& metrics) {
    json_.key("calls").count(metrics.calls);
    json_.key("open_calls").count(metrics.open_calls);
    json_.key("wall_ns").begin_object();
    json_.key("total").number(metrics.wall_total_ns);
    json_.key("min").number(metrics.min_ns);
    json_.key("max").number(metrics.max_ns);
    json_.key("mean").number(metrics.mean_ns());
    json_.key("p50").number(quantile_ns(metrics, 0.50));
    json_.key("p90").number(quantile_ns(metrics, 0.90));
    json_.key("p99").number(quantile_ns(metrics, 0.99));
    json_.end_object();
    json_.key("bytes").count(metrics.bytes.self);
    json_.key("errors").count(metrics.errors.self);
  }

  JsonWriter& json_;
  const Profile& profile_;
  const std::vector<std::uint32_t>& position_;
};

}  // namespace

void write_samples_json(JsonWriter& json, const Profile& profile) {
  std::uint64_t lost = 0;
  for (const format::LossRecord& loss : profile.losses) {
    lost += loss.kind == format::LossKind::kSamples ? loss.count : 0;
  }
  json.key("samples").begin_object();
  json.key("sampler").text(profile.session.sampler.empty() ? "off" : profile.session.sampler);
  json.key("reason").text(profile.session.sampler_reason);
  json.key("interval_ns").count(profile.session.sample_interval_ns);
  json.key("count").count(profile.samples);
  json.key("lost").count(lost);
  json.end_object();
}

void write_thread_time_json(JsonWriter& json, const ThreadInfo& thread) {
  json.key("samples").count(thread.samples);
  json.key("time").begin_object();
  json.key("cpu_ns").number(thread.cpu_ns);
  json.key("waiting_ns").begin_object();
  for (unsigned i = 0; i < format::kOperationClasses; ++i) {
    if (thread.waiting_ns[i] > 0) {
      json.key(format::kOperationClassNames[i]).number(thread.waiting_ns[i]);
    }
  }
  json.end_object();
  json.key("runnable_ns");
  thread.runnable_ns < 0 ? json.null() : json.number(thread.runnable_ns);
  json.key("other_ns").number(thread.other_ns());
  json.end_object();
}

void write_operations_json(JsonWriter& json, const Profile& profile,
                           const std::vector<std::uint32_t>& position) {
  OperationsWriter writer(json, profile, position);
  writer.write_waits();
  writer.write_locks();
  writer.write_deadlocks();
  writer.write_io();
  writer.write_exceptions();
  writer.write_fatal_signals();
}

}  // namespace spyglass
