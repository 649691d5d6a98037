#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stacks of real programs, unwound by our rules and memo, against libunwind and backtrace().

UNWIND_REFEREE  libunwind_referee.so (tests/support/unwind_referee/)

Programs that are not installed are left out. The table of agreement goes to stdout.
"""
import collections
import glob
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

import harness

REFEREE = os.environ.get("UNWIND_REFEREE", os.path.join(
    harness.PROGRAMS_DIR, "..", "support", "libunwind_referee.so"))
FIELDS = ("stacks frames kept truncated same longer shorter different "
          "gcc_same gcc_longer gcc_shorter gcc_different").split()

C_SOURCE = """#include <math.h>
#include <stdlib.h>
#include <string.h>
#define F(n) double f##n(double x) { double s = 0; char *p = malloc(n + 1); memset(p, n, n); \\
  for (int i = 0; i < n; i++) s += sin(x * i) + p[i] * sqrt(i + x); free(p); return s; }
#define G(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7)
G(1) G(2) G(3) G(4) G(5) G(6) G(7) G(8) G(9)
"""
PYTHON = """
import json, re, xml.dom.minidom
rows = [{"a": i, "b": [str(j) for j in range(5)]} for i in range(4000)]
text = json.dumps(rows); json.loads(text)
len(re.findall("[0-9]+", text))
xml.dom.minidom.parseString("<a>" + "<b c='1'>x</b>" * 2000 + "</a>").toxml()
class Tree:
    def __init__(self, depth): self.below = [Tree(depth - 1) for _ in range(3)] if depth else []
Tree(8)
"""
SQL = """create table t(a integer primary key, b text);
with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
  insert into t select x, printf('%08x', x * 7919) from c;
create index i on t(b);
select count(*), sum(length(b)) from t where b like '%a%' group by a % 17 order by 2;
"""
NODE = """let m = new Map(); for (let i = 0; i < 50000; i++) m.set('k' + i, {a: i, b: [i, i + 1]});
JSON.stringify([...m]); require('crypto').createHash('sha256').update('x'.repeat(1e6)).digest('hex');
'abc'.repeat(10000).match(/b/g).length"""
LUA = """local t = {} for i = 1, 60000 do t[i] = {x = i, s = tostring(i)} end
table.sort(t, function(a, b) return a.s < b.s end)"""
PERL = 'my %h; for (1..20000) { $h{"k$_"} = [1..5]; } join(",", sort keys %h) =~ tr/k//;'
BASH = 'f() { local y=$1; echo ${y//x/z}; }; for i in {1..400}; do a[i]=x$i; s=$(f x$i); done'
NGINX = """daemon off; master_process off; pid pid; error_log err; events {}
http { access_log off; server { listen unix:SOCKET; location / { return 200 "hi"; } } }"""


class UnwindTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(REFEREE):
            raise unittest.SkipTest("the referee was not built (no libunwind)")

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="unwind-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "w") as file:
                file.write(content)
        return path

    def environment(self, output, every, hertz):
        os.makedirs(output, exist_ok=True)
        return {"LD_PRELOAD": REFEREE, "REFEREE_OUTPUT": output, "REFEREE_EVERY": str(every),
                "REFEREE_HZ": str(hertz), "HOME": self.folder, "LC_ALL": "C"}

    def workloads(self):
        """Name -> (command, compares at every so-manieth allocation), of what is installed."""
        source = self.path("source.c", C_SOURCE)
        with open(self.path("blob"), "wb") as blob:
            blob.write(b"".join(struct.pack("<Q", i * i * 2654435761 % 2**64) for i in range(200_000)))
        subprocess.run(["git", "init", "-q", self.path("repository")], check=False)
        for i in range(60):
            self.path(f"repository/file{i}.c", C_SOURCE + f"int v{i};\n")
        git = ["git", "-C", self.path("repository"), "-c", "user.name=a", "-c", "user.email=a@b"]
        found = {
            "python3": (["/usr/bin/python3", "-c", PYTHON], 1),
            "sqlite3": (["sqlite3", ":memory:", SQL], 5),
            "git": (git + ["add", "."], 1),
            "git commit": (git + ["commit", "-q", "-m", "all"], 1),
            "git grep": (git + ["grep", "-c", "sqrt"], 1),
            "cc1": (["gcc", "-O2", "-g", "-c", source, "-o", self.path("source.o")], 5),
            "node": (["node", "-e", NODE], 20),
            "lua": (["lua5.4", "-e", LUA], 20),
            "perl": (["perl", "-e", PERL], 10),
            "bash": (["bash", "-c", BASH], 5),
            "xz": (["xz", "-k", "-T2", "-1", self.path("blob")], 1),
            "openssl": (["openssl", "genrsa", "2048"], 2),
            "vim": (["vim", "-Nu", "NONE", "-es", "-c",
                     "for i in range(3000) | call append(0, 'line'.i) | endfor", "-c", "sort",
                     "-c", "qa!"], 10),
            "gdb": (["gdb", "-batch", "-ex", "info functions ^ma", "/bin/ls"], 5),
        }
        return {name: work for name, work in found.items() if shutil.which(work[0][0])}

    def serve(self, server, environment, ready, clients):
        """Runs `server` until the client commands are done."""
        process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env=harness.clean_environment(environment), cwd=self.folder)
        try:
            deadline = time.monotonic() + 20
            while not os.path.exists(ready) and time.monotonic() < deadline:
                time.sleep(0.02)
            for client in clients:
                subprocess.run(client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               timeout=60, check=False)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def run_servers(self, output):
        environment = self.environment(output, 3, 0)
        socket = self.path("socket")
        if shutil.which("redis-server") and shutil.which("redis-benchmark"):
            self.serve(["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
                       environment, socket,
                       [["redis-benchmark", "-s", socket, "-q", "-n", "3000", "-d", "200",
                         "-t", "set,lpush,zadd"]])
        nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if nginx and shutil.which("curl"):
            socket = self.path("nginx-socket")
            config = self.path("nginx.conf", NGINX.replace("SOCKET", socket))
            self.serve([nginx, "-p", self.folder, "-c", config],
                       self.environment(output, 1, 0), socket,
                       [["curl", "-s", "--unix-socket", socket, "http://x/[1-300]"]])

    def read(self, output):
        """Program -> counts, and the text of disagreements."""
        programs = collections.defaultdict(lambda: dict.fromkeys(FIELDS, 0))
        texts = []
        for path in glob.glob(os.path.join(output, "*")):
            with open(path, "rb") as file:
                content = file.read()
            counts = struct.unpack_from("<12Q", content)
            text_bytes, = struct.unpack_from("<I", content, 96)
            name = os.path.basename(path).rsplit(".", 1)[0]
            for field, count in zip(FIELDS, counts):
                programs[name][field] += count
            text = content[100:100 + text_bytes].rstrip(b"\0").decode(errors="replace")
            texts += [f"{name}: {text}"] if text else []
        return {name: counts for name, counts in programs.items() if counts["stacks"]}, texts

    def report(self, programs):
        print(f"\n{'program':24}{'stacks':>9}{'frames':>10}{'by memo':>9}{'cut':>6}"
              f"{'as libunwind':>14}{'as backtrace':>14}")
        total = {field: sum(counts[field] for counts in programs.values()) for field in FIELDS}
        for name, counts in [*sorted(programs.items()), ("all", total)]:
            by_gcc = sum(counts[f"gcc_{how}"] for how in ("same", "longer", "shorter", "different"))
            print(f"{name:24}{counts['stacks']:9}{counts['frames']:10}"
                  f"{counts['kept'] / max(counts['frames'], 1):9.0%}{counts['truncated']:6}"
                  f"{counts['same'] / max(counts['stacks'], 1):14.3%}"
                  f"{counts['gcc_same'] / by_gcc if by_gcc else 0:14.3%}")
        return total

    def test_stacks_at_allocations(self):
        output = self.path("counts")
        for command, every in self.workloads().values():
            done = harness.run(command, environment=self.environment(output, every, 0))
            self.assertGreaterEqual(done.status, 0, command)
        self.run_servers(output)
        programs, texts = self.read(output)
        total = self.report(programs)
        said = "\n".join(texts)[:5000]
        self.assertGreater(total["stacks"], 20_000)
        self.assertEqual(total["different"], 0, said)
        self.assertLessEqual(total["shorter"], total["stacks"] // 1000, said)
        self.assertEqual(total["gcc_different"], 0, said)

    def test_program_with_gaps_between_its_segments(self):
        output = self.path("counts")
        harness.run([harness.program("gapped_segments")],
                    environment=self.environment(output, 1, 0))
        programs, texts = self.read(output)
        total = self.report(programs)
        self.assertGreaterEqual(total["stacks"], 2000)
        self.assertEqual(total["truncated"], 0)
        self.assertEqual(total["same"], total["stacks"], "\n".join(texts)[:5000])

    def test_stacks_where_a_timer_interrupts(self):
        output = self.path("counts")
        for name, (command, _) in self.workloads().items():
            if name in ("python3", "cc1", "perl", "lua", "xz", "openssl", "sqlite3"):
                harness.run(command, environment=self.environment(output, 0, 997))
        programs, texts = self.read(output)
        total = self.report(programs)
        # Inside prologues of assembler code that our rules can't express, stacks are cut.
        self.assertLessEqual(total["different"] + total["shorter"],
                             max(2, total["stacks"] // 100), "\n".join(texts)[:5000])


class RecordedStacks(harness.EndToEndTest):
    def test_plugins_that_take_turns_at_the_same_addresses(self):
        rounds = 50
        folder = os.path.dirname(harness.program("reloaded_plugins"))
        recorded = self.assert_transparent(
            [harness.program("reloaded_plugins"), folder, str(rounds)])
        analysis = recorded.analysis()
        names = [function["name"] for function in analysis["functions"]]
        for function in ("write_in_a", "write_in_b"):
            rows = [row for row in analysis["waits"]
                    if row["operation"] == "write" and row["function"] == function]
            self.assertEqual(sum(row["calls"] for row in rows), 10 * rounds, function)
            for row in rows:
                stack = [names[index] for index in row["stack"]]
                self.assertEqual([name for name in stack if name in
                                  ("write_in_a", "write_in_b", "call_plugin", "main")],
                                 [function, "call_plugin", "main"])
                self.assertNotIn("[stack truncated]", stack)


if __name__ == "__main__":
    unittest.main()
