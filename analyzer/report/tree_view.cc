// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/tree_view.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace spyglass {
namespace {

constexpr unsigned kFoldDistance = 64;
constexpr std::uint32_t kNone = ~std::uint32_t{0};

// A view under construction: finds or makes the line for a function below another line.
class ViewBuilder {
 public:
  ViewBuilder() { view_.nodes.emplace_back(); }

  std::uint32_t child(std::uint32_t parent, std::uint32_t function) {
    const auto [entry, fresh] =
        lines_.try_emplace(std::uint64_t{parent} << 32U | function, view_.nodes.size());
    if (fresh) {
      ViewNode node;
      node.function = function;
      node.parent = parent;
      node.depth = view_.nodes[parent].depth + 1;
      view_.nodes.push_back(node);
    }
    return static_cast<std::uint32_t>(entry->second);
  }

  // As child(), but a line for `function` at or above `parent` takes it in.
  std::uint32_t folded_child(std::uint32_t parent, std::uint32_t function) {
    std::uint32_t above = parent;
    for (unsigned i = 0; i < kFoldDistance && above != 0; ++i) {
      if (view_.nodes[above].function == function) return above;
      above = view_.nodes[above].parent;
    }
    return child(parent, function);
  }

  ViewNode& node(std::uint32_t index) { return view_.nodes[index]; }

  TreeView finish(const Profile& profile) {
    auto& nodes = view_.nodes;
    for (std::uint32_t i = 1; i < nodes.size(); ++i) nodes[nodes[i].parent].children.push_back(i);
    for (ViewNode& node : nodes) {
      std::sort(node.children.begin(), node.children.end(), [&](std::uint32_t a, std::uint32_t b) {
        const auto rank = [&](std::uint32_t i) {
          // Where a function calls itself, only self times are counted.
          const double amount = std::max(nodes[i].total, nodes[i].self);
          return std::make_tuple(-amount, ~nodes[i].calls);
        };
        if (rank(a) != rank(b)) return rank(a) < rank(b);
        return profile.functions[nodes[a].function].name <
               profile.functions[nodes[b].function].name;
      });
    }
    return std::move(view_);
  }

 private:
  TreeView view_;
  std::unordered_map<std::uint64_t, std::size_t> lines_;
};

void add_own(ViewNode& line, const Metrics& metrics, Weight weight) {
  line.calls += metrics.calls;
  line.untimed_calls += metrics.untimed_calls;
  line.wall_self_ns += metrics.wall_self_ns;
  line.cpu_self_ns += metrics.cpu_self_ns;
  line.samples.self += metrics.samples.self;
  line.self += self_of(metrics, weight);
}

void add_total(ViewNode& line, const Metrics& metrics, Weight weight) {
  line.wall_total_ns += metrics.wall_total_ns;
  line.cpu_total_ns += metrics.cpu_total_ns;
  line.samples.total += metrics.samples.total;
  line.total += total_of(metrics, weight);
}

// The tree below the root, or (with `only`) below every outermost node of that function.
TreeView descend(const Profile& profile, std::uint32_t only, Weight weight) {
  ViewBuilder builder;
  const ChildIndex children(profile.nodes);
  std::vector<std::uint32_t> path = {0};    // lines of the nodes above, 0 where there is none
  std::vector<std::uint32_t> active = {0};  // per line: how many nodes above are on it
  walk_tree(
      profile.nodes, children,
      [&](std::uint32_t index) {
        const TreeNode& node = profile.nodes[index];
        const bool inside = only == kNone || path.back() != 0 || node.function == only;
        const std::uint32_t line = inside ? builder.folded_child(path.back(), node.function) : 0;
        path.push_back(line);
        if (line == 0) return;
        if (active.size() <= line) active.resize(line + 1);
        ViewNode& view = builder.node(line);
        add_own(view, node.metrics, weight);
        if (active[line]++ == 0) add_total(view, node.metrics, weight);
        view.levels = std::max(view.levels, active[line]);
      },
      [&](std::uint32_t) {
        if (path.back() != 0) --active[path.back()];
        path.pop_back();
      });
  return builder.finish(profile);
}

}  // namespace

ChildIndex::ChildIndex(const std::vector<TreeNode>& nodes)
    : first_(nodes.size() + 1), children_(nodes.size()) {
  for (std::size_t i = 1; i < nodes.size(); ++i) ++first_[nodes[i].parent + 1];
  for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  std::vector<std::uint32_t> next(first_.begin(), first_.end());
  for (std::uint32_t i = 1; i < nodes.size(); ++i) children_[next[nodes[i].parent]++] = i;
}

TreeView call_tree_view(const Profile& profile, Weight weight) {
  return descend(profile, kNone, weight);
}

TreeView callees_view(const Profile& profile, std::uint32_t function, Weight weight) {
  return descend(profile, function, weight);
}

TreeView callers_view(const Profile& profile, std::uint32_t function, unsigned levels,
                      Weight weight) {
  ViewBuilder builder;
  const ChildIndex children(profile.nodes);
  std::vector<std::uint32_t> path;  // functions above
  std::uint32_t active = 0;
  walk_tree(
      profile.nodes, children,
      [&](std::uint32_t index) {
        const TreeNode& node = profile.nodes[index];
        if (node.function == function) {
          const bool outermost = active++ == 0;
          std::uint32_t line = builder.child(0, function);
          for (std::size_t up = 0; up <= levels; ++up) {
            add_own(builder.node(line), node.metrics, weight);
            if (outermost) add_total(builder.node(line), node.metrics, weight);
            if (up == levels || up >= path.size()) break;
            const std::uint32_t caller = path[path.size() - 1 - up];
            line = builder.child(line, caller);
            if (caller ==
                function) {  // a recursion: the callers of its outermost call are shown once
              add_own(builder.node(line), node.metrics, weight);
              break;
            }
          }
        }
        path.push_back(node.function);
      },
      [&](std::uint32_t index) {
        if (profile.nodes[index].function == function) --active;
        path.pop_back();
      });
  return builder.finish(profile);
}

}  // namespace spyglass
