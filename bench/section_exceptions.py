# SPDX-License-Identifier: Apache-2.0
"""What a throw and its catch cost over the bare ones, with event and what()."""

import harness
from section_waits import costs_of


def run_exceptions(context):
    """Medians over rounds of the best of ten parts, each round bare, off and recorded."""
    if not context.spyglass_run:
        raise harness.BenchError("spyglass-run is not built (see --tools)")
    rounds = harness.interleave({
        "bare": lambda: costs_of(context, "exceptions_plain", None),
        "off": lambda: costs_of(context, "exceptions_plain", ["--frequency=0", "--operations=none"]),
        "recorded": lambda: costs_of(context, "exceptions_plain", ["--frequency=0"]),
    }, context.rounds)
    result, rows = {}, []
    for name in rounds["bare"][0]:
        ns = {way: harness.median([one[name] for one in runs]) for way, runs in rounds.items()}
        result[name] = {**ns, "rounds": {way: [one[name] for one in runs]
                                         for way, runs in rounds.items()}}
        rows.append([name, ns["bare"], ns["off"], ns["recorded"], ns["recorded"] - ns["bare"]])
    harness.print_table("exceptions, ns from throw to the end of the catch block",
                        ["round", "bare", "operations off", "recorded", "added"], rows)
    return result
