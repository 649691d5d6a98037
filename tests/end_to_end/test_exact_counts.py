# SPDX-License-Identifier: Apache-2.0
"""Calls per function equal an independent count; self times add up; spans agree with histograms."""

import collections
import math
import unittest

from harness import HOOKS_ONLY, EndToEndTest, program

# Programs whose calls are the same in every run.
DETERMINISTIC = [
    ["threads", "4", "20000"], ["threads", "64", "2000"], ["recursion", "22"], ["recursion_o2", "20"],
    ["recursion_no_pie", "20"], ["clang_recursion", "20"], ["exceptions", "20"],
    ["clang_exceptions", "20"], ["fork", "8"], ["raw_clone_fork"], ["vfork_exec"], ["posix_spawn"],
    ["exec_chain", "10"], ["dlopen", "50"], ["unload_after_fork"], ["longjmp", "20"],
    ["clang_longjmp", "20"], ["pthread_exit"], ["pthread_cancel"], ["thread_exit", "20"],
    ["swapcontext", "1000"], ["constructors"], ["templates"], ["deep_recursion", "100000"], ["many_threads", "300"],
    ["short_threads", "3000"], ["many_processes", "100"],
]


def roots(analysis):
    """Wall time of all threads' outermost calls: what the self times have to add up to."""
    return sum(node["wall_ns"]["total"] for node in analysis["tree"] if node["parent"] is None)


class ExactCounts(EndToEndTest):
    def test_calls_equal_the_independent_count(self):
        for case in DETERMINISTIC:
            with self.subTest(" ".join(case)):
                recorded = self.assert_exact_counts([program(case[0]), *case[1:]])
                # A hundred thousand long calls that return at once are more spans than a ring holds.
                self.assertEqual([loss for loss in recorded.lost() if loss["kind"] != "spans"], [])

    def test_calls_equal_with_a_tiny_ring(self):
        for policy in ["drop-newest", "drop-oldest", "block"]:
            with self.subTest(policy):
                self.assert_exact_counts([program("threads"), "4", "20000"], "--trace=all",
                                         "--ring-size=4K", f"--on-full={policy}")

    def test_signal_handlers(self):
        counts = self.new_path(".own")
        recorded = self.record([program("signals"), "300", counts])
        with open(counts, encoding="ascii") as file:
            own = {name: int(calls) for name, calls in (line.split() for line in file)}
        recorded_calls = recorded.calls()
        for name, calls in own.items():
            self.assertEqual(recorded_calls[name], calls, name)
        self.verify(recorded.path)

    def test_unpaired_hooks_keep_the_tree_balanced(self):
        recorded = self.assert_transparent([program("tail_calls")])
        calls = recorded.calls()
        self.assertEqual(calls["unpaired"], 300)
        self.assertEqual(calls["forward"], 1000)
        self.assertEqual(calls["finish"], 1000)
        self.assertEqual(calls["never_left"], 400)

    def test_names_belong_to_the_module_that_was_there(self):
        recorded = self.record([program("dlopen"), "100", "report"])
        if b"same address 0\n" in recorded.stdout:
            self.skipTest("the plugins never landed on the same address")
        self.assertEqual(recorded.calls()["only_in_a"], 700)
        self.assertEqual(recorded.calls()["only_in_b"], 1100)

    def test_modules_that_another_thread_unloads(self):
        # Freed memory is overwritten: nobody may look at what the loader has freed.
        rounds = 5000
        recorded = self.record([program("dlopen_at_once"), str(rounds)],
                               environment={"MALLOC_PERTURB_": "165"})
        self.assertEqual(recorded.status, 0)
        calls = recorded.calls()
        self.assertEqual((calls["only_in_a"], calls["only_in_b"]), (3 * rounds, 3 * rounds))
        # Nor may what one thread unloads take the other's open calls along.
        kinds = {loss["kind"] for loss in recorded.analysis()["losses"]}
        self.assertFalse(kinds & {"repaired_frames", "orphan_exits"}, kinds)

    def test_modules_that_a_forked_child_unloads(self):
        recorded = self.record([program("unload_after_fork")])
        if b"elsewhere" in recorded.stdout:
            self.skipTest("the plugins never landed on the same address")
        calls = recorded.calls()
        self.assertEqual((recorded.status, calls["only_in_a"], calls["only_in_b"]), (0, 17, 100))

    def test_processes_have_their_own_calls(self):
        recorded = self.record([program("fork"), "8"], *HOOKS_ONLY)
        own = collections.Counter()
        for thread in recorded.analysis()["threads"]:
            own[thread["pid"]] += thread["calls"]
        _, expected = self.count([program("fork"), "8"])
        self.assertEqual(sorted(own.values()), expected)


class Times(EndToEndTest):
    def test_self_times_add_up(self):
        cases = [["threads", "4", "20000"], ["recursion", "20"], ["exceptions", "20"], ["fork", "8"],
                 ["longjmp", "20"], ["swapcontext", "500"], ["templates"], ["work_mix", "500", "500"],
                 ["dlopen", "30"], ["threads", "64", "1000"]]
        for case in cases:
            with self.subTest(" ".join(case)):
                analysis = self.record([program(case[0]), *case[1:]]).analysis()
                self_ns = sum(f["wall_ns"]["self"] for f in analysis["functions"])
                total_ns = roots(analysis)
                self.assertGreater(total_ns, 0)
                self.assertLess(abs(self_ns - total_ns) / total_ns, 0.001)
                recorded_ns = sum(thread["recorded_ns"] for thread in analysis["threads"])
                self.assertLess(abs(self_ns - recorded_ns) / recorded_ns, 0.001)
                for function in analysis["functions"]:
                    wall = function["wall_ns"]
                    self.assertLessEqual(0, wall["self"], function)
                    self.assertLessEqual(wall["self"], wall["total"] * 1.001 + 1, function)
                    self.assertLessEqual(wall["min"], wall["max"], function)

    def test_recursive_total_counts_outermost_calls_once(self):
        recorded = self.record([program("recursion"), "20"])
        main = recorded.function("main")["wall_ns"]["total"]
        for name in ["fib", "is_even", "is_odd", "ackermann"]:
            self.assertLessEqual(recorded.function(name)["wall_ns"]["total"], main)

    def test_percentiles_agree_with_spans(self):
        recorded = self.record([program("work_mix"), "3000", "3000"], "--trace=all",
                               "--on-full=block", *HOOKS_ONLY)
        self.assertEqual(recorded.lost(), [])
        self.check_percentiles(recorded)

    def test_percentiles_agree_with_spans_of_recursion(self):
        recorded = self.record([program("recursion"), "18"], "--trace=all", "--on-full=block",
                               *HOOKS_ONLY)
        self.assertEqual(recorded.lost(), [])
        self.check_percentiles(recorded)

    def check_percentiles(self, recorded):
        durations = collections.defaultdict(list)
        for span in recorded.spans():
            durations[span["function"]].append(span["duration_ns"])
        self.assertEqual({name: len(values) for name, values in durations.items()},
                         {f["name"]: f["calls"] for f in recorded.functions()})
        bucket = 2 ** 0.25
        for function in recorded.functions():
            values = sorted(durations[function["name"]])
            self.assertAlmostEqual(sum(values) / len(values), function["wall_ns"]["mean"],
                                   delta=2 + function["wall_ns"]["mean"] * 0.001)
            for share, key in [(0.50, "p50"), (0.90, "p90"), (0.99, "p99")]:
                exact = values[max(0, math.ceil(share * len(values)) - 1)]
                reported = function["wall_ns"][key]
                self.assertLessEqual(exact / bucket - 2, reported, (function["name"], key))
                self.assertLessEqual(reported, exact * bucket + 2, (function["name"], key))


if __name__ == "__main__":
    unittest.main()
