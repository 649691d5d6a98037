# SPDX-License-Identifier: Apache-2.0
"""Runs commands in turn, measures them, and computes medians of paired ratios.

The machine may be shared. So every comparison is made inside one round (A B C, A B C, ...), the
order rotates from round to round, and a ratio is the median of the rounds' ratios, not the ratio of
two medians. Single-threaded costs are CPU time of the program itself, which being preempted by a
stranger does not change.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time


class Run:
    """One execution: what wait4 said, and what the program said about itself."""

    def __init__(self, wall_s, usage, status, stdout, own):
        self.wall_s = wall_s
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_rss_bytes = usage.ru_maxrss * 1024
        self.status = status
        self.stdout = stdout
        self.own_wall_s, self.own_cpu_s, self.own_rss_bytes = own


class BenchError(Exception):
    pass


def run(command, env=None, core=None, realtime=False, check=True):
    """Executes `command`; `core` pins a program that includes self_timing.h."""
    environment = dict(os.environ)
    environment.update(env or {})
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        times_path = os.path.join(scratch, "times")
        environment["BENCH_TIMES_FILE"] = times_path
        if core is not None:
            environment["BENCH_CORE"] = str(core)
        with open(os.path.join(scratch, "out"), "w+b") as out, \
                open(os.path.join(scratch, "err"), "w+b") as err:
            raise_priority = (lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))) \
                if realtime else None
            begin = time.perf_counter()
            child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                     stdout=out, stderr=err, preexec_fn=raise_priority)
            _, status, usage = os.wait4(child.pid, 0)
            wall_s = time.perf_counter() - begin
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            stdout, stderr = out.read(), err.read()
        own = (float("nan"), float("nan"), 0)
        if os.path.exists(times_path):
            with open(times_path, encoding="ascii") as file:
                wall_ns, cpu_ns, rss, _ = (int(field) for field in file.read().split())
            own = (wall_ns / 1e9, cpu_ns / 1e9, rss)
    if check and child.returncode != 0:
        raise BenchError(f"{' '.join(command)}: status {child.returncode}: "
                         f"{stderr.decode(errors='replace').strip()[-400:]}")
    return Run(wall_s, usage, child.returncode, stdout, own)


def interleave(variants, rounds):
    """Calls every function of `variants` (name -> function) `rounds` times, in rotating order."""
    names = list(variants)
    results = {name: [] for name in names}
    for index in range(rounds):
        shift = index % len(names)
        for name in names[shift:] + names[:shift]:
            results[name].append(variants[name]())
    return results


def median(values):
    return statistics.median(values)


def paired_ratio(numerators, denominators):
    """Median over rounds of numerator / denominator, each pair from one round."""
    return median([n / d for n, d in zip(numerators, denominators) if d > 0] or [float("nan")])


def spread(values):
    """Half the distance between the quartiles, as a share of the median: how noisy it was."""
    if len(values) < 2:
        return 0.0
    lower, _, upper = statistics.quantiles(values, n=4)
    return (upper - lower) / 2 / median(values)


def tree_bytes(path, suffix=""):
    """Size of a file, or of all files below a directory whose names end in `suffix`."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(folder, name))
               for folder, _, names in os.walk(path) for name in names if name.endswith(suffix))


def machine():
    """What a reader needs to judge figures from another machine."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"cpu": models[0] if models else "unknown", "cores": os.cpu_count(),
            "kernel": os.uname().release, "load": os.getloadavg()}


def print_table(title, header, rows):
    """Prints columns; the first is text, the others are right-aligned."""
    cells = [[format_cell(cell) for cell in row] for row in [header] + rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        print("  " + row[0].ljust(widths[0]) + "".join(
            "  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:])))


def format_cell(cell):
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    if cell != cell:
        return "-"
    return f"{cell:.3f}" if abs(cell) < 1 else f"{cell:.2f}" if abs(cell) < 100 else f"{cell:.0f}"


def write_json(path, results):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
