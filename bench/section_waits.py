# SPDX-License-Identifier: Apache-2.0
"""What an interposed call costs over the bare one where nothing waits, and a switch where it does."""

import harness

BUDGETS_NS = {"lock_unlock": 20}


def costs_of(context, program, options):
    """What the program prints: name to ns. `options` of spyglass-run; None: bare."""
    command = [context.program(program), str(context.scale)]
    if options is not None:
        command = [context.spyglass_run, "-q", "-f", "-o", context.scratch_path(f"{program}.sgz"),
                   *options, "--", *command]
    lines = context.measure(command, pin=True).stdout.decode().split("\n")
    return {name: float(ns) for name, ns in (line.split() for line in lines if line)}


def run_waits(context):
    """Medians over rounds of the best of ten parts, each round bare, off and recorded."""
    if not context.spyglass_run:
        raise harness.BenchError("spyglass-run is not built (see --tools)")
    rounds = harness.interleave({
        "bare": lambda: costs_of(context, "waits_plain", None),
        "off": lambda: costs_of(context, "waits_plain", ["--frequency=0", "--operations=none"]),
        "recorded": lambda: costs_of(context, "waits_plain", ["--frequency=0"]),
    }, context.rounds)
    result, rows = {}, []
    for name in rounds["bare"][0]:
        ns = {way: harness.median([one[name] for one in runs]) for way, runs in rounds.items()}
        added = ns["recorded"] - ns["bare"]
        budget = BUDGETS_NS.get(name)
        result[name] = {**ns, "rounds": {way: [one[name] for one in runs]
                                         for way, runs in rounds.items()}}
        rows.append([name, ns["bare"], ns["off"], ns["recorded"], added, budget,
                     "" if budget is None else "ok" if added <= budget else "OVER"])
    harness.print_table("interposed calls that do not wait, ns per round",
                        ["round", "bare", "operations off", "recorded", "added", "budget", ""],
                        rows)
    result["switches"] = run_switches(context)
    return result


def run_switches(context):
    """Medians over rounds of programs that do little but switch, by what is recorded of them."""
    ways = {"bare": None, "waits": ["--frequency=0", "--memory=off"],
            "and timer": ["--sampler=timer", "--memory=off"],
            "and perf": ["--sampler=perf", "--memory=off"], "defaults": []}
    rounds = harness.interleave(
        {way: lambda options=options: costs_of(context, "switches_plain", options)
         for way, options in ways.items()}, context.rounds)
    result = {name: {way: [one[name] for one in runs] for way, runs in rounds.items()}
              for name in rounds["bare"][0]}
    rows = [[name, *(harness.median(ns) for ns in by_way.values())]
            for name, by_way in result.items()]
    harness.print_table("programs that do little but switch, ns per round", ["round", *ways], rows)
    return result
