# SPDX-License-Identifier: Apache-2.0
"""A damaged recording never crashes a tool; damage is reported, the rest is still there.

CORRUPTION_EVERY sets the step between damaged positions (0: about 150 of them); 1 is every byte.
"""

import os
import shutil
import struct
import unittest

from harness import BIN_DIR, EndToEndTest, SPYGLASS, program, run

CORRUPTION_EVERY = int(os.environ.get("CORRUPTION_EVERY", "0"))
BLOCK_HEADER_BYTES = 64
SWEEP = os.path.join(BIN_DIR, "..", "tests", "support", "damage_sweep")
SWEEP_SECONDS = 3600 if CORRUPTION_EVERY else 240


class Corruption(EndToEndTest):
    def setUp(self):
        super().setUp()
        self.recorded = self.record([program("exceptions"), "2"], "--trace=all")
        with open(self.recorded.path, "rb") as file:
            self.whole = file.read()
        self.damaged = self.new_path()

    def sweep(self, kind):
        """What all commands make of one byte changed, or the file cut, at every position."""
        step = CORRUPTION_EVERY or max(1, len(self.whole) // 150)
        done = run([SWEEP, self.recorded.path, kind, str(step)], timeout=SWEEP_SECONDS)
        last = done.stdout.decode(errors="replace").splitlines()[-2:]
        self.assertEqual(done.status, 0, (last, done.stderr.decode(errors="replace")[-8000:]))
        print(last[-1], flush=True)

    def write(self, data):
        with open(self.damaged, "wb") as file:
            file.write(data)

    def survives(self, statuses, context):
        """Both tools end in order; verify tells damage (1) or that it is no recording (2)."""
        verify = run([SPYGLASS, "verify", self.damaged])
        text = (verify.stdout + verify.stderr).decode(errors="replace")
        self.assertIn(verify.status, statuses, (context, text))
        self.assertNotIn("Sanitizer", text, context)
        analyze = run([SPYGLASS, "analyze", "--json", self.damaged])
        errors = analyze.stderr.decode(errors="replace")
        self.assertIn(analyze.status, (0, 1, 2), (context, errors))
        self.assertNotIn("Sanitizer", errors, context)

    def test_changed_bytes(self):
        self.sweep("bytes")

    def test_truncation(self):
        self.sweep("lengths")

    def test_pages_zeroed_and_files_joined(self):
        for start in range(0, len(self.whole), 4096):
            data = bytearray(self.whole)
            data[start:start + 4096] = bytes(len(data[start:start + 4096]))
            self.write(data)
            self.survives((1, 2), f"page at {start}")
        self.write(self.whole + self.whole)
        self.survives((0, 1, 2), "two files joined")
        self.write(self.whole + os.urandom(5000))
        self.survives((0, 1, 2), "garbage behind")

    def test_untouched_blocks_are_recovered(self):
        """With one spans block damaged, exactly the spans of the other blocks are there."""
        recorded = self.record([program("threads"), "2", "100000"], "--trace=all",
                               "--on-full=block")
        with open(recorded.path, "rb") as file:
            whole = bytearray(file.read())
        blocks = [at for at in range(64, len(whole) - BLOCK_HEADER_BYTES, 8)
                  if whole[at:at + 4] == b"SGZB" and whole[at + 4] == 8]
        self.assertGreater(len(blocks), 1)
        victim = blocks[len(blocks) // 2]
        lost = struct.unpack_from("<I", whole, victim + 28)[0]
        before = len(recorded.spans())
        whole[victim + BLOCK_HEADER_BYTES + 5] ^= 0x40
        path = self.new_path()
        with open(path, "wb") as file:
            file.write(whole)
        verify = run([SPYGLASS, "verify", path])
        self.assertEqual(verify.status, 1)
        # The offset of the damaged block is named, in either base.
        text = (verify.stdout + verify.stderr).decode()
        self.assertTrue(str(victim) in text or f"{victim:x}" in text, text)
        dump = run([SPYGLASS, "dump", "--json", path])
        spans = sum(b'"kind":"span"' in line.replace(b" ", b"") for line in dump.stdout.splitlines())
        self.assertEqual(spans, before - lost)


class HostileNames(EndToEndTest):
    def test_control_characters_do_not_reach_the_terminal(self):
        evil = os.path.join(self.folder, "a\x1b]52;c;x\x07\x1b[2Jb")
        shutil.copy(program("recursion"), evil)
        recorded = self.record([evil, "10"])
        for command in [["analyze"], ["info"], ["analyze", "--tree"], ["analyze", "--json"]]:
            finished = run([SPYGLASS, *command, recorded.path])
            self.assertEqual(finished.status, 0, finished.stderr)
            self.assertNotIn(b"\x1b]", finished.stdout)
            self.assertNotIn(b"\x1b[2J", finished.stdout)


if __name__ == "__main__":
    unittest.main()
