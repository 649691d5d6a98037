# SPDX-License-Identifier: Apache-2.0
"""Allocations are exact: against an independent count, LeakSanitizer, massif and heaptrack."""

import collections
import os
import re
import unittest

import memory
from harness import Recording, SPYGLASS, SPYGLASS_RUN, analyze, base_name, program, run
from memory import MEMORY_ONLY, MemoryTest, by_own_frame, installed, own_functions, size

PYTHON = """
import collections, json, os, re, threading, time
words = collections.Counter()
def work(first):
    for i in range(first, %d, 2):
        words.update(re.findall('[a-z0-9]+', json.dumps({'key%%d' %% i: list(range(i %% 50))})))
threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
[t.start() for t in threads]; [t.join() for t in threads]
# join() returns before the thread has freed all that it will: the end of the process must not come
# between the two counts of one free.
while len(os.listdir('/proc/self/task')) > 1:
    time.sleep(0.001)
print(len(words))
"""

SQL = """
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
  insert into t select i, hex(i * 7919) from n;
create index ib on t(b);
select count(*), sum(a), max(b) from t;
select b, count(*) from t group by b order by 2 limit 3;
"""

GIT = """
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b HOME=$PWD
git init -q -b main . && for i in 1 2 3; do echo $i > f$i; git add f$i; git commit -qm c$i; done
git log --oneline | wc -l
"""


class CountedIndependently(MemoryTest):
    def check(self, arguments, *options, status=0, peak=0, **more):
        recorded, counted = self.record_counted(arguments, *MEMORY_ONLY, *options, **more)
        self.assertEqual(recorded.status, status, recorded.stderr)
        self.assert_counts_equal(recorded, counted, peak)
        self.verify(recorded.path)
        return recorded, counted

    def test_c(self):
        recorded, _ = self.check([program("alloc_churn"), str(size(20000, 3000000))])
        said = [int(word) for word in recorded.stdout.split()]
        known = recorded.analysis()["memory"]
        self.assertEqual(said, [known["allocations"], known["allocated_bytes"], known["frees"],
                                known["reallocations"], known["leaked_allocations"],
                                known["leaked_bytes"]])
        top = by_own_frame(recorded, own_functions("alloc_churn.c"), "allocations")
        self.assertEqual(set(top), {"by_malloc", "by_calloc", "resize"})

    def test_c_with_hooks(self):
        """Here the stack is the current node; the counts are the same."""
        recorded, _ = self.check([program("hooked_alloc_churn"), "5000"])
        # An allocation is no return: the calls around it go on.
        self.assertEqual(recorded.analysis()["losses"], [])
        bare, _ = self.check([program("alloc_churn"), "5000"])
        own = own_functions("alloc_churn.c")
        fields = ("allocations", "allocated_bytes", "frees", "leaked_bytes")
        self.assertEqual(by_own_frame(recorded, own, *fields), by_own_frame(bare, own, *fields))

    def test_cxx_containers(self):
        self.check([program("alloc_containers"), str(size(3000, 200000))])

    def test_threads_free_for_each_other(self):
        blocks = size(5000, 200000)
        # When threads allocate at once, each order is as true. Each of the other three may have one
        # call under way, of 3000 bytes at most.
        recorded, counted = self.check([program("alloc_threads"), "2", str(blocks)], peak=3 * 3000)
        top = by_own_frame(recorded, own_functions("alloc_threads.c"), "allocations")
        self.assertEqual(top["produce_block"], (2 * blocks,))
        self.assertEqual(top["scratch"], (2 * (blocks // 4 + blocks // 5 - blocks // 100),))
        others = sum(thread["frees_of_others"] for thread in
                     recorded.analysis()["memory"]["threads"])
        self.assertEqual(others, sum(thread["frees_of_others"] for process in counted
                                     for thread in process["threads"]))
        self.assertGreater(others, 2 * blocks * 9 // 10)

    def test_fork(self):
        recorded, counted = self.check([program("alloc_fork")])
        self.assertEqual(len(counted), 4)
        self.assertGreater(recorded.analysis()["memory"]["unmatched_frees"], 100)
        live = {process["pid"]: process["live_bytes"] for process in counted}
        for process in recorded.analysis()["memory"]["processes"]:
            self.assertEqual(process["leaked_bytes"] + process["suppressed_bytes"],
                             live[process["pid"]])

    def test_realloc_storm(self):
        recorded, _ = self.check([program("realloc_storm")])
        known = recorded.analysis()["memory"]
        self.assertEqual([int(word) for word in recorded.stdout.split()],
                         [known[field] for field in ("allocations", "allocated_bytes", "frees",
                                                     "reallocations", "failed")])

    def test_operator_new_in_all_forms(self):
        recorded, counted = self.check([program("aligned_new"), "100"])
        allocations, allocated, frees = (int(word) for word in recorded.stdout.split())
        top = by_own_frame(recorded, own_functions("aligned_new.cc"), "allocations",
                           "allocated_bytes", "leaked_allocations")
        outside = top.pop(None, (0, 0, 0))
        self.assertEqual((sum(row[0] for row in top.values()),
                          sum(row[1] for row in top.values())), (allocations, allocated))
        self.assertEqual(recorded.analysis()["memory"]["frees"], frees)
        self.assertEqual(outside, (1, 72704, 1))  # the C++ runtime's, for exceptions
        self.assertEqual(sum(row[2] for row in top.values()), 0)
        operations = {stack["operation"] for stack in recorded.analysis()["memory"]["stacks"]
                      if by_own_name(recorded, stack, "aligned_new.cc")}
        self.assertEqual(operations, {"operator new", "operator new[]"})
        self.assertEqual(len(counted), 1)

    def test_before_main(self):
        """What IFUNC resolvers and .preinit_array got is counted and kept."""
        recorded, _ = self.check([program("early_malloc")])
        known = recorded.analysis()["memory"]
        self.assertEqual([int(word) for word in recorded.stdout.split()],
                         [known["allocations"], known["allocated_bytes"], known["frees"]])
        self.assertEqual((known["leaked_allocations"], known["leaked_bytes"]), (1, 500))

    def test_every_entry(self):
        self.check([program("allocator_entries")])
        self.check([program("allocator_entries"), "limit"])

    def test_thread_exits(self):
        threads = size(20, 2000)
        # One by one to the byte. Of two at once the order is anybody's, and with it the peak: see
        # test_threads_free_for_each_other.
        for at_once, peak in (("1", 0), ("2", 1000)):
            with self.subTest(at_once=at_once):
                recorded, _ = self.check([program("alloc_at_thread_exit"), str(threads), at_once],
                                         peak=peak)
                allocations, frees = (int(word) for word in recorded.stdout.split())
                self.assertEqual((allocations, frees), (28 * threads, 28 * threads))
                top = by_own_frame(recorded, {"get"}, "allocations", "leaked_allocations")
                self.assertEqual(top["get"], (allocations, 0))

    def test_python(self):
        self.check([installed("python3"), "-c", PYTHON % size(1000, 60000)])

    def test_sqlite(self):
        self.check([installed("sqlite3"), ":memory:"], stdin=(SQL % size(5000, 1000000)).encode())

    def test_git_with_its_processes(self):
        installed("git")
        folder = self.new_path(".git")
        os.mkdir(folder)
        recorded, counted = self.check([installed("bash"), "-c", GIT], cwd=folder)
        self.assertEqual(recorded.stdout.strip(), b"3")
        self.assertGreater(len(counted), 6)

    def test_gcc_with_its_processes(self):
        source = self.new_path(".c")
        with open(source, "w", encoding="ascii") as file:
            for i in range(size(20, 2000)):
                file.write(f"int f{i}(int a) {{ for (int i = 0; i < a; ++i) a ^= i * {i}; return a; }}\n")
        self.check([installed("gcc"), "-O1", "-c", source, "-o", source + ".o"])

    def test_perl(self):
        self.check([installed("perl"), "-e", f"my %h; $h{{$_ % 997}} .= 'x' x ($_ % 40) "
                    f"for 1..{size(20000, 3000000)}; print scalar keys %h"])


def by_own_name(recorded, stack, source):
    return any(name in own_functions(source) for name in memory.frames(recorded, stack))


LEAKY = {"leaky_list": ".c", "leaky_threads": ".c", "leaky_realloc": ".c", "leaky_cycle": ".cc",
         "leaky_objects": ".cc", "leaky_cache": ".cc"}


def leak_sanitizer_says(text, names):
    """own function nearest to the allocation -> (bytes, allocations), and the sums it states."""
    leaks, current = collections.Counter(), None
    counts = collections.Counter()
    for line in text.splitlines():
        head = re.match(r"(?:Direct|Indirect) leak of (\d+) byte\(s\) in (\d+) object\(s\)", line)
        frame = re.match(r"\s+#\d+ 0x[0-9a-f]+ in (.*?) (?:\S+:\d+|\(\S+\))", line)
        if head:
            current = [int(head[1]), int(head[2])]
        elif frame and current and base_name(frame[1]) in names:
            leaks[base_name(frame[1])] += current[0]
            counts[base_name(frame[1])] += current[1]
            current = None
    summary = re.search(r"SUMMARY: LeakSanitizer: (\d+) byte\(s\) leaked in (\d+) allocation", text)
    return ({name: (leaks[name], counts[name]) for name in leaks},
            (int(summary[1]), int(summary[2])))


class Leaks(MemoryTest):
    def test_as_leak_sanitizer_finds_them(self):
        for name, suffix in LEAKY.items():
            with self.subTest(name):
                names = own_functions(name + suffix)
                checked = run([program("checked_" + name)],
                              environment={"LSAN_OPTIONS": "fast_unwind_on_malloc=0:exitcode=23"})
                self.assertEqual(checked.status, 23, checked.stderr)
                expected, total = leak_sanitizer_says(checked.stderr.decode(), names)
                self.assertEqual(tuple(map(sum, zip(*expected.values()))), total)
                recorded, counted = self.record_counted([program(name)], *MEMORY_ONLY)
                self.assertEqual(recorded.status, 0)
                self.assert_counts_equal(recorded, counted)
                ours = by_own_frame(recorded, names, "leaked_bytes", "leaked_allocations",
                                    unsuppressed=True)
                ours.pop(None, None)  # of libraries: they still point to it
                self.assertEqual(ours, expected)

    def suppress(self, path, text):
        rules = self.new_path(".supp")
        with open(rules, "w", encoding="ascii") as file:
            file.write(text)
        return analyze(path, "--memory=leaks", "--suppressions", rules)["memory"]

    def test_suppressions(self):
        recorded = self.record([program("leaky_objects")], *MEMORY_ONLY)
        known = recorded.analysis()["memory"]
        by_function = by_own_frame(recorded, own_functions("leaky_objects.cc"), "leaked_bytes",
                                   "leaked_allocations")
        for pattern, hidden in (("make_names", ["make_names"]), ("*make_l*", ["make_lines"]),
                                ("make_names\n# a comment\nleak:make_raw",
                                 ["make_names", "make_raw"]),
                                ("no_such_function", [])):
            with self.subTest(pattern):
                after = self.suppress(recorded.path, f"leak:{pattern}\n")
                less = tuple(map(sum, zip((0, 0), *(by_function[name] for name in hidden))))
                self.assertEqual(
                    (known["leaked_bytes"] - after["leaked_bytes"],
                     known["leaked_allocations"] - after["leaked_allocations"]), less)
                self.assertEqual((after["suppressed_bytes"] - known["suppressed_bytes"],
                                  after["suppressed_allocations"] -
                                  known["suppressed_allocations"]), less)
                marked = {name for stack in after["stacks"] if stack["suppressed"]
                          for name in memory.frames(recorded, stack)}
                self.assertTrue(set(hidden) <= marked, marked)
        by_module = self.suppress(recorded.path, "leak:leaky_objects\n")
        self.assertLess(by_module["leaked_bytes"], known["leaked_bytes"])


def massif_peak(text):
    """(bytes of the heap, without what the allocator adds) of the snapshot that is the peak."""
    best = 0
    for snapshot in text.split("snapshot=")[1:]:
        best = max(best, int(re.search(r"mem_heap_B=(\d+)", snapshot)[1]))
    return best


def heaptrack_peak(text):
    found = re.search(r"peak heap memory consumption: ([0-9.]+)([BKMG])", text)
    return float(found[1]) * {"B": 1, "K": 1e3, "M": 1e6, "G": 1e9}[found[2]]


class Peak(MemoryTest):
    CASES = {"known_peak": ["known_peak"], "containers": ["alloc_containers", "3000"],
             "churn": ["alloc_churn", "20000"]}
    # heaptrack's own library brings libstdc++ into programs that have none, with what that takes
    # for exceptions when memory is short.
    HEAPTRACK_ADDS = {"known_peak": 72704, "containers": 0, "churn": 72704}

    def ours(self, arguments):
        recorded, counted = self.record_counted(arguments, *MEMORY_ONLY)
        self.assertEqual(recorded.status, 0)
        known = recorded.analysis()["memory"]
        self.assertEqual(known["peak_bytes"], counted[0]["peak_bytes"])
        self.assertEqual(sum(stack["peak_bytes"] for stack in known["stacks"]
                             if stack["operation"] not in memory.MAPPINGS), known["peak_bytes"])
        return recorded

    def test_known(self):
        recorded = self.ours([program("known_peak")])
        self.assertEqual(recorded.analysis()["memory"]["peak_bytes"], int(recorded.stdout))
        held = {}
        for stack in recorded.analysis()["memory"]["stacks"]:
            for name in {"kept", "early_hill", "highest_hill", "later_hill"} & \
                    set(memory.frames(recorded, stack)):
                held[name] = held.get(name, 0) + stack["peak_bytes"]
        self.assertEqual(held, {"kept": 10000000, "highest_hill": 30000000, "early_hill": 0,
                                "later_hill": 0})

    def test_as_massif(self):
        valgrind = installed("valgrind")
        for name, (binary, *arguments) in self.CASES.items():
            with self.subTest(name):
                theirs = 0
                # A peak that realloc() ends is found or not, as it takes its snapshots.
                for inaccuracy in ["0.0", "1.0"]:
                    out = self.new_path(".massif")
                    done = run([valgrind, "--tool=massif", f"--peak-inaccuracy={inaccuracy}",
                                f"--massif-out-file={out}", program(binary), *arguments])
                    self.assertEqual(done.status, 0, done.stderr)
                    with open(out, encoding="utf-8") as file:
                        theirs = max(theirs, massif_peak(file.read()))
                ours = self.ours([program(binary), *arguments]).analysis()["memory"]["peak_bytes"]
                self.assertAlmostEqual(ours, theirs, delta=theirs / 100)

    def test_as_heaptrack(self):
        heaptrack, printer = installed("heaptrack"), installed("heaptrack_print")
        for name, (binary, *arguments) in self.CASES.items():
            with self.subTest(name):
                out = self.new_path(".heaptrack")
                done = run([heaptrack, "-o", out, program(binary), *arguments])
                self.assertEqual(done.status, 0, done.stderr)
                path = next(path for path in (out + ".zst", out + ".gz") if os.path.exists(path))
                theirs = heaptrack_peak(run([printer, path]).stdout.decode())
                theirs -= self.HEAPTRACK_ADDS[name]
                ours = self.ours([program(binary), *arguments]).analysis()["memory"]["peak_bytes"]
                self.assertAlmostEqual(ours, theirs, delta=theirs / 100)


class Modes(MemoryTest):
    def test_off_records_nothing(self):
        recorded, counted = self.record_counted([program("alloc_churn"), "2000"], *MEMORY_ONLY,
                                                "--memory=off")
        self.assertGreater(counted[0]["allocations"], 1000)
        known = recorded.analysis().get("memory")
        if known:
            self.assertEqual((known["mode"], known["allocations"], known["stacks"]), ("off", 0, []))

    def test_sample_estimates(self):
        """Each estimate within five standard deviations of the exact figure; unbiased over runs."""
        interval, errors = 4096, []
        for _ in range(size(5, 50)):
            recorded, counted = self.record_counted([program("alloc_churn"), "20000"],
                                                    *MEMORY_ONLY, f"--memory=sample={interval}")
            known = recorded.analysis()["memory"]
            self.assertEqual((known["mode"], known["exact"], known["sample_bytes"]),
                             ("sample", False, interval))
            true = counted[0]["allocated_bytes"]
            # Poisson: bytes / interval samples, each worth about an interval or its own size.
            sigma = (interval * true) ** 0.5
            self.assertLess(abs(known["allocated_bytes"] - true), 5 * sigma)
            errors.append((known["allocated_bytes"] - true) / sigma)
        self.assertLess(abs(sum(errors)) / len(errors) ** 0.5, 4)

    def test_variable(self):
        recorded = self.record([program("alloc_churn"), "200"],
                               environment={"SPYGLASS_MEMORY": "sample=1000"})
        self.assertEqual(recorded.analysis()["memory"]["sample_bytes"], 1000)

    def test_unknown_mode_is_refused(self):
        done = run([SPYGLASS_RUN, "--memory=some", "--", "/bin/true"])
        self.assertNotEqual(done.status, 0)
        self.assertIn(b"memory", done.stderr)

    def test_same_recording_same_answer(self):
        recorded = self.record([program("alloc_threads")], *MEMORY_ONLY)
        said = [run([SPYGLASS, "analyze", "--json", recorded.path]).stdout for _ in range(2)]
        self.assertEqual(said[0], said[1])
        self.assertEqual(Recording(recorded.path, (0, b"", b"")).analysis()["memory"]["exact"], True)


if __name__ == "__main__":
    unittest.main()
