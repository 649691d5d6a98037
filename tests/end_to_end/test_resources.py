# SPDX-License-Identifier: Apache-2.0
"""Disk full, few descriptors, little memory: the program does not notice, the loss is counted."""

import os
import resource
import signal
import subprocess
import unittest

from harness import EndToEndTest, LIBRARY, SPYGLASS_RUN, clean_environment, program, run

SAMPLERS = [["--sampler=perf", "-F", "2000"], ["--sampler=timer", "-F", "2000"]]


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
        for options in SAMPLERS:
            # Three are too few to load libraries, ours included: the loader says so.
            inner = f"ulimit -n 3; exec '{program('recursion')}' 12"
            recorded = self.record(["bash", "-c", inner], *options)
            self.assertEqual(recorded.status, run(["bash", "-c", inner]).status)
            # The fourth is the session's socket, and there is none for what comes by it.
            inner = f"ulimit -n 4; exec '{program('recursion')}' 12"
            recorded = self.assert_transparent(["bash", "-c", inner], *options)
            self.assertEqual(recorded.calls(), {})
            line, = recorded.analysis()["coverage"]
            self.assertEqual(line["subject"], program("recursion"))
            self.assertIn("no descriptor", line["reason"])
            for count in range(5, 12):
                with self.subTest(count, options=options):
                    self.limited("recursion", ["12"], options, prefix=f"ulimit -n {count};")

    def test_little_address_space(self):
        # The shared arena needs much of it, beyond what the program may have.
        for options in SAMPLERS:
            with self.subTest(options):
                self.limited("threads", ["2", "2000"], options, prefix="ulimit -v 60000;")

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
            for options in SAMPLERS:
                with self.subTest(option, options=options):
                    self.limited("threads", ["2", "2000"], options, prefix=f"ulimit {option};")

    def limited(self, name, arguments, options, *, prefix=""):
        """The program under limits that its shell sets: the same, and all calls of functions."""
        inner = f"{prefix} exec '{program(name)}' {' '.join(arguments)}"
        recorded = self.assert_transparent(["bash", "-c", inner], *options)
        self.assertEqual(recorded.calls(), self.count([program(name), *arguments])[0])
        return recorded

    def test_small_and_endless_stacks(self):
        for size in ["64", "unlimited"]:
            for options in SAMPLERS:
                with self.subTest(size, options=options):
                    self.limited("threads", ["4", "2000"], options, prefix=f"ulimit -s {size};")

    def test_no_bytes_in_files(self):
        for options in SAMPLERS:
            with self.subTest(options):
                self.limited("threads", ["4", "2000"], options, prefix="ulimit -f 0;")
                folder = self.new_path(".files")
                os.mkdir(folder)
                inner = f"ulimit -c 0 -f 0; exec '{program('close_all_fds')}' {folder}"
                recorded = self.assert_transparent(["bash", "-c", inner], *options)
                self.assertEqual(recorded.status, -signal.SIGXFSZ)

    def test_no_queued_signals(self):
        recorded = self.limited("threads", ["4", "2000"], ["--sampler=timer"],
                                prefix="ulimit -i 0;")
        self.assertEqual(recorded.lost(), [])
        line, = recorded.analysis()["coverage"]
        self.assertEqual(line["subject"], program("threads"))
        self.assertIn("threads without one are not sampled", line["reason"])

    def test_few_processes(self):
        """As many threads and children as without: none is taken from the program."""
        somebody = f"exec setpriv --reuid={61000 + os.getpid() % 4000} prlimit --nproc="
        if run(["bash", "-c", f"{somebody}6 test -r '{LIBRARY}'"]).status != 0:
            self.skipTest("NOT TESTED: few processes; another user cannot run the tools from here")
        for limit_of_processes in [1, 2, 6]:
            for options in SAMPLERS:
                inner = f"{somebody}{limit_of_processes} '{program('refused_threads')}'"
                with self.subTest(inner, options=options):
                    recorded = self.assert_transparent(["bash", "-c", inner], *options)
                    allowed = b"%d " % (limit_of_processes - 1)
                    self.assertEqual(recorded.stdout.count(allowed), 2, recorded.stdout)
                    self.assertIn({"subject": program("refused_threads"),
                                   "reason": "runs as another user, who may not write to the "
                                             "recording"}, recorded.analysis()["coverage"])

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
