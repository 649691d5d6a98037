#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stops in the middle, terminals and their keys, and every way in which children end.

STOPS=full stops programs for 10 s, not for one.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from harness import (EndToEndTest, Recording, SPYGLASS, SPYGLASS_RUN, WATCHDOG_SECONDS,
                     clean_environment, program, run)

STOP_SECONDS = 10 if os.environ.get("STOPS") == "full" else 1
SAMPLERS = [["--sampler=perf", "-F", "2000"], ["--sampler=timer", "-F", "2000"]]


def child_of(process, deadline=10):
    """The first child of a process: the program under spyglass-run."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise AssertionError("no child")


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(") ")[2][0]


class Stops(EndToEndTest):
    """SIGSTOP and SIGCONT to the program itself; spyglass-run, stopped along, goes on with it."""

    def start(self, *arguments, options=()):
        path = self.new_path()
        process = subprocess.Popen([SPYGLASS_RUN, "-q", "-o", path, *options, "--", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=clean_environment())
        self.addCleanup(process.kill)
        return process, path

    def stop(self, pid, seconds):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        self.assertEqual(state_of(pid), "T")
        os.kill(pid, signal.SIGCONT)

    def finish(self, process, path):
        output, errors = process.communicate(timeout=30)
        self.verify(path)
        return Recording(path, (process.returncode, output, errors))

    def test_no_time_is_invented(self):
        for options in SAMPLERS:
            with self.subTest(options):
                process, path = self.start(program("cpu_shares"), "10000", options=options)
                target = child_of(process)
                time.sleep(0.2)
                self.stop(target, STOP_SECONDS)
                recorded = self.finish(process, path)
                self.assertEqual((recorded.status, recorded.stdout, recorded.stderr),
                                 (0, b"done\n", b""))
                analysis = recorded.analysis()
                self.assertEqual([row for row in analysis["waits"]
                                  if row["wall_ns"]["total"] > 0.1e9 * STOP_SECONDS], [])
                thread, = analysis["threads"]
                self.assertGreater(thread["wall_ns"] - thread["cpu_ns"], 0.95e9 * STOP_SECONDS)
                sampled = sum(function["samples"]["self"] for function in recorded.functions())
                expected = thread["cpu_ns"] / analysis["samples"]["interval_ns"]
                self.assertLess(abs(sampled / expected - 1), 0.1, (sampled, expected))

    def test_functions_with_hooks(self):
        own = self.new_path(".own")
        process, path = self.start(program("cpu_time"), own, str(max(os.sched_getaffinity(0))))
        target = child_of(process)
        time.sleep(0.4)
        self.stop(target, STOP_SECONDS)
        recorded = self.finish(process, path)
        self.assertEqual((recorded.status, recorded.stdout), (0, b"done\n"))
        with open(own, encoding="ascii") as file:
            for name, cpu_ns in map(str.split, file):
                function = recorded.function(name)
                self.assertLess(abs(function["cpu_ns"]["self"] / int(cpu_ns) - 1), 0.02, name)

    def test_only_one_of_the_two_goes_on(self):
        """Whoever is told to go on, both do."""
        for told in ["program", "spyglass-run", "both"]:
            with self.subTest(told):
                process, path = self.start(program("hot_loop"), self.new_path(".counters"), "1",
                                           "1000")
                target = child_of(process)
                time.sleep(0.3)
                os.kill(target, signal.SIGSTOP)
                for pid in [target, process.pid]:
                    self.wait_for_state(pid, "T")
                if told != "spyglass-run":
                    os.kill(target, signal.SIGCONT)
                if told != "program":
                    process.send_signal(signal.SIGCONT)
                recorded = self.finish(process, path)
                self.assertEqual((recorded.status, recorded.stdout), (33, b"finished\n"))

    def test_killed_while_stopped(self):
        process, path = self.start(program("hot_loop"), self.new_path(".counters"), "1", "0")
        target = child_of(process)
        time.sleep(0.3)
        os.kill(target, signal.SIGSTOP)
        self.wait_for_state(process.pid, "T")
        os.kill(target, signal.SIGKILL)
        self.assertEqual(self.finish(process, path).status, -signal.SIGKILL)

    def test_stopped_again_and_again(self):
        process, path = self.start(program("hot_loop"), self.new_path(".counters"), "1", "1500")
        target = child_of(process)
        time.sleep(0.2)
        for _ in range(100):
            os.kill(target, signal.SIGSTOP)
            os.kill(target, signal.SIGCONT)
            time.sleep(0.002)
        recorded = self.finish(process, path)
        self.assertEqual((recorded.status, recorded.stdout), (33, b"finished\n"))

    def test_stopped_while_going_on(self):
        """The next stop may come before spyglass-run has looked why it goes on."""
        for options in SAMPLERS:
            with self.subTest(options):
                process, path = self.start(program("hot_loop"), self.new_path(".counters"), "2",
                                           "60000", options=options)
                target = child_of(process)
                time.sleep(0.2)
                os.kill(target, signal.SIGSTOP)
                self.wait_for_state(process.pid, "T")
                for turn in range(60):
                    os.kill(target, signal.SIGCONT)
                    process.send_signal(signal.SIGCONT)
                    time.sleep(turn % 30 * 10e-6)
                    os.kill(target, signal.SIGSTOP)
                    self.wait_for_state(process.pid, "T")
                    self.assertEqual(state_of(target), "T", turn)
                os.kill(target, signal.SIGKILL)
                self.assertEqual(self.finish(process, path).status, -signal.SIGKILL)

    def wait_for_state(self, pid, state):
        for _ in range(500):
            if state_of(pid) == state:
                return
            time.sleep(0.01)
        self.fail(f"{pid} is in state {state_of(pid)}")


class Terminal:
    """An interactive shell on a terminal of its own, and what it shows."""

    def __init__(self, command):
        environment = clean_environment({"PS1": "ready> ", "TERM": "dumb", "COMMAND": command,
                                         "HISTFILE": "", "LC_ALL": "C"})
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)
        self.text = ""
        self.seen = 0

    def expect(self, pattern):
        """Waits for text behind what was expected last."""
        end = time.monotonic() + WATCHDOG_SECONDS / 2
        while True:
            found = re.compile(pattern).search(self.text, self.seen)
            if found:
                self.seen = found.end()
                return found
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            try:
                got = os.read(self.terminal, 4096)
            except OSError:
                got = b""
            if not got:
                raise AssertionError(f"no {pattern!r} in {self.text!r}, and the terminal is closed")
            self.text += got.decode().replace("\r\n", "\n")

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def shell(self, line):
        self.expect("ready> ")
        self.type(line + "\n")

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


class JobControl(EndToEndTest):
    """The same keys to a shell with the program and with spyglass-run: the same on the screen."""

    def screen(self, keys, command):
        terminal = Terminal(command)
        try:
            terminal.shell("echo shell is there")
            keys(terminal)
            terminal.shell("echo status $?")
            terminal.expect(r"status \d+\n")
            terminal.shell("exit")
            terminal.expect("exit\n")
        finally:
            terminal.close()
        text = terminal.text.rpartition("ready> ")[0]
        return re.sub(r"^\[1\] \d+$", "[1] PID", text, flags=re.MULTILINE)

    def check(self, keys, *arguments, options=(), order=str):
        bare = self.screen(keys, " ".join([program("terminal_job"), *arguments]))
        path = self.new_path()
        recorded = self.screen(keys, " ".join([SPYGLASS_RUN, "-q", "-o", path, *options, "--",
                                               program("terminal_job"), *arguments]))
        self.assertEqual(order(recorded), order(bare))
        self.verify(path)
        return recorded

    def test_stop_and_go_on_in_the_foreground(self):
        def keys(terminal):
            terminal.shell("$COMMAND")
            terminal.expect("foreground 1\n")
            terminal.type("first\n")
            terminal.expect("got first\n")
            for _ in range(3):
                terminal.type("\x1a")
                terminal.expect(r"Stopped")
                terminal.shell("jobs")
                terminal.expect(r"Stopped")
                terminal.shell("fg")
                terminal.expect(r"fg\n.*\n")
                terminal.type("again\n")
                terminal.expect("got again\n")
            terminal.type("quit\n")
        for options in SAMPLERS:
            with self.subTest(options):
                self.assertIn("status 7\n", self.check(keys, options=options))

    def test_interrupt(self):
        def keys(terminal):
            terminal.shell("$COMMAND")
            terminal.expect("foreground 1\n")
            terminal.type("\x03")
        self.assertIn("status 130\n", self.check(keys))

    def test_quit(self):
        def keys(terminal):
            terminal.shell("ulimit -c 0; $COMMAND")
            terminal.expect("foreground 1\n")
            terminal.type("\x1c")
        self.assertIn("status 131\n", self.check(keys))

    def test_end_of_input(self):
        def keys(terminal):
            terminal.shell("$COMMAND")
            terminal.expect("foreground 1\n")
            terminal.type("\x04")
        self.assertIn("status 5\n", self.check(keys))

    def test_each_key_is_one_signal(self):
        def keys(terminal):
            terminal.shell("$COMMAND")
            terminal.expect("foreground 1\n")
            for number in [1, 2, 3]:
                terminal.type("\x03")
                terminal.expect(f"interrupt {number}\n")
                terminal.resize(20 + number, 80)
                terminal.expect(f"window {number}\n")
                terminal.type("\x1a")
                terminal.expect(f"stop {number}\n")
                terminal.expect("Stopped")
                terminal.shell("fg")
                terminal.expect(f"continue {number}\n")
                time.sleep(0.2)  # a second one would come now
            terminal.type("quit\n")
        self.assertIn("status 7\n", self.check(keys, "catch"))

    def test_background_job_that_wants_to_read(self):
        def keys(terminal):
            terminal.shell("$COMMAND &")
            terminal.expect("background 1\n")
            time.sleep(0.3)
            terminal.type("\n")
            terminal.expect("Stopped")
            terminal.shell("fg")
            terminal.expect(r"fg\n.*\n")
            terminal.type("quit\n")
        # When the shell prompts beside its job is a matter of chance.
        self.check(keys, order=lambda text: sorted(text.replace("ready> ", "").split("\n")))

    def test_the_terminal_is_closed(self):
        path = self.new_path()
        terminal = Terminal(" ".join([SPYGLASS_RUN, "-q", "-o", path, "--",
                                      program("terminal_job")]))
        terminal.shell("$COMMAND")
        terminal.expect("foreground 1\n")
        terminal.close()
        for _ in range(500):
            if run([SPYGLASS, "verify", path]).status == 0:
                break
            time.sleep(0.02)
        self.verify(path)
        end = Recording(path, (0, b"", b"")).analysis()["processes"][0]["exit"]
        # The end of the terminal is also the end of what it reads.
        self.assertTrue(end.get("signal") == signal.SIGHUP or end.get("code") in [5, 6], end)


class ChildEnds(EndToEndTest):
    def test_every_way(self):
        for options in SAMPLERS:
            with self.subTest(options):
                recorded = self.assert_transparent([program("child_ends")], *options)
                self.assertIn(b"zombie Z\n", recorded.stdout)
                ends = [process["exit"] for process in recorded.analysis()["processes"]]
                codes = [end["code"] for end in ends if end and "code" in end]
                signals = [end["signal"] for end in ends if end and "signal" in end]
                self.assertEqual(len(ends), 1 + 2 + 2 + 20 + 20 + 1 + 20 + 1)
                self.assertEqual((codes.count(11), codes.count(12), codes.count(14)), (1, 2, 1))
                # Whom its parent has collected first, older kernels do not tell about.
                self.assertLessEqual(set(signals), {signal.SIGTERM, signal.SIGKILL})
                self.assertNotIn(15, codes)


if __name__ == "__main__":
    unittest.main()
