# SPDX-License-Identifier: Apache-2.0
"""Disk full, few descriptors, little memory: the program does not notice, the loss is counted."""

import os
import resource
import subprocess
import unittest

from harness import EndToEndTest, SPYGLASS_RUN, clean_environment, program, run


def limit(which, value):
    return lambda: resource.setrlimit(which, (value, value))


class Resources(EndToEndTest):
    def assert_survives_full_disk(self, path, **more):
        finished = run([SPYGLASS_RUN, "-o", path, "--trace=all", "--on-full=block", "--",
                        program("threads"), "2", "2000000"], **more)
        self.assertEqual(finished.stdout, run([program("threads"), "2", "2000000"]).stdout)
        self.assertEqual(finished.status, 0, finished.stderr)
        self.assertRegex(finished.stderr.decode().lower(), "full|too large|no space|limit|lost")

    def test_full_disk(self):
        mount = self.new_path(".tmpfs")
        os.mkdir(mount)
        done = run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", mount])
        if done.status != 0:
            self.skipTest("NOT TESTED: a full disk; cannot mount a small tmpfs here: "
                          + done.stderr.decode().strip())
        try:
            self.assert_survives_full_disk(os.path.join(mount, "x.sgz"))
        finally:
            run(["umount", mount])

    def test_file_size_limit(self):
        """The limit holds for shared memory too, so the session is refused, in one line."""
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", program("recursion"), "10"],
                       preexec_fn=limit(resource.RLIMIT_FSIZE, 200_000))
        if finished.status != 0:
            self.assertEqual(finished.status, 125, finished.stderr)
            self.assertEqual(len(finished.stderr.splitlines()), 1, finished.stderr)

    def test_dev_full(self):
        finished = run([SPYGLASS_RUN, "-f", "-o", "/dev/full", "--", program("recursion"), "10"])
        # Either refused before the program runs, or the program runs and the loss is said.
        self.assertIn(finished.status, (0, 125), finished.stderr)
        self.assertNotEqual(finished.stderr, b"")

    def test_few_descriptors(self):
        for count in range(3, 12):
            with self.subTest(count):
                inner = f"ulimit -n {count}; exec '{program('recursion')}' 12"
                recorded = self.record(["bash", "-c", inner])
                self.assertEqual(recorded.status, run(["bash", "-c", inner]).status)

    def test_little_address_space(self):
        # A shared arena needs address space; without it the program has to run unrecorded.
        inner = f"ulimit -v 60000; exec '{program('recursion')}' 12"
        bare = run(["bash", "-c", inner])
        recorded = self.record(["bash", "-c", inner])
        self.assertEqual((recorded.status, recorded.stdout), (bare.status, bare.stdout))

    def test_little_address_space_for_the_tool_too(self):
        if run([SPYGLASS_RUN, "--version"],
               preexec_fn=limit(resource.RLIMIT_AS, 32 << 30)).status != 0:
            self.skipTest("sanitized tools need more than there is")
        recorded = self.record([program("recursion"), "12"],
                               preexec_fn=limit(resource.RLIMIT_AS, 32 << 30))
        self.assertEqual(recorded.status, 0, recorded.stderr)
        self.assertEqual(recorded.calls(), self.count([program("recursion"), "12"])[0])

    def test_no_locked_memory_and_no_processes(self):
        for option in ["-l 0", "-i 0"]:
            with self.subTest(option):
                inner = f"ulimit {option}; exec '{program('threads')}' 2 100"
                bare = run(["bash", "-c", inner])
                recorded = self.record(["bash", "-c", inner])
                self.assertEqual((recorded.status, recorded.stdout), (bare.status, bare.stdout))

    def test_many_sessions_at_once(self):
        children = []
        for _ in range(16):
            path = self.new_path()
            children.append((path, subprocess.Popen(
                [SPYGLASS_RUN, "-q", "-o", path, "--", program("threads"), "2", "2000"],
                stdout=subprocess.DEVNULL, env=clean_environment())))
        for path, child in children:
            self.assertEqual(child.wait(timeout=60), 0)
            self.verify(path)

    def test_session_inside_a_session(self):
        inner = self.new_path()
        outer = self.record([SPYGLASS_RUN, "-q", "-o", inner, "--", program("recursion"), "12"])
        self.assertEqual(outer.status, 0, outer.stderr)
        self.verify(outer.path)
        self.verify(inner)


if __name__ == "__main__":
    unittest.main()
