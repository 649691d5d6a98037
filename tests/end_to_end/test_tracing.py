#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tracers inside and outside of spyglass-run: the program does the same."""

import os
import re
import shutil
import time
import unittest

from harness import EndToEndTest, Recording, SPYGLASS, SPYGLASS_RUN, program, run

SAMPLERS = [["--sampler=perf", "-F", "2000"], ["--sampler=timer", "-F", "2000"]]

# Counts the calls of `patched` without stopping the program for good.
COUNT_CALLS = ["-iex", "set debuginfod enabled off", "-ex", "set confirm off",
               "-ex", "set breakpoint pending on", "-ex", "break patched",
               "-ex", "ignore 1 1000000"]


def needs(tool):
    if not shutil.which(tool):
        raise unittest.SkipTest(f"{tool} is not installed")
    if tool != "gdb" and run([tool, "true"]).status != 0:
        raise unittest.SkipTest(f"NOT TESTED: {tool}; not permitted here")
    return tool


class OwnTracers(EndToEndTest):
    """Programs that trace a child of theirs."""

    def check(self, how, samplers=None):
        if run([program("traced_child"), how]).status == 77:
            self.skipTest("NOT TESTED: ptrace; not permitted here")
        return [self.assert_transparent([program("traced_child"), how], *options)
                for options in samplers or SAMPLERS]

    def test_single_steps(self):
        # At this pace a sample by timer takes longer than the time to the next.
        for recorded in self.check("step", [["--sampler=timer", "-F", "2000"]]):
            self.assertEqual(recorded.calls()["mix"], 200)

    def test_system_calls(self):
        for recorded in self.check("calls"):
            self.assertEqual(recorded.calls()["mix"], 200)

    def test_from_exec_on(self):
        for recorded in self.check("exec"):
            self.assertEqual(recorded.calls()["mix"], 200)

    def test_attached_and_let_go(self):
        self.check("attach")


# A sanitized spyglass-run can't look for leaks under a tracer.
NO_LEAK_CHECK = {"ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}


class Strace(EndToEndTest):
    def test_inside(self):
        needs("strace")
        for name, arguments in [("fork", ["4"]), ("threads", ["4", "200"]), ("exec_chain", [])]:
            for options in SAMPLERS:
                with self.subTest(name, options=options):
                    trace = self.new_path(".strace")
                    recorded = self.assert_transparent(
                        ["strace", "-f", "-qq", "-o", trace, program(name), *arguments], *options)
                    plain = self.record([program(name), *arguments])
                    self.assertEqual(recorded.calls(), plain.calls())
                    self.assertGreater(os.path.getsize(trace), 0)

    def test_outside(self):
        needs("strace")
        for name, arguments in [("fork", ["4"]), ("threads", ["4", "200"]), ("exec_chain", [])]:
            with self.subTest(name):
                bare = run([program(name), *arguments])
                path = self.new_path()
                traced = run(["strace", "-f", "-qq", "-o", self.new_path(".strace"), SPYGLASS_RUN,
                              "-q", "-o", path, "--", program(name), *arguments],
                             environment=NO_LEAK_CHECK)
                self.assertEqual(traced, bare)
                self.verify(path)
                plain = self.record([program(name), *arguments])
                self.assertEqual(Recording(path, traced).calls(), plain.calls())


class Gdb(EndToEndTest):
    def own_output(self, done):
        """What the program wrote, even in the middle of a line of gdb's."""
        return re.findall(rb"original .* value [0-9a-f]+", done.stdout)

    def hits(self, done):
        found = re.search(rb"breakpoint already hit (\d+) time", done.stdout)
        return int(found[1]) if found else 0

    def test_breakpoints_while_samples_are_taken(self):
        """gdb under spyglass-run has an int3 in a function that patches itself besides."""
        needs("gdb")
        command = ["gdb", "-nx", "-batch", *COUNT_CALLS, "-ex", "run", "-ex", "info breakpoints",
                   "--args", program("patched_code"), "50", "none"]
        bare = run(command)
        self.assertEqual(len(self.own_output(bare)), 1, bare)
        self.assertGreater(self.hits(bare), 400)
        for options in SAMPLERS:
            with self.subTest(options):
                recorded = self.record(command, *options)
                self.assertEqual(self.own_output(recorded), self.own_output(bare))
                # A signal that comes at the very breakpoint has gdb count it again afterwards.
                self.assertGreaterEqual(self.hits(recorded), self.hits(bare))
                self.assertLess(self.hits(recorded), 1.1 * self.hits(bare))
                self.verify(recorded.path)
                names = [function["name"] for function in recorded.functions()]
                self.assertTrue("work_beside" in names)

    def test_outside(self):
        """gdb follows spyglass-run, or goes along with the program."""
        needs("gdb")
        expected = self.own_output(run([program("patched_code"), "50", "none"]))
        for follow in ["parent", "child"]:
            with self.subTest(follow):
                path = self.new_path()
                done = run(["gdb", "-nx", "-batch", *COUNT_CALLS, "-ex",
                            f"set follow-fork-mode {follow}", "-ex", "run",
                            "-ex", "info breakpoints", "--args", SPYGLASS_RUN, "-q", "-o", path,
                            "--", program("patched_code"), "50", "none"])
                self.assertEqual(self.own_output(done), expected, done)
                if follow == "child":
                    self.assertGreater(self.hits(done), 400, done)
                self.wait_for_end(path)

    def wait_for_end(self, path):
        """spyglass-run was let go by gdb and ends by itself."""
        for _ in range(200):
            if run([SPYGLASS, "verify", path]).status == 0:
                return
            time.sleep(0.05)
        self.verify(path)


if __name__ == "__main__":
    unittest.main()
