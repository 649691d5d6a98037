# SPDX-License-Identifier: Apache-2.0
"""Reads what libcallcount.so (tests/support/call_count.c) wrote."""

import bisect
import collections
import functools
import os
import struct
import subprocess

SLOT = struct.Struct("<QQQQ224s")


@functools.lru_cache(maxsize=None)
def symbols(module):
    """([offsets], [names]) of a module's functions, as offsets from its load base."""
    base = 0
    headers = subprocess.run(["readelf", "-lW", module], capture_output=True, text=True, check=True)
    for line in headers.stdout.splitlines():
        words = line.split()
        if words and words[0] == "LOAD":
            base = int(words[2], 16) & ~0xFFF
            break
    found = {}
    # Stripped libraries have dynamic symbols only; clang hooks atol() inlined from a header as libc's.
    listing = "".join(subprocess.run(["nm", "-C", *option, module], capture_output=True, text=True,
                                     check=False).stdout for option in ([], ["-D"]))
    for line in listing.splitlines():
        words = line.split(" ", 2)
        if len(words) == 3 and words[0] and words[1] in "tTwWiuV":
            found.setdefault(int(words[0], 16) - base, words[2].split("@")[0])
    offsets = sorted(found)
    return offsets, [found[offset] for offset in offsets]


def name_of(module, offset):
    offsets, names = symbols(module)
    at = bisect.bisect_right(offsets, offset) - 1
    if at < 0 or offsets[at] != offset:
        raise AssertionError(f"{module} has no function at {offset:#x}")
    return names[at]


def read_folder(folder, short_name):
    """(Counter of calls by function name over all processes, sorted totals of the processes)."""
    by_function = collections.Counter()
    totals = []
    for name in os.listdir(folder):
        total = 0
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        for key, calls, offset, _, module in SLOT.iter_unpack(data):
            if key:
                by_function[short_name(name_of(module.rstrip(b"\0").decode(), offset))] += calls
                total += calls
        totals.append(total)
    return by_function, sorted(totals)
