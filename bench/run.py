#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Spyglass against the floor, against uftrace, and against its budgets.

usage: bench/run.py [SECTION...]        sections: hooks startup analyze memory sqlite codec unwind sampling waits exceptions allocations (all)

Prints one table per section and writes everything, round by round, to <build>/results.json.
bench/README.md explains the method; docs/performance.md holds the current figures.
"""

import argparse
import os
import shutil
import subprocess
import sys

import harness
import section_allocations
import section_analyze
import section_exceptions
import section_hooks
import section_memory
import section_memory_analysis
import section_sampling
import section_startup
import section_unwind
import section_waits

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

SECTIONS = {
    "hooks": section_hooks.run_hooks,
    "startup": section_startup.run_startup,
    "analyze": section_analyze.run_analyze,
    "memory": section_memory.run_memory,
    "memory_analysis": section_memory_analysis.run_memory_analysis,
    "sqlite": section_hooks.run_sqlite,
    "codec": section_analyze.run_codec,
    "unwind": section_unwind.run_unwind,
    "sampling": section_sampling.run_sampling,
    "waits": section_waits.run_waits,
    "exceptions": section_exceptions.run_exceptions,
    "allocations": section_allocations.run_allocations,
}


class Context:
    """Where things are and how often to run them; handed to every section."""

    def __init__(self, arguments):
        self.build = os.path.abspath(arguments.build)
        self.spyglass_run = find_tool(arguments.tools, "spyglass-run")
        self.spyglass = find_tool(arguments.tools, "spyglass")
        self.codec_bench = find_tool(arguments.tools, "codec_bench")
        self.heap_recording = find_tool(arguments.tools, "heap_recording")
        self.unwind_bench = find_tool(arguments.tools, "unwind_bench")
        self.peers = not arguments.no_peers
        self.uftrace = None if arguments.no_peers else shutil.which("uftrace")
        self.rounds = arguments.rounds
        self.core = arguments.core
        self.realtime = arguments.realtime
        self.programs = arguments.programs.split(",")
        self.scale = arguments.scale
        self.large_bytes = int(arguments.large_mb * 1e6)
        self.scratch = os.path.join(self.build, "scratch")
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)

    def program(self, name):
        return os.path.join(self.build, name)

    def scratch_path(self, name):
        return os.path.join(self.scratch, name)

    def measure(self, command, env=None, pin=False, check=True):
        return harness.run(command, env, self.core if pin else None, self.realtime, check)


def find_tool(folder, name):
    path = os.path.join(folder, name)
    return path if os.access(path, os.X_OK) else None


def build_programs(build):
    """Builds programs and hook libraries; configures the build directory when it is new."""
    if not os.path.exists(os.path.join(build, "build.ninja")):
        subprocess.run(["cmake", "-S", os.path.join(ROOT, "bench"), "-B", build, "-G", "Ninja"],
                       check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", build, "bench_programs"], check=True,
                   stdout=subprocess.DEVNULL)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=f"one or more of: {' '.join(SECTIONS)} (default: all)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "bench"),
                        help="where programs and results go (default: build/bench)")
    parser.add_argument("--tools", default=os.path.join(ROOT, "build", "release", "bin"),
                        help="folder of spyglass and spyglass-run (default: build/release/bin)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=os.cpu_count() - 1,
                        help="core that one-threaded programs are pinned to")
    parser.add_argument("--realtime", action="store_true",
                        help="run what is measured before all else (SCHED_FIFO; needs root)")
    parser.add_argument("--programs", default=",".join(section_hooks.PROGRAMS),
                        help="programs of section hooks, separated by commas")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="work of the measured programs, relative to the default")
    parser.add_argument("--large-mb", type=float, default=2000,
                        help="size of the large recording in section analyze")
    parser.add_argument("--no-peers", action="store_true", help="leave uftrace, perf, gperftools, heaptrack and jemalloc out")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        sys.exit(f"bench: no section '{unknown[0]}'; there are: {' '.join(SECTIONS)}")
    if not arguments.no_build:
        build_programs(arguments.build)
    context = Context(arguments)
    results = {"machine_before": harness.machine(), "rounds": context.rounds}
    for name in arguments.sections or SECTIONS:
        try:
            results[name] = SECTIONS[name](context)
        except harness.BenchError as error:
            print(f"\nbench: section {name} stopped: {error}", file=sys.stderr)
            results[name] = {"error": str(error)}
    results["machine_after"] = harness.machine()
    path = os.path.join(context.build, "results.json")
    harness.write_json(path, results)
    shutil.rmtree(context.scratch, ignore_errors=True)
    print(f"\nall rounds: {path}")
    return 1 if any("error" in results.get(name, {}) for name in SECTIONS) else 0


if __name__ == "__main__":
    sys.exit(main())
