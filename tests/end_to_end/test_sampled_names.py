#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The functions that samples name are those that `perf record -e task-clock:u` names, in the same shares.

SAMPLED_NAMES=full runs real programs for seconds each; else only one. Needs perf.
"""

import bisect
import collections
import glob
import math
import os
import random
import re
import shutil
import subprocess
import sys
import unittest

from harness import EndToEndTest, Recording, SPYGLASS_RUN, clean_environment, program, run
from servers import free_port, installed, nginx_command, wait_for_port

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

GIT_WORK = """
set -e
rm -rf copy
git clone -q --no-local origin copy
git -C copy gc -q --aggressive
git -C copy fsck --full --no-progress
"""


def git_history(commits, files):
    """A stream for `git fast-import`: texts that change in a line or two, as sources do."""
    chance = random.Random(5)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz_", k=chance.randint(3, 12)))
             for _ in range(3000)]
    texts = [[" ".join(chance.choices(words, k=8)) for _ in range(400)] for _ in range(files)]
    for number in range(commits):
        changed = range(files) if number == 0 else chance.sample(range(files), 3)
        lines = [f"commit refs/heads/main\ncommitter a <a@b> {1700000000 + number} +0000\n"
                 "data 2\nc\n"]
        for file in changed:
            for _ in range(5):
                texts[file][chance.randrange(400)] = " ".join(chance.choices(words, k=8))
            text = "\n".join(texts[file]) + "\n"
            lines.append(f"M 100644 inline src/f{file}\ndata {len(text)}\n{text}\n")
        yield "".join(lines).encode()


class Server:
    """A command that serves, the load that it gets, the command that ends it, samples per second."""

    def __init__(self, arguments, port, load, stop, rate=1000):
        self.arguments, self.port, self.load, self.stop = arguments, port, load, stop
        self.rate = rate

    def run_under(self, command):
        server = subprocess.Popen([*command, *self.arguments], env=clean_environment(),
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(self.port)
            subprocess.run(self.load, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=300)
        finally:
            subprocess.run(self.stop, check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, timeout=60)
        return server.wait(60)


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
    name = re.sub(r"__mem(cpy|move)_", "__memmove_", name)
    # libc has its functions under several names.
    return re.sub(r"^(__GI_)?(__libc_)?|64$", "", name).lstrip("_")


class SampledNames(EndToEndTest):
    frames = {}  # name of a module -> [(start, end) of functions]
    segments = {}  # name of a module -> [(offset, address, length)]

    def setUp(self):
        super().setUp()
        probe = os.path.join(self.folder, "probe")
        if not shutil.which("perf") or run(["perf", "record", "-q", "-e", "task-clock:u", "-o", probe,
                                            "--", "true"]).status != 0:
            self.skipTest("perf is not installed, or refused")

    def perf_rows(self, work, environment=None, cwd=None, options=()):
        """(module, name or address, percent) of each function. `options`: ours."""
        path = os.path.join(self.folder, "perf.data")
        command = ["perf", "record", "-q", "-e", "task-clock:u", "-F",
                   str(getattr(work, "rate", 1000)), "-o", path, "--"]
        if isinstance(work, Server):
            self.assertEqual(work.run_under(command), 0)
        else:
            subprocess.run([*command, *work], check=True, env=clean_environment(environment),
                           cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Addresses in files for what has no name, as in ours.
        report = run(["perf", "report", "-i", path, "--stdio", "-q", "--sort", "dso,sym",
                      "--percent-limit", "0"], timeout=300).stdout.decode(errors="replace")
        rows = [re.match(r"\s*([\d.]+)%\s+(.*?)\s+\[[.k]\]\s+(.*)", line)
                for line in report.splitlines()]
        return [(row[2], row[3], float(row[1])) for row in rows if row]

    def shares_of(self, rows):
        """Requires: our recording was read, which says where the modules are."""
        shares = collections.Counter()
        for module, name, percent in rows:
            if re.match(r"0x[0-9a-f]+$", name):
                name = f"{self.address_of(module, int(name, 16)):#x}"
            self.add(shares, module, name, percent)
        return shares

    @classmethod
    def address_of(cls, module, offset):
        """What has no name, perf shows by its offset in the file."""
        for start, address, length in cls.segments.get(module, []):
            if start <= offset < start + length:
                return offset - start + address
        return offset

    @classmethod
    def add(cls, shares, module, name, percent):
        address = re.match(r"(?:.*\+)?0x([0-9a-f]+)$", name)
        if address or re.match(r"\[.*\]$", name):
            made = re.search(r"perf-\d+\.map|//anon|JIT", module + name)
            start = address and not made and cls.function_start(module, int(address[1], 16))
            name = "made code" if made else os.path.basename(module)
            if start:
                shares[f"{name}+{start:#x}"] += percent
                return
        shares[plain(name)] += percent

    @classmethod
    def function_start(cls, module, address):
        """Of a function without a name, as the frames' descriptions tell; None: they don't."""
        name = os.path.basename(module)  # perf says no more
        if name not in cls.frames:
            if not os.path.isfile(module):
                return None
            text = run(["readelf", "-wf", module]).stdout.decode(errors="replace")
            cls.segments[name] = [
                tuple(int(number, 16) for number in numbers) for numbers
                in re.findall(r"LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)",
                              run(["readelf", "-lW", module]).stdout.decode())]
            cls.frames[name] = sorted(
                (int(start, 16), int(end, 16)) for start, end
                in re.findall(r" FDE .*pc=([0-9a-f]+)\.\.([0-9a-f]+)$", text, re.MULTILINE))
        place = bisect.bisect_right(cls.frames[name], (address, 1 << 64)) - 1
        start, end = cls.frames[name][place] if place >= 0 else (0, 0)
        return start if start <= address < end else None

    def our_recording(self, work, options=(), **more):
        if not isinstance(work, Server):
            return self.record(work, *options, timeout=300, **more)
        path = self.new_path()
        command = [SPYGLASS_RUN, "-q", "-F", str(work.rate), *options, "-o", path, "--"]
        self.assertEqual(work.run_under(command), 0)
        return Recording(path, (0, b"", b""))

    def our_shares(self, work, **more):
        recorded = self.our_recording(work, **more)
        functions = [function for function in recorded.functions()
                     if function["name"] != "[recording by Spyglass]"]  # perf's run has none
        total = sum(function["samples"]["self"] for function in functions)
        shares = collections.Counter()
        for function in functions:
            if function["samples"]["self"]:
                self.add(shares, function["module"], function["name"],
                         function["samples"]["self"] * 100 / total)
        return shares, total

    @staticmethod
    def mean(runs):
        total = collections.Counter()
        for run_ in runs:
            total.update(run_)
        return collections.Counter({name: share / len(runs) for name, share in total.items()})

    def compare(self, what, work, turns=1, **more):
        """`work`: arguments of a program, or a Server.

        perf looks before and after each of our `turns`, whose mean is taken: what differs from run
        to run is not held against us.
        """
        rows, ours, samples = [self.perf_rows(work, **more)], [], 0
        for _ in range(turns):
            shares, count = self.our_shares(work, **more)
            ours.append(shares)
            samples += count
            rows.append(self.perf_rows(work, **more))
        self.check_shares(what, [self.shares_of(one) for one in rows], self.mean(ours), samples)

    def check_shares(self, what, runs, ours, samples):
        theirs = self.mean(runs)
        top_ours = [name for name, _ in ours.most_common(10)]
        rows = []
        for name, share in theirs.most_common(10):
            low, high = min(one[name] for one in runs), max(one[name] for one in runs)
            apart = max(low - ours[name], ours[name] - high, 0)
            # All are samples: their difference alone has this standard deviation.
            sigma = 100 * math.sqrt(share / 100 * (1 - share / 100) * 2 / samples)
            # Of functions with equal shares any may be the tenth.
            found = name in top_ours or low - ours[name] < 0.7
            rows.append((name, round(low, 2), round(high, 2), round(ours[name], 2), apart,
                         apart < max(3, 3.5 * sigma), found))
        overlap = sum(row[0] in top_ours for row in rows)
        worst = max(apart for *_, apart, _, _ in rows)
        between = max(high - low for _, low, high, *_ in rows)
        print(f"{what}: {overlap} of {len(rows)} names, shares within {worst:.1f} points of perf's "
              f"{len(runs)} runs, which are {between:.1f} apart, {samples} samples", file=sys.stderr)
        self.assertTrue(all(close for *_, close, _ in rows), rows)
        self.assertGreaterEqual(sum(found for *_, found in rows), min(8, len(rows)), (rows, top_ours))

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
        more = {"python3": {"environment": {"PYTHONHOME": sys.prefix,
                                            "LD_LIBRARY_PATH": self.folder}},
                # Its parts end by the clock: recording allocations would take from one of them.
                "openssl": {"options": ["--memory=off"]}}
        for what, arguments in [
                ("python3", [python, "-c", PYTHON_CODE]),
                ("sqlite3", ["sqlite3", ":memory:", f".read {sql}"]),
                ("g++", ["g++", "-O2", "-c", source, "-o", os.path.join(self.folder, "large.o")]),
                ("openssl", ["openssl", "speed", "-seconds", "4", "-bytes", "1024", "sha256",
                             "aes-256-cbc"]),
                ("xz", ["xz", "-k", "-c", "-6", data]),
                ("node", ["node", "--single-threaded", node])]:
            with self.subTest(what):
                if not shutil.which(arguments[0]):
                    self.skipTest(f"{what} is not installed")
                self.compare(what, arguments, **more.get(what, {}))

    @unittest.skipUnless(FULL, "SAMPLED_NAMES=full")
    def test_redis(self):
        port = free_port()
        redis, client = installed("redis-server"), installed("redis-cli")
        load = [installed("redis-benchmark"), "-p", str(port), "-q", "-n", "300000", "-P", "16",
                "-r", "100000", "-t", "set,get,incr,lpush,sadd,hset,zadd,lrange_100"]
        self.compare("redis-server", Server(
            [redis, "--port", str(port), "--save", "", "--dir", self.folder], port, load,
            [client, "-p", str(port), "shutdown", "nosave"]),
            # Some 10 million allocations: recording them takes of the caches that its tables live
            # in, and dictFind() has four points more. How long lists get is a matter of chance.
            options=["--memory=off"], turns=3)

    @unittest.skipUnless(FULL, "SAMPLED_NAMES=full")
    def test_nginx(self):
        port = free_port()
        command = nginx_command(self.new_path(".www"), port, workers=1)
        load = [installed("ab"), "-q", "-k", "-n", "600000", "-c", "8",
                f"http://127.0.0.1:{port}/page"]
        # In the kernel most of the time, and many functions with a few per cent of the rest each.
        self.compare("nginx", Server(command, port, load, [*command, "-s", "quit"], rate=4000))

    @unittest.skipUnless(FULL, "SAMPLED_NAMES=full")
    def test_git(self):
        installed("git")
        folder = self.new_path(".git")
        environment = {"HOME": folder, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "pack.threads",
                       "GIT_CONFIG_VALUE_0": "1"}
        origin = os.path.join(folder, "origin")
        run(["git", "init", "-q", "--bare", "-b", "main", origin])
        done = run(["git", "-C", origin, "fast-import", "--quiet"],
                   b"".join(git_history(commits=1500, files=60)), timeout=300)
        self.assertEqual(done.status, 0, done.stderr)
        self.compare("git", ["bash", "-c", GIT_WORK], environment=environment, cwd=folder)


if __name__ == "__main__":
    unittest.main()
