#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Code that comes and goes: names are those of what was there when it ran, or none.

MODULES=full loads and unloads a thousand times.
"""

import os
import shutil
import unittest

from harness import EndToEndTest, SPYGLASS_RUN, Recording, base_name, program, run

FULL = os.environ.get("MODULES") == "full"
SAMPLERS = [["--sampler=perf", "-F", "2000"], ["--sampler=timer", "-F", "2000"]]
BURNS = {"call_module": "burn_in_a", "call_other": "burn_in_b"}


class BusyModules(EndToEndTest):
    def paths(self):
        """Copies that a program may remove."""
        folder = self.new_path(".modules")
        os.mkdir(folder)
        found = []
        for name in ["busy_module_a.so", "busy_module_b.so"]:
            found.append(os.path.join(folder, name))
            shutil.copy(program(name), found[-1])
        return found

    def below(self, recorded, caller):
        """Name -> (calls, samples) of what `caller` called, and what that did."""
        functions, tree = recorded.functions(), recorded.analysis()["tree"]
        nodes = {node["id"]: node for node in tree}
        found = {}
        for node in tree:
            at = nodes.get(node["parent"])
            while at and base_name(functions[at["function"]]["name"]) != caller:
                at = nodes.get(at["parent"])
            if at:
                name = base_name(functions[node["function"]]["name"])
                calls, samples = found.get(name, (0, 0))
                found[name] = (calls + node["calls"], samples + node["samples"]["self"])
        return found

    def play(self, how, rounds, with_other=False):
        found = []
        for options in SAMPLERS:
            path, other = self.paths()
            arguments = [program("busy_modules"), how, str(rounds), path,
                         *([other] if with_other else [])]
            bare = run(arguments)
            self.assertEqual(bare.status, 0, bare.stderr)
            path, other = self.paths()
            arguments[3:] = [path, *([other] if with_other else [])]
            recorded = self.record(arguments, *options, "--operations=none")
            self.assertEqual((recorded.status, recorded.stdout), (bare.status, bare.stdout))
            self.verify(recorded.path)
            found.append(recorded)
        return found

    def check_names(self, recorded, caller, calls):
        below = self.below(recorded, caller)
        wrong = set(BURNS.values()) - {BURNS[caller]}
        self.assertFalse(wrong & set(below), below)
        self.assertEqual(below[BURNS[caller]][0], calls)
        self.assertGreater(below[BURNS[caller]][1], 0)

    def test_by_turns_at_the_same_addresses(self):
        rounds = 1000 if FULL else 10
        for recorded in self.play("turns", rounds, with_other=True):
            if recorded.stderr != b"same addresses\n":
                self.skipTest("the modules never landed on the same address")
            self.check_names(recorded, "call_module", 5 * rounds)
            self.check_names(recorded, "call_other", 5 * rounds)

    def test_made_code_at_the_addresses_of_a_module(self):
        for recorded in self.play("made", 5):
            if recorded.stderr != b"same addresses\n":
                self.skipTest("something else took the module's place")
            self.check_names(recorded, "call_module", 25)
            below = self.below(recorded, "call_made")
            self.assertFalse(set(BURNS.values()) & set(below), below)
            self.assertGreater(sum(samples for _, samples in below.values()), 0)

    def test_put_there_by_hand(self):
        for recorded in self.play("by_hand", 4):
            self.check_names(recorded, "call_module", 20)

    def check_nameless(self, recorded, calls, module):
        """All is counted, and stands where it was; what has no name gets none."""
        below = self.below(recorded, "call_module")
        self.assertFalse(set(BURNS.values()) & set(below), below)
        self.assertEqual(sum(count for count, _ in below.values()), calls)
        names = {function["name"] for function in recorded.functions()
                 if function["calls"] and function["module"].endswith(module)}
        self.assertEqual(len(names), 1, recorded.functions())
        self.assertGreater(recorded.analysis()["samples"]["count"], 0)

    def test_removed(self):
        for recorded in self.play("deleted", 1):
            self.check_nameless(recorded, 5, "/busy_module_a.so")

    def test_another_file_in_its_place(self):
        for recorded in self.play("replaced", 1, with_other=True):
            self.check_nameless(recorded, 5, "/busy_module_a.so")

    def test_without_a_file(self):
        """Its name means another file in each process: none is taken for it."""
        for recorded in self.play("memfd", 3):
            below = self.below(recorded, "call_module")
            self.assertEqual(sum(count for count, _ in below.values()), 15, below)
            modules = {function["module"] for function in recorded.functions()
                       if function["calls"] and function["name"] in below}
            self.assertEqual([module.rsplit("/", 1)[0] for module in modules],
                             ["/proc/self/fd"])

    def test_four_gigabytes_long(self):
        for options in SAMPLERS:
            path, _ = self.paths()
            os.truncate(path, 4 << 30)  # sparse
            recorded = self.assert_transparent([program("busy_modules"), "plain", "3", path],
                                               *options)
            self.check_names(recorded, "call_module", 15)

    def test_in_an_overlay(self):
        path, other = self.paths()
        base = self.new_path(".overlay")
        for name in ["upper", "work", "merged"]:
            os.makedirs(os.path.join(base, name))
        merged = os.path.join(base, "merged")
        mount = (f"mount -t overlay overlay -o 'lowerdir={os.path.dirname(path)},"
                 f"upperdir={base}/upper,workdir={base}/work' '{merged}'")
        inside = ["unshare", "-m", "sh", "-c", f"{mount} && exec \"$@\"", "sh"]
        if run([*inside, "true"]).status != 0:
            self.skipTest("NOT TESTED: overlay file systems; not permitted here")
        there = os.path.join(merged, "busy_module_a.so")
        for options in SAMPLERS:
            recording = self.new_path()
            done = run([*inside, SPYGLASS_RUN, "-q", "-o", recording, *options, "--",
                        program("busy_modules"), "plain", "3", there])
            self.assertEqual((done.status, done.stdout, done.stderr), (0, b"done\n", b""))
            self.verify(recording)
            self.check_names(Recording(recording, done), "call_module", 15)


class KernelCode(EndToEndTest):
    def test_pages_of_the_kernel(self):
        for options in SAMPLERS:
            recorded = self.assert_transparent([program("kernel_pages")], *options)
            samples = {function["name"]: function["samples"]["self"]
                       for function in recorded.functions() if function["module"] == "[vdso]"}
            self.assertGreater(sum(samples.values()), 20)
            self.assertTrue(any("clock_gettime" in name for name in samples), samples)


if __name__ == "__main__":
    unittest.main()
