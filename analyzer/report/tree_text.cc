// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/tree_view.h"

namespace spyglass {
namespace {

constexpr std::uint32_t kDeepestIndent = 24;  // levels; below, the depth is written as a number
constexpr unsigned kCallerLevels = 12;

std::string lead_of(const std::vector<bool>& more_follow, std::uint32_t depth) {
  if (depth <= 1) return {};
  if (depth > kDeepestIndent)
    return fmt::format("{:>{}}· ", fmt::format("[{}]", depth), 2 * kDeepestIndent - 4);
  std::string lead;
  for (std::uint32_t level = 2; level < depth; ++level) lead += more_follow[level] ? "│ " : "  ";
  return lead + (more_follow[depth] ? "├ " : "└ ");
}

// Writes the lines of a view, depth first, without recursion.
class TreeWriter {
 public:
  TreeWriter(const TextStyle& style, const Profile& profile, const TreeView& view, double whole,
             const TreeLimits& limits, Weight weight)
      : style_(style),
        profile_(profile),
        view_(view),
        whole_(whole),
        limits_(limits),
        weight_(weight),
        table_({{std::string(title_of(weight)), false, 0},
                {"share"},
                {"self"},
                {weight == Weight::kCpu ? "wall" : "CPU"},
                {"samples"},
                {"calls"},
                {"call path", true}}) {}

  void write(std::ostream& out) {
    open(0);
    while (!path_.empty()) {
      if (limits_.top != 0 && lines_ == limits_.top) {
        table_.add_note(fmt::format("… cut after {} lines (--top)", lines_));
        break;
      }
      Step& top = path_.back();
      if (top.next == top.shown) {
        close(top);
        path_.pop_back();
        continue;
      }
      const std::uint32_t line = view_.nodes[top.node].children[top.next++];
      const std::uint32_t depth = view_.nodes[line].depth;
      more_follow_.resize(std::max<std::size_t>(more_follow_.size(), depth + 1));
      more_follow_[depth] = top.next < top.shown || (top.hidden > 0 && top.hidden >= least());
      add_line(view_.nodes[line]);
      open(line);
    }
    if (profile_.samples == 0 || weight_ == Weight::kSamples) drop_samples();
    if (!profile_.timed_calls && profile_.samples != 0) table_.drop_empty_columns(3);
    table_.write(out, style_);
  }

 private:
  static std::string_view title_of(Weight weight) {
    return is_time(weight) && weight == Weight::kWall ? "total" : weight_name(weight);
  }
  void drop_samples() { table_.drop_column(4); }

  struct Step {
    std::uint32_t node;
    std::size_t next;
    std::size_t shown;  // children above the limit; they come first
    double hidden;      // total of the others
  };

  double least() const { return limits_.min_share * whole_; }

  void open(std::uint32_t node) {
    const auto& children = view_.nodes[node].children;
    Step step{node, 0, children.size(), 0};
    for (std::size_t i = 0; i < children.size(); ++i) {
      const ViewNode& child = view_.nodes[children[i]];
      const double total = std::max(child.total, child.self);
      if (total >= least()) continue;
      step.shown = std::min(step.shown, i);
      step.hidden += total;
    }
    path_.push_back(step);
  }

  // One line for what the limit hides, when together it would have passed it.
  void close(const Step& step) {
    const auto& children = view_.nodes[step.node].children;
    if (step.shown == children.size() || step.hidden < least() || step.hidden <= 0) return;
    const std::uint32_t depth = view_.nodes[step.node].depth + 1;
    more_follow_.resize(std::max<std::size_t>(more_follow_.size(), depth + 1));
    more_follow_[depth] = false;
    std::vector<Cell> cells(7);
    cells[0] = {format_weight(step.hidden, weight_), Tint::kDim};
    cells[1] = {format_percent(step.hidden / whole_), Tint::kDim};
    cells[6] = {fmt::format("{} more below {}", children.size() - step.shown,
                            format_percent(limits_.min_share)),
                Tint::kDim, lead_of(more_follow_, depth)};
    table_.add(std::move(cells));
    ++lines_;
  }

  void add_line(const ViewNode& line) {
    const Function& function = profile_.functions[line.function];
    const double self = line.self / whole_;
    const char* tilde = line.untimed_calls > 0 ? "~" : "";
    std::string name = shown_name(style_, function);
    if (line.levels > 1) name += fmt::format("  ↻ {} levels", format_count(line.levels));
    table_.add(
        {{tilde + format_weight(line.total, weight_)},
         {format_percent(line.total / whole_), Tint::kDim},
         {tilde + format_weight(line.self, weight_), heat(self)},
         {tilde +
          format_duration(weight_ == Weight::kCpu ? line.wall_total_ns : line.cpu_total_ns)},
         {format_count(line.samples.total)},
         {format_count(line.calls)},
         {std::move(name), self >= 0.05 ? Tint::kStrong : Tint::kNone,
          lead_of(more_follow_, line.depth), source_place(style_, function), line.levels == 1}});
    ++lines_;
  }

  const TextStyle& style_;
  const Profile& profile_;
  const TreeView& view_;
  double whole_;
  const TreeLimits& limits_;
  Weight weight_;
  TextTable table_;
  std::vector<Step> path_;
  std::vector<bool> more_follow_;  // by depth: a line at this depth is not the last of its parent
  std::size_t lines_ = 0;
};

Weight weight_of(const Profile& profile, const TreeLimits& limits) {
  return limits.weight.value_or(usual_weight(profile));
}

// Of an operation that only waits, no sample says anything.
Weight weight_around(const Profile& profile, std::uint32_t function, const TreeLimits& limits) {
  const Weight usual = weight_of(profile, limits);
  const bool nothing = total_of(profile.functions[function].metrics, usual) <= 0;
  return nothing && !limits.weight ? Weight::kWall : usual;
}

void write_around(std::ostream& out, const TextStyle& style, const Profile& profile,
                  std::uint32_t function, const TreeView& view, std::string_view title,
                  std::string_view remark, const TreeLimits& limits) {
  const Function& subject = profile.functions[function];
  std::string name = printable(shown_name(style, subject));
  if (style.width > title.size() + 1) name = compact_name(name, style.width - title.size() - 1);
  write_heading(out, style, fmt::format("{} {}", title, name), remark);
  const Weight weight = weight_around(profile, function, limits);
  const double whole = std::max(total_of(subject.metrics, weight), 1e-3);
  TreeWriter(style, profile, view, whole, limits, weight).write(out);
}

}  // namespace

void write_tree(std::ostream& out, const TextStyle& style, const Profile& profile,
                const TreeLimits& limits) {
  out << '\n';
  const Weight weight = weight_of(profile, limits);
  const TreeView view = call_tree_view(profile, weight);
  TreeWriter(style, profile, view, whole_of(profile, weight), limits, weight).write(out);
}

void write_callers(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::uint32_t function, const TreeLimits& limits) {
  write_around(
      out, style, profile, function,
      callers_view(profile, function, kCallerLevels, weight_around(profile, function, limits)),
      "Callers of", "times are the function's own, by who called it", limits);
}

void write_callees(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::uint32_t function, const TreeLimits& limits) {
  write_around(out, style, profile, function,
               callees_view(profile, function, weight_around(profile, function, limits)),
               "Callees of", "shares are of its total time", limits);
}

}  // namespace spyglass
