# SPDX-License-Identifier: Apache-2.0
"""CPU time per function against the program's own clock, with a competitor on the same CPU."""

import os
import subprocess
import unittest

from harness import (EndToEndTest, Recording, SPYGLASS_RUN, analyze, clean_environment, program,
                     run)


def own_cpu_ns(path):
    with open(path, encoding="ascii") as file:
        return {name: int(value) for name, value in (line.split() for line in file)}


class CpuTime(EndToEndTest):
    def measure(self, prefix=(), options=(), name="cpu_time", environment=None):
        """Largest relative error over the functions, and the recording."""
        cpu = str(max(os.sched_getaffinity(0)))
        own = self.new_path(".own")
        path = self.new_path()
        competitor = subprocess.Popen([program("cpu_time"), "-", cpu, "compete", "30"],
                                      env=clean_environment())
        try:
            finished = run([*prefix, SPYGLASS_RUN, "-q", "-o", path, *options, "--",
                            program(name), own, cpu], environment=environment)
        finally:
            competitor.kill()
            competitor.wait()
        self.assertEqual((finished.status, finished.stdout), (0, b"done\n"), finished.stderr)
        recorded = Recording(path, finished)
        errors = {}
        for name, expected in own_cpu_ns(own).items():
            function = recorded.function(name)
            errors[name] = function["cpu_ns"]["self"] / expected - 1
            self.assertGreater(function["wall_ns"]["total"], function["cpu_ns"]["total"], name)
        print(f"cpu time against the program's own: "
              f"{', '.join(f'{name} {error:+.2%}' for name, error in errors.items())}", flush=True)
        return max(abs(error) for error in errors.values()), recorded

    @staticmethod
    def is_marked_approximate(recorded):
        return recorded.analysis()["recording"]["cpu"] == "approximate"

    # The C library does not register areas for restartable sequences.
    NO_AREAS = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}

    def test_exact(self):
        for name, environment in [("cpu_time", None), ("cpu_time", self.NO_AREAS),
                                  ("own_sequences", None)]:
            with self.subTest(name=name, environment=environment):
                error, recorded = self.measure(name=name, environment=environment)
                self.assertFalse(self.is_marked_approximate(recorded))
                self.assertLess(error, 0.02)

    def test_approximate(self):
        no_perf = [program("seccomp_no_perf")]
        for how in [{"options": ["--no-perf"]}, {"prefix": no_perf, "environment": self.NO_AREAS},
                    {"prefix": no_perf, "name": "own_sequences"}]:
            with self.subTest(**how):
                error, recorded = self.measure(**how)
                self.assertTrue(self.is_marked_approximate(recorded))
                self.assertLess(error, 0.10)

    def test_without_perf(self):
        error, recorded = self.measure(prefix=[program("seccomp_no_perf")])
        # Kernels that leave the sign alone are served by perf only.
        self.assertLess(error, 0.10 if self.is_marked_approximate(recorded) else 0.02)

    def test_threads_that_wait_when_the_process_ends(self):
        for milliseconds, how in [("300", "exit"), ("2500", "exit"), ("2500", "term"),
                                  ("2500", "kill"), ("400", "kill")]:
            with self.subTest(milliseconds=milliseconds, how=how):
                self.compare_pool(milliseconds, how)

    def compare_pool(self, milliseconds, how):
        recorded = self.record([program("idle_pool"), milliseconds, how], "--sampler=off")
        own = dict(line.split() for line in recorded.stdout.decode().splitlines())
        self.assertEqual(len(own), 4)
        threads = {thread["name"]: thread for thread in recorded.analysis()["threads"]}
        for name, cpu_ms in own.items():
            thread = threads[name]
            tolerance = 20 if how == "exit" or name != "computes" else 150
            self.assertAlmostEqual(thread["cpu_ns"] / 1e6, float(cpu_ms), delta=tolerance, msg=name)
            waited = thread["time"]["waiting_ns"].get("condition", 0) / 1e6
            if name == "condition":
                self.assertAlmostEqual(waited, thread["wall_ns"] / 1e6, delta=20)
                self.assertGreater(waited, float(milliseconds) - 60)
            if name == "computes_first":  # others may have had the processor meanwhile
                ready = (thread["time"]["runnable_ns"] or 0) / 1e6
                self.assertGreater(waited + ready, 0.3 * float(milliseconds))
                self.assertLess(waited + float(cpu_ms), thread["wall_ns"] / 1e6 + 20)

    def test_ready_but_others_ran(self):
        """Of threads shorter than a second, too. What came after the last look is unknown."""
        for milliseconds in ("200", "500"):
            recorded = self.record([program("crowded_cpu"), "3", milliseconds])
            own = [line.split() for line in recorded.stdout.decode().splitlines()]
            self.assertEqual(len(own), 3)
            threads = {thread["name"]: thread for thread in recorded.analysis()["threads"]}
            for name, cpu_ms, ready_ms in own:
                with self.subTest(milliseconds=milliseconds, name=name):
                    self.check_ready(threads[name], float(cpu_ms), float(ready_ms))

    def check_ready(self, thread, cpu_ms, ready_ms):
        self.assertAlmostEqual(thread["cpu_ns"] / 1e6, cpu_ms, delta=5)
        self.assertGreater(ready_ms, cpu_ms)  # else it was no crowd
        self.assertLess(thread["time"]["runnable_ns"] / 1e6, ready_ms + 5)
        self.assertGreater(thread["time"]["runnable_ns"] / 1e6, ready_ms - 250)
        self.assertGreater(thread["time"]["runnable_ns"] / 1e6, 0.3 * ready_ms)

    def test_waits_that_reach_over_a_range(self):
        for trace in ("--trace=10us", "--trace=all"):
            recorded = self.record([program("idle_pool"), "2500", "exit"], trace)
            for time_range, length_ms in [("1s..2s", 1000), ("..1s", 1000), ("2s..", 500)]:
                with self.subTest(trace=trace, time_range=time_range):
                    self.check_range(analyze(recorded.path, "--time-range", time_range), length_ms)

    def check_range(self, analysis, length_ms):
        """A sleeps, another waits for ever, all of the range: none of that is time on the CPU."""
        for operation in ("usleep", "pthread_cond_wait"):
            found = [function for function in analysis["functions"]
                     if function["name"] == operation and function["kind"] == "operation"]
            wall, cpu = found[0]["wall_ns"]["self"] / 1e6, found[0]["cpu_ns"]["self"] / 1e6
            self.assertGreater(wall, 0.7 * length_ms, operation)
            self.assertLess(cpu, 0.05 * length_ms, operation)
        waiting = {thread["name"]: thread["time"]["waiting_ns"] for thread in analysis["threads"]}
        for name, kind in [("idle_pool", "sleep"), ("condition", "condition")]:
            waited = waiting[name][kind] / 1e6
            self.assertGreater(waited, 0.7 * length_ms, name)
            self.assertLess(waited, 1.3 * length_ms, name)

    def test_cpu_is_never_more_than_wall(self):
        recorded = self.record([program("threads"), "8", "50000"])
        for function in recorded.functions():
            self.assertLessEqual(function["cpu_ns"]["self"], function["wall_ns"]["self"] + 1)
        for thread in recorded.analysis()["threads"]:
            self.assertLessEqual(thread["cpu_ns"], thread["wall_ns"] * 1.01 + 100000)


if __name__ == "__main__":
    unittest.main()
