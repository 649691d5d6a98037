// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/object_sums.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "symbols/elf_symbols.h"

namespace spyglass::model {
namespace {

// The readable name of a type as C++ mangles it.
std::string type_name(const std::string& mangled) {
  constexpr std::string_view kPrefix = "typeinfo name for ";
  std::string name = demangle("_ZTS" + mangled);
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : mangled;
}

class ObjectWriter {
 public:
  ObjectWriter(RecordingPass& pass, const Layout& layout, const SessionClock& clock,
               Profile& profile)
      : pass_(pass), layout_(layout), clock_(clock), profile_(profile) {}

  void write_uses(std::vector<LaidUse>& uses, const SumOptions& options) {
    for (LaidUse& laid : uses) {
      ObjectUse use;
      use.node = laid.node;
      use.object = object(laid.object);
      NodeCounts& counts = laid.counts;
      const auto wall_ticks = static_cast<double>(static_cast<std::int64_t>(counts.wall_ticks));
      use.metrics.wall_total_ns =
          clock_.ns(std::max(0.0, wall_ticks) + counts.all_estimated_ticks());
      use.metrics.bytes = {counts.bytes, counts.bytes};
      use.metrics.errors = {counts.errors, counts.errors};
      use.off_cpu_ns = ns(counts.off_cpu_ticks);
      use.hold_ns = ns(counts.hold_ticks);
      use.holds = counts.holds;
      fill_calls(counts, clock_, options, use.metrics);
      profile_.uses.push_back(std::move(use));
    }
  }

  void write_contention() {
    for (const auto& [holder, sum] : pass_.events().contention()) {
      const auto& [id, thread, tid, slot] = holder;
      Contention contention;
      contention.object = object(id);
      if (contention.object == ObjectUse::kNoObject) {
        continue;
      }
      contention.holder_thread = thread;
      contention.holder_tid = thread != 0 ? pass_.threads().thread(thread).record.tid : tid;
      contention.holder_node = layout_.places[slot];
      contention.waits = sum.count;
      contention.wait_ns = ns(sum.ticks);
      profile_.contention.push_back(contention);
    }
    for (const auto& [thread, wait] : pass_.events().unfinished_waits()) {
      profile_.unfinished_waits.push_back({thread, object_of(wait.node), layout_.places[wait.node],
                                           wait.holder_thread, layout_.places[wait.holder_node],
                                           ns(wait.ticks)});
    }
    write_orders();
  }

  void write_orders() {
    for (const auto& [locks, order] : pass_.events().orders()) {
      const std::uint32_t held = object(locks.first);
      const std::uint32_t taken = object(locks.second);
      LockOrder& added =
          profile_.lock_orders.emplace_back(LockOrder{held,
                                                      taken,
                                                      order.count,
                                                      layout_.places[order.held_node],
                                                      layout_.places[order.taken_node],
                                                      {}});
      for (const auto& [thread, besides] : order.takers) added.takers.push_back({thread, besides});
    }
  }

  void write_exceptions() {
    for (const auto& [nodes, thrown] : pass_.events().exceptions()) {
      ExceptionFlow flow;
      flow.type = object_of(nodes.first);
      flow.node = layout_.places[nodes.first];
      flow.catch_node = layout_.places[nodes.second];
      flow.count = thrown.sum.count;
      flow.frames = thrown.sum.value;
      flow.cost_ns = ns(thrown.sum.ticks);
      flow.texts.assign(thrown.texts.begin(), thrown.texts.end());
      std::ranges::stable_sort(flow.texts, std::greater<>(),
                               &std::pair<std::string, std::uint64_t>::second);
      flow.other_texts = thrown.other_texts;
      profile_.exceptions.push_back(std::move(flow));
    }
    for (const EventSums::Fatal& fatal : pass_.events().fatal_signals()) {
      profile_.fatal_signals.push_back({fatal.thread, object_of(fatal.node),
                                        layout_.places[fatal.node], fatal.address,
                                        clock_.ns_since_start(fatal.ticks), fatal.text});
    }
  }

 private:
  double ns(std::uint64_t ticks) const { return clock_.ns(static_cast<double>(ticks)); }

  // Index of the object with this id; kNoObject for 0.
  std::uint32_t object(std::uint32_t id) {
    if (id == 0) {
      return ObjectUse::kNoObject;
    }
    const auto [place, added] =
        index_.try_emplace(id, static_cast<std::uint32_t>(profile_.objects.size()));
    if (added) {
      Object& made = profile_.objects.emplace_back();
      const auto known = pass_.objects().find(id);
      if (known != pass_.objects().end()) {
        const format::ObjectInfo& info = known->second;
        made.kind = info.kind;
        made.name =
            info.kind == format::ObjectKind::kExceptionType ? type_name(info.name) : info.name;
        made.place = info.site == 0 ? std::string() : pass_.functions().place_of(info.site);
      }
    }
    return place->second;
  }

  std::uint32_t object_of(std::uint32_t slot) {
    const RecordedNode& node = pass_.nodes()[slot];
    return node.role == Role::kObject ? object(pass_.nodes().role_of_site(node.site).number)
                                      : ObjectUse::kNoObject;
  }

  RecordingPass& pass_;
  const Layout& layout_;
  const SessionClock& clock_;
  Profile& profile_;
  std::unordered_map<std::uint32_t, std::uint32_t> index_;  // by id
};

}  // namespace

void write_objects(RecordingPass& pass, Layout& layout, const SessionClock& clock,
                   const SumOptions& options, Profile& profile) {
  ObjectWriter writer(pass, layout, clock, profile);
  writer.write_uses(layout.uses, options);
  writer.write_contention();
  writer.write_exceptions();
}

}  // namespace spyglass::model
