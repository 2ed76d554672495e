# SPDX-License-Identifier: MIT
"""From raw records to medians, spreads and ratios.  Pure: the same records give the same summary."""

import math
from statistics import median


def spread(values):
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def ratio(value, best):
    """None where it says nothing: no peer, or a best of 0 that was not reached."""
    if value is None or best is None:
        return None
    if best == 0:
        return 1.0 if value == 0 else None
    return value / best


def best_of(cells, allocators):
    medians = [(cells[a["name"]]["median"], a["name"]) for a in allocators if a["name"] in cells]
    return min(medians) if medians else (None, None)


def summarise_values(by_allocator, allocators):
    """by_allocator: name -> values.  Returns the cells and both bests."""
    cells = {name: {"values": v, "median": median(v), "min": min(v), "max": max(v), "spread": spread(v)}
             for name, v in by_allocator.items() if v}
    best, best_peer = best_of(cells, [a for a in allocators if a["peer"]])
    best_found, best_found_peer = best_of(cells, [a for a in allocators if a["peer"] and a["found"]])
    for cell in cells.values():
        cell["ratio"] = ratio(cell["median"], best)
        cell["ratio_found"] = ratio(cell["median"], best_found)
    return {"allocators": cells, "best_peer": best_peer, "best_found_peer": best_found_peer}


def summarise(document):
    """Adds "rows", "processes" and "failures" to a document that has "allocators", "order" and "runs"."""
    figures, processes, failures = {}, {}, []
    for run in document["runs"]:
        if "error" in run:
            failures.append({k: run[k] for k in ("row", "allocator", "round", "error")})
            continue
        for metric, figure in run["metrics"].items():
            entry = figures.setdefault((run["row"], metric), {"unit": figure["unit"], "values": {}})
            entry["values"].setdefault(run["allocator"], []).append(figure["value"])
        for what in ("wall", "cpu", "peak"):
            processes.setdefault((run["row"], what), {}).setdefault(run["allocator"], []).append(run[what])

    rows = []
    for row in document["order"]:
        metrics = [metric for name, metric in figures if name == row["name"]]
        for metric in metrics:
            entry = figures[row["name"], metric]
            rows.append({"row": row["name"], "metric": metric, "unit": entry["unit"], "group": row["group"],
                         "label": row["name"] if len(metrics) == 1 else f"{row['name']} {metric}",
                         **summarise_values(entry["values"], document["allocators"])})
    document["rows"] = rows
    document["processes"] = [
        {"row": row["name"], "what": what, **summarise_values(processes[row["name"], what], document["allocators"])}
        for row in document["order"] for what in ("wall", "cpu", "peak") if (row["name"], what) in processes]
    document["failures"] = failures
    document["geometric_means"] = geometric_means(rows)
    return document


def geometric_means(rows):
    """Of the ratios of the real programs: metric -> allocator -> mean."""
    ratios = {}
    for row in rows:
        if not row["row"].startswith("program-"):
            continue
        for name, cell in row["allocators"].items():
            if cell["ratio_found"]:
                ratios.setdefault(row["metric"], {}).setdefault(name, []).append(cell["ratio_found"])
    return {metric: {name: math.exp(sum(map(math.log, r)) / len(r)) for name, r in by.items()}
            for metric, by in ratios.items()}


def judged(document, targets):
    """A list of (figure, allocator, value, limit, unit, met) for all targets that have a figure."""
    figures = [(f"{row['row']}/{row['metric']}", row) for row in document["rows"]]
    for metric, by in document["geometric_means"].items():
        cells = {name: {"ratio_found": mean, "median": mean} for name, mean in by.items()}
        figures.append((f"geometric-mean/{metric}", {"unit": "", "allocators": cells}))
    verdicts = []
    for regex, allocator, limit, unit in targets:
        for name, row in figures:
            cell = row["allocators"].get(allocator)
            if not regex.search(name) or not cell:
                continue
            value = cell["median"] if unit else cell["ratio_found"]
            if value is not None:
                verdicts.append((name, allocator, value, limit, unit, value <= limit))
    return verdicts
