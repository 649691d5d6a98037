# SPDX-License-Identifier: Apache-2.0
"""What sampling at 1 kHz costs a CPU-bound C++ program with stacks about 30 deep, beside perf and
gperftools' profiler: CPU time, size of the file, time to the first report; and what the interrupts
alone take from a program that only watches the clock."""

import glob
import os
import shutil
import subprocess
import time

import harness

BUDGET = {"spyglass perf": 1.01, "spyglass timer": 1.02}
HERTZ = 1000


def find_gperftools():
    found = sorted(glob.glob("/usr/lib/*/libprofiler.so*"))
    return found[0] if found else None


def ways_to_run(context, command):
    """Name -> (command, environment, file that it writes, command that reports on it)."""
    ways = {"bare": (command, {}, None, None)}
    for sampler in ("off", "perf", "timer"):
        path = context.scratch_path(f"{sampler}.sgz")
        ways[f"spyglass {sampler}"] = (
            [context.spyglass_run, "-q", "-f", "-o", path, f"-F{HERTZ}", f"--sampler={sampler}",
             "--", *command], {}, path, [context.spyglass, "analyze", path])
    if context.peers and shutil.which("perf"):
        # What the kernel's timer interrupts cost by themselves: no sampler can be cheaper.
        path = context.scratch_path("ip.data")
        ways["perf record, no stacks"] = (
            ["perf", "record", "-q", "-e", "task-clock:u", "-F", str(HERTZ), "-o", path, "--",
             *command], {}, path, None)
        path = context.scratch_path("perf.data")
        ways["perf record"] = (
            ["perf", "record", "-q", "-e", "task-clock:u", "-F", str(HERTZ), "--call-graph",
             "dwarf", "-o", path, "--", *command], {}, path,
            ["perf", "report", "--stdio", "-q", "--no-children", "-i", path])
    if context.peers and find_gperftools():
        path = context.scratch_path("gperftools.prof")
        ways["gperftools"] = (
            command, {"LD_PRELOAD": find_gperftools(), "CPUPROFILE": path,
                      "CPUPROFILE_FREQUENCY": str(HERTZ)}, path,
            ["google-pprof", "--text", command[0], path])
    return ways


def time_report(command):
    """Seconds until the report is there; nan without the tool."""
    if command is None or not shutil.which(command[0]):
        return float("nan")
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - begin


def run_sampling(context):
    if not context.spyglass_run or not context.spyglass:
        raise harness.BenchError("spyglass-run or spyglass is not built (see --tools)")
    return {"deep_cpu": run_deep_cpu(context), "interruptions": run_interruptions(context)}


def run_deep_cpu(context):
    command = [context.program("deep_cpu_plain"), str(int(300 * context.scale))]
    ways = ways_to_run(context, command)
    runs = harness.interleave(
        {name: (lambda way=way: context.measure(way[0], way[1], pin=True))
         for name, way in ways.items()}, context.rounds)
    bare = [run.own_cpu_s for run in runs["bare"]]
    result, rows = {}, []
    for name, (_, _, path, report) in ways.items():
        own = [run.own_cpu_s for run in runs[name]]
        outside = harness.median([run.cpu_s - run.own_cpu_s for run in runs[name]])
        size = os.path.getsize(path) if path and os.path.exists(path) else None
        figures = {"cpu_s": own, "ratio": harness.paired_ratio(own, bare),
                   "outside_cpu_s": outside, "file_bytes": size, "report_s": time_report(report)}
        result[name] = figures
        verdict = ""
        if name in BUDGET:
            verdict = "ok" if figures["ratio"] <= BUDGET[name] else f"OVER {BUDGET[name]}"
        rows.append([name, harness.median(own), f"{(figures['ratio'] - 1) * 100:+.2f}%", verdict,
                     outside, size / 1e3 if size is not None else None, figures["report_s"],
                     f"{harness.spread(own) * 100:.1f}%"])
    harness.print_table(
        f"CPU sampling at {HERTZ} Hz, stacks about 30 deep",
        ["way", "CPU s", "over bare", "budget", "CPU s besides", "file KB", "report s", "spread"],
        rows)
    return result


def interruptions_of(context, way):
    """What the program prints: name to value."""
    lines = context.measure(way[0], way[1], pin=True).stdout.decode().split("\n")
    return {name: float(value) for name, value in (line.split() for line in lines if line)}


def run_interruptions(context):
    """Every interruption is timed by whom it interrupts: tells ways apart that differ by 0.1 %."""
    ways = ways_to_run(context, [context.program("interruptions_plain"), str(4 * context.scale)])
    runs = harness.interleave({name: (lambda way=way: interruptions_of(context, way))
                               for name, way in ways.items()}, context.rounds)
    result, rows = {}, []
    for name, ones in runs.items():
        added = harness.median([one["taken_percent"] - bare["taken_percent"]
                                for one, bare in zip(ones, runs["bare"])])
        medians = {key: harness.median([one[key] for one in ones]) for key in ones[0]}
        result[name] = {**medians, "added_percent": added, "rounds": ones}
        rows.append([name, f"{medians['a_second']:.0f}", medians["median_us"],
                     f"{medians['taken_percent']:.2f}%", f"{added:+.2f}%"])
    harness.print_table(f"time that interruptions take at {HERTZ} Hz",
                        ["way", "a second", "median us", "taken", "over bare"], rows)
    return result
