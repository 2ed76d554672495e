# SPDX-License-Identifier: MIT
"""Reads bench/rows and bench/targets."""

import re

from harness.refusal import Refusal

# Workloads that do a given work; all others run for a given time.
FIXED = {"cold", "realloc", "fresh", "resident"}


class Row:
    def __init__(self, name, group, workload, options):
        self.name, self.group, self.workload, self.options = name, group, workload, options

    def arguments(self, seed):
        return [self.workload] + [f"{k}={v}" for k, v in self.options.items()] + [f"seed={seed}"]


def options_of(words, where):
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise Refusal(f"{where}: '{word}' is not option=value")
        options[key] = value
    return options


def parse_row(line, group, quick, where):
    usual, _, hurried = line.partition("quick:")
    words = usual.split()
    if len(words) < 2:
        raise Refusal(f"{where}: a row is a name, a workload and its options")
    options = {} if words[1] in FIXED else {"ms": "80" if quick else "300"}
    options.update(options_of(words[2:], where))
    if quick:
        options.update(options_of(hurried.split(), where))
    return Row(words[0], group, words[1], options)


def read_rows(path, quick, extra=()):
    rows, group = [], ""
    try:
        lines = open(path, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path}: {error.strerror}") from error
    with lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if line.startswith("group "):
                group = line[len("group "):]
            elif line and not line.startswith("#"):
                rows.append(parse_row(line, group, quick, f"{path}:{number}"))
    rows += [parse_row(text, "Rows of the command line", quick, "--row") for text in extra]
    return rows


def read_targets(path):
    """A list of (regex, allocator, limit, unit); unit is "" for a ratio."""
    targets = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#"):
                continue
            if len(words) not in (3, 4):
                raise Refusal(f"{path}:{number}: not 'regex allocator limit'")
            targets.append((re.compile(words[0]), words[1], float(words[2]), words[3] if len(words) == 4 else ""))
    return targets
