// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/operation_diff.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "analyzer/report/exception_view.h"
#include "analyzer/report/function_order.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

double& side(Change& change, bool is_new) { return is_new ? change.now : change.base; }

struct RowLess {
  bool operator()(const OperationRow& a, const OperationRow& b) const {
    return std::tie(a.operation, a.object, a.function, a.catcher) <
           std::tie(b.operation, b.object, b.function, b.catcher);
  }
};

// Rows by what they are called, with the histograms that their percentiles come from.
class RowTable {
 public:
  OperationRow& add(OperationRow key, const Metrics& metrics, bool is_new) {
    const auto [place, fresh] = index_.try_emplace(key, rows_.size());
    if (fresh) rows_.push_back({std::move(key), {}, {}});
    Row& row = rows_[place->second];
    Metrics& sum = is_new ? row.now : row.base;
    sum.histogram.add(metrics.histogram);
    sum.max_ns = std::max(sum.max_ns, metrics.max_ns);
    side(row.row.calls, is_new) += static_cast<double>(metrics.calls);
    side(row.row.wall_ns, is_new) += metrics.wall_total_ns;
    side(row.row.bytes, is_new) += static_cast<double>(metrics.bytes.self);
    side(row.row.errors, is_new) += static_cast<double>(metrics.errors.self);
    return row.row;
  }

  template <typename Size>
  std::vector<OperationRow> finish(Size size) {
    std::vector<OperationRow> rows;
    for (Row& row : rows_) {
      row.row.p99_ns = {quantile_ns(row.base, 0.99), quantile_ns(row.now, 0.99)};
      rows.push_back(std::move(row.row));
    }
    std::sort(rows.begin(), rows.end(), [&](const OperationRow& a, const OperationRow& b) {
      return size(a) != size(b) ? size(a) > size(b) : RowLess()(a, b);
    });
    return rows;
  }

 private:
  struct Row {
    OperationRow row;
    Metrics base;
    Metrics now;
  };
  std::map<OperationRow, std::size_t, RowLess> index_;
  std::vector<Row> rows_;
};

double time_change(const OperationRow& row) { return std::fabs(row.wall_ns.delta()); }
double count_change(const OperationRow& row) { return std::fabs(row.calls.delta()); }

OperationRow named(std::string operation, std::string object) {
  OperationRow row;
  row.operation = std::move(operation);
  row.object = std::move(object);
  return row;
}

// Who waited or threw at `node`.
void name_function(const Profile& profile, std::uint32_t node, OperationRow& row) {
  const std::uint32_t caller = profile.nodes[node].parent;
  row.function = responsible_name(profile, caller, true);
  row.short_function = responsible_name(profile, caller, false);
}

void add_waits(const Profile& profile, bool is_new, RowTable& table, Change& total) {
  for (const WaitRow& row : wait_rows(profile, UseKind::kWait)) {
    OperationRow key = named(profile.functions[profile.nodes[row.node].function].name,
                             object_text(profile, row.object));
    name_function(profile, row.node, key);
    table.add(std::move(key), row.metrics, is_new);
    side(total, is_new) += row.metrics.wall_total_ns;
  }
}

void add_locks(const Profile& profile, bool is_new, RowTable& table, Change& total) {
  for (const LockRow& row : lock_rows(profile)) {
    OperationRow& sum = table.add(named({}, object_text(profile, row.object)), row.waits, is_new);
    side(sum.hold_ns, is_new) += row.hold_ns;
    side(total, is_new) += row.waits.wall_total_ns;
  }
}

void add_io(const Profile& profile, bool is_new, RowTable& table, OperationDiff& diff) {
  for (const IoRow& row : io_rows(profile)) {
    table.add(named({}, object_text(profile, row.object)), row.metrics, is_new);
    side(diff.io_ns, is_new) += row.metrics.wall_total_ns;
    side(diff.bytes, is_new) += static_cast<double>(row.metrics.bytes.self);
    side(diff.errors, is_new) += static_cast<double>(row.metrics.errors.self);
  }
}

void add_exceptions(const Profile& profile, bool is_new, RowTable& table, Change& total) {
  for (const ExceptionFlow& flow : exception_flows(profile)) {
    OperationRow key = named({}, object_text(profile, flow.type));
    name_function(profile, flow.node, key);
    if (flow.catch_node == ExceptionFlow::kUnknown) {
      key.catcher = key.short_catcher = "?";
    } else if (flow.catch_node != 0) {
      key.catcher = responsible_name(profile, flow.catch_node, true);
      key.short_catcher = responsible_name(profile, flow.catch_node, false);
    }
    Metrics metrics;
    metrics.calls = flow.count;
    metrics.wall_total_ns = flow.cost_ns;
    table.add(std::move(key), metrics, is_new);
    side(total, is_new) += static_cast<double>(flow.count);
  }
}

bool any_changed(const std::vector<OperationRow>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const OperationRow& row) { return row.changed(); });
}

}  // namespace

double sigmas(const Change& count) {
  const double all = count.base + count.now;
  return all > 0 ? count.delta() / std::sqrt(all) : 0;
}

bool OperationRow::changed() const {
  for (const Change* change : {&calls, &wall_ns, &p99_ns, &bytes, &errors, &hold_ns}) {
    if (change->delta() != 0) return true;
  }
  return false;
}

bool OperationDiff::empty() const {
  return !any_changed(waits) && !any_changed(locks) && !any_changed(io) && !any_changed(exceptions);
}

OperationDiff diff_operations(const Profile& base, const Profile& now) {
  OperationDiff diff;
  RowTable waits;
  RowTable locks;
  RowTable io;
  RowTable exceptions;
  for (const bool is_new : {false, true}) {
    const Profile& profile = is_new ? now : base;
    add_waits(profile, is_new, waits, diff.wait_ns);
    add_locks(profile, is_new, locks, diff.lock_wait_ns);
    add_io(profile, is_new, io, diff);
    add_exceptions(profile, is_new, exceptions, diff.thrown);
  }
  diff.waits = waits.finish(time_change);
  diff.locks = locks.finish(time_change);
  diff.io = io.finish(time_change);
  diff.exceptions = exceptions.finish(count_change);
  return diff;
}

}  // namespace spyglass
