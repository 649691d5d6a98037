# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the target and of spyglass-run at random times.

KILLS_OF_TARGET and KILLS_OF_COLLECTOR set how often (20 and 10).
"""

import os
import random
import signal
import struct
import subprocess
import time
import unittest

from harness import EndToEndTest, Recording, SPYGLASS, SPYGLASS_RUN, clean_environment, program, run

KILLS_OF_TARGET = int(os.environ.get("KILLS_OF_TARGET", "20"))
KILLS_OF_COLLECTOR = int(os.environ.get("KILLS_OF_COLLECTOR", "10"))
THREADS = 3


def returned_calls(path):
    """What the program itself counted; it may still be running."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return 0
    return sum(struct.unpack_from("<Q", data, at)[0] for at in range(0, len(data) - 63, 64))


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


class Death(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(int(os.environ.get("SEED", time.time_ns())))

    def start(self, milliseconds, *options):
        counters, path = self.new_path(".counters"), self.new_path()
        child = subprocess.Popen(
            [SPYGLASS_RUN, "-q", "-o", path, *options, "--", program("hot_loop"), counters,
             str(THREADS), str(milliseconds)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
        return child, counters, path

    def find_target(self, child):
        """The program, once spyglass-run has started it (or None)."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for pid in children_of(child.pid):
                try:
                    if os.readlink(f"/proc/{pid}/exe").endswith("hot_loop"):
                        return pid
                except OSError:
                    pass
            time.sleep(0.001)
        self.fail("the program did not start")

    def test_kill_of_the_target(self):
        total = 0
        for trial in range(KILLS_OF_TARGET):
            options = [[], ["--trace=all"], ["--trace=all", "--on-full=block"]][trial % 3]
            child, counters, path = self.start(0, *options)
            target = self.find_target(child)
            time.sleep(self.random.uniform(0.0, 0.5))
            os.kill(target, signal.SIGKILL)
            _, errors = child.communicate(timeout=30)
            self.assertEqual(child.returncode, -signal.SIGKILL, errors)
            self.verify(path)
            returned = returned_calls(counters)
            calls = Recording(path, (0, b"", b"")).calls()
            self.check_calls(calls, returned, (trial, options))
            total += returned
            os.unlink(path)
        print(f"kill -9 of the target: {KILLS_OF_TARGET} trials, {total} returned calls, none lost",
              flush=True)

    def check_calls(self, calls, returned, context):
        """Every returned call is there; beyond it only what was open or just returned."""
        self.assertGreaterEqual(calls["outer"], returned, context)
        self.assertLessEqual(calls["outer"], returned + THREADS, context)
        self.assertGreaterEqual(calls["inner"], 2 * returned, context)
        self.assertLessEqual(calls["inner"], 2 * (returned + THREADS), context)

    def test_kill_of_spyglass_run(self):
        oldest = 0.0
        for trial in range(KILLS_OF_COLLECTOR):
            options = [[], ["--trace=all"], ["--trace=all", "--on-full=block"]][trial % 3]
            child, counters, path = self.start(2600, *options)
            self.find_target(child)
            time.sleep(self.random.uniform(0.0, 0.8))
            snapshots = []
            kill_at = time.monotonic() + 1.0
            while time.monotonic() < kill_at:
                snapshots.append((time.monotonic(), returned_calls(counters)))
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            killed_at = time.monotonic()
            # The program holds the pipe's other end: its end of file is the program's end.
            output, errors = child.communicate(timeout=30)
            self.assertEqual((output, errors), (b"finished\n", b""), (trial, options))
            oldest = max(oldest, self.check_readable(path, snapshots, killed_at, (trial, options)))
            os.unlink(path)
        print(f"kill -9 of spyglass-run: {KILLS_OF_COLLECTOR} trials, recordings readable up to "
              f"{oldest * 1000:.0f} ms before at worst", flush=True)

    def check_readable(self, path, snapshots, killed_at, context):
        """Returns how many seconds before the kill the recording ends."""
        verify = run([SPYGLASS, "verify", path])
        self.assertIn(verify.status, (0, 1), (verify.stderr, context))
        calls = Recording(path, (0, b"", b"")).calls()
        covered = [when for when, returned in snapshots if calls["outer"] >= returned]
        self.assertTrue(covered, (calls, snapshots[0], context))
        age = killed_at - max(covered)
        self.assertLessEqual(age, 1.0, (context, f"recorded {calls['outer']}; returned by seconds "
                                        "before the kill:",
                                        [(round(killed_at - when, 2), returned)
                                         for when, returned in snapshots[::10]]))
        return age

    def test_spyglass_run_ends_by_signal_with_a_whole_file(self):
        child, _, path = self.start(0)
        time.sleep(0.5)
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)
        self.verify(path)

    def test_stopped_collector_never_stops_the_target(self):
        for options in [[], ["--trace=all"]]:
            child, counters, path = self.start(1500, *options)
            self.find_target(child)
            time.sleep(0.3)
            child.send_signal(signal.SIGSTOP)
            time.sleep(0.2)
            started = time.monotonic()
            # Its end of file will not come: the stopped spyglass-run has the pipe open too.
            self.assertEqual(child.stdout.readline(), b"finished\n")
            self.assertLess(time.monotonic() - started, 3)
            child.send_signal(signal.SIGCONT)
            child.communicate(timeout=30)
            self.assertEqual(child.returncode, 33)
            self.verify(path)
            calls = Recording(path, (0, b"", b"")).calls()
            self.assertEqual(calls["outer"], returned_calls(counters))

    def test_blocked_target_goes_on_when_the_collector_does(self):
        child, counters, path = self.start(1200, "--trace=all", "--on-full=block")
        self.find_target(child)
        time.sleep(0.3)
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.7)
        child.send_signal(signal.SIGCONT)
        output, _ = child.communicate(timeout=30)
        self.assertEqual((child.returncode, output), (33, b"finished\n"))
        recorded = Recording(path, (0, b"", b""))
        self.assertEqual(recorded.calls()["outer"], returned_calls(counters))
        self.assertEqual(recorded.lost(), [])


if __name__ == "__main__":
    unittest.main()
