#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads every recording below FOLDER and compares what the tool says with the files beside it.

usage: golden_test.py SPYGLASS FOLDER

With SPYGLASS_ACCEPT set, differing files are rewritten instead; review them like code.
"""
import difflib
import os
import pathlib
import subprocess
import sys

# Name of the expected file after the recording's -> the command that prints it.
VIEWS = {
    ".dump.txt": ["dump"],
    ".analyze.json": ["analyze", "--json"],
    ".verify.txt": ["verify"],
}


def output_of(tool, recording, command):
    # From the recording's folder, so that no path of this machine gets into the output.
    done = subprocess.run([tool, *command, recording.name], cwd=recording.parent, text=True,
                          env={"LC_ALL": "C.UTF-8", "COLUMNS": "120"}, capture_output=True, check=False)
    return done.stdout + done.stderr + f"exit {done.returncode}\n"


def main():
    tool, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    recordings = sorted(folder.rglob("*.sgz"))
    different = 0
    for recording in recordings:
        for suffix, command in VIEWS.items():
            path = recording.with_name(recording.name + suffix)
            actual = output_of(tool, recording, command)
            expected = path.read_text() if path.exists() else ""
            if actual == expected:
                continue
            if "SPYGLASS_ACCEPT" in os.environ:
                path.write_text(actual)
                continue
            different += 1
            sys.stdout.writelines(difflib.unified_diff(
                expected.splitlines(True), actual.splitlines(True), str(path), "now"))
    print(f"{len(recordings)} recordings, {different} files differ")
    return 1 if different or not recordings else 0


if __name__ == "__main__":
    sys.exit(main())
