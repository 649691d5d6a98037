# SPDX-License-Identifier: Apache-2.0
"""spyglass diff: nothing where nothing changed, the same both ways round, exit codes for CI."""

import json
import os
import unittest

from harness import EndToEndTest, SPYGLASS, base_name, program, run


class Diff(EndToEndTest):
    def diff(self, base, new, *options, status=0):
        finished = run([SPYGLASS, "diff", "--json", *options, base.path, new.path])
        self.assertEqual(finished.status, status, finished.stderr)
        result = json.loads(finished.stdout)
        self.assertEqual(result["schema"], "spyglass-diff/1")
        return result

    @staticmethod
    def changed(result):
        """Functions with any difference in calls or wall time."""
        return [function for kind in ("functions", "added", "vanished")
                for function in result[kind]
                if function["calls"]["change"] or function["wall_ns"]["total"]["change"]
                or function["wall_ns"]["self"]["change"]]

    def test_with_itself_is_empty(self):
        for case in [["work_mix", "100", "100"], ["exceptions", "3"], ["fork", "4"], ["templates"]]:
            with self.subTest(case[0]):
                recorded = self.record([program(case[0]), *case[1:]])
                result = self.diff(recorded, recorded, "--fail-on", "total_wall>0%")
                self.assertEqual(self.changed(result), [])
                self.assertTrue(result["equal"])

    def test_both_ways_round(self):
        one = self.record([program("work_mix"), "100", "300", "100"])
        other = self.record([program("work_mix"), "200", "200", "130"])
        forth, back = self.diff(one, other), self.diff(other, one)
        self.assertEqual(self.deltas(forth), self.deltas(back, -1))
        self.assertTrue(self.changed(forth))

    def deltas(self, result, sign=1):
        return {(f["name"], f["module"]): (sign * f["calls"]["change"],
                                           sign * f["wall_ns"]["total"]["change"],
                                           sign * f["wall_ns"]["self"]["change"])
                for f in result["functions"] + result["added"] + result["vanished"]}

    def test_calls_and_vanished_functions(self):
        one = self.record([program("work_mix"), "100", "300", "100"])
        other = self.record([program("work_mix"), "200", "300", "130"])
        result = self.diff(one, other)
        by_name = {base_name(f["name"]): f for f in result["functions"]}
        self.assertEqual(by_name["varied"]["calls"]["change"], 100)
        self.assertEqual(by_name["fixed"]["calls"]["change"], 0)
        self.assertEqual([f["name"] for f in result["added"]], ["only_sometimes"])
        back = self.diff(other, one)
        self.assertEqual([f["name"] for f in back["vanished"]], ["only_sometimes"])

    def test_addresses_and_threads_never_show(self):
        """Call counts are equal in every run, so no function may be new, gone or different in them."""
        for case in [["threads", "8", "500"], ["exceptions", "3"], ["fork", "4"], ["dlopen", "5"]]:
            with self.subTest(case[0]):
                command = [program(case[0]), *case[1:]]
                one = self.record(command)
                other = self.record(["setarch", "-R", *command])
                result = self.diff(one, other)
                self.assertEqual(result["added"] + result["vanished"], [])
                for function in result["functions"]:
                    self.assertEqual(function["calls"]["change"], 0, function)

    def test_fail_on(self):
        # Twenty times as slow, so that no preemption by other programs hides it.
        base = self.record([program("work_mix"), "20", "5000", "100"])
        slower = self.record([program("work_mix"), "20", "6000", "2000"])
        cases = [("total_wall>20%", 1), ("total_wall>100000%", 0), ("func(fixed).self_wall>10%", 1),
                 ("func(fix*).total_wall>10%", 1), ("func(fixed).calls>10%", 1),
                 ("func(fixed).calls>30%", 0), ("func(varied).calls>1%", 0)]
        for expression, status in cases:
            with self.subTest(expression):
                self.diff(base, slower, "--fail-on", expression, status=status)
        self.diff(slower, base, "--fail-on", "total_wall>20%", status=0)

    def test_errors(self):
        recorded = self.record([program("recursion"), "10"])
        for arguments in [[recorded.path], [recorded.path, "/no/such.sgz"],
                          ["--fail-on", "gibberish>>5", recorded.path, recorded.path],
                          ["--fail-on", "func(nothing*).calls>1%", recorded.path, recorded.path]]:
            with self.subTest(arguments):
                finished = run([SPYGLASS, "diff", *arguments])
                self.assertEqual(finished.status, 2, finished.stderr)
                self.assertIn(b"spyglass: ", finished.stderr)

    def test_text_forms(self):
        one = self.record([program("work_mix"), "100", "300", "100"])
        other = self.record([program("work_mix"), "200", "200", "130"])
        for options in [[], ["--tree"]]:
            finished = run([SPYGLASS, "diff", *options, one.path, other.path])
            self.assertEqual(finished.status, 0, finished.stderr)
            self.assertIn(b"varied", finished.stdout)

    def test_reports_are_the_same_every_time(self):
        recorded = self.record([program("exceptions"), "3"])
        for command in [["analyze", "--json"], ["analyze"], ["analyze", "--tree"], ["dump"]]:
            one = run([SPYGLASS, *command, recorded.path])
            other = run([SPYGLASS, *command, recorded.path])
            self.assertEqual(one.stdout, other.stdout, command)

    def test_recording_can_be_read_elsewhere(self):
        folder = self.new_path(".d")
        os.mkdir(folder)
        copied = os.path.join(folder, "program_that_goes_away")
        with open(program("recursion"), "rb") as file, open(copied, "wb") as copy:
            copy.write(file.read())
        os.chmod(copied, 0o755)
        recorded = self.record([copied, "10"])
        os.unlink(copied)
        self.assertEqual(recorded.calls()["fib"], 177)


if __name__ == "__main__":
    unittest.main()
