#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The include check itself: each wrong edge is found, right ones are not."""
import pathlib
import tempfile
import unittest

import check_includes


class CheckIncludesTest(unittest.TestCase):
    def broken(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                file = pathlib.Path(root, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            return list(check_includes.check(pathlib.Path(root)))

    def test_the_right_direction_is_fine(self):
        self.assertEqual([], self.broken({
            "format/sgz.h": "#include <string>\n",
            "analyzer/reader/reader.cc": '#include "format/sgz.h"\n'}))

    def test_the_two_sides_never_include_each_other(self):
        for user, header in (("analyzer/model/a.cc", "recorder/collector/drain.h"),
                             ("recorder/collector/a.cc", "analyzer/reader/reader.h"),
                             ("format/a.h", "symbols/symbols.h")):
            self.assertEqual(1, len(self.broken({user: f'#include "{header}"\n', header: ""})), user)

    def test_target_side_uses_the_listed_headers_only(self):
        self.assertEqual(1, len(self.broken({"recorder/runtime/a.cc": "#include <string>\n"})))
        self.assertEqual(1, len(self.broken({"format/arena.h": "#include <vector>\n"})))
        self.assertEqual([], self.broken({"preload/a.cc": "#include <atomic>\n#include <dlfcn.h>\n"}))

    def test_a_library_has_one_user(self):
        self.assertEqual(1, len(self.broken({
            "format/a.cc": "#include <zstd.h>\n", "format/b.cc": "#include <zstd.h>\n"})))
        self.assertEqual(1, len(self.broken({"analyzer/model/a.cc": "#include <CLI/CLI.hpp>\n"})))


if __name__ == "__main__":
    unittest.main()
