# SPDX-License-Identifier: Apache-2.0
"""Without spyglass-run: LD_PRELOAD by hand, or a program linked with the library."""

import os
import shutil
import subprocess
import time
import unittest

from harness import EndToEndTest, LIBRARY, Recording, program, run


class WithoutSpyglassRun(EndToEndTest):
    def settled(self, path):
        """The recording, when its collector has closed it."""
        deadline = time.monotonic() + 10
        size = -1
        while time.monotonic() < deadline:
            time.sleep(0.25)
            if os.path.exists(path):
                if os.path.getsize(path) == size:
                    return Recording(path, (0, b"", b""))
                size = os.path.getsize(path)
        self.fail(f"{path} did not appear")

    def check_recorded(self, command, environment):
        path = self.new_path()
        bare = run(command)
        finished = run(command, environment={**environment, "SPYGLASS_OUTPUT": path})
        self.assertEqual(finished, bare)
        recorded = self.settled(path)
        self.verify(path)
        return recorded

    def test_preload_by_hand(self):
        recorded = self.check_recorded([program("recursion"), "15"],
                                       {"LD_PRELOAD": os.path.abspath(LIBRARY)})
        self.assertEqual(recorded.calls()["fib"], 1973)

    def test_preload_by_hand_with_threads_and_fork(self):
        recorded = self.check_recorded([program("threads"), "8", "5000"],
                                       {"LD_PRELOAD": os.path.abspath(LIBRARY)})
        self.assertEqual(recorded.calls()["leaf"], 8 * 5000 * 3)
        recorded = self.check_recorded([program("fork"), "4"],
                                       {"LD_PRELOAD": os.path.abspath(LIBRARY)})
        self.assertEqual(recorded.calls()["child_work"], 1 + 2 + 3 + 4)

    def test_preload_without_output_records_nothing(self):
        finished = run([program("recursion"), "15"], cwd=self.folder,
                       environment={"LD_PRELOAD": os.path.abspath(LIBRARY)})
        self.assertEqual(finished, run([program("recursion"), "15"]))
        self.assertEqual(os.listdir(self.folder), [])

    def test_unwritable_output_does_not_hurt(self):
        finished = run([program("recursion"), "15"],
                       environment={"LD_PRELOAD": os.path.abspath(LIBRARY),
                                    "SPYGLASS_OUTPUT": "/no/such/folder/x.sgz"})
        bare = run([program("recursion"), "15"])
        self.assertEqual((finished.status, finished.stdout), (bare.status, bare.stdout))

    def test_program_linked_with_the_library(self):
        if not shutil.which("gcc"):
            self.skipTest("needs gcc")
        source, linked = os.path.join(self.folder, "linked.c"), os.path.join(self.folder, "linked")
        with open(source, "w", encoding="ascii") as file:
            file.write("#include <stdio.h>\n"
                       "__attribute__((noinline)) static int twice(int x) { return x * 2; }\n"
                       "int main(void) { int s = 0; for (int i = 0; i < 1000; ++i) s += twice(i);\n"
                       "printf(\"%d\\n\", s); return 5; }\n")
        folder = os.path.dirname(os.path.abspath(LIBRARY))
        subprocess.run(["gcc", "-O1", "-g", "-finstrument-functions", source, "-o", linked,
                        f"-L{folder}", "-lspyglass", f"-Wl,-rpath,{folder}"], check=True)
        self.assertEqual(run([linked]).stdout, b"999000\n")
        recorded = self.check_recorded([linked], {})
        self.assertEqual(recorded.calls()["twice"], 1000)
        under_run = self.assert_transparent([linked])
        self.assertEqual(under_run.calls()["twice"], 1000)

    def test_killed_program_leaves_its_calls(self):
        path = self.new_path()
        run([program("kill_self"), "9", "500"],
            environment={"LD_PRELOAD": os.path.abspath(LIBRARY), "SPYGLASS_OUTPUT": path})
        recorded = self.settled(path)
        self.assertEqual(recorded.calls()["returned"], 500)


if __name__ == "__main__":
    unittest.main()
