# SPDX-License-Identifier: Apache-2.0
"""Programs that nobody here wrote do the same under spyglass-run: status, output, files.

REAL_PROGRAMS=full runs each at full size; a program that is not installed is skipped.
"""

import filecmp
import os
import shutil
import signal
import socket
import subprocess
import unittest

import memory
from harness import EndToEndTest, Recording, SPYGLASS_RUN, clean_environment, run
from servers import free_port, installed, nginx_command, wait_for_port

FULL = os.environ.get("REAL_PROGRAMS") == "full"
SECONDS = 300 if FULL else 120

PYTHON_CPU = """
import hashlib
def collatz(n):
    steps = 0
    while n != 1:
        n = n // 2 if n %% 2 == 0 else 3 * n + 1
        steps += 1
    return steps
print(max(collatz(n) for n in range(1, %d)))
print(hashlib.sha256(b'x' * 1000000).hexdigest())
"""

# What benchmarks of interpreters do: objects of all sizes, text, trees, sorting. Full: half a minute.
PYTHON_OBJECTS = """
import json, random, re
class Node:
    __slots__ = ('left', 'right', 'key')
    def __init__(self, key):
        self.key, self.left, self.right = key, None, None
def insert(root, key):
    while True:
        side = 'left' if key < root.key else 'right'
        below = getattr(root, side)
        if below is None:
            return setattr(root, side, Node(key))
        root = below
random.seed(7)
result = 0
for turn in range(%d):
    root = Node(0.5)
    for _ in range(3000):
        insert(root, random.random())
    rows = [dict(id=i, name=str(i) * 3, tags=[i, i + 1]) for i in range(2000)]
    text = json.dumps(json.loads(json.dumps(rows)), indent=turn %% 3)
    result += len(re.sub('[0-9]+', lambda m: m[0][::-1], text))
    result += len(b''.join(sorted(bytes([i %% 256]) * (i %% 300) for i in range(3000))))
print(result)
"""

PYTHON_IO = """
import os, subprocess, threading
for i in range(%d):
    with open(f'file{i}', 'w') as out:
        out.write(f'{i}\\n' * 1000)
def total(first):
    return sum(len(open(f'file{i}').read()) for i in range(first, %d, 4))
threads = [threading.Thread(target=lambda k=k: sums.__setitem__(k, total(k))) for k in range(4)]
sums = {}
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(sums.items()))
print(subprocess.run(['cat', 'file3'], capture_output=True).stdout[:4])
os.rename('file0', 'renamed')
"""

SQL = """
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
  insert into t select i, hex(i * 7919) from n;
create index ib on t(b);
select count(*), sum(a), max(b) from t;
select count(*) from t x join t y on x.b = y.b;
"""

GIT = """
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z' HOME=$PWD
# With more threads, which deltas a pack holds is a matter of chance.
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=pack.threads GIT_CONFIG_VALUE_0=1
git init -q -b main origin
for i in $(seq 1 %d); do echo "$i" > origin/f$i; git -C origin add f$i; git -C origin commit -qm "c$i"; done
git clone -q origin copy
git -C copy gc -q
git -C copy fsck --full
git -C copy rev-parse HEAD
git -C copy log --stat --oneline | tail -5
"""

NODE = """
const fs = require('fs');
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
console.log(fib(%d));
fs.writeFileSync('out', JSON.stringify([...Array(1000).keys()]));
Promise.all([...Array(20).keys()].map(i => fs.promises.readFile('out')))
  .then(all => console.log(all.reduce((sum, b) => sum + b.length, 0)));
"""


def big_c(functions):
    lines = ["int total;"]
    for i in range(functions):
        lines.append(f"int f{i}(int a, int b) {{ int s = 0; for (int i = a; i < b; i++) "
                     f"s += (i * {i + 3}) ^ (s >> {i % 7}); total += s; return s; }}")
    return "\n".join(lines) + "\n"


def size(small, full):
    return full if FULL else small


class RealPrograms(EndToEndTest):
    def assert_same(self, arguments, prepare=None, ignore=(), stdin=b""):
        """Bare and recorded runs in folders of their own leave the same behind."""
        folders = [self.new_path(".bare"), self.new_path(".recorded")]
        for folder in folders:
            os.mkdir(folder)
            if prepare:
                prepare(folder)
        bare = run(arguments, stdin, timeout=SECONDS, cwd=folders[0])
        recorded = self.record(arguments, stdin=stdin, timeout=SECONDS, cwd=folders[1])
        self.assertEqual(bare.status, 0, bare.stderr)
        self.assertEqual(recorded.status, bare.status, recorded.stderr)
        self.assertEqual(recorded.stdout, bare.stdout)
        self.assertEqual(recorded.stderr, bare.stderr)
        self.assert_same_files(*folders, ignore)
        self.verify(recorded.path)
        self.assertTrue(recorded.analysis()["processes"])
        return recorded

    def assert_same_files(self, one, other, ignore):
        compared = filecmp.dircmp(one, other, ignore=list(ignore))
        folders = [compared]
        while folders:
            folder = folders.pop()
            self.assertEqual((folder.left_only, folder.right_only), ([], []), folder.left)
            same, different, failed = filecmp.cmpfiles(folder.left, folder.right,
                                                       folder.common_files, shallow=False)
            self.assertEqual((different, failed), ([], []), folder.left)
            folders.extend(folder.subdirs.values())

    def assert_allocations_known(self, recorded, least):
        """Every allocation is there, and of the ten heaviest stacks nearly all say who asked."""
        known = recorded.analysis()["memory"]
        self.assertTrue(known["exact"], known["processes"])
        self.assertGreaterEqual(known["allocations"], least)
        stacks = sorted((stack for stack in known["stacks"] if stack["operation"] not in
                         memory.MAPPINGS), key=lambda stack: -stack["allocated_bytes"])[:10]
        chains = [memory.frames(recorded, stack) for stack in stacks]
        useful = [chain for chain in chains if len(chain) > 3 and
                  any(not name.startswith(("?", "0x")) for name in chain[1:])]
        self.assertGreaterEqual(len(useful), len(stacks) - 1, chains)

    def test_python_objects(self):
        recorded = self.assert_same([installed("python3"), "-c", PYTHON_OBJECTS % size(3, 320)])
        self.assert_allocations_known(recorded, size(20000, 2000000))

    def test_python_on_the_cpu(self):
        self.assert_same([installed("python3"), "-c", PYTHON_CPU % size(20000, 600000)])

    def test_python_with_files_and_threads(self):
        count = size(100, 3000)
        self.assert_same([installed("python3"), "-c", PYTHON_IO % (count, count)])

    def test_sqlite(self):
        recorded = self.assert_same([installed("sqlite3"), "db"],
                                    stdin=(SQL % size(20000, 1000000)).encode())
        self.assert_allocations_known(recorded, 1000)

    def test_git(self):
        installed("git")
        recorded = self.assert_same(["bash", "-c", GIT % size(10, 100)],
                                    ignore=["index", "config"])  # paths, times
        self.assert_allocations_known(recorded, 10000)

    def test_gcc(self):
        def prepare(folder):
            with open(os.path.join(folder, "big.c"), "w", encoding="ascii") as file:
                file.write(big_c(size(300, 6000)))
        recorded = self.assert_same([installed("gcc"), "-O2", "-c", "big.c", "-o", "big.o"],
                                    prepare)
        self.assert_allocations_known(recorded, size(50000, 1000000))

    def test_node(self):
        recorded = self.assert_same([installed("node"), "-e", NODE % size(25, 35)])
        self.assert_allocations_known(recorded, 10000)

    def test_openssl(self):
        def prepare(folder):
            with open(os.path.join(folder, "data"), "wb") as file:
                file.write(b"0123456789abcdef" * size(1 << 16, 1 << 22))
        openssl = installed("openssl")
        self.assert_same([openssl, "dgst", "-sha512", "data"], prepare)
        self.assert_same([openssl, "enc", "-aes-256-cbc", "-nosalt", "-pbkdf2", "-k", "k", "-in",
                          "data", "-out", "secret"], prepare)
        speed = self.record([openssl, "speed", "-seconds", "1", "-bytes", "1024", "sha256"])
        self.assertEqual(speed.status, 0)
        self.assertIn(b"sha256", speed.stdout)

    def test_bash_with_children(self):
        script = f"for i in $(seq {size(50, 500)}); do /bin/true $i || echo bad; done; echo $(ls / | wc -l)"
        recorded = self.assert_same([installed("bash"), "-c", script])
        self.assertGreaterEqual(len(recorded.analysis()["processes"]), size(50, 500))

    def test_interpreters_and_compressors(self):
        self.assert_same([installed("perl"), "-e", "my $s = 0; $s += $_ % 7 for 1..1000000; print $s"])
        self.assert_same([installed("lua5.4"), "-e",
                          "local s = 0 for i = 1, 3000000 do s = s + i % 7 end print(s)"])
        self.assert_same([installed("xz"), "-T2", "-c"], stdin=b"spyglass " * size(100000, 5000000))

    def serve(self, arguments, port, stop, work):
        """A server under spyglass-run: `work` while it listens, then `stop` it."""
        path = self.new_path()
        command = [SPYGLASS_RUN, "-q", "-o", path, "--", *arguments]
        server = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        try:
            wait_for_port(port)
            work()
            stop(server)
            output = server.communicate(timeout=SECONDS)
        finally:
            server.kill()
        self.assertEqual(server.returncode, 0, output)
        self.verify(path)
        return Recording(path, (server.returncode, *output))

    def test_redis(self):
        redis, bench = installed("redis-server"), installed("redis-benchmark")
        port = free_port()
        client = [installed("redis-cli"), "-p", str(port)]

        def work():
            done = run([bench, "-p", str(port), "-q", "-n", str(size(5000, 200000)), "-t",
                        "set,get,lpush,zadd"], timeout=SECONDS)
            self.assertEqual(done.status, 0, done.stderr)
            self.assertEqual(run([*client, "set", "k", "v"]).stdout, b"OK\n")
            self.assertEqual(run([*client, "get", "k"]).stdout, b"v\n")

        recorded = self.serve([redis, "--port", str(port), "--save", "", "--dir", self.folder], port,
                              lambda _: run([*client, "shutdown", "nosave"]), work)
        if b"jemalloc" in run(["ldd", redis]).stdout:
            self.assertIn("jemalloc", str(recorded.analysis()["coverage"]))

    def test_nginx(self):
        port = free_port()
        command = nginx_command(self.new_path(".www"), port, workers=2)

        def work():
            ab = shutil.which("ab")
            if ab:
                done = run([ab, "-q", "-n", str(size(2000, 100000)), "-c", "8",
                            f"http://127.0.0.1:{port}/page"], timeout=SECONDS)
                self.assertEqual(done.status, 0, done.stderr)
                self.assertIn(b"Failed requests:        0", done.stdout)
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET /page HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            self.assertTrue(answer.endswith(b"hello\n" * 1000))

        self.serve(command, port, lambda server: server.send_signal(signal.SIGQUIT), work)


if __name__ == "__main__":
    unittest.main()
