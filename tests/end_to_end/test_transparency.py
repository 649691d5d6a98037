# SPDX-License-Identifier: Apache-2.0
"""The program does the same as without Spyglass, and the recording is whole."""

import filecmp
import os
import signal
import subprocess
import time
import unittest

from harness import EndToEndTest, SPYGLASS_RUN, clean_environment, program, run


class Transparency(EndToEndTest):
    def test_programs(self):
        cases = [
            ["exceptions"], ["clang_exceptions"], ["fork"], ["raw_clone_fork"], ["vfork_exec"],
            ["posix_spawn"], ["exec_chain"], ["dlopen"], ["longjmp"], ["clang_longjmp"],
            ["pthread_exit"], ["pthread_cancel"], ["thread_exit"], ["tail_calls"],
            ["clang_tail_calls"], ["signals", "100"], ["swapcontext"], ["constructors"],
            ["templates"], ["deep_recursion", "200000"], ["many_threads", "500"],
            ["short_threads", "5000"], ["many_processes", "200"],
        ]
        for case in cases:
            with self.subTest(case[0]):
                self.assert_transparent([program(case[0]), *case[1:]])

    def test_trace_all_changes_nothing(self):
        for name in ["exceptions", "fork", "longjmp", "swapcontext", "pthread_exit"]:
            with self.subTest(name):
                self.assert_transparent([program(name)], "--trace=all")

    def test_every_way_out(self):
        ways = {"return": 28, "exit": 25, "_exit": 23, "quick_exit": 24, "exit_in_atexit": 21,
                "exit_in_thread": 22, "detached": 28, "exec": 27, "abort": -signal.SIGABRT,
                "segv": -signal.SIGSEGV, "kill": -signal.SIGKILL, "term": -signal.SIGTERM}
        for way, status in ways.items():
            with self.subTest(way):
                recorded = self.assert_transparent([program("exit_variants"), way])
                self.assertEqual(recorded.status, status)
                self.check_exit_of_process(recorded, way, status)

    def check_exit_of_process(self, recorded, way, status):
        exits = [process["exit"] for process in recorded.analysis()["processes"]]
        wanted = {"signal": -status} if status < 0 else {"code": status}
        key, value = next(iter(wanted.items()))
        self.assertIn(value, [one.get(key) for one in exits if one], f"{way}: {exits}")

    def test_deaths_keep_the_calls(self):
        for number in [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGINT]:
            with self.subTest(number):
                recorded = self.assert_transparent([program("kill_self"), str(int(number)), "1234"])
                self.assertEqual(dict(recorded.calls()),
                                 {"main": 1, "returned": 1234, "below": 1, "die": 1})

    def test_standard_streams(self):
        text = b"".join(b"line %d\n" % i for i in range(2000))
        self.assert_transparent([program("stdio")], stdin=text)

    def test_descriptors_and_files(self):
        folders = [self.new_path(".files") for _ in range(3)]
        for folder in folders:
            os.mkdir(folder)
        bare = run([program("close_all_fds"), folders[0]])
        self.assertEqual(bare.status, 0)
        for folder, sampler in zip(folders[1:], ["perf", "timer"]):
            recorded = self.record([program("close_all_fds"), folder], f"--sampler={sampler}")
            self.assertEqual(recorded.stdout, bare.stdout)
            self.assertEqual(recorded.status, bare.status)
            self.verify(recorded.path)
            self.assertEqual(recorded.calls()["work"], 6 * 100 * 20 * 10 + 5 * 100)
            names = os.listdir(folder)
            self.assertEqual(filecmp.cmpfiles(folders[0], folder, names, shallow=False),
                             (names, [], []))
            self.assertEqual(len(names), 6 * 20 + 3)
            written = {os.path.basename(row["object"]["name"]): row["bytes"]
                       for row in recorded.analysis()["io"] if row["object"]}
            # The threads' own descriptors have no names; the child of one of them asks again.
            self.assertEqual([written.get(name, 0) for name in ["of main", "of thread", "of copy"]],
                             [2000, 1000, 0])

    def test_one_recording_holds_every_process(self):
        recorded = self.record([program("fork"), "8"])
        processes = recorded.analysis()["processes"]
        self.assertEqual(len(processes), 1 + 8 + 2)
        pids = {process["pid"] for process in processes}
        root = [process for process in processes if process["ppid"] not in pids]
        self.assertEqual(len(root), 1)

    def test_follow_decides_when_the_session_ends(self):
        """A daemon outlives the program: `tree` waits for it, `main` does not."""
        daemon = f"(sleep 1.5; '{program('recursion')}' 10) > /dev/null 2>&1 & '{program('threads')}'"
        started = time.monotonic()
        recorded = self.record(["sh", "-c", daemon], "--follow=main")
        self.assertLess(time.monotonic() - started, 1.2)
        self.assertIn("work", recorded.calls())
        self.assertNotIn("fib", recorded.calls())
        recorded = self.record(["sh", "-c", daemon], "--follow=tree")
        self.assertEqual(recorded.calls()["fib"], 177)

    def test_a_changed_folder_and_an_empty_environment(self):
        bare = run(["/usr/bin/env", "-i", program("recursion")])
        recorded = self.record(["/usr/bin/env", "-i", program("recursion")])
        self.assertEqual(recorded.stdout, bare.stdout)
        self.verify(recorded.path)
        recorded = self.record([program("threads")], cwd="/")
        self.assertEqual(recorded.status, 0)

    def test_signals_are_forwarded(self):
        for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1]:
            with self.subTest(number):
                path = self.new_path()
                child = subprocess.Popen(
                    [SPYGLASS_RUN, "-q", "-o", path, "--", program("hot_loop"),
                     self.new_path(".counters"), "1", "0"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
                time.sleep(0.4)
                child.send_signal(number)
                _, errors = child.communicate(timeout=20)
                self.assertEqual(child.returncode, -number, errors)
                self.verify(path)

    def test_stop_and_continue(self):
        path = self.new_path()
        child = subprocess.Popen(
            [SPYGLASS_RUN, "-q", "-o", path, "--", program("hot_loop"), self.new_path(".counters"),
             "1", "1500"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
        time.sleep(0.4)
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        child.send_signal(signal.SIGCONT)
        output, _ = child.communicate(timeout=20)
        self.assertEqual((child.returncode, output), (33, b"finished\n"))
        self.verify(path)

    def test_broken_output_pipe(self):
        line = (f"'{SPYGLASS_RUN}' -q -o '{self.new_path()}' -- '{program('stdio')}' < /dev/zero"
                " | head -c 1000 | wc -c; echo ${PIPESTATUS[0]}")
        done = run(["bash", "-c", line])
        self.assertEqual(done.stdout.split(), [b"1000", b"141"])

    def test_nothing_is_left_behind(self):
        before = set(os.listdir("/dev/shm"))
        recorded = self.record([program("fork")])
        self.assertEqual(recorded.status, 0)
        self.assertEqual(set(os.listdir("/dev/shm")), before)
        self.assertEqual(os.listdir(self.folder), [os.path.basename(recorded.path)])


class Terminal(EndToEndTest):
    def test_program_sees_the_terminal(self):
        if run(["sh", "-c", "command -v script"]).status != 0:
            self.skipTest("needs script(1)")
        bare = run(["script", "-qec", f"'{program('stdio')}' < /dev/null", "/dev/null"])
        path = self.new_path()
        command = f"'{SPYGLASS_RUN}' -q -o '{path}' -- '{program('stdio')}' < /dev/null"
        recorded = run(["script", "-qec", command, "/dev/null"])
        self.assertEqual(recorded.stdout, bare.stdout)
        self.assertIn(b"isatty 0 1 1", recorded.stdout)


if __name__ == "__main__":
    unittest.main()
