#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals that end the program: recorded, invisible to it, and deadly as ever."""

import os
import signal
import subprocess
import time
import unittest

from harness import (EndToEndTest, SPYGLASS, SPYGLASS_RUN, Recording, clean_environment, program,
                     run)


class FatalSignals(EndToEndTest):
    def check(self, how, *signals, options=()):
        recorded = self.assert_transparent([program("fatal"), how], *options)
        found = recorded.analysis()["fatal_signals"]
        self.assertEqual([fatal["signal"] for fatal in found], list(signals))
        return recorded, found

    def test_a_fault_with_its_stack_and_address(self):
        recorded, found = self.check("segv", "SIGSEGV")
        self.assertEqual(recorded.status, -signal.SIGSEGV)
        self.assertEqual(found[0]["address"], 16)
        functions = [recorded.functions()[index]["name"] for index in found[0]["stack"]]
        self.assertEqual(functions[0], "read_from")
        self.assertIn("main", functions)

    def test_the_lines_that_it_was_at(self):
        recorded, found = self.check("segv", "SIGSEGV")
        with open(os.path.join(os.path.dirname(__file__), "..", "programs", "fatal.c"), encoding="utf-8") as source:
            lines = source.read().splitlines()
        dies = next(i for i, line in enumerate(lines, 1) if "// dies here" in line)
        calls = next(i for i, line in enumerate(lines, 1) if 'how, "segv"' in line)
        functions = [recorded.functions()[index]["name"] for index in found[0]["stack"]]
        self.assertEqual(len(found[0]["lines"]), len(functions))
        at = dict(zip(functions, found[0]["lines"]))
        self.assertEqual((at["read_from"], at["main"]), (dies, calls))
        text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
        self.assertIn(f"read_from  fatal.c:{dies}\n", text)
        self.assertIn(f"main  fatal.c:{calls}\n", text)

    def test_every_cause(self):
        for how, name in [("ill", "SIGILL"), ("trap", "SIGTRAP"), ("fpe", "SIGFPE"),
                          ("abort", "SIGABRT"), ("raise", "SIGSYS"), ("kill", "SIGBUS"),
                          ("thread", "SIGSEGV"), ("fork", "SIGSEGV")]:
            with self.subTest(how=how):
                self.check(how, name)

    def test_own_handlers_come_first(self):
        self.check("handled")
        self.check("handled_abort")
        self.check("ignored")
        self.check("once", "SIGSEGV")

    def test_stack_overflow(self):
        self.check("overflow")
        self.check("overflow_on_stack", "SIGSEGV")

    def test_a_child_of_vfork_dies_alone(self):
        self.check("vfork")

    def test_sampling_signal(self):
        for option in ["--sampler=timer", "--sampler=off"]:
            self.check("prof", options=[option])
            self.check("none", options=[option])

    def test_not_recorded_when_not_asked_for(self):
        self.check("segv", options=["--operations=none"])

    def test_killed_from_outside(self):
        path = self.new_path()
        session = subprocess.Popen([SPYGLASS_RUN, "-q", "-o", path, "--", program("fatal"), "stop"],
                                   stdout=subprocess.PIPE, env=clean_environment())
        # The program has said all when it pauses.
        while b"after vfork" not in session.stdout.readline():
            pass
        children = f"/proc/{session.pid}/task/{session.pid}/children"
        deadline = time.monotonic() + 10
        child = 0
        while not child and time.monotonic() < deadline:
            with open(children, encoding="ascii") as file:
                child = int((file.read().split() or ["0"])[0])
        os.kill(child, signal.SIGSEGV)
        session.stdout.close()
        self.assertEqual(session.wait(30), -signal.SIGSEGV)
        found = Recording(path, (0, b"", b"")).analysis()["fatal_signals"]
        self.assertEqual([fatal["signal"] for fatal in found], ["SIGSEGV"])


if __name__ == "__main__":
    unittest.main()
