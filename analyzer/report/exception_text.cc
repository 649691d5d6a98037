// SPDX-License-Identifier: Apache-2.0
// Exceptions as a table, and how the time of threads is made up.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "analyzer/report/exception_view.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

constexpr std::size_t kBriefRows = 8;

std::string texts_of(const ExceptionFlow& flow) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(flow.texts.size(), 2); ++i) {
    text += (i == 0 ? "“" : ", “") + flow.texts[i].first + "”";
  }
  const std::size_t more = flow.texts.size() > 2 ? flow.texts.size() - 2 : 0;
  return more + flow.other_texts == 0 ? text : text + " …";
}

// As the table shows it; flows that differ in their stacks alone are one row.
struct ExceptionRow {
  std::string type, thrown_in, caught_in;
  bool is_caught = false;
  ExceptionFlow sum;
};

void add_texts(const ExceptionFlow& flow, ExceptionFlow& sum) {
  for (const auto& [text, count] : flow.texts) {
    const auto known =
        std::ranges::find(sum.texts, text, &std::pair<std::string, std::uint64_t>::first);
    known == sum.texts.end() ? void(sum.texts.emplace_back(text, count))
                             : void(known->second += count);
  }
  std::ranges::stable_sort(sum.texts, std::greater<>(),
                           &std::pair<std::string, std::uint64_t>::second);
  sum.other_texts += flow.other_texts;
}

std::vector<ExceptionRow> exception_rows(const Profile& profile, bool full_names) {
  std::vector<ExceptionRow> rows;
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> places;
  for (const ExceptionFlow& flow : exception_flows(profile)) {
    const bool escaped = flow.catch_node == 0;
    const bool unknown = flow.catch_node == ExceptionFlow::kUnknown;
    ExceptionRow row;
    const bool terminated = is_termination(profile, flow);
    row.type = terminated ? "std::terminate()" : object_text(profile, flow.type);
    row.thrown_in = responsible_name(profile, profile.nodes[flow.node].parent, full_names);
    row.is_caught = !escaped && !unknown;
    row.caught_in = row.is_caught ? responsible_name(profile, flow.catch_node, full_names)
                    : terminated  ? ""
                    : unknown     ? "?"
                                  : "not caught";
    const auto [place, added] =
        places.try_emplace({row.type, row.thrown_in, row.caught_in}, rows.size());
    if (added) rows.push_back(std::move(row));
    ExceptionFlow& sum = rows[place->second].sum;
    sum.count += flow.count;
    sum.cost_ns += flow.cost_ns;
    sum.frames += flow.frames;
    add_texts(flow, sum);
  }
  std::ranges::stable_sort(rows, std::greater<>(),
                           [](const ExceptionRow& row) { return row.sum.count; });
  return rows;
}

}  // namespace

void write_exceptions(std::ostream& out, const TextStyle& style, const Profile& profile,
                      std::size_t top, bool brief) {
  const std::vector<ExceptionRow> rows = exception_rows(profile, style.full_names);
  if (rows.empty()) {
    if (!brief) {
      write_heading(out, style, "Exceptions");
      out << "No exception was thrown.\n";
    }
    return;
  }
  TextTable table({{"count", false, 0},
                   {"cost"},
                   {"frames"},
                   {"type", true},
                   {"thrown in", true},
                   {"caught in", true},
                   {"what()", true}});
  const std::size_t most = brief ? kBriefRows : top;
  const std::size_t shown = most == 0 ? rows.size() : std::min(most, rows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const ExceptionRow& row = rows[i];
    const double count = static_cast<double>(std::max<std::uint64_t>(row.sum.count, 1));
    const auto if_caught = [&](const std::string& text) {
      return row.is_caught ? text : std::string();
    };
    table.add({{format_count(row.sum.count)},
               {if_caught(format_duration(row.sum.cost_ns / count))},
               {if_caught(fmt::format("{:.1f}", static_cast<double>(row.sum.frames) / count))},
               {row.type, Tint::kStrong},
               {row.thrown_in},
               {row.caught_in, row.caught_in == "not caught" ? Tint::kHot : Tint::kNone},
               {texts_of(row.sum)}});
  }
  if (shown < rows.size()) {
    table.add_note(fmt::format("and {} more ({})", rows.size() - shown,
                               brief ? "--exceptions shows them" : "--top 0 shows all"));
  }
  table.drop_empty_columns(1);
  write_heading(out, style, "Exceptions", "cost: of one, from throw to catch");
  table.write(out, style);
}

void write_thread_times(std::ostream& out, const TextStyle& style, const Profile& profile,
                        std::size_t top, bool brief) {
  std::vector<std::size_t> order(profile.threads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return profile.threads[a].cpu_ns > profile.threads[b].cpu_ns;
  });
  std::vector<Column> columns = {{"lived", false, 0}, {"CPU"}};
  for (const char* name : format::kOperationClassNames) columns.push_back({name});
  columns.insert(columns.end(), {{"runnable"}, {"rest"}, {"thread", true}});
  TextTable table(std::move(columns));
  const std::size_t most = brief ? kBriefRows : top;
  const std::size_t shown = most == 0 ? order.size() : std::min(most, order.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const ThreadInfo& thread = profile.threads[order[i]];
    const double lived = std::max(thread.wall_ns, 1.0);
    const auto part = [&](double ns) {
      // Below a thousandth it is noise beside the rest.
      const bool some = ns / lived >= 0.0005;
      return Cell{some ? format_percent(ns / lived) : "", heat(ns / lived)};
    };
    std::vector<Cell> cells = {{format_duration(thread.wall_ns)}, part(thread.cpu_ns)};
    for (const double ns : thread.waiting_ns) cells.push_back(part(ns));
    cells.push_back(part(thread.runnable_ns));
    cells.push_back(part(thread.other_ns()));
    cells.push_back({thread.record.name,
                     Tint::kNone,
                     {},
                     fmt::format("{} of process {}", thread.record.tid, thread.pid)});
    table.add(std::move(cells));
  }
  if (shown < order.size()) {
    table.add_note(fmt::format("and {} more (--threads shows them)", order.size() - shown));
  }
  table.drop_empty_columns(2);
  write_heading(out, style, "Where threads spent their time",
                "on the CPU, waiting in operations, or ready while others ran");
  table.write(out, style);
}

}  // namespace spyglass
