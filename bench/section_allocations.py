# SPDX-License-Identifier: Apache-2.0
"""What a malloc and its free cost with the full stack of each, beside heaptrack, gperftools' heap
profiler and jemalloc's; what a million distinct (size, stack) pairs cost; how fast they are read."""

import glob
import os
import resource
import re
import shutil
import subprocess
import time

import harness

BUDGETS = {"over_bare_ns": 250, "of_heaptrack": 0.25, "sample_ns": 10, "bytes_per_event": 8,
           "events_per_s": 5e6, "flat": 1.25}
CASES = [(8, 1), (25, 1), (45, 1), (25, 4)]
WALKS = {"fast": 1500, "heaptrack": 300, "slow": 40}  # of about 1100 pairs each, per thread
PAIRS = 1_000_000
INTERPRETER_BYTES = 3 << 30
INTERPRETER_SECONDS = 300


def find_library(name):
    found = sorted(glob.glob(f"/usr/lib/*/{name}"))
    return found[0] if found else None


class Way:
    """How to run a program: a command put before it, variables, what it writes, how much work."""

    def __init__(self, prefix=(), env=None, output=None, walks="fast", bare="bare"):
        self.prefix, self.env, self.output = list(prefix), env or {}, output
        self.walks, self.bare = WALKS[walks], bare


def spyglass_way(context, mode):
    path = context.scratch_path(f"memory-{mode}.sgz")
    return Way([context.spyglass_run, "-q", "-f", "-o", path, "--frequency=0",
                f"--memory={mode}", "--"], output=path)


def ways_to_run(context):
    ways = {"bare": Way()}
    for mode in ("full", "sample", "off"):
        ways[f"spyglass {mode}"] = spyglass_way(context, mode)
    if not context.peers:
        return ways
    if shutil.which("heaptrack"):
        path = context.scratch_path("heaptrack")
        ways["heaptrack"] = Way(["heaptrack", "-o", path], output=path,
                                walks="heaptrack")
    tcmalloc, jemalloc = find_library("libtcmalloc.so.4"), find_library("libjemalloc.so.2")
    if tcmalloc:
        ways["tcmalloc"] = Way(env={"LD_PRELOAD": tcmalloc})
        ways["gperftools heap profiler"] = Way(
            env={"LD_PRELOAD": tcmalloc, "HEAPPROFILE": context.scratch_path("gperftools"),
                 "HEAP_PROFILE_ALLOCATION_INTERVAL": "0", "HEAP_PROFILE_INUSE_INTERVAL": "0"},
            walks="slow", bare="tcmalloc")
    if jemalloc:
        ways["jemalloc"] = Way(env={"LD_PRELOAD": jemalloc})
        ways["jemalloc prof, every one"] = Way(
            env={"LD_PRELOAD": jemalloc,
                 "MALLOC_CONF": "prof:true,lg_prof_sample:0,prof_accum:true"},
            walks="slow", bare="jemalloc")
    return ways


def said(run):
    """Pairs and mean depth, as the program says; heaptrack adds lines of its own."""
    found = re.findall(rb"^(\d+) ([\d.]+)$", run.stdout, re.MULTILINE)
    return int(found[-1][0]), float(found[-1][1])


def cost_of(context, way, depth, threads):
    """CPU and wall ns per pair, bytes that one event (of two per pair) takes on disk."""
    walks = max(8, int(way.walks * context.scale / (2 if threads > 1 else 1)))
    command = [context.program("allocations_plain"), str(depth), str(walks), str(threads)]
    for left in glob.glob(way.output + "*") if way.output else []:
        os.remove(left)
    run = context.measure(way.prefix + command, way.env, pin=threads == 1)
    pairs, mean_depth = said(run)
    written = sum(os.path.getsize(path) for path in glob.glob(way.output + "*")) \
        if way.output else 0
    return {"cpu_ns": run.own_cpu_s * 1e9 / pairs, "wall_ns": run.own_wall_s * 1e9 / pairs,
            "pairs": pairs, "bytes_per_event": written / pairs / 2,
            "depth": mean_depth,
            "outside_ns": (run.cpu_s - run.own_cpu_s) * 1e9 / pairs}


def over_bare(rounds, name, way):
    """Median of what each round cost more than its own bare run with the same allocator."""
    return harness.median([one["cpu_ns"] - bare["cpu_ns"]
                           for one, bare in zip(rounds[name], rounds[way.bare])])


def verdict(name, added, heaptrack, depth, bytes_per_event):
    if name == "spyglass full":
        told = [] if depth != 25 else ["ok" if added <= BUDGETS["over_bare_ns"] else "OVER 250 ns"]
        if heaptrack:
            told.append("ok" if added <= heaptrack * BUDGETS["of_heaptrack"] else "OVER 1/4")
        told.append("ok" if bytes_per_event <= BUDGETS["bytes_per_event"] else "OVER 8 bytes")
        return ", ".join(told)
    if name == "spyglass sample":
        return "ok" if added <= BUDGETS["sample_ns"] else "OVER 10 ns"
    return ""


def run_pairs(context):
    ways, result = ways_to_run(context), {}
    for depth, threads in CASES:
        rounds = harness.interleave(
            {name: (lambda way=way: cost_of(context, way, depth, threads))
             for name, way in ways.items()}, context.rounds)
        added = {name: over_bare(rounds, name, way) for name, way in ways.items()}
        rows = []
        for name in ways:
            cpu = [one["cpu_ns"] for one in rounds[name]]
            size = harness.median([one["bytes_per_event"] for one in rounds[name]])
            heaptrack = added.get("heaptrack")
            rows.append([name, harness.median(cpu), added[name],
                         added[name] / heaptrack if heaptrack else None,
                         harness.median([one["outside_ns"] for one in rounds[name]]),
                         size or None, f"{harness.spread(cpu) * 100:.1f}%",
                         verdict(name, added[name], heaptrack, depth, size)])
        mean_depth = rounds["bare"][0]["depth"]
        result[f"depth {depth}, {threads} threads"] = {"added_ns": added, "rounds": rounds}
        harness.print_table(
            f"malloc and free, mean depth {mean_depth:.0f} frames, {threads} thread(s): CPU ns per "
            "pair (budget: full <= 250 at 25 and <= 1/4 of heaptrack's, sample <= 10)",
            ["way", "ns", "over bare", "x heaptrack", "ns besides", "bytes/event", "spread",
             "budget"], rows)
    return result


def watch_peak(command, env, times_path):
    """Runs it; (status, wall s, peak RSS of the process itself, not of its children)."""
    environment = dict(os.environ, BENCH_TIMES_FILE=times_path, **env)
    begin, peak = time.perf_counter(), 0
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None:
        try:
            with open(f"/proc/{child.pid}/status", encoding="ascii") as file:
                peak = max([peak] + [int(line.split()[1]) * 1024 for line in file
                                     if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.005)
    return child.returncode, time.perf_counter() - begin, peak


def many_stacks(context, way, pairs, stacks):
    times_path = context.scratch_path("times")
    status, wall_s, outside_peak = watch_peak(
        way.prefix + [context.program("many_stacks_plain"), str(pairs), str(stacks)], way.env,
        times_path)
    if status != 0:
        raise harness.BenchError(f"many_stacks: status {status}")
    with open(times_path, encoding="ascii") as file:
        own_wall, own_cpu, _, own_peak = (int(field) for field in file.read().split())
    return {"wall_s": wall_s, "ns": own_cpu / pairs, "own_wall_ns": own_wall / pairs,
            "target_peak": own_peak, "outside_peak": outside_peak if way.prefix else 0}


def run_many(context):
    """A million pairs against half as many: what each costs more must stay what it was. heaptrack's
    recorder ends by SIGPIPE when its interpreter has run out of memory: tried apart."""
    pairs, result, rows = int(PAIRS * context.scale), {}, []
    ways = {name: way for name, way in ways_to_run(context).items()
            if name in ("bare", "spyglass full", "spyglass sample")}
    for title, stacks in {"1000 stacks": lambda n: 1000, "each its own stack": lambda n: n}.items():
        measured = {}
        for size in (pairs // 2, pairs):
            rounds = harness.interleave(
                {name: (lambda way=way: many_stacks(context, way, size, stacks(size)))
                 for name, way in ways.items()}, min(context.rounds, 3))
            measured[size] = {name: {key: harness.median([one[key] for one in runs])
                                     for key in runs[0]} for name, runs in rounds.items()}
        for name in ways:
            half, full = measured[pairs // 2][name], measured[pairs][name]
            growth = (full["ns"] / half["ns"], full["target_peak"] / half["target_peak"],
                      full["outside_peak"] / max(half["outside_peak"], 1))
            flat = max(growth) <= BUDGETS["flat"]
            rows.append([f"{title}, {name}", half["ns"], full["ns"], half["target_peak"] / 2**20,
                         full["target_peak"] / 2**20, half["outside_peak"] / 2**20,
                         full["outside_peak"] / 2**20,
                         ("flat" if flat else "GROWS") if name.startswith("spyglass") else ""])
        result[title] = measured
        if "heaptrack" in ways_to_run(context):
            result[f"{title}, interpreter"] = read_heaptrack(context, pairs, stacks(pairs), rows)
    harness.print_table(
        f"{pairs // 2} and {pairs} distinct (size, stack) pairs (budget: flat)",
        ["program", "ns, half", "ns, all", "target MiB, half", "all", "outside MiB, half", "all", ""],
        rows)
    return result


def read_heaptrack(context, pairs, stacks, rows):
    """Whether heaptrack's interpreter survives what its recorder wrote, within limits."""
    path = context.scratch_path("heaptrack-many")
    try:  # it interprets while the program runs
        subprocess.run(["heaptrack", "-o", path,
                        context.program("many_stacks_plain"), str(pairs), str(stacks)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
                       timeout=INTERPRETER_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        rows.append([f"  heaptrack: {error}"] + [None] * 6 + [""])
        return {"status": str(error)}
    written = sorted(glob.glob(path + "*"))[0]

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (INTERPRETER_BYTES, INTERPRETER_BYTES))
    begin = time.perf_counter()
    try:
        done = subprocess.run(["heaptrack", "--analyze", written], preexec_fn=limit,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=INTERPRETER_SECONDS, check=False)
        status = done.returncode
    except subprocess.TimeoutExpired:
        status = "timeout"
    seconds = time.perf_counter() - begin
    rows.append([f"  heaptrack --analyze: status {status} after {seconds:.0f} s, within 3 GB"] +
                [None] * 6 + [""])
    return {"status": status, "wall_s": seconds, "file_bytes": os.path.getsize(written)}


def run_reading(context):
    """Events per CPU second, and the peak of memory, on a recording and on one of four times its size."""
    way, result, rows = spyglass_way(context, "full"), {}, []
    for factor in (1, 4):
        walks = max(1, int(2000 * context.scale)) * factor
        run = context.measure(way.prefix + [context.program("allocations_plain"), "25", str(walks)])
        events = 2 * int(run.stdout.split()[0])
        runs = [context.measure([context.spyglass, "analyze", "--memory", way.output])
                for _ in range(context.rounds)]
        cpu_s = harness.median([one.cpu_s for one in runs])
        peak = harness.median([one.peak_rss_bytes for one in runs])
        result[f"{factor}x"] = {"events": events, "cpu_s": cpu_s, "peak_rss_bytes": peak,
                                "wall_s": harness.median([one.wall_s for one in runs]),
                                "file_bytes": os.path.getsize(way.output)}
        rate = events / cpu_s
        growth = peak / result["1x"]["peak_rss_bytes"]
        rows.append([f"{factor}x", events / 1e6, os.path.getsize(way.output) / 1e6, cpu_s,
                     rate / 1e6, peak / 2**20,
                     ("ok" if rate >= BUDGETS["events_per_s"] else "UNDER") +
                     (", flat" if growth <= BUDGETS["flat"] else ", GROWS")])
    harness.print_table("analyze --memory (budget: 5 M events per CPU second, memory flat)",
                        ["recording", "M events", "MB", "CPU s", "M events/s", "peak MiB", ""], rows)
    return result


def run_allocations(context):
    if not context.spyglass_run or not context.spyglass:
        raise harness.BenchError("spyglass-run or spyglass is not built (see --tools)")
    return {"pairs": run_pairs(context), "many": run_many(context),
            "reading": run_reading(context)}
