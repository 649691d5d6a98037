#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exceptions: every throw is counted, and the program goes on as it would have."""

import collections
import os
import subprocess
import unittest

from harness import EndToEndTest, LIBRARY, PROGRAMS_DIR, SPYGLASS, program, run

# What exception_storm throws in a round, with what the exceptions say.
ROUND = {
    ("std::runtime_error", "__cxa_throw"): "in flight",
    ("int", "__cxa_throw"): None,
    ("std::out_of_range", "__cxa_throw"): "twice",
    ("std::out_of_range", "__cxa_rethrow"): "twice",
    ("(anonymous namespace)::Talkative", "__cxa_throw"): "talkative",
    ("std::domain_error", "std_rethrow_exception"): "carried",
}


def counts(recording):
    """Exceptions by (type, operation), as events tell."""
    found = collections.Counter()
    for flow in recording.analysis()["exceptions"]:
        found[flow["type"], flow["operation"]] += flow["count"]
    return dict(found)


def operation_calls(recording, name):
    return sum(function["calls"] for function in recording.functions()
               if function["name"] == name and function["kind"] == "operation")


class Exceptions(EndToEndTest):
    def check_storm(self, name, rounds, threads, *options):
        recorded = self.assert_transparent([program(name), str(rounds), str(threads)], *options)
        expected = rounds * threads
        self.assertEqual(counts(recorded), {key: expected for key in ROUND})
        self.assertEqual(operation_calls(recorded, "__cxa_throw"), 4 * expected)
        self.assertEqual(operation_calls(recorded, "__cxa_rethrow"), expected)
        self.assertEqual(operation_calls(recorded, "std_rethrow_exception"), expected)
        self.assertEqual(recorded.lost(), [])
        return recorded

    def test_each_throw_is_counted_in_each_thread(self):
        recorded = self.check_storm("exception_storm", 500, 4)
        for flow in recorded.analysis()["exceptions"]:
            what = ROUND[flow["type"], flow["operation"]]
            self.assertEqual([text["what"] for text in flow["texts"]], [what] if what else [])
            self.assertFalse(flow["escaped"], flow)
            self.assertTrue(flow["caught_in"], flow)
            self.assertGreater(flow["cost_ns"], 0)

    def test_a_million_are_a_million(self):
        rounds = 62500 if os.environ.get("SPYGLASS_LONG_TESTS") else 5000
        # The program waits for a collector that is slow (sanitized, on a busy machine).
        self.check_storm("exception_storm", rounds, 4, "--on-full=block")

    def test_frames_between_throw_and_catch(self):
        recorded = self.record([program("exception_storm"), "50", "1"])
        frames = {(flow["type"], flow["operation"]): flow["frames"] / flow["count"]
                  for flow in recorded.analysis()["exceptions"]}
        self.assertEqual(frames["std::runtime_error", "__cxa_throw"], 2)
        self.assertEqual(frames["int", "__cxa_throw"], 0)
        self.assertEqual(frames["std::out_of_range", "__cxa_throw"], 0)
        self.assertEqual(frames["std::out_of_range", "__cxa_rethrow"], 1)

    def test_in_a_program_with_hooks(self):
        recorded = self.check_storm("hooked_exception_storm", 100, 2)
        names = {flow["function"].split("(anonymous namespace)::")[-1].split("(")[0]
                 for flow in recorded.analysis()["exceptions"]}
        self.assertLessEqual({"fail_below_untidy", "fail_again", "talk", "carry"}, names)

    def test_a_runtime_that_a_plugin_brings_along(self):
        recorded = self.assert_transparent(
            [program("private_runtime"), os.path.join(PROGRAMS_DIR, "throwing_plugin.so"), "5"])
        self.assertEqual(counts(recorded), {("std::out_of_range", "__cxa_throw"): 100})

    def test_cancellation_unwinds_as_ever(self):
        recorded = self.assert_transparent([program("cancel_catch"), "50"])
        self.assertEqual(counts(recorded), {("std::runtime_error", "__cxa_throw"): 50})

    def test_thrown_out_of_a_signal_handler(self):
        recorded = self.assert_transparent([program("signal_throw"), "100"])
        self.assertEqual(counts(recorded), {("std::runtime_error", "__cxa_throw"): 200})

    def test_a_static_runtime_is_left_alone(self):
        recorded = self.assert_transparent([program("static_exceptions"), "3"])
        self.assertEqual(counts(recorded), {})
        unseen = [line for line in recorded.analysis()["coverage"]
                  if "C++ runtime of its own" in line["reason"]]
        self.assertEqual([line["subject"] for line in unseen], [program("static_exceptions")])

    def test_a_shared_runtime_is_seen(self):
        recorded = self.record([program("exceptions"), "3"])
        self.assertNotIn("C++ runtime", str(recorded.analysis()["coverage"]))

    def test_linked_with_the_library(self):
        source = os.path.join(self.folder, "linked.cc")
        with open(source, "w", encoding="ascii") as file:
            file.write("int main() { try { throw 7; } catch (int value) { return value; } }")
        for number, options in enumerate([[], ["-static-libstdc++", "-static-libgcc"]]):
            linked = os.path.join(self.folder, f"linked{number}")
            subprocess.run(["g++", "-O1", source, "-o", linked, *options, LIBRARY,
                            f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"], check=True)
            self.assertEqual(run([linked]).status, 7)
            recorded = self.assert_transparent([linked])
            self.assertEqual(counts(recorded), {} if options else {("int", "__cxa_throw"): 1})

    def test_not_recorded_when_not_asked_for(self):
        recorded = self.assert_transparent([program("exception_storm"), "50", "2"],
                                           "--operations=lock,file")
        self.assertEqual(counts(recorded), {})


class Ends(EndToEndTest):
    """Exceptions that nobody catches: the same message, the same status."""

    def check(self, how, escaped):
        recorded = self.assert_transparent([program("exception_ends"), how])
        flows = [flow for flow in recorded.analysis()["exceptions"] if flow["escaped"]]
        self.assertEqual(sum(flow["count"] for flow in flows), escaped, flows)
        return recorded

    def test_uncaught(self):
        recorded = self.check("uncaught", 1)
        self.assertEqual(recorded.status, -6)
        self.assertIn(b"nobody wants me", recorded.stderr)
        self.assertEqual(operation_calls(recorded, "std_terminate"), 1)
        analysis = recorded.analysis()
        self.assertEqual([fatal["signal"] for fatal in analysis["fatal_signals"]], ["SIGABRT"])
        # Its end is told once: by the exception, not by std::terminate() as well.
        self.assertEqual([flow["operation"] for flow in analysis["exceptions"]], ["__cxa_throw"])

    def test_noexcept(self):
        self.check("noexcept", 1)

    def test_second_one_from_a_destructor(self):
        self.check("destructor", 2)

    def test_in_a_thread(self):
        self.check("thread", 1)

    def test_terminate(self):
        recorded = self.check("terminate", 0)
        self.assertRegex(run([SPYGLASS, "analyze", "--exceptions", recorded.path]).stdout.decode(),
                         r"\n +1 +std::terminate\(\) +main\b")

    def test_own_handler(self):
        self.assertEqual(self.check("handler", 1).status, 7)

    def test_rethrown(self):
        self.check("rethrow", 1)

    def test_rethrow_of_nothing(self):
        self.check("nothing", 0)

    def test_no_exception_class(self):
        self.check("int", 1)

    def test_exit_in_a_catch_block(self):
        self.assertEqual(self.check("exit", 0).status, 9)


if __name__ == "__main__":
    unittest.main()
