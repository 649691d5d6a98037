#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals that end the program: recorded, invisible to it, and deadly as ever."""

import os
import re
import resource
import shutil
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

    def test_calls_of_what_is_no_code(self):
        for how in ["null_call", "data_call"]:
            recorded, found = self.check(how, "SIGSEGV")
            functions = [recorded.functions()[index]["name"] for index in found[0]["stack"]]
            self.assertEqual(functions[:2], ["call_it", "main"])
            if how == "null_call":
                self.assertEqual(found[0]["address"], 0)

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

    def test_what_comes_from_the_kernel_and_from_others(self):
        for how, name in [("bus", "SIGBUS"), ("protected", "SIGSEGV"), ("noncanonical", "SIGSEGV"),
                          ("queue", "SIGTRAP")]:
            with self.subTest(how=how):
                self.check(how, name)

    def test_a_program_that_forbids_itself_system_calls(self):
        """Its own filter ends it, or what comes behind that; nothing is left to record it with."""
        for how in ["forbidden", "filtered_trap", "filtered_raise", "filtered_segv"]:
            with self.subTest(how=how):
                recorded, _ = self.check(how)
                self.assertLess(recorded.status, 0)
        self.check("refused", "SIGSEGV")

    def test_the_same_origin(self):
        """A debugger sees the signal that ends the program with the siginfo that it has bare."""
        if run([program("death_watch"), program("fatal"), "segv"]).status == 77:
            self.skipTest("NOT TESTED: ptrace; not permitted here")
        for how in ["segv", "ill", "trap", "fpe", "abort", "raise", "kill", "bus", "protected",
                    "noncanonical", "forbidden", "queue"]:
            with self.subTest(how=how):
                recorded = self.assert_transparent(
                    [program("death_watch"), program("fatal"), how])
                self.assertIn(b"\nsignal ", recorded.stdout)
                self.assertEqual(recorded.status, 0)

    def test_own_handlers_come_first(self):
        self.check("handled")
        self.check("handled_abort")
        self.check("ignored")
        self.check("once", "SIGSEGV")

    def test_stack_overflow(self):
        recorded, _ = self.check("overflow")
        reasons = [line["reason"] for line in recorded.analysis()["coverage"]]
        self.assertEqual(len(reasons), 1, reasons)
        self.assertIn("died of SIGSEGV", reasons[0])
        self.assertIn("recursion", reasons[0])
        recorded, _ = self.check("overflow_on_stack", "SIGSEGV")
        self.assertEqual(recorded.analysis()["coverage"], [])

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


class CoreFiles(EndToEndTest):
    def setUp(self):
        super().setUp()
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
            self.pattern = file.read().strip()
        if self.pattern.startswith("|") or re.search("%[^%ep]", self.pattern):
            self.skipTest("NOT TESTED: core files; they are not written where a test finds them")

    def core_of(self, pid):
        name = self.pattern.replace("%e", "fatal").replace("%p", str(pid)).replace("%%", "%")
        with open("/proc/sys/kernel/core_uses_pid", encoding="ascii") as file:
            name += f".{pid}" if file.read().strip() == "1" and "%p" not in self.pattern else ""
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        kept = self.new_path(".core")  # the next may have the same name
        os.rename(path, kept)
        return kept

    def dump(self, command):
        """Runs it where core files are allowed; returns its process."""
        def allow():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
        try:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder,
                                     env=clean_environment(), preexec_fn=allow)
        except (OSError, subprocess.SubprocessError):
            self.skipTest("NOT TESTED: core files; they are forbidden here")
        child.wait(60)
        return child

    def what_gdb_says(self, core):
        done = run(["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "bt",
                    "-ex", "print $_siginfo.si_signo", "-ex", "print $_siginfo.si_code",
                    program("fatal"), core])
        frames = re.findall(rb"^#\d+ +(?:0x[0-9a-f]+ in )?(\S+) ", done.stdout, re.MULTILINE)
        return frames, re.findall(rb"^\$\d = (-?\d+)", done.stdout, re.MULTILINE)

    def check(self, how):
        bare = self.core_of(self.dump([program("fatal"), how]).pid)
        if not bare:
            self.skipTest("NOT TESTED: core files; none is written")
        path = self.new_path()
        session = self.dump([SPYGLASS_RUN, "-q", "-o", path, "--", program("fatal"), how])
        self.assertLess(session.returncode, 0)
        analysis = Recording(path, (0, b"", b"")).analysis()
        first = [process["pid"] for process in analysis["processes"]
                 if process["ppid"] == session.pid]
        core = self.core_of(first[0])
        self.assertTrue(core, os.listdir(self.folder))
        self.assertLess(os.path.getsize(core), os.path.getsize(bare) + (4 << 20))
        if shutil.which("gdb"):
            expected = self.what_gdb_says(bare)
            self.assertIn(b"main", expected[0])
            self.assertEqual(len(expected[1]), 2)
            self.assertEqual(self.what_gdb_says(core), expected)

    def test_of_a_fault(self):
        self.check("segv")

    def test_of_an_abort(self):
        self.check("abort")

    def test_of_a_signal_that_is_sent_again(self):
        self.check("trap")


if __name__ == "__main__":
    unittest.main()
