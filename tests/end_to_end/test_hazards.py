# SPDX-License-Identifier: Apache-2.0
"""Programs that break profilers behave the same, with samples from outside and from inside."""

import os
import re
import tempfile
import time
import unittest

from harness import HOOKS_ONLY, LIBRARY, PROGRAMS_DIR, EndToEndTest, program, run

SAMPLERS = [["--sampler=perf", "-F", "2000"], ["--sampler=timer", "-F", "2000"]]


class Hazards(EndToEndTest):
    def check(self, name, *arguments, **more):
        recorded = []
        for options in SAMPLERS:
            with self.subTest(name, options=options):
                recorded.append(self.assert_transparent([program(name), *arguments], *options,
                                                        **more))
        return recorded

    def test_small_stacks(self):
        self.check("small_stacks")

    def test_bare_clone_thread(self):
        self.check("bare_clone_thread")

    def test_fork_storm(self):
        for recorded in self.check("fork_storm", "200"):
            pids = [process["pid"] for process in recorded.analysis()["processes"]]
            self.assertEqual(len(pids), 201)
            self.assertEqual(len(set(pids)), 201)

    def test_exec_from_thread(self):
        self.check("exec_from_thread")

    def test_executed_memory(self):
        self.check("executed_memory")

    def test_seccomp_strict(self):
        for how in ["prctl", "number"]:
            with self.subTest(how):
                for recorded in self.check("seccomp_strict", how):
                    line, = recorded.analysis()["coverage"]
                    self.assertIn("forbade itself the time stamp counter", line["reason"])

    def test_no_time_stamps(self):
        for options in ([], ["--memory=off"], ["--memory=sample"], ["--sampler=timer", "-F", "2000"]):
            with self.subTest(options=options):
                self.assert_transparent([program("no_time_stamps")], *options)

    def test_no_time_stamps_by_hand(self):
        with tempfile.TemporaryDirectory() as folder:
            for more in ({}, {"SPYGLASS_OUTPUT": os.path.join(folder, "by_hand.sgz")}):
                with self.subTest(**more):
                    done = run([program("no_time_stamps")],
                               environment={"LD_PRELOAD": LIBRARY, **more})
                    self.assertEqual((done.status, done.stdout), (11, b"alive\n"))

    def test_seccomp_filter(self):
        for how, lines in [("filter", 3), ("listener", 3), ("errno", 4), ("trap", 4)]:
            with self.subTest(how):
                for recorded in self.check("seccomp_strict", how):
                    self.assertEqual(recorded.status, 11)
                    calls = recorded.operation_calls()
                    self.assertEqual((calls["read"], calls["write"]), (1000, 1000 + lines))
                    self.assertEqual(recorded.analysis()["coverage"], [])

    def test_seccomp_filter_and_full_rings(self):
        """Whoever may not ask for room goes on without: what has no place is counted."""
        for policy in ["drop-newest", "drop-oldest", "block"]:
            with self.subTest(policy):
                recorded = self.assert_transparent(
                    [program("hooked_seccomp_strict"), "filter"], "--trace=all", "--ring-size=4K",
                    f"--on-full={policy}", *HOOKS_ONLY, timeout=20)
                calls = recorded.calls()
                self.assertEqual(calls["work"], 635621)
                lost = sum(loss["count"] for loss in recorded.lost() if loss["kind"] == "spans")
                # The calls that exit() ends are open.
                open_calls = sum(function["open_calls"] for function in recorded.functions())
                self.assertEqual(len(recorded.spans()) + lost + open_calls, sum(calls.values()))

    def test_eintr_is_fatal(self):
        for recorded in self.check("eintr_is_fatal"):
            self.assertGreater(recorded.analysis()["samples"]["count"], 50)

    def test_stack_overflow_recovery(self):
        self.check("stack_overflow_recovery")

    def test_faults_that_a_program_lives_from(self):
        """Some hundred bytes are left of the alternate stack for what the handlers do."""
        for more in ["1024", "4096"]:
            for recorded in self.check("fault_handlers", "3000", more):
                counts = re.search(rb"nulls (\d+), polls (\d+), growths (\d+)", recorded.stdout)
                self.assertEqual(recorded.operation_calls()["write"],
                                 sum(int(count) for count in counts.groups()))

    def test_queued_signals(self):
        for recorded in self.check("queued_signals"):
            self.assertEqual(recorded.operation_calls()["write"], 10000)

    def test_smashed_stack(self):
        self.check("smashed_stack")

    def test_vector_registers_on_small_stacks(self):
        """AMX registers: no test, as none of the machines so far has them."""
        name = program("vector_registers")
        if run([name, "10"]).status == 77:
            self.skipTest("NOT TESTED: vector registers; the processor has no AVX")
        for sampler in ["perf", "timer"]:
            for frequency in ["1000", "5000", "10000"]:
                with self.subTest(sampler, frequency=frequency):
                    recorded = self.assert_transparent([name, "400"], f"--sampler={sampler}",
                                                       "-F", frequency)
                    self.assertGreater(recorded.analysis()["samples"]["count"], 50)
                    # What lies below the part that the program uses itself.
                    room = int(self.record([name, "200", "room"], f"--sampler={sampler}", "-F",
                                           frequency).stderr)
                    self.assertGreater(room, 7000)

    def test_code_that_patches_itself(self):
        for arguments in [["4000"], ["4000", "traps"]]:
            for recorded in self.check("patched_code", *arguments):
                sampled = {function["name"] for function in recorded.functions()
                           if function["samples"]["self"]}
                self.assertLessEqual({"patched", "work_beside"}, sampled)

    def test_sanitized_programs(self):
        """What spyglass-run adds to these options is its own matter."""
        for name in ["address", "address_static", "leak", "thread", "thread_static", "undefined"]:
            for _ in range(3):  # where the kernel puts things decides what it meets
                self.check(f"sanitized_{name}", environment={"ASAN_OPTIONS": ""})

    def test_sanitizers_find_what_they_find(self):
        for name, fault, finding in [
                ("address", "overflow", b"heap-buffer-overflow"),
                ("address_static", "overflow", b"heap-buffer-overflow"),
                ("address", "leak", b"321 byte(s) leaked in 1 allocation(s)"),
                ("address_static", "leak", b"321 byte(s) leaked in 1 allocation(s)"),
                ("leak", "leak", b"321 byte(s) leaked in 1 allocation(s)")]:
            command = [program(f"sanitized_{name}"), fault]
            bare = run(command)
            self.assertIn(finding, bare.stderr)
            recorded = self.record(command, environment={"ASAN_OPTIONS": ""})
            self.assertIn(finding, recorded.stderr, name)
            self.assertEqual(recorded.status, bare.status, recorded.stderr)

    def test_thread_names(self):
        for recorded in self.check("thread_names"):
            self.assertIn("last", [thread["name"] for thread in recorded.analysis()["threads"]])

    def test_namespaces(self):
        permitted = run([program("namespaces")]).stdout.count(b": 6\n")
        for recorded in self.check("namespaces"):
            self.assertEqual(recorded.calls()["work"], 10 * permitted)
        if permitted < 9:
            self.skipTest(f"NOT TESTED: {9 - permitted} of 9 namespaces; not permitted here")

    def test_children_behind_the_back_of_libc(self):
        for recorded in self.check("raw_clone_fork"):
            self.assertEqual(recorded.calls()["child_work"], 5 * 1000)
            self.assertEqual(recorded.calls()["parent_work"], 5 * 1050)
            by_pid = {thread["pid"] for thread in recorded.analysis()["threads"]}
            self.assertEqual(len(by_pid), 5)  # the child of vfork calls in its parent's name

    def test_a_process_whose_main_thread_left(self):
        for recorded in self.check("zombie_leader", os.path.join(PROGRAMS_DIR, "plugin_a.so")):
            self.assertEqual(recorded.status, 9)
            self.assertEqual(recorded.stdout, b"leader Z\n")
            calls = recorded.calls()
            self.assertEqual((calls["work"], calls["in_thread"]), (10 * (10 + 100), 10))
            self.assertEqual((calls["plugin_entry"], calls["only_in_a"]), (10, 10 * 5))
            self.assertEqual(len(recorded.analysis()["processes"]), 1 + 10)

    def test_daemon(self):
        for options in SAMPLERS:
            answer = self.new_path(".served")
            recorded = self.record([program("daemon_process"), answer], *options)
            self.assertEqual(recorded.status, 0)
            with open(answer, "rb") as file:
                self.assertEqual(file.read(), b"served\n")
            self.assertEqual(recorded.calls()["serve"], 100)
            self.verify(recorded.path)

    def test_session_ends_with_the_program_if_asked(self):
        answer = self.new_path(".served")
        begin = time.monotonic()
        self.record([program("daemon_process"), answer], "--follow=main")
        self.assertFalse(os.path.exists(answer) and time.monotonic() - begin > 0.2)
        for _ in range(200):
            if os.path.exists(answer) and os.path.getsize(answer):
                break
            time.sleep(0.02)
        with open(answer, "rb") as file:
            self.assertEqual(file.read(), b"served\n")

    def test_other_ways_to_link(self):
        for name in ["linked_now", "linked_sysv_hash"]:
            with self.subTest(name):
                recorded = self.assert_exact_counts([program(name), "4", "200"])
                self.assertEqual(recorded.analysis()["coverage"], [])
        with self.subTest("LD_BIND_NOW"):
            self.assert_exact_counts([program("threads"), "4", "200"],
                                     environment={"LD_BIND_NOW": "1"})


if __name__ == "__main__":
    unittest.main()
