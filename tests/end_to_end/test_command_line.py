# SPDX-License-Identifier: Apache-2.0
"""spyglass-run's options, errors and exit codes; what cannot be recorded is said."""

import os
import pwd
import re
import shutil
import socket
import stat
import struct
import unittest

from harness import EndToEndTest, SPYGLASS, SPYGLASS_RUN, program, run

# A complete 32-bit program: exit(42) through int 0x80.
CODE_32_BIT = b"\xb8\x01\0\0\0\xbb\x2a\0\0\0\xcd\x80"


def write_32_bit_program(path):
    base, headers = 0x08048000, 52 + 32
    size = headers + len(CODE_32_BIT)
    elf = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 3, 1, base + headers, 52, 0, 0,
                      52, 32, 1, 0, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000)
    with open(path, "wb") as file:
        file.write(elf + segment + CODE_32_BIT)
    os.chmod(path, 0o755)


class Errors(EndToEndTest):
    def assert_one_line(self, finished, status, *words):
        self.assertEqual(finished.status, status, finished.stderr)
        lines = finished.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertTrue(lines[0].startswith("spyglass-run: "), lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_program_not_found(self):
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", "no-such-program-anywhere"])
        self.assert_one_line(finished, 127, "no-such-program-anywhere")
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", "/no/such/program"])
        self.assert_one_line(finished, 127, "/no/such/program")
        self.assertEqual(os.listdir(self.folder), [])

    def test_program_not_executable(self):
        path = self.new_path(".txt")
        with open(path, "w", encoding="ascii") as file:
            file.write("text")
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", path])
        self.assert_one_line(finished, 126, path)
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", self.folder])
        self.assert_one_line(finished, 126, self.folder)

    def test_bad_options(self):
        for options in [["--no-such-option"], ["--trace=sometimes"], ["--on-full=panic"],
                        ["--ring-size=enormous"], ["--interval=-3"], ["--follow=nobody"], []]:
            with self.subTest(options):
                command = [SPYGLASS_RUN, "-o", self.new_path(), *options]
                finished = run(command + ([program("recursion")] if options else []))
                self.assertEqual(finished.status, 125, finished.stderr)
                self.assertIn(b"spyglass-run: ", finished.stderr)

    def test_output_folder_is_missing(self):
        finished = run([SPYGLASS_RUN, "-o", f"{self.folder}/missing/x.sgz", "--", "/bin/true"])
        self.assert_one_line(finished, 125, "missing")

    def test_output_folder_is_not_writable(self):
        folder = self.new_path(".d")
        os.mkdir(folder, 0o555)
        command = [SPYGLASS_RUN, "-o", f"{folder}/x.sgz", "--", "/bin/true"]
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                self.skipTest("root may write anywhere, and there is no setpriv")
            os.chmod(self.folder, 0o755)
            as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
            command = as_nobody + command
            open_folder = self.new_path(".open")
            os.mkdir(open_folder)
            os.chmod(open_folder, 0o777)
            probe = [SPYGLASS_RUN, "-q", "-o", f"{open_folder}/x.sgz", "--", "/bin/true"]
            if run(as_nobody + probe).status:
                self.skipTest("another user cannot run the tools from here")
        self.assert_one_line(run(command), 125, folder)

    def test_refuses_to_overwrite(self):
        path = self.new_path()
        with open(path, "w", encoding="ascii") as file:
            file.write("precious")
        finished = run([SPYGLASS_RUN, "-o", path, "--", "/bin/true"])
        self.assert_one_line(finished, 125, path, "-f")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")
        finished = run([SPYGLASS_RUN, "-q", "-f", "-o", path, "--", program("recursion")])
        self.assertEqual(finished.status, 0)
        self.verify(path)

    def test_a_planted_link_is_not_followed(self):
        target, path = self.new_path(".txt"), self.new_path()
        os.symlink(target, path)
        finished = run([SPYGLASS_RUN, "-o", path, "--", "/bin/true"])
        self.assertEqual(finished.status, 125)
        self.assertFalse(os.path.exists(target))


class Output(EndToEndTest):
    def test_name_patterns(self):
        finished = run([SPYGLASS_RUN, "-q", "-o", "%e-%p-%h-%%.sgz", "--", program("recursion")],
                       cwd=self.folder)
        self.assertEqual(finished.status, 0, finished.stderr)
        names = os.listdir(self.folder)
        self.assertEqual(len(names), 1)
        host = re.escape(socket.gethostname())
        self.assertRegex(names[0], rf"^recursion-\d+-{host}-%\.sgz$")
        finished = run([SPYGLASS_RUN, "-q", "-o", "%t.sgz", "--", program("recursion")],
                       cwd=self.folder)
        self.assertEqual(finished.status, 0, finished.stderr)
        self.assertEqual(len(os.listdir(self.folder)), 2)

    def test_default_name(self):
        finished = run([SPYGLASS_RUN, program("recursion"), "10"], cwd=self.folder)
        self.assertEqual(finished.status, 0)
        names = os.listdir(self.folder)
        self.assertEqual(len(names), 1)
        self.assertRegex(names[0], r"^recursion\.\d+\.sgz$")

    def test_recordings_are_private(self):
        mask = os.umask(0)
        try:
            recorded = self.record([program("recursion"), "10"])
        finally:
            os.umask(mask)
        self.assertEqual(stat.S_IMODE(os.stat(recorded.path).st_mode), 0o600)

    def test_last_line_names_file_and_next_command(self):
        path = self.new_path()
        finished = run([SPYGLASS_RUN, "-o", path, "--", program("recursion"), "10"])
        self.assertIn(b"fib 55", finished.stdout)
        lines = finished.stderr.decode().splitlines()
        self.assertTrue(lines and all(line.startswith("spyglass") for line in lines), lines)
        self.assertIn(path, finished.stderr.decode())
        self.assertIn("spyglass analyze", finished.stderr.decode())

    def test_quiet_says_nothing(self):
        self.assertEqual(self.record([program("recursion"), "10"]).stderr, b"")

    def test_analyzer_errors(self):
        garbage = self.new_path()
        with open(garbage, "wb") as file:
            file.write(os.urandom(1000))
        empty = self.new_path()
        open(empty, "wb").close()
        for path in [f"{self.folder}/missing.sgz", garbage, empty, self.folder, "/dev/null"]:
            for command in ["analyze", "info", "dump"]:
                with self.subTest(f"{command} {path}"):
                    finished = run([SPYGLASS, command, path])
                    self.assertEqual(finished.status, 2, finished.stderr)
                    lines = finished.stderr.decode().splitlines()
                    self.assertEqual(len(lines), 1, lines)
                    self.assertTrue(lines[0].startswith("spyglass: "), lines)

    def test_help_and_version(self):
        for tool in [SPYGLASS, SPYGLASS_RUN]:
            self.assertEqual(run([tool, "--help"]).status, 0)
            self.assertRegex(run([tool, "--version"]).stdout.decode(), r"\d+\.\d+\.\d+")
        for command in ["analyze", "diff", "info", "dump", "verify"]:
            self.assertEqual(run([SPYGLASS, command, "--help"]).status, 0, command)

    def test_every_report_form_works(self):
        recorded = self.record([program("exceptions"), "3"])
        forms = [[], ["-s", "self"], ["-s", "total"], ["--tree"], ["--callers", "throw_at"],
                 ["--callees", "throw_at"], ["--threads"], ["--by", "module"], ["--by", "file"],
                 ["--by", "namespace"], ["--top", "3"], ["--json"], ["--csv"], ["--folded"]]
        for form in forms:
            with self.subTest(form):
                finished = run([SPYGLASS, "analyze", *form, recorded.path])
                self.assertEqual(finished.status, 0, finished.stderr)
                self.assertNotEqual(finished.stdout, b"")
        for command in ["info", "dump"]:
            finished = run([SPYGLASS, command, recorded.path])
            self.assertEqual(finished.status, 0, finished.stderr)
            self.assertNotEqual(finished.stdout, b"")

    def test_csv_is_the_table_of_the_view_or_refused(self):
        recorded = self.record([program("exceptions"), "3"])
        heads = {"--threads": b"pid,", "--by=module": b"name,functions,", "--waits": b"operation,",
                 "--locks": b"lock,", "--io": b"operation,", "--exceptions": b"type,",
                 "--memory": b"operation,function,allocations,"}
        for view, head in heads.items():
            finished = run([SPYGLASS, "analyze", "--csv", view, recorded.path])
            self.assertEqual(finished.status, 0, finished.stderr)
            self.assertTrue(finished.stdout.startswith(head), (view, finished.stdout[:80]))
        for view in [["--tree"], ["--callers", "f"], ["--memory=leaks"], ["--memory", "--at", "1s"]]:
            refused = run([SPYGLASS, "analyze", "--csv", *view, recorded.path])
            self.assertEqual((refused.status, refused.stdout), (2, b""), view)
            self.assertEqual(refused.stderr.count(b"\n"), 1, refused.stderr)


class BlindSpots(EndToEndTest):
    def said_and_run(self, path, status, word, **more):
        """It runs with its own status, one line says why nothing is recorded; --strict refuses."""
        finished = run([SPYGLASS_RUN, "-o", self.new_path(), "--", path], **more)
        self.assertEqual(finished.status, status, finished.stderr)
        said = [line for line in finished.stderr.decode().splitlines() if word in line]
        self.assertEqual(len(said), 1, finished.stderr)
        self.assertTrue(said[0].startswith("spyglass-run: "), said)
        strict = run([SPYGLASS_RUN, "--strict", "-o", self.new_path(), "--", path], **more)
        self.assertEqual(strict.status, 125, strict.stderr)
        self.assertIn(word, strict.stderr.decode())
        self.assertEqual(strict.stdout, b"")
        return finished

    def test_static_program(self):
        finished = self.said_and_run(program("static_binary"), 9, "static")
        self.assertEqual(finished.stdout, b"static\n")

    def test_setuid_program(self):
        if os.geteuid() != 0:
            self.skipTest("only root can make a program of another user")
        path = os.path.join(self.folder, "setuid_program")
        shutil.copy(program("recursion"), path)
        os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
        os.chmod(path, 0o4755)
        os.chmod(self.folder, 0o755)
        finished = self.said_and_run(path, 0, "setuid")
        self.assertIn(b"fib", finished.stdout)

    def test_32_bit_program(self):
        path = os.path.join(self.folder, "program32")
        write_32_bit_program(path)
        try:
            status = run([path]).status
        except OSError:
            self.skipTest("this kernel runs no 32-bit programs")
        self.said_and_run(path, status, "32-bit")

    def test_program_without_hooks(self):
        path = self.new_path()
        finished = run([SPYGLASS_RUN, "-o", path, "--", program("no_calls")])
        self.assertEqual((finished.status, finished.stdout), (4, b"no calls\n"))
        self.assertRegex(finished.stderr.decode(), r"recorded \d+ calls? and \d+ CPU samples? in ")
        self.verify(path)


if __name__ == "__main__":
    unittest.main()
