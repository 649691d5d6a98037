#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the racy programs again and again, oversubscribed and with small rings.

usage: torture.py BUILD_DIR [--rounds N] [--parallel N] [--seed N]

Prints the command of every failure; N clean rounds bound the failure rate below 3/N at 95 %.
"""

import argparse
import concurrent.futures
import os
import random
import subprocess
import sys
import tempfile

PROGRAMS = [["threads", "16", "2000"], ["exceptions", "3"], ["fork", "8"], ["raw_clone_fork"],
            ["vfork_exec"], ["posix_spawn"], ["exec_chain", "5"], ["dlopen", "10"],
            ["longjmp", "5"], ["pthread_exit"], ["pthread_cancel"], ["thread_exit", "10"],
            ["signals", "50"], ["swapcontext", "200"], ["exit_variants", "exit_in_thread"],
            ["exit_variants", "detached"], ["exit_variants", "quick_exit"], ["constructors"],
            ["many_threads", "200"], ["short_threads", "500"], ["many_processes", "50"]]
OPTIONS = [[], ["--trace=all"], ["--trace=all", "--on-full=block"],
           ["--trace=all", "--on-full=drop-oldest"]]
RINGS = ["4K", "64K", "1M"]


def finish(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def one_round(build, bare, chooser_seed, folder, number):
    """Empty when all went well, else what did not."""
    chooser = random.Random(chooser_seed)
    case = chooser.choice(PROGRAMS)
    program = [os.path.join(build, "tests", "programs", case[0]), *case[1:]]
    path = os.path.join(folder, f"{number}.sgz")
    command = [os.path.join(build, "bin", "spyglass-run"), "-q", "-o", path,
               *chooser.choice(OPTIONS), f"--ring-size={chooser.choice(RINGS)}", "--", *program]
    try:
        result = finish(command)
        if result != bare[tuple(case)]:
            return f"{' '.join(command)}: {result} instead of {bare[tuple(case)]}"
        verify = finish([os.path.join(build, "bin", "spyglass"), "verify", path])
        if verify[0] != 0:
            return f"{' '.join(command)}: verify says {verify}"
        os.unlink(path)
    except (subprocess.TimeoutExpired, OSError) as error:
        return f"{' '.join(command)}: {error}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--parallel", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    bare = {tuple(case): finish([os.path.join(build, "tests", "programs", case[0]), *case[1:]])
            for case in PROGRAMS}
    failures = 0
    with tempfile.TemporaryDirectory(prefix="spyglass-torture-") as folder:
        with concurrent.futures.ThreadPoolExecutor(options.parallel) as pool:
            rounds = [pool.submit(one_round, build, bare, options.seed + number, folder, number)
                      for number in range(options.rounds)]
            for done in concurrent.futures.as_completed(rounds):
                if done.result():
                    failures += 1
                    print(done.result(), flush=True)
    print(f"{options.rounds} rounds, seed {options.seed}, {options.parallel} at a time: "
          f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
