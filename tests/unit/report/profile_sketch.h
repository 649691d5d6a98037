// SPDX-License-Identifier: Apache-2.0
// profile_sketch.h - small Profiles for tests, from call paths.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/model/profile.h"
#include "format/duration_histogram.h"

namespace spyglass::test {

inline unsigned bucket_of(double ns) {
  return format::bucket_of_ns_q8(static_cast<std::uint64_t>(ns * 256));
}

// Builds what the model would: totals from self times, functions from nodes, recursion counted
// once.
class ProfileSketch {
 public:
  ProfileSketch() {
    profile_.nodes.emplace_back();
    profile_.file = "app.1.sgz";
    profile_.uuid = "00112233445566778899aabbccddeeff";
    profile_.session.command = {"./app", "--size", "10 MB"};
    profile_.session.host = "box";
    profile_.session.version = "0.1.0";
    profile_.session.start.unix_ns = 1'700'000'000'123'456'789ULL;
    profile_.end.emplace();
    profile_.duration_ns = 2e6;
    profile_.range_end_ns = 2e6;
    profile_.file_bytes = 4096;
    ProcessInfo process;
    process.record.id = 1;
    process.record.pid = 100;
    process.record.ppid = 99;
    process.record.command = profile_.session.command;
    process.record.executable = "/build/app";
    process.record.exit = format::ExitKind::kExited;
    process.threads = 1;
    profile_.processes.push_back(process);
    ThreadInfo thread;
    thread.record.process = 1;
    thread.record.tid = 100;
    thread.record.name = "app";
    thread.record.cpu_accuracy = format::CpuAccuracy::kExact;
    thread.pid = 100;
    thread.wall_ns = 2e6;
    thread.cpu_ns = 1e6;
    profile_.threads.push_back(thread);
  }

  // Adds `calls` calls with `self_ns` of self time in all to the path "main;parse;lex". All CPU
  // time. Calls of a node all take the same time.
  ProfileSketch& call(const std::string& path, std::uint64_t calls, double self_ns) {
    Metrics& metrics = profile_.nodes[node(path)].metrics;
    metrics.calls += calls;
    metrics.wall_self_ns += self_ns;
    metrics.cpu_self_ns += self_ns;
    return *this;
  }

  ProfileSketch& place(const std::string& name, const std::string& module, const std::string& file,
                       std::uint32_t line) {
    Function& entry = profile_.functions[function(name)];
    entry.module = module;
    entry.file = file;
    entry.line = line;
    return *this;
  }

  Profile& raw() { return profile_; }

  Profile build() {
    auto& nodes = profile_.nodes;
    for (std::size_t i = nodes.size(); i-- > 0;) {
      Metrics& metrics = nodes[i].metrics;
      metrics.wall_total_ns += metrics.wall_self_ns;
      metrics.cpu_total_ns += metrics.cpu_self_ns;
      if (i == 0) break;
      nodes[nodes[i].parent].metrics.wall_total_ns += metrics.wall_total_ns;
      nodes[nodes[i].parent].metrics.cpu_total_ns += metrics.cpu_total_ns;
      add_durations(metrics);
    }
    for (std::uint32_t i = 1; i < nodes.size(); ++i) add_to_function(i);
    for (const TreeNode& node : nodes) profile_.threads[0].calls += node.metrics.calls;
    profile_.processes[0].calls = profile_.threads[0].calls;
    profile_.threads[0].recorded_ns = nodes[0].metrics.wall_total_ns;
    return profile_;
  }

 private:
  std::uint32_t function(const std::string& name) {
    const auto [entry, fresh] =
        functions_.try_emplace(name, static_cast<std::uint32_t>(profile_.functions.size()));
    if (fresh) {
      Function made;
      made.name = made.short_name = made.symbol = name;
      made.module = "/build/app";
      profile_.functions.push_back(made);
    }
    return entry->second;
  }

  std::uint32_t node(const std::string& path) {
    if (path.empty()) return 0;
    const auto found = nodes_.find(path);
    if (found != nodes_.end()) return found->second;
    const std::size_t cut = path.rfind(';');
    TreeNode made;
    made.parent = cut == std::string::npos ? 0 : node(path.substr(0, cut));
    made.depth = profile_.nodes[made.parent].depth + 1;
    made.function = function(cut == std::string::npos ? path : path.substr(cut + 1));
    profile_.nodes.push_back(made);
    const auto index = static_cast<std::uint32_t>(profile_.nodes.size() - 1);
    nodes_[path] = index;
    return index;
  }

  static void add_durations(Metrics& metrics) {
    if (metrics.calls == 0) return;
    const double each = metrics.wall_total_ns / static_cast<double>(metrics.calls);
    metrics.min_ns = metrics.max_ns = each;
    metrics.histogram.buckets = {{bucket_of(each), metrics.calls}};
  }

  bool is_outermost(std::uint32_t index) const {
    const std::uint32_t own = profile_.nodes[index].function;
    for (std::uint32_t i = profile_.nodes[index].parent; i != 0; i = profile_.nodes[i].parent) {
      if (profile_.nodes[i].function == own) return false;
    }
    return true;
  }

  void add_to_function(std::uint32_t index) {
    const Metrics& from = profile_.nodes[index].metrics;
    Function& entry = profile_.functions[profile_.nodes[index].function];
    Metrics& to = entry.metrics;
    to.calls += from.calls;
    to.wall_self_ns += from.wall_self_ns;
    to.cpu_self_ns += from.cpu_self_ns;
    entry.inclusive_sum_ns += from.wall_total_ns;
    to.histogram.add(from.histogram);
    if (from.max_ns > 0) {
      to.min_ns = to.max_ns > 0 ? std::min(to.min_ns, from.min_ns) : from.min_ns;
      to.max_ns = std::max(to.max_ns, from.max_ns);
    }
    if (!is_outermost(index)) return;
    to.wall_total_ns += from.wall_total_ns;
    to.cpu_total_ns += from.cpu_total_ns;
  }

  Profile profile_;
  std::map<std::string, std::uint32_t> functions_;
  std::map<std::string, std::uint32_t> nodes_;
};

// main calls parse 1,000 times (which calls lex, and itself) and write once.
inline ProfileSketch small_sketch() {
  ProfileSketch sketch;
  sketch.call("main", 1, 100'000)
      .call("main;parse", 1000, 400'000)
      .call("main;parse;lex", 50'000, 900'000)
      .call("main;parse;parse", 200, 40'000)
      .call("main;parse;parse;lex", 4'000, 60'000)
      .call("main;write", 1, 500'000)
      .place("main", "/build/app", "/src/main.cc", 10)
      .place("lex", "/build/app", "/src/lexer.cc", 42)
      .place("write", "/lib/libio.so.2", "", 0);
  return sketch;
}

}  // namespace spyglass::test
