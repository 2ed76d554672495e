# SPDX-License-Identifier: MIT
"""The markdown report; it is also what is printed."""

import os
import re

from harness.summary import judged


def number(value):
    """Three significant digits, no exponent."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 1000:
        return f"{value:,.0f}"
    for least, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if magnitude >= least:
            return f"{value:.{digits}f}"
    return f"{value:.4f}"


def two_digits(value):
    return "-" if value is None else f"{value:.2f}"


def table(header, lines):
    """Padded, so that it can be read as it is."""
    widths = [max(len(line[i]) for line in [header] + lines) for i in range(len(header))]

    def row(cells):
        padded = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([row(header), rule] + [row(line) for line in lines])


def figures_table(rows, names, ours, extras):
    header = ["row", "unit"] + names + ["best peer"] + [f"{n}/best" for n in ours]
    if extras:
        header += [f"{n}/found" for n in ours]
    lines = []
    for row in rows:
        cells = row["allocators"]
        line = [row["label"], row["unit"]] + [number(cells[n]["median"]) if n in cells else "-" for n in names]
        line.append(row["best_peer"] or "-")
        line += [two_digits(cells[n]["ratio"]) if n in cells else "-" for n in ours]
        if extras:
            line += [two_digits(cells[n]["ratio_found"]) if n in cells else "-" for n in ours]
        lines.append(line)
    return table(header, lines)


def percent(cell):
    """A single value has no spread."""
    return f"{cell['spread'] * 100:.0f} %" if cell and len(cell["values"]) > 1 else "-"


def spread_table(rows, names):
    lines = []
    for row in rows:
        cells = row["allocators"]
        lines.append([row["label"]] + [percent(cells.get(n)) for n in names])
    return table(["row"] + names, lines)


def process_table(processes, order, names):
    by_key = {(p["row"], p["what"]): p["allocators"] for p in processes}
    lines = []
    for row in order:
        for what, scale, unit in (("wall", 1, "s"), ("cpu", 1, "s"), ("peak", 1 / (1 << 20), "MB")):
            cells = by_key.get((row["name"], what))
            if cells:
                lines.append([row["name"], what, unit] +
                             [number(cells[n]["median"] * scale) if n in cells else "-" for n in names])
    return table(["row", "what", "unit"] + names, lines)


def place(path):
    """Where a system has it; of what stands elsewhere the name alone, for whose folder it is tells a reader nothing."""
    return path if re.match(r"/(usr/)?lib", path) else os.path.basename(path)


def allocator_lines(document):
    lines = [f"- {a['name']}: {a['version']}, `{place(a['file'])}`" for a in document["allocators"]]
    return lines + [f"- {m['name']}: not measured, {m['why']}" for m in document["missing"]]


def worst_spreads(rows):
    spreads = sorted(cell["spread"] for row in rows for cell in row["allocators"].values() if len(cell["values"]) > 1)
    if not spreads:
        return "unknown, one round only"
    middle, high = spreads[len(spreads) // 2], spreads[int(len(spreads) * 0.9)]
    return f"median {middle * 100:.0f} %, nine in ten below {high * 100:.0f} %, worst {spreads[-1] * 100:.0f} %"


def render(document, targets):
    names = [a["name"] for a in document["allocators"]]
    ours = [a["name"] for a in document["allocators"] if not a["peer"]]
    extras = any(a["peer"] and not a["found"] for a in document["allocators"])
    rows, run = document["rows"], document["run"]

    out = ["# Benchmark of copse", ""]
    out += [f"- {key}: {value}" for key, value in document["machine"].items()]
    out += [f"- rounds: {run['rounds']}, interleaved, each measurement a process of its own; seed {run['seed']}"
            + (", quick" if run["quick"] else ""),
            f"- took {run['seconds'] / 60:.1f} minutes from {run['date']}; load {run['load_before']:.2f} before; "
            f"{run['stolen'] * 100:.1f} % of the processors' time was stolen",
            f"- spread ((max - min) / median): {worst_spreads(rows)}"]
    out += [f"- **{warning}**" for warning in run["warnings"]]
    out += ["", "## Allocators", ""] + allocator_lines(document)
    out += ["", "Figures are medians over the rounds, lower is better. A ratio is to the best peer of its row: the",
            "best of all that is not copse."
            + (" \"/found\" leaves out what was given as name=path.so." if extras else ""), ""]
    for group in dict.fromkeys(row["group"] for row in rows):
        out += [f"## {group}", "", figures_table([r for r in rows if r["group"] == group], names, ours, extras), ""]

    for metric, means in document["geometric_means"].items():
        text = ", ".join(f"{name} {mean:.2f}" for name, mean in means.items())
        out += [f"Geometric mean of the programs' {metric}, to the best found peer of each: {text}", ""]

    verdicts = judged(document, targets)
    if verdicts:
        met = sum(1 for v in verdicts if v[5])
        out += ["## Targets", "", f"{met} of {len(verdicts)} met.", "",
                table(["figure", "allocator", "is", "at most", "met"],
                      [[name, allocator, number(value) if unit else two_digits(value),
                        f"{limit:g} {unit}" if unit else f"{limit:.2f}", "yes" if good else "NO"]
                       for name, allocator, value, limit, unit, good in verdicts]), ""]

    if document["failures"]:
        out += ["## Failures", ""]
        out += [f"- {f['row']}, {f['allocator']}, round {f['round'] + 1}: {f['error']}" for f in document["failures"]]
        out.append("")
    out += ["## Spread of each figure", "", spread_table(rows, names), "",
            "## Whole processes", "", process_table(document["processes"], document["order"], names), ""]
    return "\n".join(out)
