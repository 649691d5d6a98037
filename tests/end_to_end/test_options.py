# SPDX-License-Identifier: Apache-2.0
"""What is recorded can be chosen: by function, module, depth and duration; blocking loses nothing."""

import unittest

from harness import HOOKS_ONLY, EndToEndTest, base_name, program


class Filters(EndToEndTest):
    def test_exclude_function(self):
        recorded = self.record([program("threads"), "4", "1000"], "--exclude", "leaf")
        calls = recorded.calls()
        self.assertNotIn("leaf", calls)
        self.assertEqual(calls["work"], 4000)
        self.assertEqual(calls["thread_body"], 4)

    def test_exclude_in_the_middle_keeps_the_callees(self):
        calls = self.record([program("threads"), "4", "1000"], "--exclude", "work").calls()
        self.assertNotIn("work", calls)
        self.assertEqual(calls["leaf"], 12000)

    def test_include_function(self):
        calls = self.record([program("threads"), "4", "1000"], "--include", "wor*").calls()
        self.assertEqual(dict(calls), {"work": 4000})

    def test_include_then_exclude(self):
        calls = self.record([program("recursion"), "10"], "--include", "is_*", "--exclude",
                            "is_odd").calls()
        self.assertEqual(dict(calls), {"is_even": 501})

    def test_exclude_module(self):
        calls = self.record([program("dlopen"), "10"], "--exclude", "plugin_a.so").calls()
        self.assertNotIn("only_in_a", calls)
        self.assertEqual(calls["only_in_b"], 110)
        self.assertEqual(calls["call_plugin"], 20)

    def test_max_depth(self):
        calls = self.record([program("threads"), "4", "1000"], "--max-depth=2").calls()
        self.assertEqual(dict(calls), {"main": 1, "thread_body": 4, "work": 4000})
        calls = self.record([program("recursion"), "10"], "--max-depth=1").calls()
        self.assertEqual(dict(calls), {"main": 1})

    def test_max_depth_with_exceptions_and_longjmp(self):
        for case in [["exceptions", "5"], ["longjmp", "5"], ["swapcontext", "100"]]:
            for depth in ["1", "3", "10"]:
                with self.subTest(f"{case[0]} {depth}"):
                    self.assert_transparent([program(case[0]), *case[1:]], f"--max-depth={depth}")


class Tracing(EndToEndTest):
    def test_blocking_loses_nothing(self):
        for ring in ["4K", "64K"]:
            recorded = self.record([program("threads"), "3", "100000"], "--trace=all",
                                   "--on-full=block", f"--ring-size={ring}")
            self.assertEqual(recorded.lost(), [])
            self.assertEqual(recorded.calls()["leaf"], 900000)

    def test_every_span_is_there(self):
        recorded = self.record([program("threads"), "3", "5000"], "--trace=all", "--on-full=block",
                               *HOOKS_ONLY)
        spans = recorded.spans()
        self.assertEqual(len(spans), sum(recorded.calls().values()))
        self.assertEqual(len({span["tid"] for span in spans}), 4)
        for span in spans:
            self.assertGreaterEqual(span["duration_ns"], 0)

    def test_lost_spans_are_counted(self):
        recorded = self.record([program("threads"), "3", "300000"], "--trace=all",
                               "--ring-size=4K", "--on-full=drop-newest", *HOOKS_ONLY)
        emitted = sum(recorded.calls().values())
        lost = sum(loss["count"] for loss in recorded.lost() if "span" in loss["kind"])
        self.assertEqual(len(recorded.spans()) + lost, emitted)

    def test_threshold(self):
        recorded = self.record([program("work_mix"), "400", "400"], "--trace=500us")
        spans = recorded.spans()
        self.assertTrue(spans)
        self.assertTrue(all(span["duration_ns"] >= 490_000 for span in spans))
        self.assertIn("varied", {base_name(span["function"]) for span in spans})
        self.assertNotIn("fixed", {base_name(span["function"]) for span in spans
                                   if span["duration_ns"] < 490_000})

    def test_off(self):
        recorded = self.record([program("work_mix"), "400", "400"], "--trace=off")
        self.assertEqual(recorded.spans(), [])
        self.assertEqual(recorded.calls()["varied"], 400)

    def test_demotion_is_exact_in_counts_and_named(self):
        recorded = self.record([program("threads"), "1", "3000000"], "--max-overhead=1")
        self.assertEqual(recorded.calls()["leaf"], 9000000)
        self.assertEqual(recorded.calls()["work"], 3000000)


if __name__ == "__main__":
    unittest.main()
