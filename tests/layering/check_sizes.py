#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Size budgets: no file above 600 lines; those above 400 are named. Functions: see .clang-tidy.

usage: check_sizes.py [ROOT]
"""
import pathlib
import sys

LIMIT, NAMED = 600, 400
SUFFIXES = {".cc", ".h", ".c", ".inc", ".py", ".sh", ".cmake"}
SKIPPED = {"build", ".git"}


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    too_long = False
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root)
        if file.suffix not in SUFFIXES or path.parts[0] in SKIPPED:
            continue
        lines = file.read_text().count("\n")
        if lines > NAMED:
            print(f"{path}: {lines} lines" + (f", the limit is {LIMIT}" if lines > LIMIT else ""))
        too_long |= lines > LIMIT
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
