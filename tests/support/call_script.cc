// SPDX-License-Identifier: Apache-2.0
#include "tests/support/call_script.h"

#include <algorithm>
#include <stdexcept>

#include "format/duration_histogram.h"

namespace spyglass::tests {
namespace {

constexpr std::uint64_t kOneNsPerTick = std::uint64_t{1} << 60U;
constexpr const char* kOverflow = "[past the tree's bound]";

void add_to_bucket(std::vector<format::BucketCount>& buckets, std::uint32_t bucket) {
  auto place = std::find_if(buckets.begin(), buckets.end(),
                            [bucket](const auto& known) { return known.bucket >= bucket; });
  if (place == buckets.end() || place->bucket != bucket) {
    place = buckets.insert(place, {bucket, 0});
  }
  place->count += 1;
}

}  // namespace

CallScript::CallScript() {
  nodes_.push_back({format::kRootNode, 0, 0});
  thread(1);
}

CallScript& CallScript::thread(std::uint32_t id) {
  current_ = id;
  if (const auto [place, added] = threads_.try_emplace(id); added) {
    place->second.birth = now_;
  }
  return *this;
}

std::uint32_t CallScript::site(const std::string& function) {
  const auto [place, added] =
      sites_.try_emplace(function, static_cast<std::uint32_t>(sites_.size() + 1));
  if (added) {
    site_names_.push_back(function);
  }
  return place->second;
}

std::uint32_t CallScript::node(std::uint32_t parent, std::uint32_t site) {
  const auto id = static_cast<std::uint32_t>(nodes_.size() + 1);
  const auto [place, added] = node_ids_.try_emplace({parent, site}, id);
  if (added) {
    nodes_.push_back({id, parent, site});
  }
  return place->second;
}

std::uint32_t CallScript::fold_target(std::uint32_t from, const std::string& function) {
  for (std::uint32_t at = from; at > format::kRootNode; at = nodes_[at - 1].parent) {
    if (nodes_[at - 1].site == site(function)) {
      return at;
    }
  }
  return node(node(format::kRootNode, site(kOverflow)), site(function));
}

CallScript& CallScript::enter(const std::string& function) {
  Thread& thread = threads_[current_];
  const std::uint32_t parent = thread.stack.empty() ? format::kRootNode : thread.stack.back().node;
  Call call;
  call.function = function;
  call.start = now_;
  call.outermost = std::none_of(thread.stack.begin(), thread.stack.end(),
                                [&](const Call& open) { return open.function == function; });
  const bool known = node_ids_.contains({parent, site(function)});
  call.folded = thread.stack.size() >= fold_depth_ && !known;
  call.node = call.folded ? fold_target(parent, function) : node(parent, site(function));
  if (const auto demotion = demoted_.find(function); demotion != demoted_.end()) {
    call.timed = demotion->second.calls++ % demotion->second.every == 0;
  }
  truth_[function].calls += 1;
  thread.stack.push_back(std::move(call));
  return *this;
}

format::CounterRow& CallScript::row(std::uint32_t node) {
  format::CounterRow& found = rows_[{current_, node}];
  found.thread = current_;
  found.node = node;
  return found;
}

void CallScript::count(const Call& call, std::uint32_t caller) {
  const std::uint64_t duration = now_ - call.start;
  truth_[call.function].durations_ns.push_back(duration);
  if (!call.timed) {
    row(call.node).untimed_calls += 1;
    return;
  }
  format::CounterRow& counted = row(call.node);
  counted.calls += 1;
  counted.wall_ticks += duration;
  auto& [least, most] =
      threads_[current_].extremes.try_emplace(call.node, duration, duration).first->second;
  counted.min_ticks = least = std::min(least, duration);
  counted.max_ticks = most = std::max(most, duration);
  add_to_bucket(counted.buckets, format::bucket_of_ns_q8(duration << 8U));
  if (call.folded) {
    counted.fold_in_calls += 1;
    counted.fold_in_ticks += duration;
    row(caller).fold_out_ticks += duration;
  }
  threads_[current_].spans.push_back({call.start, duration, call.node});
}

CallScript& CallScript::leave() {
  Thread& thread = threads_[current_];
  const Call call = thread.stack.back();
  thread.stack.pop_back();
  count(call, thread.stack.empty() ? format::kRootNode : thread.stack.back().node);
  return *this;
}

void CallScript::pass_time(std::uint64_t ns) {
  now_ += ns;
  for (auto& [id, thread] : threads_) {
    if (!thread.stack.empty()) {
      truth_[thread.stack.back().function].self_ns += ns;
    }
    for (const Call& call : thread.stack) {
      truth_[call.function].total_ns += call.outermost ? ns : 0;
    }
  }
}

CallScript& CallScript::spend(std::uint64_t ns) {
  pass_time(ns);
  Thread& thread = threads_[current_];
  thread.cpu_ns += ns;
  for (auto& [id, other] : threads_) {
    if (!other.stack.empty() && id != current_) {
      const std::uint32_t running = std::exchange(current_, id);
      row(other.stack.back().node).off_cpu_ticks += ns;
      current_ = running;
    }
  }
  if (!thread.stack.empty()) {
    truth_[thread.stack.back().function].cpu_self_ns += ns;
  }
  return *this;
}

CallScript& CallScript::wait(std::uint64_t ns) {
  pass_time(ns);
  const std::uint32_t running = current_;
  for (auto& [id, thread] : threads_) {
    current_ = id;
    row(thread.stack.empty() ? format::kRootNode : thread.stack.back().node).off_cpu_ticks += ns;
  }
  current_ = running;
  return *this;
}

CallScript& CallScript::call(const std::string& function, std::uint64_t ns) {
  return enter(function).spend(ns).leave();
}

std::vector<format::OpenCall> CallScript::open_calls(bool final) const {
  std::vector<format::OpenCall> open;
  for (const auto& [id, thread] : threads_) {
    for (const Call& call : thread.stack) {
      if (call.timed) {
        open.push_back({id, call.node, call.start, now_, false, final});
      }
    }
    if (thread.stack.empty()) {
      open.push_back({id, format::kRootNode, now_, now_, false, final});
    }
  }
  return open;
}

CallScript& CallScript::snapshot() {
  Snapshot taken;
  taken.first = snapshot_at_;
  taken.last = snapshot_at_ = now_;
  for (auto& [key, counted] : rows_) {
    taken.rows.push_back(std::move(counted));
  }
  rows_.clear();
  taken.open = open_calls(false);
  snapshots_.push_back(std::move(taken));
  return *this;
}

CallScript& CallScript::fold_below(std::size_t depth) {
  fold_depth_ = depth;
  return *this;
}

CallScript& CallScript::time_every(const std::string& function, unsigned n) {
  demoted_[function].every = n;
  return *this;
}

CallScript& CallScript::recorder_was_killed() {
  killed_ = true;
  return *this;
}

CallScript& CallScript::without_symbols() {
  symbols_ = false;
  return *this;
}

CallScript& CallScript::spread_out() {
  spread_ = true;
  return *this;
}

std::vector<format::ThreadRecord> CallScript::thread_records() const {
  std::vector<format::ThreadRecord> records;
  for (const auto& [id, thread] : threads_) {
    format::ThreadRecord record;
    record.id = id;
    record.process = spread_ ? 1 + id % 2 : 1;
    record.tid = 100 + id;
    record.name = "thread " + std::to_string(id);
    record.birth_ticks = thread.birth;
    record.exit_ticks = killed_ ? 0 : now_;
    record.cpu_ns = killed_ ? 0 : thread.cpu_ns;
    record.cpu_accuracy = format::CpuAccuracy::kExact;
    records.push_back(std::move(record));
  }
  return records;
}

RecordingBuilder CallScript::recording() {
  if (!rows_.empty() || snapshots_.empty() || snapshot_at_ != now_) {
    snapshot();
  }
  format::SessionInfo session;
  session.command = {"./script"};
  session.start = {kStartTicks, 5'000'000'000, 1'700'000'000'000'000'000};
  session.ns_per_tick_q60 = kOneNsPerTick;
  session.span_threshold_ns = demoted_.empty() ? 0 : ~std::uint64_t{0};
  std::vector<format::ProcessRecord> processes(spread_ ? 2 : 1);
  for (std::size_t i = 0; i < processes.size(); ++i) {
    processes[i].id = static_cast<std::uint32_t>(i + 1);
    processes[i].pid = static_cast<std::uint32_t>(100 + i);
    processes[i].command = session.command;
    processes[i].start_ticks = kStartTicks;
    processes[i].end_ticks = killed_ ? 0 : now_;
    processes[i].exit = killed_ ? format::ExitKind::kRunning : format::ExitKind::kExited;
  }
  std::vector<format::SiteRecord> sites;
  std::vector<format::SymbolRecord> symbols;
  for (const std::string& name : site_names_) {
    const std::uint32_t id = site(name);
    if (name == kOverflow) {
      sites.push_back({id, 0, format::kOverflowSiteOffset});
      continue;
    }
    sites.push_back({id, spread_ ? 1 + id % 2 : 1, 0x1000 + 0x10 * std::uint64_t{id}});
    symbols.push_back({id, {{name, "script.c", id, false}}});
  }
  RecordingBuilder builder;
  builder.session(session).processes(processes).threads(thread_records());
  builder.modules({{1, "/bin/script", {1, 2, 3}}, {2, "/lib/libscript.so", {4, 5, 6}}});
  builder.sites(sites).nodes(nodes_);
  for (const Snapshot& taken : snapshots_) {
    builder.counters(taken.rows, taken.first, taken.last).open_calls(taken.open);
  }
  for (const auto& [id, thread] : threads_) {
    if (!thread.spans.empty()) {
      builder.spans(id, thread.spans);
    }
  }
  if (!killed_) {
    builder.open_calls(open_calls(true));
    if (symbols_) {
      builder.symbols(symbols);
    }
    format::EndInfo end;
    end.end = {now_, 5'000'000'000 + now_ns(), 1'700'000'000'000'000'000 + now_ns()};
    for (const auto& [name, demotion] : demoted_) {
      end.demoted.push_back({site(name), kStartTicks});
    }
    builder.end(end).finish();
  } else if (symbols_) {
    builder.symbols(symbols);
  }
  return builder;
}

Profile CallScript::profile(const ProfileOptions& options) {
  const RecordingBuilder built = recording();
  Result<Profile> profile = build_profile_from_bytes(built.bytes(), "script.sgz", options);
  if (!profile) {
    throw std::runtime_error(profile.error().what);
  }
  return *std::move(profile);
}

const Function& function_named(const Profile& profile, const std::string& name) {
  for (const Function& function : profile.functions) {
    if (function.name == name) {
      return function;
    }
  }
  throw std::runtime_error("no function " + name);
}

const TreeNode& node_at(const Profile& profile, const std::vector<std::string>& path) {
  std::size_t at = 0;
  for (const std::string& name : path) {
    std::size_t next = at + 1;
    while (next < profile.nodes.size() &&
           (profile.nodes[next].parent != at ||
            profile.functions[profile.nodes[next].function].name != name)) {
      ++next;
    }
    if (next == profile.nodes.size()) {
      throw std::runtime_error("no node " + name);
    }
    at = next;
  }
  return profile.nodes[at];
}

}  // namespace spyglass::tests
