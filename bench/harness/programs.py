# SPDX-License-Identifier: MIT
"""Real programs under LD_PRELOAD: bench/programs/*.sh.

A script is called as `bash NAME.sh setup` once, unmeasured and without a preload, then as `bash NAME.sh run` for each
measurement, both in a directory of its own.  What `run` prints must be the same under every allocator.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile

GROUP = "Real programs"


class Program:
    native = False
    group = GROUP

    def __init__(self, path):
        self.path = path
        self.name = "program-" + os.path.splitext(os.path.basename(path))[0]
        with open(path, encoding="utf-8") as file:
            needs = re.search(r"^# needs: (.*)$", file.read(), re.M)
        self.needs = needs.group(1).split() if needs else []
        self.directory = None
        self.expected = None

    def absent(self):
        """Which of the programs that it needs are not installed; one of "a|b" is enough."""
        return [n for n in self.needs if not any(shutil.which(x) for x in n.split("|"))]


def find_programs(directory):
    """Those that can run, and (name, why) of the others."""
    ready, missing = [], []
    for file in sorted(os.listdir(directory)):
        if file.endswith(".sh"):
            program = Program(os.path.join(directory, file))
            absent = program.absent()
            if absent:
                missing.append((program.name, f"not installed: {' '.join(absent)}"))
            else:
                ready.append(program)
    return ready, missing


class Measurer:
    """Sets programs up in a scratch directory, which lives as long as this does."""

    def __init__(self, measure_binary, quick, limit):
        self.binary, self.limit = measure_binary, limit
        self.scratch = tempfile.mkdtemp(prefix="copse-bench-")
        self.environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        self.environment["BENCH_QUICK"] = "1" if quick else ""

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def set_up(self, program):
        """Returns what is wrong, or None."""
        program.directory = os.path.join(self.scratch, program.name)
        os.mkdir(program.directory)
        try:
            run = subprocess.run(["bash", program.path, "setup"], cwd=program.directory, env=self.environment,
                                 capture_output=True, text=True, timeout=self.limit)
        except subprocess.TimeoutExpired:
            return f"its setup took longer than {self.limit} s"
        return f"its setup failed: {run.stderr.strip()[-200:]}" if run.returncode else None

    def measure(self, allocator, program, _seed):
        record = {"row": program.name, "allocator": allocator.name}
        reader, writer = os.pipe()
        # A program may be linked with an allocator of its own (Debian's redis is): put the C library first for glibc.
        preload = allocator.preload or allocator.identity["file"]
        command = ["bash", "-c", f"exec 3>&{writer}; exec \"$@\"", "measure", self.binary, preload, "bash",
                   program.path, "run"]
        try:
            run = subprocess.run(command, cwd=program.directory, env=self.environment, capture_output=True,
                                 pass_fds=(writer,), timeout=self.limit)
        except subprocess.TimeoutExpired:
            os.close(reader)
            return dict(record, error=f"took longer than {self.limit} s")
        finally:
            os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as pipe:
            text = pipe.read()
        if run.returncode or not text:
            return dict(record, error=f"could not be measured: {run.stderr.decode(errors='replace')[-200:].strip()}")
        figures = json.loads(text)
        if figures["status"]:
            why = run.stderr.decode(errors="replace").strip()[-200:]
            return dict(record, error=f"ended with status {figures['status']}: {why}")
        digest = hashlib.sha256(run.stdout).hexdigest()
        if program.expected is None:
            program.expected = digest
        elif digest != program.expected:
            return dict(record, error="its output differs from that under the other allocators")
        record.update(wall=figures["wall"], cpu=figures["cpu"], peak=figures["peak"], notes={})
        record["metrics"] = {"wall": {"unit": "s", "value": figures["wall"]},
                             "peak": {"unit": "MB", "value": figures["peak"] / (1 << 20)}}
        return record
