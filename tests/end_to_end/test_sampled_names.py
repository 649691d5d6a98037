#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The functions that samples name are those that `perf record -e task-clock:u` names, in the same shares.

SAMPLED_NAMES=full runs real programs for seconds each; else only one. Needs perf.
"""

import collections
import glob
import math
import os
import re
import shutil
import subprocess
import sys
import unittest

from harness import EndToEndTest, clean_environment, program, run

FULL = os.environ.get("SAMPLED_NAMES") == "full"

PYTHON_CODE = """
import json, re
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
rows = [{"a": i, "b": str(i) * 3, "c": [i] * 5} for i in range(2000)]
for i in range(400):
    json.loads(json.dumps(rows)); re.findall(r"(\\d+)\\1", json.dumps(rows)); sorted(rows, key=lambda r: r["b"])
fib(30)
"""
SQL = """
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500000)
  insert into t select i, hex(i * 7919), i * 1.5 from n;
create index tb on t(b);
select count(*), sum(c) from t where b like '%3A%';
select substr(b, 1, 2), count(*), avg(c) from t group by 1 order by 2 desc limit 5;
"""
NODE_CODE = """
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
let o = []; for (let i = 0; i < 900000; i++) o.push({a: i, b: '' + i});
let s = JSON.stringify(o); JSON.parse(s); o.sort((x, y) => x.b < y.b ? -1 : 1);
console.log(fib(38), s.length);
"""


def plain(name):
    """Aliases, clones, versions and how return types are written aside."""
    name = re.sub(r"(@@?[A-Z_0-9.]+)|(\.(part|constprop|isra|cold|lto_priv)(\.\d+)*)", "", name)
    name = re.sub(r" ?\[clone [^]]*\]", "", name)
    name = name.replace("(anonymous namespace)", "{anonymous}")
    kept, depth = [], 0
    for character in name:
        if character in "<(":
            depth += 1
        elif character in ">)" and depth:
            depth -= 1
        elif depth == 0:
            kept.append(character)
    name = "".join(kept).strip().split(" ")[-1]
    return re.sub(r"__mem(cpy|move)_", "__memmove_", name)


class SampledNames(EndToEndTest):
    def setUp(self):
        super().setUp()
        probe = os.path.join(self.folder, "probe")
        if not shutil.which("perf") or run(["perf", "record", "-q", "-e", "task-clock:u", "-o", probe,
                                            "--", "true"]).status != 0:
            self.skipTest("perf is not installed, or refused")

    def perf_shares(self, arguments, environment=None):
        path = os.path.join(self.folder, "perf.data")
        subprocess.run(["perf", "record", "-q", "-e", "task-clock:u", "-F", "1000", "-o", path, "--",
                        *arguments], check=True, env=clean_environment(environment),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Addresses in files for what has no name, as in ours.
        report = run(["perf", "report", "-i", path, "--stdio", "-q", "--sort", "dso,sym",
                      "--percent-limit", "0"], timeout=300).stdout.decode(errors="replace")
        shares = collections.Counter()
        for line in report.splitlines():
            match = re.match(r"\s*([\d.]+)%\s+(.*?)\s+\[[.k]\]\s+(.*)", line)
            if match:
                self.add(shares, match[2], match[3], float(match[1]))
        return shares

    @staticmethod
    def add(shares, module, name, percent):
        # Functions without a name are one: how far each reaches, nobody knows.
        if re.match(r"(0x[0-9a-f]+|\[.*\])$", name):
            made = re.search(r"perf-\d+\.map|//anon|JIT", module + name)
            name = "made code" if made else os.path.basename(module)
        shares[plain(name)] += percent

    def our_shares(self, arguments, **more):
        recorded = self.record(arguments, timeout=300, **more)
        # What recording costs is not the program's.
        functions = [function for function in recorded.functions()
                     if not function["module"].endswith("libspyglass.so")]
        total = sum(function["samples"]["self"] for function in functions)
        shares = collections.Counter()
        for function in functions:
            if function["samples"]["self"]:
                self.add(shares, function["module"], function["name"],
                         function["samples"]["self"] * 100 / total)
        return shares, total

    def compare(self, what, arguments, **more):
        theirs = self.perf_shares(arguments, **more)
        ours, samples = self.our_shares(arguments, **more)
        top_theirs = [name for name, _ in theirs.most_common(10)]
        top_ours = [name for name, _ in ours.most_common(10)]
        overlap = len(set(top_theirs) & set(top_ours))
        table = [(name, theirs[name], round(ours[name], 1)) for name in top_theirs]
        worst = max(abs(theirs[name] - ours[name]) for name in top_theirs)
        print(f"{what}: {overlap} of {len(top_theirs)} names, shares within {worst:.1f} points",
              file=sys.stderr)
        # Of functions with equal shares any may be the tenth.
        needed = min(8, len(top_theirs))
        close = sum(name in top_ours or theirs[name] - ours[name] < 0.7 for name in top_theirs)
        self.assertGreaterEqual(close, needed, (table, ours.most_common(10)))
        for name in top_theirs:
            share = theirs[name] / 100
            # Both are samples: their difference alone has this standard deviation.
            sigma = 100 * math.sqrt(share * (1 - share) * 2 / samples)
            self.assertLess(abs(theirs[name] - ours[name]), max(3, 3.5 * sigma), table)

    def test_known_program(self):
        self.compare("cpu_shares", [program("cpu_shares"), "25000"])

    @unittest.skipUnless(FULL, "SAMPLED_NAMES=full")
    def test_real_programs(self):
        source = os.path.join(self.folder, "large.cc")
        with open(source, "w", encoding="ascii") as file:
            file.write("#include <algorithm>\n#include <map>\n#include <regex>\n#include <string>\n")
            for i in range(60):
                file.write(f"int f{i}(std::map<std::string, int>& m) {{ std::regex r(\"a{i}*\"); "
                           f"return std::regex_match(\"aaa\", r) + m[\"x{i}\"]; }}\n")
        data = os.path.join(self.folder, "data")
        with open(data, "w", encoding="ascii") as file:
            file.writelines(f"{i}\n" for i in range(1200000))
        node = os.path.join(self.folder, "program.js")
        with open(node, "w", encoding="ascii") as file:
            file.write(NODE_CODE)
        sql = os.path.join(self.folder, "program.sql")
        with open(sql, "w", encoding="ascii") as file:
            file.write(SQL)
        # Without debug information, so that inlined functions are not told apart, as in perf's.
        python = os.path.join(self.folder, "python3")
        for whole in [os.path.realpath(sys.executable),
                      *glob.glob(os.path.join(sys.prefix, "lib", "libpython*.so*"))]:
            copy = python if whole == os.path.realpath(sys.executable) else \
                os.path.join(self.folder, os.path.basename(whole))
            run(["strip", "--strip-debug", "-o", copy, whole])
        more = {"environment": {"PYTHONHOME": sys.prefix, "LD_LIBRARY_PATH": self.folder}}
        for what, arguments in [
                ("python3", [python, "-c", PYTHON_CODE]),
                ("sqlite3", ["sqlite3", ":memory:", f".read {sql}"]),
                ("g++", ["g++", "-O2", "-c", source, "-o", os.path.join(self.folder, "large.o")]),
                ("openssl", ["openssl", "speed", "-seconds", "1", "-bytes", "1024", "sha256",
                             "aes-256-cbc"]),
                ("xz", ["xz", "-k", "-c", "-6", data]),
                ("node", ["node", "--single-threaded", node])]:
            with self.subTest(what):
                if not shutil.which(arguments[0]):
                    self.skipTest(f"{what} is not installed")
                self.compare(what, arguments, **(more if what == "python3" else {}))


if __name__ == "__main__":
    unittest.main()
