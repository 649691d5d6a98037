#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CPU samples from outside, through perf: true shares, whole stacks, every process of the tree."""

import collections
import math
import os
import resource
import unittest

from harness import LIBRARY, SPYGLASS, SPYGLASS_RUN, EndToEndTest, Recording, program, run

PERF = "--sampler=perf"


class PerfSampling(EndToEndTest):
    def setUp(self):
        super().setUp()
        probe = self.record(["/bin/true"], PERF).analysis()["samples"]
        if probe["sampler"] != "perf":
            self.skipTest(f"perf is refused here: {probe['reason']}")

    def self_samples(self, recorded):
        counts = collections.Counter()
        for function in recorded.functions():
            counts[function["name"]] += function["samples"]["self"]
        return counts

    def samples_by_executable(self, recorded):
        analysis = recorded.analysis()
        names = {p["pid"]: os.path.basename(p.get("executable") or p["command"][0])
                 for p in analysis["processes"]}
        counts = collections.Counter()
        for thread in analysis["threads"]:
            counts[names[thread["pid"]]] += thread["samples"]
        return counts

    def assert_shares(self, arguments):
        """Within three standard deviations: in one run, or else in the sum of ten.

        One run in a few hundred is further off by chance, which the sum is not, but for a bias.
        """
        for runs in (1, 10):
            samples = collections.Counter()
            for _ in range(runs):
                recorded = self.assert_transparent(arguments, PERF)
                self.assertEqual(recorded.analysis()["samples"]["lost"], 0)
                samples += self.self_samples(recorded)
            if self.largest_deviation(samples) < 3:
                return recorded
        self.fail(samples)

    def largest_deviation(self, samples):
        total = sum(samples.values())
        self.assertGreater(total, 200)
        # A few samples go to the start of the program.
        return max(max(0, abs(samples[name] - share * total) - 4) /
                   math.sqrt(share * (1 - share) * total)
                   for name, share in [("part70", 0.7), ("part20", 0.2), ("part9", 0.09),
                                       ("part1", 0.01)])

    def test_known_shares(self):
        for threads in ["1", "3"]:
            with self.subTest(threads):
                self.assert_shares([program("cpu_shares"), "4000", threads])

    def test_samples_are_the_cpu_time(self):
        recorded = self.record([program("cpu_shares"), "4000", "2"], PERF)
        analysis = recorded.analysis()
        self.assertEqual(len(analysis["threads"]), 2)
        for thread in analysis["threads"]:
            expected = thread["cpu_ns"] / analysis["samples"]["interval_ns"]
            self.assertLess(abs(thread["samples"] - expected), 0.1 * expected + 10, thread)

    def test_threads_that_record_late_are_one_each(self):
        for _ in range(10):
            analysis = self.record([program("late_record"), "4", "20"], PERF).analysis()
            tids = [thread["tid"] for thread in analysis["threads"]]
            self.assertEqual(len(tids), 5, tids)
            self.assertEqual(len(set(tids)), 5, tids)
            self.assertLess(sum(thread["cpu_ns"] for thread in analysis["threads"]), 110e6)

    def test_the_kernels_part_of_the_cpu_time_is_told(self):
        command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=8k", "count=200000", "status=none"]
        by_perf, by_timer = (self.record(command, f"--sampler={sampler}")
                             for sampler in ["perf", "timer"])
        told = "of the CPU time was in the kernel"
        for recorded, expected in [(by_perf, True), (by_timer, False)]:
            text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
            self.assertEqual(told in text, expected, text)
            self.assertEqual("by samples of user code" in text, expected, text)
        text = run([SPYGLASS, "diff", by_perf.path, by_timer.path]).stdout.decode()
        self.assertRegex(text, r"samples +perf, 1000 Hz, user code +timer, 1000 Hz +differs")
        busy = self.record([program("cpu_shares"), "500"], PERF)
        self.assertNotIn(told, run([SPYGLASS, "analyze", busy.path]).stdout.decode())

    def test_static_program(self):
        recorded = self.assert_shares([program("cpu_shares_static"), "4000"])
        self.assertEqual([line["reason"] for line in recorded.analysis()["coverage"]],
                         ["is statically linked"])
        session = run([SPYGLASS_RUN, "-o", self.new_path(), "--", program("cpu_shares_static"), "1"])
        self.assertIn("; nothing lost, but 1 blind spot; next: ", session.stderr.decode())
        whole = max(function["samples"]["total"] for function in recorded.functions()
                    if function["name"] == "main")
        self.assertGreater(whole, 0.9 * recorded.analysis()["samples"]["count"])

    def test_programs_that_the_library_is_not_in(self):
        static, shares = program("cpu_shares_static"), program("cpu_shares")
        script = f"'{static}' 1500; env -i '{shares}' 1500; '{shares}' 1500; true"
        recorded = self.assert_transparent(["bash", "-c", script], PERF)
        samples = self.samples_by_executable(recorded)
        for name in ["cpu_shares_static", "cpu_shares"]:
            self.assertGreater(samples[name], 50, samples)
        coverage = {os.path.basename(line["subject"]): line["reason"]
                    for line in recorded.analysis()["coverage"]}
        self.assertEqual(sorted(coverage), ["cpu_shares", "cpu_shares_static"])
        self.assertIn("statically linked", coverage["cpu_shares_static"])
        self.assertIn("environment was dropped", coverage["cpu_shares"])
        # As many processes as there were, none twice.
        images = [p for p in recorded.analysis()["processes"]
                  if p.get("executable", "").endswith("cpu_shares")]
        self.assertEqual(len(images), 2, images)

    def test_trees_of_processes(self):
        for case in [["fork", "8"], ["exec_chain", "5"], ["posix_spawn", "5"], ["vfork_exec"],
                     ["raw_clone_fork"], ["short_threads", "300"], ["threads", "8", "2000"],
                     ["dlopen", "50"], ["signals", "50"], ["pthread_cancel"], ["swapcontext", "50"]]:
            with self.subTest(case[0]):
                self.assert_transparent([program(case[0]), *case[1:]], PERF, "-F5000")

    def test_stack_beyond_the_copy(self):
        recorded = self.assert_transparent([program("deep_stack"), "250", "800000"], PERF)
        analysis = recorded.analysis()
        count = analysis["samples"]["count"]
        self.assertGreater(count, 100)
        main = [f for f in recorded.functions() if f["name"] == "main"]
        self.assertEqual(len(main), 1)
        # 250 frames of more than 400 bytes: only a few samples were taken in less than the copy.
        self.assertGreater(main[0]["samples"]["total"], 0.9 * count)

    @unittest.skipIf(os.geteuid() != 0, "others may lock less memory for samples")
    def test_stack_of_38_kilobytes(self):
        """As those of x264's threads: in the copy even where no sample saw it grow."""
        recorded = self.record([program("deep_stack"), "88", "300000000", "1"], PERF)
        analysis = recorded.analysis()
        self.assertGreater(analysis["samples"]["count"], 100)
        self.assertEqual([loss for loss in analysis["losses"] if "copy" in loss["reason"]], [])

    def test_a_stack_that_no_sample_saw_grow(self):
        recorded = self.assert_transparent([program("deep_stack"), "400", "3000000"], PERF, "-F3")
        cut = [loss for loss in recorded.analysis()["losses"] if "copy" in loss["reason"]]
        self.assertTrue(cut, recorded.analysis()["losses"])

    def test_what_recording_takes_is_not_the_programs(self):
        """Millions of recorded allocations: hardly any of that time is the program's own."""
        for sampler in ("perf", "timer"):
            with self.subTest(sampler):
                recorded = self.record([program("many_allocation_stacks"), "300000", "1000"],
                                       f"--sampler={sampler}")
                samples = {function["name"]: function["samples"]["self"]
                           for function in recorded.functions()}
                self.assertGreater(samples["[recording by Spyglass]"],
                                   sum(samples.values()) / 3, samples)

    MADE_LOOP = "JS:*made_loop here.js:7:1"

    def test_code_made_at_run_time(self):
        recorded, other = self.assert_made_code_named(), self.assert_made_code_named()
        self.assertGreater(self.self_samples(recorded)[self.MADE_LOOP], 50)
        run_function = [f for f in recorded.functions() if f["name"] == "run"]
        self.assertGreater(run_function[0]["samples"]["total"], 50)
        text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
        self.assertIn(self.MADE_LOOP, text)
        # Of another process, but the same function.
        changes = run([SPYGLASS, "diff", recorded.path, other.path, "--threshold=5%"]).stdout
        self.assertNotIn(b"made_loop", changes)

    def test_code_made_at_run_time_seen_from_inside(self):
        for options in [["--sampler=timer"], [PERF]]:
            recorded = self.assert_made_code_named(*options)
            wait, = [row for row in recorded.analysis()["waits"] if row["operation"] == "usleep"]
            names = [recorded.functions()[index]["name"] for index in wait["stack"]]
            self.assertEqual(names[:3], ["wait_a_little", "made_caller", "run"])
            self.assertGreater(self.self_samples(recorded)[self.MADE_LOOP], 50)

    def test_code_made_at_run_time_without_names(self):
        recorded, other = (self.record([program("jit_code"), "400000000", "nameless"], PERF)
                           for _ in range(2))
        self.assertGreater(self.self_samples(recorded)["[made at run time]"], 50)
        note, = recorded.analysis()["coverage"]
        self.assertIn(recorded.stdout.decode().strip(), note["reason"])
        changes = run([SPYGLASS, "diff", recorded.path, other.path, "--threshold=5%"]).stdout
        self.assertNotIn(b"made at run time", changes)

    def assert_made_code_named(self, *options):
        recorded = self.record([program("jit_code")], *options or [PERF])
        path = recorded.stdout.decode().strip()
        self.addCleanup(os.unlink, path)
        self.assertEqual(recorded.status, 0)
        names = {f["name"] for f in recorded.functions()}
        self.assertTrue({self.MADE_LOOP, "made_caller"} <= names, names)
        return recorded


class Refused(EndToEndTest):
    def sampler_of(self, recorded):
        samples = recorded.analysis()["samples"]
        return samples["sampler"], samples["reason"]

    def record_below(self, *launcher, options=()):
        path = self.new_path()
        done = run([*launcher, SPYGLASS_RUN, "-q", "-o", path, *options, "--",
                    program("no_calls")])
        self.assertEqual((done.status, done.stdout), (4, b"no calls\n"))
        return Recording(path, done)

    def test_perf_is_refused(self):
        seccomp = program("seccomp_no_perf")
        sampler, reason = self.sampler_of(self.record_below(seccomp))
        self.assertEqual(sampler, "timer")
        self.assertIn("perf_event_open", reason)
        sampler, reason = self.sampler_of(self.record_below(seccomp, options=[PERF]))
        self.assertEqual(sampler, "off")
        self.assertIn("perf_event_open", reason)

    def test_off(self):
        for options in [["-F0"], ["--sampler=off"], ["--frequency", "0"]]:
            recorded = self.record([program("no_calls")], *options)
            self.assertEqual(self.sampler_of(recorded), ("off", ""))

    def test_few_descriptors(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))
        recorded = self.record([program("threads"), "2", "1000"], preexec_fn=limit)
        self.assertEqual(recorded.status, 0, recorded.stderr)
        self.verify(recorded.path)

    def test_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be somebody else")
        os.chmod(self.folder, 0o777)
        path = self.new_path()
        somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if run([*somebody, "test", "-r", LIBRARY]).status != 0:
            self.skipTest("another user cannot run the tools from here")
        done = run([*somebody, SPYGLASS_RUN, "-q", "-o", path, "--", "/bin/sh", "-c", "exit 3"])
        self.assertEqual(done.status, 3, done.stderr)
        self.verify(path)


if __name__ == "__main__":
    unittest.main()
