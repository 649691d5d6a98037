#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU samples by timers in the target: true shares, and a program that does not notice."""

import math
import os
import unittest

from harness import EndToEndTest, PROGRAMS_DIR, SPYGLASS_RUN, analyze, program, run

TIMER = "--sampler=timer"
# The hunts of the release: SPYGLASS_HUNT_SECONDS=60.
HUNT_SECONDS = float(os.environ.get("SPYGLASS_HUNT_SECONDS", "2"))


class TimerSampling(EndToEndTest):
    def shares(self, threads):
        recorded = self.assert_transparent([program("cpu_shares"), "6000", str(threads)], TIMER)
        analysis = recorded.analysis()
        self.assertEqual(analysis["samples"]["sampler"], "timer")
        return {function["name"]: function["samples"]["self"] for function in recorded.functions()}

    def test_known_shares(self):
        for threads in [1, 3]:
            samples = self.shares(threads)
            total = sum(samples.values())
            self.assertGreater(total, 100)
            # A signal at the kernel's tick stands for up to `weight` periods.
            weight = 5
            for name, share in [("part70", 0.7), ("part20", 0.2), ("part9", 0.09), ("part1", 0.01)]:
                sigma = math.sqrt(share * (1 - share) * total * weight)
                self.assertLess(abs(samples.get(name, 0) - share * total), 4 * sigma + weight,
                                f"{name}: {samples}")

    def test_samples_are_the_cpu_time(self):
        recorded = self.record([program("cpu_shares"), "3000", "2"], TIMER)
        analysis = recorded.analysis()
        for thread in analysis["threads"]:
            expected = thread["cpu_ns"] / analysis["samples"]["interval_ns"]
            self.assertLess(abs(thread["samples"] - expected), 0.1 * expected + 10, thread)

    def test_the_closing_line_counts_them(self):
        path = self.new_path()
        done = run([SPYGLASS_RUN, "-o", path, TIMER, "--", program("cpu_shares"), "2000"])
        samples = analyze(path)["samples"]["count"]
        self.assertIn(f"and {samples} CPU samples".encode(),
                      done.stderr.replace(b",", b""))

    def test_the_program_does_not_notice(self):
        for sampler in [TIMER, "--sampler=perf"]:
            recorded = self.assert_transparent([program("sampling_signal")], sampler,
                                               "--frequency=5000")
            self.assertGreater(recorded.analysis()["samples"]["count"], 100)

    def test_forked_children_are_sampled(self):
        recorded = self.record([program("sampling_hunt"), "fork", "500"], TIMER)
        children = [thread for thread in recorded.analysis()["threads"] if thread["samples"]]
        self.assertTrue(children)

    def test_signals_that_the_program_blocks(self):
        recorded = self.record([program("sampling_signal")], TIMER)
        self.assertGreater(sum(t["samples"] for t in recorded.analysis()["threads"]), 50)


class Hunts(EndToEndTest):
    """5 kHz into tight loops of what does not like to be interrupted: none hangs, none fails."""

    def hunt(self, what, sampler):
        recorded = self.record(
            [program("sampling_hunt"), what, str(int(HUNT_SECONDS * 1000)),
             os.path.join(PROGRAMS_DIR, "plugin_a.so")],
            sampler, "--frequency=5000", timeout=HUNT_SECONDS + 60)
        self.assertEqual(recorded.status, 0, recorded.stderr)
        self.assertEqual(recorded.stdout, b"alive\n")
        self.verify(recorded.path)

    def test_load(self):
        self.hunt("load", TIMER)

    def test_throw(self):
        self.hunt("throw", TIMER)

    def test_thread(self):
        self.hunt("thread", TIMER)

    def test_fork(self):
        self.hunt("fork", TIMER)

    def test_malloc(self):
        self.hunt("malloc", TIMER)

    def test_perf(self):
        for what in ["load", "throw", "thread", "fork", "malloc"]:
            self.hunt(what, "--sampler=perf")


if __name__ == "__main__":
    unittest.main()
