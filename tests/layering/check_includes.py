#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include of ours against the rules below; they are the data flow, as data.

usage: check_includes.py [ROOT]
"""
import pathlib
import re
import sys

# Folder -> what of ours it may include besides itself (a folder ends in "/", a file does not).
# Tests, benchmarks and examples may include anything, and nobody includes them.
OURS = {
    "format": [],
    "symbols": ["format/"],
    "recorder/unwind": [],
    "recorder/runtime": ["recorder/unwind/", "format/arena.h", "format/duration_histogram.h", "format/switch_sign.h",
                         "format/operation.h"],
    "cyg_hooks": ["recorder/runtime/", "format/arena.h"],
    "preload": ["recorder/runtime/", "format/arena.h", "format/operation.h"],
    "recorder/collector": ["recorder/unwind/", "format/", "symbols/"],
    "analyzer/reader": ["format/"],
    "analyzer/model": ["analyzer/reader/", "symbols/", "format/"],
    "analyzer/report": ["analyzer/model/", "format/"],
    "analyzer/diff": ["analyzer/report/", "analyzer/model/", "format/"],
    "tools": ["analyzer/", "recorder/collector/", "symbols/", "format/"],
}
UNBOUND = ["tests", "bench", "examples"]

# Folders whose code runs inside the recorded program. Of the C++ library they may use what is
# header-only and calls nothing; C and kernel headers are the linker's and tests/artifact's business.
TARGET_SIDE = ["recorder/unwind", "recorder/runtime", "cyg_hooks", "preload"]
TARGET_SIDE_FILES = ["format/arena.h", "format/duration_histogram.h", "format/operation.h",
                     "format/switch_sign.h"]
TARGET_SIDE_CXX = {
    "array", "atomic", "bit", "cerrno", "climits", "cmath", "concepts", "csetjmp", "csignal",
    "cstdarg", "cstddef", "cstdint", "cstdlib", "cstring", "ctime", "limits", "new", "span", "string_view",
    "type_traits", "utility",
}

# Third-party header -> the folders that may include it, and in how many files of ours at most.
THIRD_PARTY = {
    r"zstd(_errors)?\.h": (["format"], 1),
    r"lz4(hc|frame)?\.h": (["format"], 1),
    r"xxhash\.h": (["format"], 1),
    r"protozero/.*": (["format"], 2),
    r"libiberty/.*|demangle\.h": (["symbols"], 1),
    r"elfutils/.*|dwarf\.h": (["symbols"], 1),
    r"libelf\.h|gelf\.h": (["symbols", "recorder/collector"], 2),
    r"libunwind.*\.h": (["recorder/collector"], 1),
    r"rapidjson/.*": (["analyzer/report", "analyzer/diff"], 1),
    r"fmt/.*": (["analyzer/report", "analyzer/diff", "tools"], None),
    r"CLI/.*": (["tools"], None),
    r"catch2/.*|nlohmann/.*": ([], 0),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[>"]')


def folder_of(path):
    """The rule's folder that `path` (relative, with slashes) lies in, or None."""
    return next((folder for folder in OURS if path.startswith(folder + "/")), None)


def includes_of(file):
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def may_include(folder, header):
    return header.startswith(folder + "/") or any(
        header == allowed or (allowed.endswith("/") and header.startswith(allowed))
        for allowed in OURS[folder])


def check(root):
    """Yields one line for each include that breaks a rule."""
    users = {pattern: set() for pattern in THIRD_PARTY}
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        folder = folder_of(path)
        if folder is None or file.suffix not in (".h", ".cc", ".c", ".inc"):
            continue
        target_side = folder in TARGET_SIDE or path in TARGET_SIDE_FILES
        for number, ours, header in includes_of(file):
            where = f"{path}:{number}"
            if ours:
                if header.split("/")[0] in UNBOUND or not may_include(folder, header):
                    yield f"{where}: {folder}/ may not include {header}"
                if not (root / header).is_file():
                    yield f"{where}: {header} is not a path from the root"
                continue
            if target_side and "." not in header and header not in TARGET_SIDE_CXX:
                yield f"{where}: <{header}> is not for code that runs inside the recorded program"
            for pattern, (folders, _) in THIRD_PARTY.items():
                if re.fullmatch(pattern, header):
                    users[pattern].add(path)
                    if folder not in folders:
                        yield f"{where}: {folder}/ may not include <{header}>"
    for pattern, (_, limit) in THIRD_PARTY.items():
        if limit is not None and len(users[pattern]) > limit:
            yield f"<{pattern}> is included by more than {limit}: {', '.join(sorted(users[pattern]))}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    broken = list(check(root))
    print("\n".join(broken) if broken else "includes follow the data flow")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
