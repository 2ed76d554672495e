# SPDX-License-Identifier: MIT
"""Runs the measurements, interleaved: each round visits each row, each row all allocators in an order of its own, each
measurement is a fresh process."""

import json
import random
import subprocess
import sys
import time


class Progress:
    """One line on stderr: rewritten on a terminal, else now and then."""

    def __init__(self, total, quiet):
        self.total, self.done, self.quiet = total, 0, quiet
        self.start = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def step(self, text):
        self.done += 1
        now = time.monotonic()
        if self.quiet or now - self.shown < (0.2 if self.terminal else 20):
            return
        self.shown = now
        left = (now - self.start) / self.done * (self.total - self.done)
        line = f"{self.done} of {self.total} measurements, {left:.0f} s left: {text}"
        if self.terminal:
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def end(self):
        if self.terminal and not self.quiet:
            print(f"\r{'':<78}\r", end="", file=sys.stderr)


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def measure(allocator, row, seed, limit):
    """One process.  Returns its record; "error" says what went wrong."""
    record = {"row": row.name, "allocator": allocator.name}
    command = [allocator.binary] + row.arguments(seed)
    try:
        run = subprocess.run(command, env=allocator.environment(), capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return dict(record, error=f"took longer than {limit} s")
    if run.returncode:
        how = f"signal {-run.returncode}" if run.returncode < 0 else f"status {run.returncode}"
        return dict(record, error=f"{how}: {last_line(run.stderr)}")
    try:
        figures = json.loads(run.stdout)
    except ValueError:
        return dict(record, error="its output is no JSON")
    for key in ("metrics", "notes", "wall", "cpu", "peak"):
        record[key] = figures[key]
    return record


def run_rounds(rounds, rows, allocators, seed, measure_one, before_row=None, quiet=False):
    """measure_one(allocator, row, seed) -> record; rows may be workloads or programs."""
    records = []
    total = rounds * sum(len(allocators_of(row, allocators)) for row in rows)
    progress = Progress(total, quiet)
    for number in range(rounds):
        draw = random.Random(seed * 1000003 + number)
        for row in rows:
            order = allocators_of(row, allocators)
            draw.shuffle(order)
            if before_row:
                before_row(row)
            for allocator in order:
                record = measure_one(allocator, row, seed + number)
                record["round"] = number
                records.append(record)
                progress.step(f"round {number + 1}, {row.name}")
    progress.end()
    return records


def allocators_of(row, allocators):
    """A real program is not compiled for the native API."""
    native = getattr(row, "native", True)
    return [a for a in allocators if native or a.peer or a.name == "copse"]
