# SPDX-License-Identifier: Apache-2.0
"""Locks of programs without hooks: who waits for whom, and in which order they are taken."""

import unittest

from harness import EndToEndTest, SPYGLASS, program, run


class LockOrder(EndToEndTest):
    def test_inversions(self):
        recorded = self.record([program("wait_kinds")])
        pairs = {(step["held"]["name"], step["taken"]["name"])
                 for cycle in recorded.analysis()["lock_cycles"] for step in cycle}
        # The holder takes g_mutex, g_rwlock, g_spin, g_mtx; main them in the other direction.
        self.assertIn(("g_mutex", "g_rwlock"), pairs)
        self.assertIn(("g_rwlock", "g_mutex"), pairs)

    def test_orders_that_cannot_deadlock(self):
        recorded = self.record([program("lock_orders")])
        cycles = [sorted(step["held"]["name"] for step in cycle)
                  for cycle in recorded.analysis()["lock_cycles"]]
        self.assertEqual(sorted(cycles),
                         [["opposite_a", "opposite_b"], ["ring_a", "ring_b", "ring_c"]])

    def test_a_deadlock_says_who_has_what(self):
        recorded = self.record([program("deadlock")])
        self.assertEqual((recorded.status, recorded.stdout), (-14, b"deadlocked\n"))
        analysis = recorded.analysis()
        names = {thread["tid"]: thread["name"] for thread in analysis["threads"]}
        locks = {row["object"]["name"]: row for row in analysis["locks"]}
        for lock, holder in [("g_left", "has_left"), ("g_right", "has_right")]:
            self.assertEqual(locks[lock]["open_calls"], 1, lock)
            holders = locks[lock]["holders"]
            self.assertEqual([(names[one["tid"]], one["function"]) for one in holders],
                             [(holder, "cross")], lock)
            self.assertGreater(holders[0]["wait_ns"], 0.5e9, lock)
        cycle, = analysis["deadlocks"]
        self.assertEqual({(names[wait["tid"]], wait["lock"]["name"], names[wait["holder_tid"]])
                          for wait in cycle},
                         {("has_left", "g_right", "has_right"), ("has_right", "g_left", "has_left")})
        self.assertEqual({(wait["function"], wait["taken_in"]) for wait in cycle},
                         {("cross", "cross")})
        text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
        self.assertRegex(text, r"\ndeadlock +has_\w+ \(\d+\) waits in cross for lock g_\w+, "
                               r"which has_\w+ \(\d+\) took in cross\n +has_")

    def test_a_lock_that_is_taken_by_who_has_it(self):
        recorded = self.record([program("deadlock"), "own"])
        (wait,), = recorded.analysis()["deadlocks"]
        self.assertEqual((wait["lock"]["name"], wait["function"], wait["tid"]),
                         ("g_left", "go_own", wait["holder_tid"]))
        text = run([SPYGLASS, "analyze", recorded.path]).stdout.decode()
        self.assertIn("waits in go_own for lock g_left, which it took in go_own", text)

    def test_waits_of_each_kind_of_lock(self):
        recorded = self.record([program("wait_kinds")])
        locks = {row["object"]["name"]: row for row in recorded.analysis()["locks"]}
        for name in ("g_mutex", "g_rwlock", "g_spin", "g_mtx"):
            self.assertGreater(locks[name]["wall_ns"]["max"], 1e6, name)
            self.assertIn("holder", {one["function"] for one in locks[name]["holders"]}, name)


if __name__ == "__main__":
    unittest.main()
