# SPDX-License-Identifier: Apache-2.0
"""How fast recordings are read, and in how much memory: a small one against a large one."""

import os
import subprocess

import harness
import section_hooks

SMALL_BYTES = 100_000_000
BUDGET_SPANS_PER_S = 20e6
CODEC_STREAMS = {"tiny": "32", "stl_heavy": "1", "sqlite_workload": "1"}
VIEWS = {"report": [], "time range": ["--time-range", "1ms.."]}


def record_spans(context, rounds, path):
    """Every call of `rounds` rounds of SQLite as a span, none lost."""
    command = [context.program("sqlite_workload"), str(rounds)]
    section_hooks.spyglass_variant(context, command, True, ["--trace=all", "--on-full=block"],
                                   path)()
    return section_hooks.count_calls(context, command)


def rounds_for(context, wanted_bytes, path):
    """Rounds of the workload that give about `wanted_bytes`: its work grows faster than linearly."""
    sizes = {}
    for rounds in (2, 4):
        record_spans(context, rounds, path)
        sizes[rounds] = harness.tree_bytes(path)
    quadratic = (sizes[4] - 2 * sizes[2]) / 8
    linear = sizes[2] / 2 - 2 * quadratic
    rounds = 1
    while linear * rounds + max(quadratic, 0) * rounds * rounds < wanted_bytes:
        rounds += 1
    return rounds


def run_analyze(context):
    if not (context.spyglass and context.spyglass_run):
        raise harness.BenchError("spyglass and spyglass-run are not built (see --tools)")
    path = context.scratch_path("spans.sgz")
    result, rows = {}, []
    for wanted_bytes in (SMALL_BYTES, context.large_bytes):
        spans = record_spans(context, rounds_for(context, wanted_bytes, path), path)
        size = harness.tree_bytes(path)
        for view, options in VIEWS.items():
            runs = harness.interleave(
                {"analyze": lambda options=options: context.measure(
                    [context.spyglass, "analyze", *options, path])}, context.rounds)["analyze"]
            wall_s = harness.median([run.wall_s for run in runs])
            cpu_s = harness.median([run.cpu_s for run in runs])
            peak = harness.median([run.peak_rss_bytes for run in runs])
            name = f"{size / 1e6:.0f} MB, {view}"
            result[name] = {"file_bytes": size, "spans": spans, "wall_s": wall_s, "cpu_s": cpu_s,
                            "spans_per_s": spans / wall_s, "peak_rss_bytes": peak}
            rows.append([name, spans / 1e6, wall_s, spans / wall_s / 1e6, spans / cpu_s / 1e6,
                         peak / 2**20, "ok" if spans / cpu_s >= BUDGET_SPANS_PER_S else "UNDER"])
        os.remove(path)
    harness.print_table("analyze (budget: 20 M spans/s per core, memory flat)",
                        ["recording", "M spans", "wall s", "M spans/s", "per CPU s", "peak MiB",
                         "budget"], rows)
    return result


def run_codec(context):
    """The span codec alone, without target, disk or reader, on streams taken from real programs."""
    if not context.codec_bench:
        raise harness.BenchError("codec_bench is not built (configure with -DSPYGLASS_BENCH=ON, "
                                 "see --tools)")
    files = []
    for name, argument in CODEC_STREAMS.items():
        files.append(context.scratch_path(name + ".spans"))
        context.measure([context.program(name), argument],
                        {"LD_PRELOAD": context.program("libspan.so"), "BENCH_SPANS_FILE": files[-1]})
    text = subprocess.run([context.codec_bench, str(context.rounds),
                           *(os.path.basename(file) for file in files)], cwd=context.scratch,
                          check=True, capture_output=True, text=True).stdout
    print("\nspan codec (best of the rounds)\n" + text, end="")
    return {"lines": text.splitlines()}
