#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What programs do with their stacks: counts are exact, and what can't be unwound does no harm.

STACK_TRICKS=full takes a thousand stacks and a million jumps everywhere.
"""

import os
import resource
import subprocess
import unittest

from harness import EndToEndTest, PROGRAMS_DIR, SPYGLASS, clean_environment, program, run

FULL = os.environ.get("STACK_TRICKS") == "full"
SAMPLERS = [["--sampler=perf", "-F", "1000"], ["--sampler=timer", "-F", "1000"]]
COMPILERS = ["", "clang_"]
LEVELS = ["O0", "O2", "Os", "lto"]


def size(promised, quick):
    return promised if FULL else quick


def operations(recorded, name):
    return recorded.operation_calls().get(name, 0)


def losses(recorded, reason):
    return sum(loss["count"] for loss in recorded.analysis()["losses"] if reason in loss["reason"])


class StackTricks(EndToEndTest):
    def exact_at_each_level(self, name, *arguments):
        for compiler in COMPILERS:
            for level in LEVELS:
                built = f"{compiler}{name}_{level}"
                if os.path.exists(os.path.join(PROGRAMS_DIR, built)):
                    with self.subTest(built):
                        self.assert_exact_counts([program(built), *arguments])

    def check(self, name, *arguments, samplers=None, **more):
        recorded = []
        for options in samplers or SAMPLERS:
            with self.subTest(name, how=arguments, options=options):
                recorded.append(self.assert_transparent([program(name), *arguments], *options,
                                                        **more))
        return recorded


class Jumps(StackTricks):
    def test_at_each_level(self):
        self.exact_at_each_level("longjmp", "2")

    def test_far_and_often(self):
        """Each frame that a jump leaves is told, none else."""
        frames, jumps = 1000, size(1000000, 200000)
        recorded = self.assert_exact_counts([program("longjmp"), "1", str(frames), str(jumps)],
                                            "--on-full=block")
        left = sum(depth + 1 for depth in range(frames)) + 4 * (jumps - 1)
        # From handlers: raise_inside at each of its depths, and the handler itself.
        left += 2 * sum(i % 10 + 2 for i in range(100))
        self.assertEqual(losses(recorded, "left without return"), left)
        self.assertEqual(recorded.lost(), [])


class Exceptions(StackTricks):
    def test_at_each_level(self):
        self.exact_at_each_level("exceptions", "3")

    def check_thrown(self, how, count, expected, *options):
        arguments = [program("foreign_exceptions"), how, str(count)]
        for sampler in SAMPLERS:
            recorded = self.assert_exact_counts(arguments, *sampler, *options)
            self.assertEqual(operations(recorded, "__cxa_throw"), expected)
            self.assertEqual(operations(recorded, "__cxa_rethrow"), 0)
            self.assertEqual(sum(flow["count"] for flow in recorded.analysis()["exceptions"]
                                 if not flow["escaped"]), expected)
            self.assertEqual(recorded.lost(), [])

    def test_through_frames_of_c(self):
        self.check_thrown("c", 300, 300)

    def test_of_another_language(self):
        self.check_thrown("foreign", 300, 300)

    def test_across_a_thousand_frames(self):
        self.check_thrown("deep", 1000, 5)

    def test_that_nobody_can_catch(self):
        for how, thrown in [("no_tables", 1), ("uncaught", 0)]:
            for recorded in self.check("foreign_exceptions", how):
                self.assertEqual(operations(recorded, "__cxa_throw"), thrown)
                self.assertEqual(operations(recorded, "std_terminate"), 1)
                self.assertEqual([fatal["signal"] for fatal in
                                  recorded.analysis()["fatal_signals"]], ["SIGABRT"])


class Functions(StackTricks):
    def test_tail_calls_at_each_level(self):
        self.exact_at_each_level("tail_calls")

    def test_of_odd_kinds(self):
        """Never left, inlined, naked, entered by a jump or in the middle."""
        for options in SAMPLERS:
            recorded = self.assert_exact_counts([program("odd_functions"), "100"], *options)
            self.assertEqual(recorded.calls()["inlined_twice"], 100)
            self.assertEqual(recorded.calls()["inlined"], 200)
            self.assertEqual(losses(recorded, "left without return"),
                             sum(i % 30 + 1 for i in range(100)))
        self.check("plain_odd_functions", "500")


class Fibres(StackTricks):
    def test_at_each_level(self):
        self.exact_at_each_level("swapcontext", "200")

    def play(self, how, count, switches):
        for options in SAMPLERS:
            recorded = self.assert_exact_counts(
                [program("fibres"), how, str(count), str(switches)], *options)
            self.assertEqual(recorded.lost(), [])
            if how != "generators":
                self.assertEqual(operations(recorded, "write"), switches)
        for recorded in self.check("plain_fibres", how, str(count), str(switches)):
            if how != "generators":
                self.assertEqual(operations(recorded, "write"), switches)

    def test_a_thousand_contexts(self):
        self.play("context", 1000, size(100000, 10000))

    def test_switched_by_hand(self):
        self.play("assembly", size(1000, 100), size(100000, 10000))

    def test_generators(self):
        self.play("generators", 1000, size(100000, 10000))


class Shapes(StackTricks):
    def test_a_stack_that_grows_down(self):
        depth = size(200000, 50000)  # as far as RLIMIT_STACK lets it grow
        for options in SAMPLERS:
            recorded = self.assert_exact_counts([program("stack_shapes"), "growsdown", str(depth)],
                                                *options)
            self.assertEqual(recorded.calls()["descend"], depth + 1)
        self.check("plain_stack_shapes", "growsdown", "20000")

    def test_frames_of_a_hundred_megabytes(self):
        for options in SAMPLERS:
            recorded = self.assert_exact_counts([program("stack_shapes"), "alloca"], *options)
            self.assertEqual(recorded.calls()["take"], 70)
        for recorded in self.check("plain_stack_shapes", "alloca"):
            self.assertEqual(operations(recorded, "write"), 80)

    def test_reading_a_million_frames_takes_bounded_memory(self):
        recorded = self.record([program("deep_recursion"), "1000000"])
        reader = subprocess.Popen([SPYGLASS, "analyze", "--json", recorded.path],
                                  stdout=subprocess.DEVNULL, env=clean_environment(),
                                  preexec_fn=lambda: resource.setrlimit(
                                      resource.RLIMIT_STACK, (1 << 20, 1 << 20)))
        _, status, used = os.wait4(reader.pid, 0)
        reader.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(reader.returncode, 0)
        self.assertLess(used.ru_maxrss, 2 << 20)  # in KiB


class OddFrames(StackTricks):
    """Frames that no unwinder gets past: the program goes on, samples stay and tell why."""

    def play(self, how, count, told, *plugin):
        rounds = size(300, 150)  # timers fire every 4 ms: enough work for some of them
        for name in ["odd_frames", "plain_odd_frames"]:
            for options in SAMPLERS:
                recorded = self.assert_transparent([program(name), how, str(rounds), *plugin],
                                                   *options)
                self.assertEqual(operations(recorded, "write"), count * rounds)
                if name == "odd_frames":
                    self.assertEqual(recorded.calls()["work_below"], count * rounds)
                samples = [function["samples"]["self"] for function in recorded.functions()
                           if function["name"] == "work_below"]
                self.assertGreater(sum(samples), 0)
                cut = [loss["reason"] for loss in recorded.analysis()["losses"]
                       if loss["kind"] == "truncated_stacks"]
                if told and name == "plain_odd_frames":
                    self.assertTrue(cut, recorded.analysis()["losses"])
                self.assertEqual(recorded.lost(), [])

    def test_tables_that_lie(self):
        self.play("lying", 88, True)

    def test_without_tables(self):
        self.play("none", 22, True)

    def test_return_address_of_0(self):
        self.play("gone", 22, False)

    def test_stack_in_the_heap(self):
        self.play("heap", 32, True)

    def test_a_page_of_the_stack_that_is_closed(self):
        self.play("closed", 27, False)

    def damaged(self, number):
        """The plugin with .eh_frame cut off, or with other words in it."""
        with open(program("odd_frames_plugin.so"), "rb") as file:
            data = bytearray(file.read())
        sections = run(["readelf", "-SW", program("odd_frames_plugin.so")]).stdout.decode()
        row = next(line for line in sections.splitlines() if " .eh_frame " in line)
        words = row.split("PROGBITS")[1].split()
        start, length = int(words[1], 16), int(words[2], 16)
        if number == 0:
            data[start:start + length] = bytes(length)
        elif number == 1:
            data[start:start + length] = b"\xff" * length
        elif number == 2:
            data[start + length // 2:start + length] = bytes(length - length // 2)
        else:
            for at in range(start + number, start + length, 11):
                data[at] ^= 1 << (at * number) % 8
        path = self.new_path(".so")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_damaged_tables(self):
        for number in range(size(40, 8)):
            plugin = self.damaged(number)
            with self.subTest(number):
                self.check("plain_odd_frames", "plugin", "5", plugin,
                           samplers=[SAMPLERS[number % 2]])


if __name__ == "__main__":
    unittest.main()
