// SPDX-License-Identifier: Apache-2.0
#include "tests/support/stack_script.h"

#include <algorithm>
#include <stdexcept>

#include "format/duration_histogram.h"

namespace spyglass::tests {
namespace {

constexpr std::uint64_t kOneNsPerTick = std::uint64_t{1} << 60U;

std::uint64_t operation_number(const std::string& name) {
  for (std::uint64_t i = 0; i < std::size(format::kOperations); ++i) {
    if (name == format::kOperations[i].name) {
      return i;
    }
  }
  throw std::runtime_error("no operation " + name);
}

std::uint32_t size32(const auto& list) { return static_cast<std::uint32_t>(list.size()); }

}  // namespace

StackScript::StackScript() {
  nodes_.push_back({format::kRootNode, 0, 0});
  modules_ = {{1, "/bin/script", {1, 2, 3}},
              {2, "/lib/libc.so.6", {4, 5, 6}},
              {3, "/usr/lib/spyglass/libspyglass.so", {7}},
              {4, "/lib/libother.so", {8}}};
  format::ProcessRecord process;
  process.id = 1;
  process.pid = 101;
  process.command = {"./script"};
  process.executable = "/bin/script";
  process.start_ticks = kStartTicks;
  process.end_ticks = kStartTicks + kLengthNs;
  process.exit = format::ExitKind::kExited;
  processes_ = {process};
  thread(1);
}

StackScript& StackScript::thread(std::uint32_t id) {
  thread_ = id;
  if (const auto [place, added] = threads_.try_emplace(id); added) {
    format::ThreadRecord& record = place->second;
    record.id = id;
    record.process = processes_.back().id;
    record.tid = 100 + id;
    record.name = "thread " + std::to_string(id);
    record.birth_ticks = kStartTicks;
    record.exit_ticks = kStartTicks + kLengthNs;
    record.cpu_accuracy = format::CpuAccuracy::kExact;
  }
  return *this;
}

StackScript& StackScript::at(std::uint64_t ns) {
  now_ = ns;
  return *this;
}

std::uint32_t StackScript::special_site(std::uint64_t offset) {
  const auto [place, added] =
      site_ids_.try_emplace("special " + std::to_string(offset), size32(sites_) + 1);
  if (added) {
    sites_.push_back({place->second, 0, offset});
  }
  return place->second;
}

std::uint32_t StackScript::site_of(const std::string& name) {
  const auto [place, added] = site_ids_.try_emplace(name, size32(sites_) + 1);
  const std::uint32_t id = place->second;
  if (!added) {
    return id;
  }
  if (name == "[stack truncated]") {
    sites_.push_back({id, 0, format::kTruncatedSiteOffset});
    return id;
  }
  const bool hook = name.starts_with("hook:");
  std::string rest = hook ? name.substr(5) : name;
  std::uint32_t module = 1;
  if (const std::size_t mark = rest.find('!'); mark != std::string::npos) {
    module = rest.starts_with("libc") ? 2 : rest.starts_with("libspyglass") ? 3 : 4;
    rest.erase(0, mark + 1);
  }
  const std::uint64_t offset = 0x1000 + 0x10 * std::uint64_t{id};
  sites_.push_back({id, module, hook ? offset : offset | format::kPcSite});
  format::SymbolRecord symbol{id, {}};
  while (!rest.empty()) {
    const std::size_t mark = rest.find('>');
    std::string function = rest.substr(0, mark);
    rest.erase(0, mark == std::string::npos ? rest.size() : mark + 1);
    std::uint32_t at_line = 0;
    if (const std::size_t at = function.find('@'); at != std::string::npos) {
      at_line = static_cast<std::uint32_t>(std::stoul(function.substr(at + 1)));
      function.erase(at);
    }
    // A function has one place, whether it is hooked, sampled or inlined.
    const auto line = static_cast<std::uint32_t>(function.size() * 10);
    symbol.frames.insert(symbol.frames.begin(),
                         {function, module == 1 ? "script.c" : "", module == 1 ? line : 0,
                          !symbol.frames.empty(), at_line});
  }
  if (!symbol.frames.empty()) {
    symbols_.push_back(std::move(symbol));
  }
  return id;
}

std::uint32_t StackScript::child(std::uint32_t parent, std::uint32_t site) {
  const std::uint32_t id = size32(nodes_) + 1;
  const auto [place, added] = node_ids_.try_emplace({parent, site}, id);
  if (added) {
    nodes_.push_back({id, parent, site});
  }
  return place->second;
}

std::uint32_t StackScript::object_of(const OperationName& name) {
  const auto [place, added] =
      object_ids_.try_emplace({name.kind, name.object}, size32(objects_) + 1);
  if (added) {
    const bool lock = name.kind == format::ObjectKind::kLock;
    std::uint32_t site = 0;
    if (lock) {
      site = site_of("hook:" + name.object);  // where it stands
    }
    objects_.push_back({place->second, name.kind, lock ? "" : name.object, site});
  }
  return place->second;
}

std::uint32_t StackScript::node_of(const StackNames& stack) {
  std::uint32_t node = stack.empty() ? 0 : format::kRootNode;
  for (const std::string& name : stack) {
    node = child(node, site_of(name));
  }
  return node;
}

std::uint32_t StackScript::node_of(const StackNames& stack, const OperationName& name) {
  std::uint32_t node = stack.empty() ? format::kRootNode : node_of(stack);
  node = child(node, special_site(format::kOperationSite | operation_number(name.operation)));
  if (name.kind != format::ObjectKind::kUnknown) {
    node = child(node, special_site(format::kObjectSite | object_of(name)));
  }
  return node;
}

void StackScript::add_metric(std::uint32_t node, format::Metric metric, std::uint64_t value) {
  if (value != 0) {
    moments_[now_].metrics.push_back({thread_, node, metric, value});
  }
}

StackScript& StackScript::sample(const StackNames& stack, std::uint64_t count) {
  add_metric(node_of(stack), format::Metric::kSamples, count);
  threads_[thread_].cpu_ns += count * kSampleNs;
  return *this;
}

format::CounterRow StackScript::row(std::uint32_t node, std::uint64_t calls,
                                    std::uint64_t each_ns) const {
  format::CounterRow row;
  row.thread = thread_;
  row.node = node;
  row.calls = calls;
  row.wall_ticks = calls * each_ns;
  row.min_ticks = row.max_ticks = each_ns;
  row.buckets = {{format::bucket_of_ns_q8(each_ns << 8U), calls}};
  return row;
}

StackScript& StackScript::call(const StackNames& stack, std::uint64_t calls,
                               std::uint64_t each_ns) {
  moments_[now_].counters.push_back(row(node_of(stack), calls, each_ns));
  return *this;
}

StackScript& StackScript::operate(const StackNames& stack, const OperationName& name,
                                  const OperationCounts& counts) {
  OperationName bare = name;
  bare.kind = format::ObjectKind::kUnknown;
  const std::uint32_t operation = node_of(stack, bare);
  const std::uint32_t innermost = node_of(stack, name);
  Moment& moment = moments_[now_];
  moment.counters.push_back(row(operation, counts.calls, counts.each_ns));
  if (innermost != operation) {
    moment.counters.push_back(row(innermost, counts.calls, counts.each_ns));
  }
  moment.counters.back().off_cpu_ticks = counts.off_cpu_ns;
  add_metric(innermost, format::Metric::kBytes, counts.bytes);
  add_metric(innermost, format::Metric::kErrors, counts.errors);
  add_metric(innermost, format::Metric::kHoldTicks, counts.hold_ns);
  add_metric(innermost, format::Metric::kHolds, counts.holds);
  return *this;
}

StackScript& StackScript::event(format::EventRecord event) {
  event.start_ticks += kStartTicks;
  events_[thread_].push_back(std::move(event));
  return *this;
}

StackScript& StackScript::allocation(format::AllocationRecord record) {
  record.ticks += kStartTicks;
  allocations_[thread_].push_back(record);
  return *this;
}

StackScript& StackScript::metric(std::uint32_t node, format::Metric metric, std::uint64_t value) {
  add_metric(node, metric, value);
  return *this;
}

StackScript& StackScript::resident(std::uint64_t at_ns, std::uint64_t bytes) {
  resident_.push_back({processes_.back().id, kStartTicks + at_ns, bytes});
  return *this;
}

StackScript& StackScript::memory(format::MemoryMode mode, std::uint64_t sample_bytes) {
  memory_ = mode;
  memory_sample_bytes_ = sample_bytes;
  return *this;
}

StackScript& StackScript::process(format::ProcessRecord record) {
  record.start_ticks += kStartTicks;
  record.end_ticks += record.end_ticks != 0 ? kStartTicks : 0;
  processes_.push_back(std::move(record));
  return *this;
}

StackScript& StackScript::lose_allocations(std::uint64_t count) {
  lost_allocations_ += count;
  return *this;
}

StackScript& StackScript::compress_with(format::Codec codec) {
  codec_ = codec;
  return *this;
}

StackScript& StackScript::lose_samples(std::uint64_t count) {
  lost_samples_ += count;
  return *this;
}

StackScript& StackScript::runnable(std::uint64_t ns) {
  threads_[thread_].runnable_ns = ns;
  return *this;
}

RecordingBuilder StackScript::recording() {
  format::SessionInfo session;
  session.command = {"./script"};
  session.start = {kStartTicks, 5'000'000'000, 1'700'000'000'000'000'000};
  session.ns_per_tick_q60 = kOneNsPerTick;
  session.span_threshold_ns = 10'000;
  session.sampler = "timer";
  session.sampler_reason = "perf_event_open: not permitted";
  session.sample_interval_ns = kSampleNs;
  session.memory = memory_;
  session.memory_sample_bytes = memory_sample_bytes_;
  std::vector<format::ThreadRecord> threads;
  for (const auto& [id, record] : threads_) {
    threads.push_back(record);
  }
  RecordingBuilder builder;
  builder.compress_with(codec_)
      .session(session)
      .processes(processes_)
      .threads(threads)
      .modules(modules_);
  builder.sites(sites_).nodes(nodes_).objects(objects_);
  std::uint64_t first = kStartTicks;
  for (const auto& [ns, moment] : moments_) {
    builder.counters(moment.counters, first, kStartTicks + ns);
    builder.metrics(moment.metrics, first, kStartTicks + ns);
    first = kStartTicks + ns;
  }
  for (const auto& [id, events] : events_) {
    builder.events(id, events);
  }
  for (const auto& [id, records] : allocations_) {
    builder.allocations(id, records);
  }
  if (!resident_.empty()) {
    builder.resident(resident_);
  }
  if (lost_allocations_ != 0) {
    builder.losses({{format::LossKind::kAllocations, lost_allocations_, 1, "ring full"}});
  }
  if (lost_samples_ != 0) {
    builder.losses({{format::LossKind::kSamples, lost_samples_, 0, "buffer full"}});
  }
  builder.symbols(symbols_);
  format::EndInfo end;
  end.end = {kStartTicks + kLengthNs, 5'000'000'000 + kLengthNs,
             1'700'000'000'000'000'000 + kLengthNs};
  builder.end(end).finish();
  return builder;
}

Profile StackScript::profile(const ProfileOptions& options) {
  const RecordingBuilder built = recording();
  Result<Profile> profile = build_profile_from_bytes(built.bytes(), "script.sgz", options);
  if (!profile) {
    throw std::runtime_error(profile.error().what);
  }
  return *std::move(profile);
}

}  // namespace spyglass::tests
