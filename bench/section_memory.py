# SPDX-License-Identifier: Apache-2.0
"""What a thread costs in the target: resident bytes with many threads against none."""

import harness

IDLE_CALLS = 8
ACTIVE_CALLS = 4_000_000
BUDGETS = {"idle": 128 << 10, "active": 2 << 20}


def resident_bytes(context, threads, calls, options):
    command = [context.program("thread_memory"), str(threads), str(calls)]
    if options is not None:
        command = [context.spyglass_run, "-q", "-f", "-o", context.scratch_path("memory.sgz"),
                   *options, "--", *command]
    return context.measure(command).own_rss_bytes


def run_memory(context):
    """Slope of the resident size over the number of threads, recorded minus bare."""
    if not context.spyglass_run:
        raise harness.BenchError("spyglass-run is not built (see --tools)")
    cases = {
        "idle": (1, 257, IDLE_CALLS, []),
        "active": (1, 17, ACTIVE_CALLS, []),
        "active, --trace=all": (1, 17, ACTIVE_CALLS, ["--trace=all"]),
    }
    result, rows = {}, []
    for name, (few, many, calls, options) in cases.items():
        per_thread, first = {}, {}
        for way, way_options in {"bare": None, "recorded": options}.items():
            low = harness.median([resident_bytes(context, few, calls, way_options)
                                  for _ in range(3)])
            high = harness.median([resident_bytes(context, many, calls, way_options)
                                   for _ in range(3)])
            per_thread[way] = (high - low) / (many - few)
            first[way] = low
        added = per_thread["recorded"] - per_thread["bare"]
        fixed = first["recorded"] - first["bare"] - few * added
        budget = BUDGETS[name.split(",")[0]]
        result[name] = {"bytes_per_thread": added, "fixed_bytes": fixed}
        rows.append([name, added / 1024, fixed / 1024, budget / 1024,
                     "ok" if added <= budget else "OVER"])
    harness.print_table("memory in the target, over bare",
                        ["threads", "KiB per thread", "KiB fixed", "budget KiB", ""], rows)
    return result
