// SPDX-License-Identifier: Apache-2.0
// Waits, locks and I/O as tables.
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/wait_view.h"
#include "format/record_names.h"

namespace spyglass {
namespace {

constexpr std::size_t kBriefRows = 8;
constexpr std::size_t kMostHolders = 3;  // of one lock

std::size_t rows_shown(std::size_t rows, std::size_t top, bool brief) {
  if (brief) return std::min(rows, kBriefRows);
  return top == 0 ? rows : std::min(rows, top);
}

void note_rest(TextTable& table, std::size_t rows, std::size_t shown, const char* option,
               bool brief) {
  if (shown >= rows) return;
  table.add_note(fmt::format("and {} more ({})", format_count(rows - shown),
                             brief ? option : "--top 0 shows all"));
}

std::string p99(const Metrics& metrics) {
  return metrics.histogram.buckets.empty() ? "-" : format_duration(quantile_ns(metrics, 0.99));
}

std::string bytes_text(const Metrics& metrics) {
  return metrics.bytes.self == 0 ? "" : format_bytes(metrics.bytes.self);
}

std::string open_text(const Metrics& metrics) {
  return metrics.open_calls == 0
             ? ""
             : fmt::format("{} did not return", format_count(metrics.open_calls));
}

double all_time_ns(const Profile& profile) {
  double lived_ns = 0;
  for (const ThreadInfo& thread : profile.threads) lived_ns += thread.wall_ns;
  return std::max(lived_ns, 1.0);
}

std::string who(const TextStyle& style, const Profile& profile, const WaitRow& row) {
  return responsible_name(profile, profile.nodes[row.node].parent, style.full_names);
}

void write_empty(std::ostream& out, const TextStyle& style, std::string_view title,
                 std::string_view what) {
  write_heading(out, style, title);
  out << what << '\n';
}

}  // namespace

void write_waits(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
                 bool brief) {
  const auto rows = merged_rows(profile, wait_rows(profile, UseKind::kWait));
  if (rows.empty()) {
    if (!brief) write_empty(out, style, "Waits", "No waiting was recorded.");
    return;
  }
  TextTable table({{"total", false, 0},
                   {"share"},
                   {"calls"},
                   {"mean"},
                   {"p99"},
                   {"bytes"},
                   {"operation", true},
                   {"in", true},
                   {"on", true}});
  const std::size_t shown = rows_shown(rows.size(), top, brief);
  const double whole = all_time_ns(profile);
  for (std::size_t i = 0; i < shown; ++i) {
    const WaitRow& row = rows[i];
    const Metrics& metrics = row.metrics;
    const double share = metrics.wall_total_ns / whole;
    table.add({{format_duration(metrics.wall_total_ns), heat(share)},
               {format_percent(share), Tint::kDim},
               {format_count(metrics.calls)},
               {format_duration(metrics.mean_ns())},
               {p99(metrics)},
               {bytes_text(metrics)},
               {profile.functions[profile.nodes[row.node].function].name},
               {who(style, profile, row), Tint::kStrong},
               {object_text(profile, row.object), Tint::kNone, {}, open_text(metrics)}});
  }
  note_rest(table, rows.size(), shown, "--waits shows them", brief);
  table.drop_empty_columns(2);
  write_heading(out, style, "Waits", "shares are of the time that all threads lived");
  table.write(out, style);
}

namespace {

std::string holder_text(const TextStyle& style, const Profile& profile,
                        const Contention& contention) {
  std::string text =
      fmt::format("{} in {}", format_duration(contention.wait_ns),
                  contention.holder_node == 0
                      ? "?"
                      : responsible_name(profile, contention.holder_node, style.full_names));
  for (const ThreadInfo& thread : profile.threads) {
    if (contention.holder_thread != 0 && thread.record.id == contention.holder_thread) {
      return text + fmt::format(" ({} {})", thread.record.name, thread.record.tid);
    }
  }
  return contention.holder_tid == 0 ? text
                                    : text + fmt::format(" (thread {})", contention.holder_tid);
}

void write_cycles(std::ostream& out, const TextStyle& style, const Profile& profile) {
  const auto cycles = lock_cycles(profile);
  for (const auto& cycle : cycles) {
    write_heading(out, style, "Locks taken in opposite orders", "these threads can deadlock");
    for (const LockOrder* order : cycle) {
      out << fmt::format("  {} taken in {} while {} was held, taken in {} ({})\n",
                         object_text(profile, order->taken),
                         responsible_name(profile, order->taken_node, style.full_names),
                         object_text(profile, order->held),
                         responsible_name(profile, order->held_node, style.full_names),
                         order->count == 1 ? "once" : format_count(order->count) + " times");
    }
  }
}

}  // namespace

void write_locks(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
                 bool brief) {
  const auto rows = lock_rows(profile);
  if (rows.empty() && profile.lock_orders.empty()) {
    if (!brief) write_empty(out, style, "Locks", "No lock was waited for.");
    return;
  }
  TextTable table({{"waited", false, 0},
                   {"waits"},
                   {"mean"},
                   {"p99"},
                   {"held"},
                   {"holds"},
                   {"lock", true},
                   {"waited for", true}});
  const std::size_t shown = rows_shown(rows.size(), top, brief);
  for (std::size_t i = 0; i < shown; ++i) {
    const LockRow& row = rows[i];
    std::string holders;
    for (std::size_t j = 0; j < std::min(row.holders.size(), kMostHolders); ++j) {
      holders += (j == 0 ? "" : "; ") + holder_text(style, profile, *row.holders[j]);
    }
    if (row.holders.size() > kMostHolders) {
      holders += fmt::format("; {} more", row.holders.size() - kMostHolders);
    }
    table.add({{format_duration(row.waits.wall_total_ns),
                heat(row.waits.wall_total_ns / all_time_ns(profile))},
               {format_count(row.waits.calls)},
               {format_duration(row.waits.mean_ns())},
               {p99(row.waits)},
               {row.holds == 0 ? "" : format_duration(row.hold_ns)},
               {row.holds == 0 ? "" : format_count(row.holds)},
               {object_text(profile, row.object), Tint::kStrong},
               {holders}});
  }
  note_rest(table, rows.size(), shown, "--locks shows them", brief);
  table.drop_empty_columns(4);
  if (!table.empty()) {
    write_heading(out, style, "Locks", "held: measured where somebody waited");
    table.write(out, style);
  }
  write_cycles(out, style, profile);
}

namespace {

void write_io_stacks(std::ostream& out, const TextStyle& style, const Profile& profile,
                     std::size_t top) {
  const auto rows = merged_rows(profile, wait_rows(profile, UseKind::kIo));
  TextTable table({{"total", false, 0},
                   {"calls"},
                   {"bytes"},
                   {"p99"},
                   {"errors"},
                   {"operation", true},
                   {"object", true},
                   {"in", true}});
  const std::size_t shown = rows_shown(rows.size(), top, false);
  for (std::size_t i = 0; i < shown; ++i) {
    const Metrics& metrics = rows[i].metrics;
    table.add({{format_duration(metrics.wall_total_ns)},
               {format_count(metrics.calls)},
               {bytes_text(metrics)},
               {p99(metrics)},
               {format_count(metrics.errors.self)},
               {profile.functions[profile.nodes[rows[i].node].function].name},
               {object_text(profile, rows[i].object)},
               {who(style, profile, rows[i]), Tint::kStrong}});
  }
  note_rest(table, rows.size(), shown, "", false);
  table.drop_empty_columns(2);
  write_heading(out, style, "I/O by operation and function");
  table.write(out, style);
}

}  // namespace

void write_io(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
              bool brief) {
  const auto rows = io_rows(profile);
  if (rows.empty()) {
    if (!brief) write_empty(out, style, "I/O", "No I/O was recorded.");
    return;
  }
  TextTable table(
      {{"total", false, 0}, {"calls"}, {"bytes"}, {"p99"}, {"errors"}, {"object", true}});
  const std::size_t shown = rows_shown(rows.size(), top, brief);
  for (std::size_t i = 0; i < shown; ++i) {
    const Metrics& metrics = rows[i].metrics;
    const std::string object = object_text(profile, rows[i].object);
    table.add({{format_duration(metrics.wall_total_ns)},
               {format_count(metrics.calls)},
               {bytes_text(metrics)},
               {p99(metrics)},
               {format_count(metrics.errors.self), Tint::kWarm},
               {object.empty() ? "(not known)" : object, Tint::kStrong}});
  }
  note_rest(table, rows.size(), shown, "--io shows them", brief);
  table.drop_empty_columns(2);
  write_heading(out, style, "I/O");
  table.write(out, style);
  if (!brief) write_io_stacks(out, style, profile, top);
}

}  // namespace spyglass
