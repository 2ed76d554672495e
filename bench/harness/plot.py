# SPDX-License-Identifier: MIT
"""An SVG by gnuplot: each figure a line, each allocator a mark at its ratio to the best peer."""

import re
import shutil
import subprocess

from harness.refusal import Refusal

LEAST, MOST = 0.05, 20.0
PEER_COLOURS = ["#7f7f7f", "#bcbd22", "#17becf", "#9467bd", "#8c564b", "#e377c2", "#c7c7c7"]
COPSE_COLOURS = {"copse": "#2ca02c", "copse-sized": "#1f77b4", "copse-inline": "#d62728"}


def require_gnuplot():
    if not shutil.which("gnuplot"):
        raise Refusal("--svg needs gnuplot (Debian: gnuplot-nox), which is not installed")


def drawn(document, pattern):
    """Figures with a ratio whose name, "row/metric", matches."""
    return [r for r in document["rows"] if any(c["ratio"] for c in r["allocators"].values())
            and (not pattern or re.search(pattern, f"{r['row']}/{r['metric']}"))]


def script(document, path, pattern):
    rows = drawn(document, pattern)
    names = [a["name"] for a in document["allocators"]]
    height = 140 + 17 * len(rows)
    lines = [f"set terminal svg size 1000,{height} dynamic font 'sans-serif,11' background rgb 'white'",
             f"set output '{path}'", "set title 'Ratio to the best peer of each row (left of 1: faster or smaller)'",
             "set logscale x 2", f"set xrange [{LEAST}:{MOST}]", f"set yrange [-0.5:{len(rows) + 0.5}]",
             "set xtics (0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16)", "set grid x y lc rgb '#e0e0e0'",
             "set key outside top center horizontal", "set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb 'black'"]
    tics = [f"'{r['label']}' {len(rows) - 1 - i}" for i, r in enumerate(rows)]
    lines.append("set ytics (" + ", ".join(tics) + ") noenhanced")
    plots, peers = [], 0
    for number, name in enumerate(names):
        lines.append(f"$data{number} << EOD")
        for i, row in enumerate(rows):
            cell = row["allocators"].get(name)
            if cell and cell["ratio"] is not None:
                shown = min(max(cell["ratio"], LEAST * 1.05), MOST / 1.05)
                lines.append(f"{shown:.6g} {len(rows) - 1 - i}")
        lines.append("EOD")
        if name in COPSE_COLOURS:
            style = f"pt 7 ps 0.8 lc rgb '{COPSE_COLOURS[name]}'"
        else:
            style = f"pt {[1, 2, 4, 6, 8, 10, 12][peers % 7]} ps 0.6 lc rgb '{PEER_COLOURS[peers % 7]}'"
            peers += 1
        plots.append(f"$data{number} using 1:2 with points {style} title '{name}' noenhanced")
    return "\n".join(lines + ["plot " + ", ".join(plots), ""])


def require_drawn(document, pattern):
    if not drawn(document, pattern):
        raise Refusal("--svg: no figure that is to be drawn has a peer to compare with")


def write(document, path, pattern):
    run = subprocess.run(["gnuplot"], input=script(document, path, pattern), text=True, capture_output=True, check=False)
    if run.returncode:
        raise Refusal(f"gnuplot: {run.stderr.strip()}")
