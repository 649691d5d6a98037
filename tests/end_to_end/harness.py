# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: run a program bare, counted and recorded, and read the result.

SPYGLASS_BIN_DIR   folder of spyglass and spyglass-run
PROGRAMS_DIR       folder of the programs from tests/programs
CALLCOUNT_LIBRARY  libcallcount.so; default: ../support next to PROGRAMS_DIR
"""

import collections
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import call_count

# As a terminal starts programs: a shell ignores these in what it puts into the background, and nohup
# one of them.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

BIN_DIR = os.environ.get("SPYGLASS_BIN_DIR", "")
PROGRAMS_DIR = os.environ.get("PROGRAMS_DIR", "")
CALLCOUNT_LIBRARY = os.environ.get(
    "CALLCOUNT_LIBRARY", os.path.join(PROGRAMS_DIR, "..", "support", "libcallcount.so"))
SPYGLASS = os.path.join(BIN_DIR, "spyglass")
SPYGLASS_RUN = os.path.join(BIN_DIR, "spyglass-run")
LIBRARY = os.path.join(BIN_DIR, "..", "lib", "spyglass", "libspyglass.so")

# A hang is a failure, never a test that lasts for ever.
WATCHDOG_SECONDS = float(os.environ.get("WATCHDOG_SECONDS", "60"))

# Where a test compares calls of hooks with spans or totals, nothing else is to be in the recording.
HOOKS_ONLY = ["--operations=none", "--frequency=0", "--memory=off"]

Finished = collections.namedtuple("Finished", "status stdout stderr")


def program(name):
    """Path of a test program; skips the test when it was not built (no clang, say)."""
    path = os.path.join(PROGRAMS_DIR, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name} was not built")
    return path


def clean_environment(extra=None):
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("SPYGLASS_") and key != "LD_PRELOAD"}
    environment.update(extra or {})
    return environment


def run(arguments, stdin=b"", environment=None, timeout=None, **more):
    """Runs to the end. A status below 0 is the signal that killed it."""
    done = subprocess.run(arguments, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=clean_environment(environment), timeout=timeout or WATCHDOG_SECONDS,
                          **more)
    return Finished(done.returncode, done.stdout, done.stderr)


def base_name(name):
    """`shop::Index<std::string, int>::add(int)` -> `shop::Index::add`: what all naming styles share."""
    name = re.sub(r"\.(part|constprop|isra|cold|lto_priv)(\.\d+)*", "", name)
    name = name.replace("(anonymous namespace)", "{anonymous}")
    name = name.replace("operator()", "operator{call}").replace("operator<", "operator{less}")
    kept, depth = [], 0
    for character in name:
        if character == "<":
            depth += 1
        elif character == ">" and depth:
            depth -= 1
        elif depth == 0:
            if character == "(":
                break
            kept.append(character)
    words = "".join(kept).replace("[abi:cxx11]", "").strip().split(" ")
    return words[-1].replace("{anonymous}::", "") if words else ""


def is_operation(function):
    """An interposed function belongs to no module and has no symbol."""
    first = function["name"][:1]
    return not function["module"] and not function["symbol"] and (first.islower() or first == "_")


with open(os.path.join(os.path.dirname(__file__), "../../format/operations.inc"),
          encoding="ascii") as operations_list:
    OPERATIONS = set(re.findall(r"^SPYGLASS_OPERATION\((\w+),", operations_list.read(), re.MULTILINE))


class Recording:
    """A .sgz file and what `spyglass` says of it."""

    def __init__(self, path, finished):
        self.path = path
        self.status, self.stdout, self.stderr = finished
        self._analysis = None

    def analysis(self):
        if self._analysis is None:
            self._analysis = analyze(self.path)
        return self._analysis

    def functions(self):
        return self.analysis()["functions"]

    def function(self, name):
        found = [f for f in self.functions() if base_name(f["name"]) == name]
        if len(found) != 1:
            names = sorted(f["name"] for f in self.functions())
            raise AssertionError(f"{len(found)} functions are called {name}; there are {names}")
        return found[0]

    def calls(self):
        """Calls of functions with hooks by plain name, over all modules."""
        counts = collections.Counter()
        for function in self.functions():
            if function["calls"] and not is_operation(function):
                counts[base_name(function["name"])] += function["calls"]
        return counts

    def operation_calls(self):
        """Calls of interposed functions by name."""
        return {function["name"]: function["calls"] for function in self.functions()
                if function["calls"] and is_operation(function)}

    def lost(self):
        """Real losses; repaired frames and the like are only notes."""
        return [loss for loss in self.analysis()["losses"] if loss["count"] and loss["lost"]]

    def spans(self):
        done = run([SPYGLASS, "dump", "--json", self.path])
        if done.status != 0:
            raise AssertionError(f"spyglass dump: exit {done.status}: {done.stderr.decode()}")
        events = [json.loads(line) for line in done.stdout.splitlines() if line]
        return [event for event in events if event["kind"] == "span"]


def analyze(path, *options):
    done = run([SPYGLASS, "analyze", "--json", *options, path])
    if done.status != 0:
        raise AssertionError(f"spyglass analyze: exit {done.status}: {done.stderr.decode()}")
    return json.loads(done.stdout)


class EndToEndTest(unittest.TestCase):
    """Gives each test a folder of its own, removed when it passed."""

    maxDiff = None

    def setUp(self):
        if not os.access(SPYGLASS_RUN, os.X_OK):
            self.fail(f"SPYGLASS_BIN_DIR: there is no {SPYGLASS_RUN}")
        self.folder = tempfile.mkdtemp(prefix="spyglass-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.recordings = 0

    def new_path(self, suffix=".sgz"):
        self.recordings += 1
        return os.path.join(self.folder, f"{self.recordings}{suffix}")

    def record(self, arguments, *options, stdin=b"", environment=None, timeout=None, **more):
        path = self.new_path()
        command = [SPYGLASS_RUN, "-q", "-o", path, *options, "--", *arguments]
        finished = run(command, stdin, environment, timeout, **more)
        self.assertTrue(os.path.exists(path),
                        f"no recording; exit {finished.status}: {finished.stderr.decode()}")
        return Recording(path, finished)

    def count(self, arguments, **more):
        """Counts by libcallcount: (Counter by function, sorted list of totals per process)."""
        folder = self.new_path(".counts")
        os.mkdir(folder)
        environment = dict(more.pop("environment", None) or {}, LD_PRELOAD=CALLCOUNT_LIBRARY,
                           CALLCOUNT_OUTPUT=folder)
        run(arguments, environment=environment, **more)
        return call_count.read_folder(folder, base_name)

    def verify(self, path, status=0):
        done = run([SPYGLASS, "verify", path])
        self.assertEqual(done.status, status, done.stdout.decode() + done.stderr.decode())
        return done

    def assert_transparent(self, arguments, *options, stdin=b"", **more):
        """The program behaves the same bare and recorded; the recording is whole."""
        bare = run(arguments, stdin, **more)
        recorded = self.record(arguments, *options, stdin=stdin, **more)
        self.assertEqual(recorded.status, bare.status)
        self.assertEqual(recorded.stdout, bare.stdout)
        self.assertEqual(recorded.stderr, bare.stderr)
        self.verify(recorded.path)
        return recorded

    def assert_exact_counts(self, arguments, *options, **more):
        recorded = self.assert_transparent(arguments, *options, **more)
        expected, process_totals = self.count(arguments, **more)
        self.assertEqual(dict(recorded.calls()), dict(expected))
        per_process = collections.Counter()
        for thread in recorded.analysis()["threads"]:
            per_process[thread["pid"]] += thread["calls"]
        hooked = sum(per_process.values()) - sum(recorded.operation_calls().values())
        self.assertEqual(hooked, sum(process_totals))
        return recorded
