# SPDX-License-Identifier: Apache-2.0
"""Reads what libcountalloc.so (tests/support/alloc_count.c) wrote."""

import os
import struct

FIELDS = ["pid", "allocations", "allocated_bytes", "frees", "reallocations", "failed",
          "unmatched_frees", "live_allocations", "live_bytes", "peak_bytes", "temporary"]
THREAD_FIELDS = ["tid", "allocations", "allocated_bytes", "frees", "frees_of_others"]
HEAD = struct.Struct(f"<{len(FIELDS)}QQ")
THREAD = struct.Struct(f"<{len(THREAD_FIELDS)}Q")


def read_process(path):
    """The fields by name, and `threads`: a list of the same."""
    with open(path, "rb") as file:
        data = file.read()
    *numbers, thread_count = HEAD.unpack_from(data)
    process = dict(zip(FIELDS, numbers))
    # The first thread has two: one from before its thread-local storage was set up.
    threads = {}
    for i in range(thread_count):
        tid, *counts = THREAD.unpack_from(data, HEAD.size + THREAD.size * i)
        threads[tid] = [a + b for a, b in zip(threads.get(tid, [0] * len(counts)), counts)]
    process["threads"] = [dict(zip(THREAD_FIELDS, [tid, *counts])) for tid, counts in
                          threads.items()]
    return process


def read_folder(folder):
    """One entry for each process (each of its programs, when it called exec), by pid."""
    processes = [read_process(os.path.join(folder, name)) for name in os.listdir(folder)]
    return sorted(processes, key=lambda process: process["pid"])


def total(processes, field):
    return sum(process[field] for process in processes)
