# SPDX-License-Identifier: Apache-2.0
"""What starting and stopping costs: spyglass-run /bin/true against /bin/true."""

import harness

RUNS_PER_ROUND = 10
BUDGET_MS = 15


def run_startup(context):
    if not context.spyglass_run:
        raise harness.BenchError("spyglass-run is not built (see --tools)")
    recording = context.scratch_path("true.sgz")
    variants = {
        "bare": lambda: context.measure(["/bin/true"]),
        "spyglass-run": lambda: context.measure(
            [context.spyglass_run, "-q", "-f", "-o", recording, "--", "/bin/true"]),
    }
    if context.uftrace:
        folder = context.scratch_path("true.uftrace")
        variants["uftrace record --force"] = lambda: context.measure(
            [context.uftrace, "record", "--force", "-d", folder, "/bin/true"], check=False)
    runs = harness.interleave(variants, context.rounds * RUNS_PER_ROUND)
    bare = [run.wall_s for run in runs["bare"]]
    result, rows = {}, []
    for way, way_runs in runs.items():
        wall = [run.wall_s for run in way_runs]
        over_ms = harness.median([w - b for w, b in zip(wall, bare)]) * 1e3
        result[way] = {"median_ms": harness.median(wall) * 1e3, "over_bare_ms": over_ms,
                       "spread": harness.spread(wall), "wall_s": wall}
        verdict = "ok" if over_ms <= BUDGET_MS else "OVER"
        rows.append([way, result[way]["median_ms"], over_ms,
                     verdict if way == "spyglass-run" else "",
                     f"{result[way]['spread'] * 100:.1f}%"])
    harness.print_table(f"start and stop (budget: {BUDGET_MS} ms over bare)",
                        ["way", "ms", "over bare", "budget", "spread"], rows)
    return result
