# SPDX-License-Identifier: Apache-2.0
"""Makes N modules that differ in function name and build-id from one built module."""

import os
import re

BUILD_ID = re.compile(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0.{20}", re.DOTALL)


def make(template, folder, count):
    with open(template, "rb") as file:
        original = file.read()
    for index in range(count):
        data = original.replace(b"module_0000", b"module_%04d" % index)
        note = BUILD_ID.search(data)
        if note:
            at = note.end() - 4
            data = data[:at] + index.to_bytes(4, "little") + data[at + 4:]
        with open(os.path.join(folder, f"module_{index:04d}.so"), "wb") as file:
            file.write(data)
