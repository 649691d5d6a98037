# SPDX-License-Identifier: Apache-2.0
"""What a call costs: empty hooks, floor, Spyglass in its three ways, uftrace."""

import json
import os
import shutil

import harness

# name -> (function of scale that gives the argument, pinned to one core)
# Sizes give 18-26 million calls: uftrace writes 32 bytes for each.
PROGRAMS = {
    "tiny": (lambda scale: 34 if scale >= 1 else 30 if scale >= 0.1 else 24, True),
    "stl_heavy": (lambda scale: max(1, round(2 * scale)), True),
    "four_threads": (lambda scale: max(1000, round(500000 * scale)), False),
    "sqlite_workload": (lambda scale: max(1, round(2 * scale)), True),
}

SPYGLASS_WAYS = {
    "spyglass": [],
    "spyglass --trace=all": ["--trace=all"],
    "spyglass --trace=all --on-full=block": ["--trace=all", "--on-full=block"],
}

BUDGETS = {"spyglass": 1.35, "spyglass --trace=all": 1.5}


def count_calls(context, command):
    """Exact number of calls, by a library that does nothing but count."""
    path = context.scratch_path("count")
    context.measure(command, {"LD_PRELOAD": context.program("libcounting.so"),
                              "BENCH_COUNT_FILE": path})
    with open(path, encoding="ascii") as file:
        enters, exits = (int(field) for field in file.read().split())
    if enters != exits:
        raise harness.BenchError(f"{command[0]}: {enters} enters but {exits} exits")
    return enters


def recording_facts(context, path):
    """Calls of hooks (not of operations, such as those that write the program's times) and losses
    that the analyzer reads from a recording, and how long the report takes."""
    text = context.measure([context.spyglass, "analyze", path])
    facts = json.loads(context.measure([context.spyglass, "analyze", "--json", path]).stdout)
    return {"calls": sum(function["calls"] for function in facts["functions"]
                         if function["kind"] == "function"),
            "losses": {loss["kind"]: loss["count"] for loss in facts["losses"]},
            "report_s": text.wall_s}


def spyglass_variant(context, command, pinned, options, path):
    def measure():
        return context.measure([context.spyglass_run, "-q", "-f", "-o", path, *options, "--",
                                *command], pin=pinned)
    return measure


def uftrace_variant(context, command, pinned, folder):
    def measure():
        shutil.rmtree(folder, ignore_errors=True)
        return context.measure([context.uftrace, "record", "--no-libcall", "--no-event", "-d",
                                folder, *command], pin=pinned)
    return measure


def make_variants(context, name, command, pinned):
    plain = [command[0] + "_plain", *command[1:]]
    variants = {
        "plain": lambda: context.measure(plain, pin=pinned),
        "empty": lambda: context.measure(
            command, {"LD_PRELOAD": context.program("libempty.so")}, pinned),
        "floor": lambda: context.measure(
            command, {"LD_PRELOAD": context.program("libfloor.so")}, pinned),
    }
    data = {}
    if context.spyglass_run:
        for number, (way, options) in enumerate(SPYGLASS_WAYS.items()):
            data[way] = context.scratch_path(f"{name}.{number}.sgz")
            variants[way] = spyglass_variant(context, command, pinned, options, data[way])
    if context.uftrace:
        data["uftrace"] = context.scratch_path(f"{name}.uftrace")
        variants["uftrace"] = uftrace_variant(context, command, pinned, data["uftrace"])
    return variants, data


def describe_data(context, way, path, calls):
    """Bytes per call on disk, share of calls kept, report time of what the last round left."""
    if way == "uftrace":
        size = harness.tree_bytes(path)
        report = context.measure([context.uftrace, "report", "--no-pager", "-d", path])
        kept = harness.tree_bytes(path, ".dat") / 32 / calls
        return {"bytes_per_call": size / calls, "kept": kept, "report_s": report.wall_s}
    size = harness.tree_bytes(path)
    facts = recording_facts(context, path)
    return {"bytes_per_call": size / calls, "kept": facts["calls"] / calls,
            "losses": facts["losses"], "report_s": facts["report_s"]}


def measure_program(context, name):
    argument, pinned = PROGRAMS[name]
    command = [context.program(name), str(argument(context.scale))]
    calls = count_calls(context, command)
    variants, data = make_variants(context, name, command, pinned)
    runs = harness.interleave(variants, context.rounds)
    expected = runs["plain"][0].stdout
    plain_cpu = [run.own_cpu_s for run in runs["plain"]]
    empty_cpu = [run.own_cpu_s for run in runs["empty"]]
    floor_over_plain = [r.own_cpu_s - p for r, p in zip(runs["floor"], plain_cpu)]
    floor_over_empty = [r.own_cpu_s - e for r, e in zip(runs["floor"], empty_cpu)]
    result = {"command": command, "calls": calls, "ways": {}}
    for way, way_runs in runs.items():
        cpu = [run.own_cpu_s for run in way_runs]
        over_plain = [c - p for c, p in zip(cpu, plain_cpu)]
        over_empty = [c - e for c, e in zip(cpu, empty_cpu)]
        wall = [run.own_wall_s for run in way_runs]
        facts = {
            "ns_per_call": harness.median(over_plain) / calls * 1e9,
            "ns_per_call_over_empty": harness.median(over_empty) / calls * 1e9,
            "ratio_to_floor": harness.paired_ratio(over_plain, floor_over_plain),
            "ratio_to_floor_over_empty": harness.paired_ratio(over_empty, floor_over_empty),
            "calls_per_s": calls / harness.median(wall),
            "calls_per_s_with_tool": calls / harness.median([run.wall_s for run in way_runs]),
            "spread": harness.spread(cpu),
            "same_output": all(run.stdout == expected for run in way_runs),
            "cpu_s": cpu, "wall_s": wall, "total_wall_s": [run.wall_s for run in way_runs],
        }
        if way in data:
            facts.update(describe_data(context, way, data[way], calls))
        result["ways"][way] = facts
    for path in data.values():
        shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.remove(path)
    return result


def lost_spans(facts):
    return sum(facts["losses"].values()) if facts.get("losses") else 0 if "losses" in facts else None


def print_program(name, result):
    rows = []
    for way, facts in result["ways"].items():
        budget = BUDGETS.get(way)
        ratio = facts["ratio_to_floor"]
        verdict = "" if budget is None else "ok" if ratio <= budget else "OVER"
        rows.append([way, facts["ns_per_call"], facts["ns_per_call_over_empty"], ratio,
                     facts["ratio_to_floor_over_empty"],
                     verdict, facts["calls_per_s"] / 1e6, facts.get("bytes_per_call"),
                     facts.get("kept"), lost_spans(facts), facts.get("report_s"),
                     f"{facts['spread'] * 100:.1f}%", "same" if facts["same_output"] else "DIFFERS"])
    harness.print_table(
        f"{name}: {result['calls']} calls",
        ["way", "ns/call", "over empty", "x floor", "(ov. empty)", "budget", "Mcalls/s", "B/call",
         "kept", "lost", "report s", "spread", "output"], rows)


def print_against_peer(programs):
    """The three promises against uftrace, as ratios."""
    rows = []
    for name, result in programs.items():
        peer = result["ways"].get("uftrace")
        for way in SPYGLASS_WAYS:
            facts = result["ways"].get(way)
            if peer is None or facts is None:
                continue
            rows.append([f"{name}, {way}", facts["ns_per_call"] / peer["ns_per_call"],
                         facts["bytes_per_call"] / peer["bytes_per_call"],
                         facts["report_s"] / peer["report_s"]])
    if rows:
        harness.print_table("against uftrace (budgets: cost 0.333, bytes 0.05, report 0.1)",
                            ["", "cost", "bytes", "report"], rows)


def run_hooks(context):
    programs = {}
    for name in context.programs:
        programs[name] = measure_program(context, name)
        print_program(name, programs[name])
    print_against_peer(programs)
    return programs


def run_sqlite(context):
    """A workload of more than 10^8 calls: same output, exact counts, report under a second."""
    if not (context.spyglass and context.spyglass_run):
        raise harness.BenchError("spyglass-run is not built (see --tools)")
    command = [context.program("sqlite_workload"), str(max(1, round(6 * context.scale)))]
    calls = count_calls(context, command)
    path = context.scratch_path("sqlite.sgz")
    bare = context.measure(command, pin=True)
    recorded = spyglass_variant(context, command, True, [], path)()
    facts = recording_facts(context, path)
    result = {"calls": calls, "bare_s": bare.own_cpu_s, "recorded_s": recorded.own_cpu_s,
              "same_output": bare.stdout == recorded.stdout, "recorded_calls": facts["calls"],
              "losses": facts["losses"], "report_s": facts["report_s"],
              "file_bytes": harness.tree_bytes(path)}
    harness.print_table("sqlite: 10^8 calls under spyglass-run (budgets: same, exact, report < 1 s)",
                        ["what", "value"], [[key, str(value)] for key, value in result.items()])
    return result
