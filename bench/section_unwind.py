# SPDX-License-Identifier: Apache-2.0
"""What a frame costs to unwind, new and verified, against unw_backtrace on the same stacks."""

import harness

BUDGETS_NS = {"new_frame": 12.0, "verified_frame": 2.0}
ROWS = {
    "new_frame": "new, each stack unwound whole",
    "new_frame_same_stack": "new, the same stack again",
    "memo_tree": "with the memo, changing stacks",
    "verified_frame": "verified, the same stack again",
    "libunwind_tree": "unw_backtrace, changing stacks",
    "libunwind_same_stack": "unw_backtrace, the same stack again",
}


def run_unwind(context):
    """Medians over processes, whose addresses differ, of the medians of each one's own rounds."""
    if not context.unwind_bench:
        raise harness.BenchError("unwind_bench is not built (see --tools; -DSPYGLASS_BENCH=ON)")
    found = {}
    for _ in range(context.rounds):
        for line in context.measure([context.unwind_bench]).stdout.decode().splitlines():
            name, value, _ = line.split(maxsplit=2)
            found.setdefault(name, []).append(float(value))
    values = {name: harness.median(of_rounds) for name, of_rounds in found.items()}
    peers = {"new_frame": "libunwind_tree", "memo_tree": "libunwind_tree",
             "verified_frame": "libunwind_same_stack",
             "new_frame_same_stack": "libunwind_same_stack"}
    rows = []
    for name, what in ROWS.items():
        peer = values[peers[name] + "_stack"] if name in peers else values[name + "_stack"]
        budget = BUDGETS_NS.get(name)
        rows.append([what, values[name], values[name + "_stack"], values[name + "_stack"] / peer,
                     budget or "", "" if not budget else
                     "ok" if values[name] <= budget else "OVER"])
    harness.print_table(f"unwinding, {values['tree_frames']:.0f} frames deep",
                        ["frames", "ns per frame", "ns per stack", "/ libunwind", "budget ns", ""],
                        rows)
    return values
