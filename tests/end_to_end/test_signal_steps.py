#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A signal at every instruction of the hooks, by single steps: counts exact, nesting right.

SIGNAL_STEPS=full interrupts every instruction of the long scenarios too, not one of some.
"""

import collections
import os
import unittest

from harness import EndToEndTest, PROGRAMS_DIR, WATCHDOG_SECONDS, program, run

FULL = os.environ.get("SIGNAL_STEPS") == "full"
OPTIONS = ["--trace=all", "--on-full=block", "--frequency=0"]

# The callers with hooks that a function may have; the handler's is whoever was interrupted.
CALLERS = {"branch": {None}, "recurse": {None, "recurse"}, "jump_over": {None},
           "jump_back": {"jump_over", "jump_back"}, "catch_all": {None}, "pass_on": {"catch_all"},
           "fail": {"pass_on", "catch_all", "fail"}, "below_handler": {"handle"},
           "only_in_a": {"plugin_entry"}}

# While what() of an exception runs, hooks do nothing. Around that call stand so few instructions.
MUTED_INSTRUCTIONS = 4


def plain_name(function):
    name = function["name"].replace("(anonymous namespace)::", "")
    return name.split("(")[0]


class SignalSteps(EndToEndTest):
    def play(self, scenario, stride, exit_line=b"exited with 0\n"):
        """Returns what was recorded and how often everything was called in truth."""
        counts = self.new_path(".counts")
        plugin = os.path.join(PROGRAMS_DIR, "plugin_a.so")
        command = [program("step_signals"), scenario, counts, str(stride), plugin]
        bare = run(command)
        if b"Operation not permitted" in bare.stderr:
            self.skipTest("NOT TESTED: ptrace; not permitted here")
        self.assertEqual(bare.stdout, exit_line, bare.stderr)
        recorded = self.record(command, *OPTIONS, timeout=max(240, WATCHDOG_SECONDS))
        self.assertEqual((recorded.status, recorded.stdout, recorded.stderr), (0, exit_line, b""))
        self.verify(recorded.path)
        with open(counts, encoding="ascii") as file:
            truth = {name: int(count) for name, count in map(str.split, file)}
        self.assertGreater(truth["delivered"], 100, "the library was not stepped through")
        return recorded, truth

    def check_counts(self, recorded, truth, lost_handlers=0):
        calls, timed = collections.Counter(), collections.Counter()
        for function in recorded.functions():
            name = plain_name(function)
            calls[name] += function["calls"]
            timed[name] += sum(count for _, count in function["histogram"]) + function["open_calls"]
        of_handler = {"leaf": 1, "handle": 1, "below_handler": 2, "write": 1}
        for name, count in truth.items():
            if name == "delivered":
                continue
            expected = count - lost_handlers * of_handler.get(name, 0)
            self.assertEqual(calls[name], expected, (name, truth))
            self.assertEqual(timed[name], expected, f"durations of {name}")

    def check_nesting(self, recorded):
        functions, tree = recorded.functions(), recorded.analysis()["tree"]
        nodes = {node["id"]: node for node in tree}
        below = collections.Counter()
        for node in tree:
            name = plain_name(functions[node["function"]])
            parent = nodes.get(node["parent"])
            caller = plain_name(functions[parent["function"]]) if parent else None
            if name in CALLERS and node["calls"]:
                # Functions without hooks are frames of operations' stacks; they have no calls.
                while parent and not parent["calls"]:
                    parent = nodes.get(parent["parent"])
                    caller = plain_name(functions[parent["function"]]) if parent else None
                self.assertIn(caller, CALLERS[name], name)
            if name == "below_handler":
                below[node["parent"]] += node["calls"]
        for identity, count in below.items():
            self.assertEqual(count, 2 * nodes[identity]["calls"])

    def check_spans(self, recorded, functions):
        """Of what these functions did in one thread, no two overlap in part."""
        by_thread = collections.defaultdict(list)
        for span in recorded.spans():
            if plain_name({"name": span["function"]}) in functions:
                start = span["start_ns"]
                by_thread[span["pid"], span["tid"]].append((start, start + span["duration_ns"]))
        for spans in by_thread.values():
            stack = []
            for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
                while stack and stack[-1] <= start:
                    stack.pop()
                # Time stamps are whole nanoseconds of the session.
                self.assertTrue(not stack or end <= stack[-1] + 2, (start, end, stack))
                stack.append(end)

    def check(self, scenario, stride=1, repaired=0, **more):
        recorded, truth = self.play(scenario, stride, **more)
        self.check_counts(recorded, truth)
        self.check_nesting(recorded)
        self.check_spans(recorded, {"branch", "recurse", "fail", "pass_on", "catch_all", "in_child"})
        self.check_spans(recorded, {"handle", "below_handler"})
        losses = {loss["reason"]: loss["count"] for loss in recorded.analysis()["losses"]}
        self.assertEqual(losses, {"left without return": repaired} if repaired else {})
        return truth

    def test_enter_and_exit(self):
        self.check("hooks")

    def test_first_interruption_of_each_instruction(self):
        self.check("hooks", stride=0)

    def test_jumps(self):
        # longjmp over jump_back: 4 frames and 1 frame.
        self.check("jumps", repaired=5)

    def test_files(self):
        self.check("files", stride=1 if FULL else 7)

    def test_streams(self):
        self.check("streams", stride=1 if FULL else 7)

    def test_locks(self):
        self.check("locks", stride=1 if FULL else 7)

    def test_threads(self):
        self.check("threads", stride=1 if FULL else 3)

    def test_fork(self):
        self.check("fork", stride=1 if FULL else 3)

    def test_load(self):
        self.check("load", stride=1 if FULL else 7)

    def test_dispositions(self):
        self.check("dispositions")

    def test_end(self):
        self.check("exit", exit_line=b"exited with 7\n")

    def test_fatal_signal(self):
        self.check("fault", stride=1 if FULL else 5, exit_line=b"killed by 11\n")

    def test_exceptions(self):
        recorded, truth = self.play("exceptions", 1 if FULL else 7)
        handled = sum(f["calls"] for f in recorded.functions() if plain_name(f) == "handle")
        muted = truth["delivered"] - handled
        self.assertLessEqual(muted, MUTED_INSTRUCTIONS * truth["__cxa_throw"])
        self.check_counts(recorded, truth, lost_handlers=muted)
        self.check_nesting(recorded)

    def test_first_hook_of_a_process(self):
        # The first signal comes before the first instruction: its handler sets up the lane.
        self.check("first")

    def test_a_lane_that_is_being_set_up(self):
        """What a handler calls then is lost, but counted: five calls of each handler."""
        recorded, truth = self.play("first", 0)
        handled = sum(f["calls"] for f in recorded.functions() if plain_name(f) == "handle")
        lost = truth["delivered"] - handled
        self.assertGreater(lost, 0)
        self.check_counts(recorded, truth, lost_handlers=lost)
        self.assertEqual([(loss["reason"], loss["count"]) for loss in recorded.lost()],
                         [("no lane free", 5 * lost)])
        self.check_nesting(recorded)


if __name__ == "__main__":
    unittest.main()
