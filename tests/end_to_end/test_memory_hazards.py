# SPDX-License-Identifier: Apache-2.0
"""Programs whose memory goes wrong, or is somebody else's, behave as they do bare."""

import os
import unittest

from harness import SPYGLASS, program, run
from memory import (COUNTALLOC_LIBRARY, FAILALLOC_LIBRARY, FULL, MEMORY_ONLY, MemoryTest, frames,
                    installed, library, preloading, size)

NEIGHBOURS = {
    "jemalloc": ("libjemalloc.so.2", "libjemalloc2"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    "tcmalloc with profilers": ("libtcmalloc_and_profiler.so.4", "libgoogle-perftools4"),
    "mimalloc": ("libmimalloc.so.2", "libmimalloc2.0"),
    "faketime": ("faketime/libfaketime.so.1", "libfaketime"),
    "eatmydata": ("libeatmydata.so", "libeatmydata1"),
    "fakeroot": ("libfakeroot/libfakeroot-sysv.so", "libfakeroot"),
    "stdbuf": ("coreutils/libstdbuf.so", "coreutils"),
    "counting": (COUNTALLOC_LIBRARY, ""),
}


def neighbour(name):
    pattern, package = NEIGHBOURS[name]
    if not package:
        return pattern
    for folder in ("", "../libexec/"):
        try:
            return library(folder + pattern, package)
        except unittest.SkipTest:
            if os.path.exists(f"/usr/libexec/{pattern}"):
                return f"/usr/libexec/{pattern}"
    return library(pattern, package)


class Transparent(MemoryTest):
    def check(self, arguments, *options, **more):
        return self.assert_transparent(arguments, *(options or MEMORY_ONLY), **more)

    def test_every_entry(self):
        """Answers, alignments and errno, without and with a limit."""
        for mode in ("full", "sample=4096", "off"):
            for arguments in ([], ["limit"]):
                with self.subTest(mode=mode, arguments=arguments):
                    recorded = self.check([program("allocator_entries"), *arguments],
                                          *MEMORY_ONLY, f"--memory={mode}")
                    self.assertNotIn(b"askew", recorded.stdout)

    def test_started_under_a_limit(self):
        """Where Spyglass finds no room, the program is none the worse."""
        for kib in (40000, 100000, 400000):
            with self.subTest(kib):
                script = f'ulimit -v {kib}; exec "$@"'
                self.check(["/bin/bash", "-c", script, "sh", program("alloc_churn"), "2000"])

    def test_early(self):
        for mode in ("full", "sample=1", "off"):
            self.check([program("early_malloc")], *MEMORY_ONLY, f"--memory={mode}")

    def test_own_wrapper(self):
        recorded = self.check([program("own_malloc_wrapper")])
        known = recorded.analysis()["memory"]
        self.assertGreaterEqual(known["allocations"], 4008)
        self.assertGreaterEqual(known["frees"], 4008)

    def test_malloc_by_address(self):
        recorded = self.check([program("malloc_by_address")])
        self.assertEqual(recorded.analysis()["memory"]["allocations"], 1000)
        self.assertEqual([line for line in recorded.analysis()["coverage"]
                          if "malloc" in line["reason"]], [])

    def test_own_allocator(self):
        """Nothing of it is seen, and that is said."""
        recorded = self.check([program("own_allocator")])
        known = recorded.analysis()["memory"]
        notes = " ".join(run_notes(recorded))
        if known["allocations"] < 203:
            self.assertRegex(notes, "(?i)alloc")

    def test_thread_exits(self):
        """Again and again."""
        for _ in range(size(3, 200)):
            self.check([program("alloc_at_thread_exit"), "20"])

    def test_realloc(self):
        self.check([program("realloc_moves")])
        self.check([program("realloc_storm")])
        self.check([program("alloc_threads"), "8", "1000"])

    def test_bad_frees(self):
        """The same words, the same signal."""
        for how in ("double", "double_large", "stack", "static", "middle", "unaligned",
                    "realloc_stack", "realloc_middle", "realloc_freed", "none"):
            with self.subTest(how):
                recorded = self.check([program("bad_frees"), how])
                self.assertEqual(recorded.status, 0 if how == "none" else -6)
                if how != "none":
                    self.assertRegex(recorded.stderr, rb"free\(\)|realloc\(\)|double free")

    def test_with_operations_and_samples(self):
        """All that Spyglass records at once."""
        for name in ("alloc_threads", "alloc_containers", "alloc_fork", "alloc_at_thread_exit"):
            with self.subTest(name):
                self.check([program(name)], "--frequency=1000")


def run_notes(recorded):
    analysis = recorded.analysis()
    notes = [str(note) for key in ("notes", "coverage", "losses", "blind_spots")
             for note in analysis.get(key) or []]
    return notes + [recorded.stderr.decode(), recorded.stdout.decode() if FULL else ""]


class OutOfMemory(MemoryTest):
    def test_each_allocation_fails_once(self):
        self.sweep({})

    def test_each_allocation_fails_and_all_after_it(self):
        self.sweep({"FAILALLOC_ONWARDS": "1"})

    def sweep(self, how):
        """All N, until none is left to fail."""
        binary, failed = program("alloc_failures"), 0
        for number in range(1, 1000):
            marks = [self.new_path(".bare"), self.new_path(".recorded")]
            finished = []
            for mark, way in zip(marks, (run, self.record_only)):
                environment = dict(how, FAILALLOC_AT=str(number), FAILALLOC_MARK=mark)
                finished.append(way(preloading([binary], after=FAILALLOC_LIBRARY),
                                    environment=environment))
            bare, recorded = finished
            with self.subTest(number=number, **how):
                self.assertEqual(tuple(recorded), tuple(bare))
                self.assertEqual(*(os.path.exists(mark) for mark in marks))
            if not os.path.exists(marks[0]):
                break
            failed += 1
        self.assertGreater(failed, 15)
        self.assertLess(failed, 200)

    def record_only(self, arguments, **more):
        recorded = self.record(arguments, *MEMORY_ONLY, **more)
        return recorded.status, recorded.stdout, recorded.stderr

    def test_the_failures_are_counted(self):
        recorded = self.record(preloading([program("alloc_failures")], after=FAILALLOC_LIBRARY),
                               *MEMORY_ONLY, environment={"FAILALLOC_AT": "4"})
        self.assertEqual(recorded.analysis()["memory"]["failed"], 1)


class Neighbours(MemoryTest):
    """Other libraries that are preloaded, before and after us."""

    PROGRAMS = [["alloc_threads", "2", "1000"], ["alloc_containers", "500"], ["alloc_fork"],
                ["aligned_new", "5"], ["alloc_at_thread_exit"]]

    def check_neighbour(self, name):
        path = neighbour(name)
        for place in ("before", "after"):
            for binary, *arguments in self.PROGRAMS:
                with self.subTest(neighbour=name, place=place, program=binary):
                    command = preloading([program(binary), *arguments], **{place: path})
                    recorded = self.assert_transparent(command, *MEMORY_ONLY)
                    self.assertEqual(recorded.status, 0, recorded.stderr)
                    self.assert_seen_or_said(recorded, binary)

    def assert_seen_or_said(self, recorded, binary):
        """All that main() asked for, as without the neighbour; or a line that says why not."""
        alone = self.asked_by_main(self.record([program(binary), *dict(
            (name, arguments) for name, *arguments in self.PROGRAMS)[binary]], *MEMORY_ONLY))
        seen = self.asked_by_main(recorded)
        if seen != alone:
            self.assertEqual(seen, 0, "seen in part")
            self.assertRegex(" ".join(line["reason"] for line in recorded.analysis()["coverage"]),
                             r"malloc\(\) of its own|is linked with (je|tc|mi)malloc")

    @staticmethod
    def asked_by_main(recorded):
        return sum(stack["allocations"] for stack in recorded.analysis()["memory"]["stacks"]
                   if "main" in frames(recorded, stack))

    def test_after_us_all_is_counted(self):
        """Whose allocator it is makes no difference to what is asked of it."""
        own = None
        for name in ("jemalloc", "tcmalloc", "mimalloc", "counting"):
            with self.subTest(name):
                command = preloading([program("alloc_churn"), "3000"], after=neighbour(name))
                recorded = self.record(command, *MEMORY_ONLY)
                said = [int(word) for word in recorded.stdout.split()][:4]
                counted = [0, 0]
                for stack in recorded.analysis()["memory"]["stacks"]:
                    if "main" in frames(recorded, stack):
                        counted[0] += stack["allocations"]
                        counted[1] += stack["allocated_bytes"]
                self.assertEqual(counted, said[:2])
                own = own or said
                self.assertEqual(said, own)

    def test_linked_jemalloc(self):
        """A program that links an allocator still asks us first."""
        installed("redis-server")
        recorded = self.record([installed("redis-server"), "--version"], *MEMORY_ONLY)
        self.assertEqual(recorded.status, 0)
        self.assertGreater(recorded.analysis()["memory"]["allocations"], 0)


class FullTree(MemoryTest):
    def test_stacks_that_lose_their_inner_frames_are_counted(self):
        command = [program("alloc_containers")]
        whole = self.record(command, *MEMORY_ONLY)
        self.assertEqual(whole.analysis()["losses"], [])
        recorded = self.record(command, *MEMORY_ONLY, "--tree-size=4K")
        lost = [loss for loss in recorded.analysis()["losses"]
                if loss["kind"] == "shortened_stacks"]
        self.assertEqual([loss["lost"] for loss in lost], [True])
        self.assertIn("--tree-size", lost[0]["reason"])
        memory = recorded.analysis()["memory"]
        self.assertGreater(lost[0]["count"], 0)
        self.assertLess(lost[0]["count"], memory["allocations"] + memory["frees"])
        for key in ("allocations", "allocated_bytes", "frees"):
            self.assertEqual(memory[key], whole.analysis()["memory"][key], key)
        text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
        self.assertIn("stacks without inner frames (the tree reached its bound, --tree-size)",
                      text)


def add_neighbour_tests():
    for name in NEIGHBOURS:
        def test(self, name=name):
            self.check_neighbour(name)
        setattr(Neighbours, f"test_{name.replace(' ', '_')}", test)


add_neighbour_tests()

if __name__ == "__main__":
    unittest.main()
