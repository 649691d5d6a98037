// SPDX-License-Identifier: Apache-2.0
// Memory as text: what was allocated, what made the peak, what leaked, and by which stacks.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "analyzer/report/heap_view.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

constexpr std::size_t kBriefRows = 8;
constexpr std::size_t kMostFrames = 32;  // of a stack that is shown

double share_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string in_blocks(std::uint64_t bytes, std::uint64_t blocks) {
  return fmt::format("{} in {}", format_bytes(bytes), plural(blocks, "block", "blocks"));
}

std::string with_error(std::uint64_t bytes, double error) {
  const auto whole = static_cast<std::uint64_t>(std::llround(error));
  return error > 0 ? fmt::format("{} ± {}", format_bytes(bytes), format_bytes(whole))
                   : format_bytes(bytes);
}

std::string how_exact(const Heap& heap) {
  if (heap.mode == format::MemoryMode::kSample) {
    return fmt::format("estimates from samples, one in {} on average; ± is a standard error",
                       format_bytes(heap.sample_bytes));
  }
  if (heap.lost_records != 0) {
    return fmt::format("{} records were lost: allocations and bytes are exact, all else is not",
                       format_count(heap.lost_records));
  }
  return heap.exact ? "" : "the recording is damaged: some may be missing";
}

void write_by_design(std::ostream& out, const Heap& heap) {
  std::uint64_t bytes = 0;
  std::uint64_t blocks = 0;
  for (const Suppression& suppression : heap.suppressions) {
    bytes += suppression.by_design ? suppression.bytes : 0;
    blocks += suppression.by_design ? suppression.allocations : 0;
  }
  if (blocks != 0) {
    out << fmt::format("still reachable by design: {} (--all shows them)\n",
                       in_blocks(bytes, blocks));
  }
  if (heap.suppressed_allocations > blocks) {
    out << fmt::format("suppressed: {}\n", in_blocks(heap.suppressed_bytes - bytes,
                                                     heap.suppressed_allocations - blocks));
  }
}

void write_totals(std::ostream& out, const TextStyle& style, const Heap& heap) {
  write_fact(out, style, "allocated",
             fmt::format("{} in {} allocations, {} of them temporary ({}); {} frees",
                         with_error(heap.allocated_bytes, heap.allocated_bytes_error),
                         format_count(heap.allocations), format_count(heap.temporary),
                         format_percent(share_of(heap.temporary, heap.allocations)),
                         format_count(heap.frees)));
  write_fact(
      out, style, "peak",
      fmt::format("{} in {} blocks after {}", with_error(heap.peak_bytes, heap.peak_bytes_error),
                  format_count(heap.peak_allocations), format_duration(heap.peak_at_ns)));
  if (heap.live_at_ns >= 0) {
    write_fact(out, style, "live",
               fmt::format("{} after {}", in_blocks(heap.live_bytes, heap.live_allocations),
                           format_duration(heap.live_at_ns)));
  }
  write_fact(out, style, "leaked",
             heap.leaked_allocations == 0
                 ? "nothing"
                 : fmt::format("{} in {} {} never freed",
                               with_error(heap.leaked_bytes, heap.leaked_bytes_error),
                               format_count(heap.leaked_allocations),
                               heap.leaked_allocations == 1 ? "block" : "blocks"),
             heap.leaked_allocations == 0 ? Tint::kNone : Tint::kWarm);
  if (heap.failed != 0) {
    write_fact(out, style, "failed", plural(heap.failed, "allocation", "allocations"), Tint::kHot);
  }
  if (heap.maps != 0) {
    write_fact(out, style, "mapped",
               fmt::format("{} in {} besides, {} at most", format_bytes(heap.mapped_bytes),
                           plural(heap.maps, "mapping", "mappings"),
                           format_bytes(heap.mapped_peak_bytes)));
  }
}

void write_table(std::ostream& out, const TextStyle& style, const Profile& profile, std::size_t top,
                 bool brief) {
  const std::vector<HeapFunctionRow> rows = heap_function_rows(profile, style.full_names);
  if (rows.empty()) return;
  TextTable table({{"allocated", false, 0},
                   {"share"},
                   {"allocations"},
                   {"peak"},
                   {"leaked"},
                   {"temporary"},
                   {"operation", true},
                   {"in", true}});
  const std::size_t most = brief ? kBriefRows : top == 0 ? rows.size() : top;
  const std::size_t shown = std::min(rows.size(), most);
  for (std::size_t i = 0; i < shown; ++i) {
    const HeapStack& sum = rows[i].sum;
    const double share = share_of(sum.allocated_bytes, profile.heap->allocated_bytes);
    table.add({{format_bytes(sum.allocated_bytes), heat(share)},
               {format_percent(share), Tint::kDim},
               {format_count(sum.allocations)},
               {sum.peak_bytes == 0 ? "" : format_bytes(sum.peak_bytes)},
               {sum.leaked_bytes == 0 ? "" : format_bytes(sum.leaked_bytes), Tint::kWarm},
               {sum.temporary == 0 ? "" : format_count(sum.temporary)},
               {std::string(operation_name(profile, sum.node))},
               {rows[i].function, Tint::kStrong}});
  }
  if (shown < rows.size()) {
    table.add_note(fmt::format("and {} more ({})", format_count(rows.size() - shown),
                               brief ? "--memory shows them" : "--top 0 shows all"));
  }
  table.drop_empty_columns(3);
  out << '\n';
  table.write(out, style);
}

void write_threads_of_heap(std::ostream& out, const TextStyle& style, const Heap& heap) {
  if (heap.threads.size() < 2) return;
  TextTable table({{"allocated", false, 0},
                   {"allocations"},
                   {"frees"},
                   {"of others"},
                   {"process", true},
                   {"thread", true}});
  for (const ThreadHeap& thread : heap.threads) {
    table.add({{format_bytes(thread.allocated_bytes)},
               {format_count(thread.allocations)},
               {format_count(thread.frees)},
               {format_count(thread.frees_of_others)},
               {std::to_string(thread.pid)},
               {std::to_string(thread.tid)}});
  }
  write_heading(out, style, "Memory by thread", "of others: blocks that another thread allocated");
  table.write(out, style);
}

void write_details(std::ostream& out, const TextStyle& style, const Heap& heap) {
  if (heap.reallocations != 0) {
    write_fact(out, style, "moved",
               fmt::format("{} copied by {} reallocations; the longest chain has {}",
                           format_bytes(heap.moved_bytes), format_count(heap.reallocations),
                           format_count(heap.longest_chain)));
  }
  if (heap.unmatched_frees != 0) {
    write_fact(out, style, "unmatched",
               fmt::format("{} frees of blocks that nobody saw allocated, {} of them inherited by "
                           "fork",
                           format_count(heap.unmatched_frees), format_count(heap.inherited_frees)));
  }
  const Fragmentation fragmentation = fragmentation_of(heap);
  if (fragmentation.known) {
    write_fact(out, style, "resident",
               fmt::format(
                   "{} at most, after {}: {} of it live heap, {} mapped, {} neither",
                   format_bytes(fragmentation.resident_bytes), format_duration(fragmentation.at_ns),
                   format_bytes(fragmentation.live_bytes), format_bytes(fragmentation.mapped_bytes),
                   format_bytes(fragmentation.unused_bytes)));
  }
}

void write_frames(std::ostream& out, const TextStyle& style, const Profile& profile,
                  std::uint32_t node) {
  std::size_t frames = 0;
  for (std::uint32_t parent = profile.nodes[node].parent; parent != 0;
       node = parent, parent = profile.nodes[node].parent) {
    if (++frames > kMostFrames) continue;
    const Function& function = profile.functions[profile.nodes[parent].function];
    const std::string place = call_place(style, profile, profile.nodes[node]);
    out << "      " << printable(shown_name(style, function))
        << (place.empty() ? "" : "  " + tinted(style, Tint::kDim, printable(place))) << '\n';
  }
  if (frames > kMostFrames) out << fmt::format("      and {} more\n", frames - kMostFrames);
  if (frames == 0) out << "      (no stack)\n";
}

std::string lifetimes_text(const HeapStack& stack) {
  if (stack.lifetimes.buckets.empty()) return "none freed";
  return fmt::format("lived {} (median), {} (90 %)",
                     format_duration(stack.lifetimes.quantile_ns(0.5, 0, 0)),
                     format_duration(stack.lifetimes.quantile_ns(0.9, 0, 0)));
}

std::string usual_size(const HeapStack& stack) {
  return format_bytes(static_cast<std::uint64_t>(stack.sizes.quantile_ns(0.5, 0, 0)));
}

// How each view orders stacks, and what it says of one.
struct View {
  MemoryView view;
  std::string_view title;
  std::uint64_t (*amount)(const HeapStack&);
  std::string (*text)(const HeapStack&);
};

constexpr std::array<View, 6> kViews = {
    {{MemoryView::kPeak, "The heap at its highest", [](const HeapStack& s) { return s.peak_bytes; },
      [](const HeapStack& s) {
        return in_blocks(s.peak_bytes, s.peak_allocations) + ", " + format_bytes(s.own_peak_bytes) +
               " at its own highest";
      }},
     {MemoryView::kLive, "The heap at that moment", [](const HeapStack& s) { return s.live_bytes; },
      [](const HeapStack& s) { return in_blocks(s.live_bytes, s.live_allocations); }},
     {MemoryView::kLeaks, "Never freed",
      // Blocks of no bytes leak, too.
      [](const HeapStack& s) { return s.leaked_bytes + (s.leaked_allocations != 0 ? 1 : 0); },
      [](const HeapStack& s) {
        return fmt::format("{} of {} allocated", in_blocks(s.leaked_bytes, s.leaked_allocations),
                           format_count(s.allocations));
      }},
     {MemoryView::kTemporary, "Freed almost at once",
      [](const HeapStack& s) { return s.temporary; },
      [](const HeapStack& s) {
        return fmt::format("{} of {} allocations ({}), mostly of about {}",
                           format_count(s.temporary), format_count(s.allocations),
                           format_percent(share_of(s.temporary, s.allocations)), usual_size(s));
      }},
     {MemoryView::kChurn, "Most allocations", [](const HeapStack& s) { return s.allocations; },
      [](const HeapStack& s) {
        return fmt::format(
            "{} allocations, {} in all, mostly of about {}; {} replaced another block",
            format_count(s.allocations), format_bytes(s.allocated_bytes), usual_size(s),
            format_count(s.reallocations));
      }},
     {MemoryView::kLifetime, "How long memory lived", [](const HeapStack& s) { return s.frees; },
      [](const HeapStack& s) {
        return fmt::format("{} freed of {}, {}", format_count(s.frees), format_count(s.allocations),
                           lifetimes_text(s));
      }}}};

void write_stacks(std::ostream& out, const TextStyle& style, const Profile& profile,
                  const View& view, std::size_t top, bool all) {
  const Heap& heap = *profile.heap;
  std::vector<std::uint32_t> order = heap_order(heap, view.amount);
  const bool leaks = view.view == MemoryView::kLeaks;
  if (leaks) {
    std::erase_if(order, [&](std::uint32_t i) {
      const std::uint32_t suppression = heap.stacks[i].suppression;
      return suppression != 0 && !(all && heap.suppressions[suppression - 1].by_design);
    });
  }
  write_heading(out, style, view.title);
  const std::size_t shown = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const HeapStack& stack = heap.stacks[order[i]];
    out << fmt::format("{:>4}. {}: {}", i + 1,
                       printable(std::string(operation_name(profile, stack.node))),
                       tinted(style, Tint::kStrong, view.text(stack)));
    if (stack.suppression != 0 && leaks) {
      out << ", by design (" << printable(heap.suppressions[stack.suppression - 1].pattern) << ")";
    }
    out << '\n';
    write_frames(out, style, profile, stack.node);
  }
  if (order.empty()) out << "Nothing.\n";
  if (shown < order.size()) {
    out << fmt::format("and {} more (--top 0 shows all)\n", format_count(order.size() - shown));
  }
  if (leaks && !all) write_by_design(out, heap);
}

}  // namespace

std::optional<MemoryView> parse_memory_view(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, MemoryView>, 7> kNames = {
      {{"summary", MemoryView::kSummary},
       {"peak", MemoryView::kPeak},
       {"live", MemoryView::kLive},
       {"leaks", MemoryView::kLeaks},
       {"temporary", MemoryView::kTemporary},
       {"churn", MemoryView::kChurn},
       {"lifetime", MemoryView::kLifetime}}};
  for (const auto& [known, view] : kNames) {
    if (known == name) return view;
  }
  return std::nullopt;
}

void write_memory(std::ostream& out, const TextStyle& style, const Profile& profile,
                  const MemoryLimits& limits) {
  if (!profile.heap) {
    if (!limits.brief) {
      write_heading(out, style, "Memory");
      out << "Memory was not recorded.\n";
    }
    return;
  }
  const Heap& heap = *profile.heap;
  if (limits.brief && heap.allocations + heap.frees + heap.maps == 0) return;
  write_heading(out, style, "Memory", how_exact(heap));
  write_totals(out, style, heap);
  if (!limits.brief) write_details(out, style, heap);
  if (limits.view == MemoryView::kSummary) {
    if (!limits.brief) write_by_design(out, heap);
    write_table(out, style, profile, limits.top, limits.brief);
    if (!limits.brief) write_threads_of_heap(out, style, heap);
    return;
  }
  for (const View& view : kViews) {
    if (view.view == limits.view) {
      write_stacks(out, style, profile, view, limits.top, limits.all);
    }
  }
}

}  // namespace spyglass
