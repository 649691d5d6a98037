# SPDX-License-Identifier: Apache-2.0
"""How fast the heap is replayed, and in how much memory: a short recording against a long one."""

import os

import harness

EVENTS = (5_000_000, 50_000_000)
LIVE_BLOCKS = 200_000
BUDGET_EVENTS_PER_S = 5e6


def run_memory_analysis(context):
    if not (context.spyglass and context.heap_recording):
        raise harness.BenchError("spyglass and heap_recording are not built (configure with "
                                 "-DSPYGLASS_BENCH=ON, see --tools)")
    path = context.scratch_path("heap.sgz")
    result, rows = {}, []
    for events in EVENTS:
        context.measure([context.heap_recording, str(events), str(LIVE_BLOCKS), path])
        size = harness.tree_bytes(path)
        runs = harness.interleave(
            {"analyze": lambda: context.measure([context.spyglass, "analyze", "--memory", path])},
            context.rounds)["analyze"]
        wall_s = harness.median([run.wall_s for run in runs])
        cpu_s = harness.median([run.cpu_s for run in runs])
        peak = harness.median([run.peak_rss_bytes for run in runs])
        name = f"{events / 1e6:.0f} M events"
        result[name] = {"file_bytes": size, "wall_s": wall_s, "cpu_s": cpu_s,
                        "events_per_s": events / cpu_s, "peak_rss_bytes": peak}
        rows.append([name, size / events, wall_s, events / cpu_s / 1e6, peak / 2**20,
                     "ok" if events / cpu_s >= BUDGET_EVENTS_PER_S else "UNDER"])
        os.remove(path)
    harness.print_table(
        f"analyze --memory, {LIVE_BLOCKS} live blocks (budget: 5 M events/s per core, memory flat)",
        ["recording", "B/event", "wall s", "M events per CPU s", "peak MiB", "budget"], rows)
    return result
