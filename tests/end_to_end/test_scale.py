# SPDX-License-Identifier: Apache-2.0
"""Many threads, processes, modules and frames, all exactly counted.

SCALE=full takes the promised sizes, otherwise what fits a quick run.
"""

import os
import resource
import subprocess
import time
import unittest

import module_copies
from harness import EndToEndTest, SPYGLASS, clean_environment, program

FULL = os.environ.get("SCALE") == "full"


def size(promised, quick):
    return promised if FULL else quick


class Scale(EndToEndTest):
    def timed(self, what, arguments, *options):
        bare_start = time.monotonic()
        bare = subprocess.run(arguments, stdout=subprocess.PIPE, env=clean_environment(), check=True)
        start = time.monotonic()
        recorded = self.record(arguments, *options, timeout=900)
        end = time.monotonic()
        self.assertEqual((recorded.status, recorded.stdout, recorded.stderr), (0, bare.stdout, b""))
        self.verify(recorded.path)
        recorded.analysis()
        print(f"{what}: bare {start - bare_start:.2f} s, recorded {end - start:.2f} s, analyzed in "
              f"{time.monotonic() - end:.2f} s, {os.path.getsize(recorded.path)} bytes, "
              f"lost {recorded.lost() or 'nothing'}", flush=True)
        return recorded

    def test_live_threads(self):
        count = size(10000, 2000)
        recorded = self.timed(f"{count} live threads", [program("many_threads"), str(count)])
        self.assertEqual(recorded.calls()["work"], 200 * count)
        self.assertEqual(recorded.calls()["thread_body"], count)
        self.assertEqual(recorded.lost(), [])

    def test_short_threads(self):
        count = size(1000000, 20000)
        recorded = self.timed(f"{count} short threads", [program("short_threads"), str(count)])
        self.assertEqual(recorded.calls()["work"], count)

    def test_processes(self):
        count = size(4096, 512)
        recorded = self.timed(f"{count} processes", [program("many_processes"), str(count)])
        self.assertEqual(recorded.calls()["work"], 10 * count)
        self.assertEqual(len(recorded.analysis()["processes"]), count)

    def test_deep_recursion(self):
        depth = 1000000
        recorded = self.timed(f"recursion {depth} deep", [program("deep_recursion"), str(depth)])
        self.assertEqual(recorded.calls()["descend"], 2 * depth)

    def test_deep_recursion_reports(self):
        recorded = self.record([program("deep_recursion"), "1000000"])
        for form in [["--tree"], ["--json"], ["--folded"], ["--callers", "descend"], ["--csv"]]:
            done = subprocess.run([SPYGLASS, "analyze", *form, recorded.path],
                                  stdout=subprocess.PIPE, env=clean_environment(), timeout=120,
                                  check=False,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK,
                                                                        (1 << 20, 1 << 20)))
            self.assertEqual(done.returncode, 0, form)

    def test_modules(self):
        count = size(500, 200)
        folder = self.new_path(".modules")
        os.mkdir(folder)
        module_copies.make(program("module_template.so"), folder, count)
        recorded = self.timed(f"{count} modules", [program("many_modules"), folder, str(count)])
        self.assertEqual(recorded.stdout, f"loaded {count}\n".encode())
        calls = recorded.calls()
        for index in range(count):
            self.assertEqual(calls[f"work_in_module_{index:04d}"], index % 5 + 1)


if __name__ == "__main__":
    unittest.main()
