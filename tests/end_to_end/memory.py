# SPDX-License-Identifier: Apache-2.0
"""What tests of allocations share: the independent count, and views of `memory` in --json.

MEMORY=full runs them at full size.
COUNTALLOC_LIBRARY, FAILALLOC_LIBRARY  default: in ../support next to PROGRAMS_DIR
"""

import collections
import glob
import os
import re
import shutil
import unittest

import alloc_count
import harness

FULL = os.environ.get("MEMORY") == "full"
SUPPORT = os.path.join(harness.PROGRAMS_DIR, "..", "support")
COUNTALLOC_LIBRARY = os.environ.get("COUNTALLOC_LIBRARY",
                                    os.path.realpath(os.path.join(SUPPORT, "libcountalloc.so")))
FAILALLOC_LIBRARY = os.environ.get("FAILALLOC_LIBRARY",
                                   os.path.realpath(os.path.join(SUPPORT, "libfailalloc.so")))
SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs")

# What both say of a process.
COMPARED = ["allocations", "allocated_bytes", "frees", "peak_bytes"]
# Nothing but allocations is recorded, so that tests are quick.
MEMORY_ONLY = ["--operations=none", "--frequency=0"]


def size(small, full):
    return full if FULL else small


def installed(name):
    """Of the system: a wrapper earlier on the path is another program."""
    path = shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest(f"NOT TESTED: {name} is not installed")
    return path


def library(pattern, package):
    found = sorted(glob.glob(f"/usr/lib/*/{pattern}"))
    if not found:
        raise unittest.SkipTest(f"NOT TESTED: package {package} is not installed")
    return found[0]


def preloading(arguments, before="", after=""):
    """`arguments` with other libraries before and after what is preloaded already."""
    return ["/bin/sh", "-c", f'LD_PRELOAD="{before} $LD_PRELOAD {after}" exec "$@"', "sh",
            *arguments]


def own_functions(source):
    """Names of the functions of a test program that are never inlined."""
    with open(os.path.join(SOURCES, source), encoding="ascii") as file:
        return set(re.findall(r"^CALLED [^(;]*?(\w+)\(", file.read(), re.MULTILINE))


def without_execed(counted, analysis):
    """What executed another program left its heap behind; that is no leak."""
    left = list(counted)
    for process, heap in zip(analysis["processes"], analysis["memory"]["processes"]):
        if process["ended"] == "execed":
            # Where it allocated nothing, it may not have been counted at all.
            same = [one for one in left if [one["pid"], *(one[field] for field in COMPARED)] ==
                    [heap["pid"], *(heap[field] for field in COMPARED)]]
            if heap["allocations"] and not same:
                raise AssertionError(f"nobody counted {heap}")
            left = [one for one in left if one is not (same or [None])[0]]
    return left


class MemoryTest(harness.EndToEndTest):
    def setUp(self):
        super().setUp()
        for needed in (COUNTALLOC_LIBRARY, FAILALLOC_LIBRARY):
            if not os.path.exists(needed):
                self.fail(f"there is no {needed}")

    def record_counted(self, arguments, *options, environment=None, **more):
        """One run with both: the recording, and what was counted of each of its processes."""
        folder = self.new_path(".counted")
        os.mkdir(folder)
        preload = dict(environment or {}, LD_PRELOAD=COUNTALLOC_LIBRARY, COUNTALLOC_OUTPUT=folder)
        recorded = self.record(arguments, *options, environment=preload, **more)
        pids = {process["pid"] for process in recorded.analysis()["processes"]}
        counted = [process for process in alloc_count.read_folder(folder) if process["pid"] in pids]
        self.assertTrue(counted, recorded.stderr)
        return recorded, counted

    def assert_counts_equal(self, recorded, counted, peak=0):
        """Processes, threads and sums, to the last byte. `peak`: how many bytes peaks may be apart."""
        memory = recorded.analysis()["memory"]
        self.assertTrue(memory["exact"], memory)
        self.assertEqual(recorded.lost(), [])
        ours, expected = per_process(memory["processes"]), per_process(counted)
        for pid in expected if peak else ():
            known = ours[pid].pop("peak_bytes")
            self.assertAlmostEqual(known, expected[pid].pop("peak_bytes"), delta=peak)
        self.assertEqual(ours, expected)
        theirs = per_thread([dict(thread, pid=process["pid"]) for process in counted
                             for thread in process["threads"]])
        self.assertEqual(per_thread(memory["threads"]), theirs)
        ours = {field: memory[field] for field in
                ("allocations", "allocated_bytes", "frees", "reallocations", "unmatched_frees")}
        self.assertEqual(ours, {field: alloc_count.total(counted, field) for field in ours})
        left = without_execed(counted, recorded.analysis())
        self.assertEqual(memory["leaked_bytes"] + memory["suppressed_bytes"],
                         alloc_count.total(left, "live_bytes"))
        self.assertEqual(memory["leaked_allocations"] + memory["suppressed_allocations"],
                         alloc_count.total(left, "live_allocations"))
        self.assert_stacks_add_up(memory)

    def assert_stacks_add_up(self, memory):
        heap = [stack for stack in memory["stacks"] if stack["operation"] not in MAPPINGS]
        sums = {field: sum(stack[field] for stack in heap) for field in
                ("allocations", "allocated_bytes", "reallocations", "temporary")}
        self.assertEqual(sums, {field: memory[field] for field in sums})
        for field, total in (("leaked_bytes", memory["leaked_bytes"] + memory["suppressed_bytes"]),
                             ("leaked_allocations", memory["leaked_allocations"] +
                              memory["suppressed_allocations"])):
            self.assertEqual(sum(stack[field] for stack in heap), total)


MAPPINGS = {"mmap", "munmap", "mremap", "brk", "sbrk"}


def per_process(rows):
    """pid -> sums over its programs (exec keeps the pid), peaks: the highest; those without any."""
    result = {}
    for row in rows:
        sums = result.setdefault(row["pid"], collections.Counter())
        for field in COMPARED:
            sums[field] = max(sums[field], row[field]) if field == "peak_bytes" else \
                sums[field] + row[field]
    return {pid: dict(sums) for pid, sums in result.items() if sums["allocations"] or sums["frees"]}


def per_thread(rows):
    result = collections.Counter()
    for row in rows:
        for field in ("allocations", "allocated_bytes", "frees", "frees_of_others"):
            result[(row["pid"], row["tid"], field)] += row[field]
    return {key: value for key, value in result.items() if value}


def frames(recording, stack):
    """Plain names of a stack's functions, innermost first."""
    functions = recording.functions()
    return [harness.base_name(functions[index]["name"]) for index in stack["stack"]]


def by_own_frame(recording, names, *fields, unsuppressed=False):
    """own function nearest to the allocation -> sums of `fields`; None: outside of the program."""
    result = {}
    for stack in recording.analysis()["memory"]["stacks"]:
        if unsuppressed and stack["suppressed"] is not None:
            continue
        top = next((name for name in frames(recording, stack) if name in names), None)
        sums = result.setdefault(top, [0] * len(fields))
        for index, field in enumerate(fields):
            sums[index] += stack[field]
    return {name: tuple(sums) for name, sums in result.items() if any(sums)}
