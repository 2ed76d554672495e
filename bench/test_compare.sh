#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests bench/compare itself.  Prints TAP.  Wants bench/workloads built; no timing of copse is looked at.
set -eu

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build/release}
compare=$top_srcdir/bench/compare
scratch=$(mktemp -d "${TMPDIR:-/tmp}/copse-compare.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
count=0
failed=0

# result NAME COMMAND ...: passes if the command does.
result() {
  local name=$1
  shift
  count=$((count + 1))
  if "$@" >"$scratch/out" 2>&1; then
    echo "ok $count - $name"
  else
    failed=$((failed + 1))
    echo "not ok $count - $name"
    sed 's/^/# /' "$scratch/out" | tail -n 20
  fi
}

skip_all() {
  echo "1..0 # SKIP $*"
  exit 0
}

# refuses STATUS TEXT WORD ...: compare ends with the status and says one line with the text.
refuses() {
  local status=$1 text=$2 got=0
  shift 2
  "$compare" --build "$top_builddir" "$@" >"$scratch/stdout" 2>"$scratch/stderr" || got=$?
  cat "$scratch/stderr"
  [ "$got" = "$status" ] && grep -q -- "$text" "$scratch/stderr" && [ ! -s "$scratch/stdout" ] || return 1
  # argparse puts the usage before its one line
  [ "$(grep -c '^compare: ' "$scratch/stderr")" = 1 ]
}

# ends_with STATUS COMMAND ...
ends_with() {
  local status=$1 got=0
  shift
  "$@" || got=$?
  [ "$got" = "$status" ]
}

# says_the_same NAME: the report of NAME.json is NAME.md.
says_the_same() {
  "$compare" --from "$1.json" --report "$1.again.md" && cmp "$1.md" "$1.again.md"
}

# prints_metrics COMMAND ...
prints_metrics() {
  "$@" >"$scratch/workload.json" &&
    python3 -c 'import json, sys; assert json.load(open(sys.argv[1]))["metrics"]' "$scratch/workload.json"
}

# holds FILE EXPRESSION: of python, over the document d; cell(row, metric, allocator) finds a figure.
holds() {
  python3 - "$1" "$2" <<'END'
import json, sys
d = json.load(open(sys.argv[1], encoding="utf-8"))
def line(row, metric):
    return next(r for r in d["rows"] if (r["row"], r["metric"]) == (row, metric))
def cell(row, metric, allocator):
    return line(row, metric)["allocators"][allocator]
def near(a, b):
    return abs(a - b) < 1e-9
if not eval(sys.argv[2]):
    print("does not hold:", sys.argv[2])
    print(json.dumps(d["rows"], indent=1)[:3000])
    sys.exit(1)
END
}

command -v python3 >/dev/null || skip_all "no python3"
[ -z "${COPSE_SANITIZERS:-}" ] || skip_all "sanitizers take malloc for themselves"
[ -x "$top_builddir/bench/workloads" ] || skip_all "bench/workloads is not built"

# ---- what it refuses

result "an unknown option is refused" refuses 2 'unrecognized arguments: --nonsense' --nonsense
result "a missing library is one clear error" refuses 2 'ghost: there is no file' ghost="$scratch/none.so"
result "a word that is no name=path is refused" refuses 2 'is not name=path.so' nonsense
result "a name that is taken is refused" refuses 2 'the name glibc is taken' glibc=/lib/none.so
result "rows that do not exist are refused" refuses 2 'no row matches' --only nosuchrow
lists_growth() { "$compare" --rows "$top_srcdir/bench/rows-growth" --list | grep -q '^threads-64 .*churn'; }
result "the table of how cost grows is read" lists_growth
result "a table of rows that is not there is refused" refuses 2 'No such file' --rows "$scratch/none"
result "a wrong number of rounds is refused" refuses 2 'rounds is at least 1' --rounds 0
result "a wrong regex is refused" refuses 2 '--only' --only '('
result "a report into nowhere is refused before measuring" refuses 2 'no directory' --report "$scratch/none/report.md"
result "a directory without copse is refused" refuses 2 'no libcopse-malloc.so there' --copse "$scratch"

# ---- allocators that are planted

cat >"$scratch/slow.c" <<'END'
#include <stddef.h>
void *__libc_malloc(size_t size);
void *malloc(size_t size);
void *malloc(size_t size) {
  for (volatile int i = 0; i < 300; i++) {}
  return __libc_malloc(size);
}
END
cat >"$scratch/broken.c" <<'END'
#include <stddef.h>
/* Hands out the same memory again and again: what the workloads write does not last. */
void *__libc_malloc(size_t size);
void __libc_free(void *ptr);
void *malloc(size_t size);
void free(void *ptr);
static _Alignas(64) char same[4096];
static int calls;
void *malloc(size_t size) { return size == 64 && ++calls > 64 ? same : __libc_malloc(size); }
void free(void *ptr) {
  if (ptr != same) __libc_free(ptr);
}
END
echo 'int planted; int planted_function(void); int planted_function(void) { return planted; }' >"$scratch/idle.c"
for name in slow broken idle; do
  # shellcheck disable=SC2086 # CC may be a command with options
  ${CC:-cc} -O1 -fno-builtin -fPIC -shared -o "$scratch/$name.so" "$scratch/$name.c"
done

measured=$scratch/measured
result "it measures, and writes a report, JSON and a log" "$compare" --build "$top_builddir" --quick --rounds 3 \
  --only '^(pair-64|batch-64-fifo)$' --allocators '^(glibc|slow)$' --json "$measured.json" --report "$measured.md" \
  slow="$scratch/slow.so"
if [ -s "$measured.json" ]; then
  result "a slow malloc comes out slower in a pair" \
    holds "$measured.json" 'cell("pair-64", "pair", "slow")["median"] > 2 * cell("pair-64", "pair", "glibc")["median"]'
  result "and in a batch's allocation" holds "$measured.json" \
    'cell("batch-64-fifo", "alloc", "slow")["ratio"] > 2 and line("batch-64-fifo", "alloc")["best_peer"] == "glibc"'
  result "each was measured three times, in rounds" holds "$measured.json" \
    'len(d["runs"]) == 12 and [r["round"] for r in d["runs"]] == [0] * 4 + [1] * 4 + [2] * 4'
  result "the report has the row and the column" grep -Eq '^\| row +\|.* slow \|' "$measured.md"
  result "what stands nowhere in particular is named without its folder" grep -q '^- slow: .*, .slow[.]so.$' "$measured.md"
  result "evaluated again it says the same" says_the_same "$measured"
else
  result "there is something to look at" false
fi
result "a library that does not replace malloc is refused" refuses 2 'does not replace malloc' \
  --only '^pair-64$' --quick idle="$scratch/idle.so"
result "a peer that loses what was written is a failure, and the others go on" \
  "$compare" --build "$top_builddir" --quick --rounds 1 --only '^batch-64-lifo$' --allocators '^(glibc|broken)$' \
  --json "$scratch/broken.json" broken="$scratch/broken.so"
result "and is named" holds "$scratch/broken.json" \
  'len(d["failures"]) == 1 and "what a batch wrote" in d["failures"][0]["error"]'

# ---- arithmetic, on figures that were made up

python3 - "$scratch" <<'END'
import json, sys
allocators = [("glibc", True, True), ("jemalloc", True, True), ("given", True, False), ("copse", False, True)]
values = {"glibc": [10, 30, 20], "jemalloc": [8, 8, 9], "given": [4, 5, 6], "copse": [2, 4, 3]}
zero = {"glibc": [0, 0, 0], "jemalloc": [1, 1, 1], "given": [2, 2, 2], "copse": [3, 3, 3]}
runs = [{"row": row, "allocator": a, "round": i, "wall": 1, "cpu": 1, "peak": 1 << 20, "notes": {},
         "metrics": {"x": {"unit": "ns", "value": v[a][i]}}}
        for row, v in (("made-up", values), ("zero", zero), ("program-one", values), ("program-two", zero))
        for i in range(3) for a, _, _ in allocators]
runs.append({"row": "made-up", "allocator": "glibc", "round": 3, "error": "made up"})
document = {"format": 1, "machine": {}, "run": {"rounds": 3, "seed": 1, "quick": False, "date": "never", "seconds": 60,
            "load_before": 0, "stolen": 0, "warnings": []}, "missing": [], "runs": runs,
            "allocators": [{"name": n, "peer": p, "found": f, "file": "", "version": ""} for n, p, f in allocators],
            "order": [{"name": n, "group": "g"} for n in ("made-up", "zero", "program-one", "program-two")]}
json.dump(document, open(sys.argv[1] + "/canned.json", "w", encoding="utf-8"))
runs[3]["error"] = "made up too"
json.dump(document, open(sys.argv[1] + "/failed.json", "w", encoding="utf-8"))
END
# fewer_drawn ALL.svg REGEX
fewer_drawn() {
  "$compare" --from "$scratch/canned.json" --svg "$scratch/some.svg" --plot "$2" >/dev/null &&
    [ "$(grep -o '<use ' "$scratch/some.svg" | wc -l)" -lt "$(grep -o '<use ' "$1" | wc -l)" ]
}
canned=$scratch/evaluated.json
result "made-up figures are evaluated" \
  "$compare" --from "$scratch/canned.json" --json "$canned" --report "$scratch/canned.md"
result "medians" holds "$canned" \
  '[cell("made-up", "x", a)["median"] for a in ("glibc", "jemalloc", "given", "copse")] == [20, 8, 5, 3]'
result "spread" holds "$canned" \
  'near(cell("made-up", "x", "glibc")["spread"], 1.0) and near(cell("made-up", "x", "jemalloc")["spread"], 0.125)'
result "the ratio to the best of all peers" holds "$canned" \
  'line("made-up", "x")["best_peer"] == "given" and near(cell("made-up", "x", "copse")["ratio"], 0.6)'
result "the ratio to the best that is found by itself" holds "$canned" \
  'line("made-up", "x")["best_found_peer"] == "jemalloc" and near(cell("made-up", "x", "copse")["ratio_found"], 0.375)'
result "a best of zero gives no ratio" holds "$canned" \
  'cell("zero", "x", "copse")["ratio"] is None and cell("zero", "x", "glibc")["ratio"] == 1'
result "the geometric mean of programs" holds "$canned" 'near(d["geometric_means"]["x"]["copse"], 0.375)'
result "ratios stand in the report" grep -Eq '^\| made-up .*\| +0\.60 \| +0\.38 \|$' "$scratch/canned.md"
result "a peer's failure stands in the report" grep -q 'made-up, glibc, round 4: made up' "$scratch/canned.md"
result "a failure of copse is the exit status" ends_with 1 "$compare" --from "$scratch/failed.json"
if command -v gnuplot >/dev/null; then
  result "a plot is drawn" "$compare" --from "$scratch/canned.json" --svg "$scratch/canned.svg"
  result "some figures alone are drawn, fewer than all" fewer_drawn "$scratch/canned.svg" '^made-up/'
  result "none is refused" refuses 2 'to be drawn' --from "$scratch/canned.json" --svg "$scratch/none.svg" --plot '^nothing$'
  result "and is SVG that parses" python3 -c \
    'import sys, xml.dom.minidom as m; assert m.parse(sys.argv[1]).documentElement.tagName == "svg"' \
    "$scratch/canned.svg"
else
  result "without gnuplot --svg is refused" \
    refuses 2 'gnuplot' --from "$scratch/canned.json" --svg "$scratch/canned.svg"
fi

# ---- the workloads themselves

for workload in $("$top_builddir/bench/workloads" --list | cut -d' ' -f1); do
  case $workload in
  cold) options='n=20000 most=256' ;;
  fresh | resident) options='bytes=8M' ;;
  realloc) options='most=4M step=64K' ;;
  *) options='ms=10' ;;
  esac
  # shellcheck disable=SC2086 # several words
  result "workload $workload runs and prints JSON" prints_metrics "$top_builddir/bench/workloads" "$workload" $options
done
result "a workload refuses an option that it has not" \
  ends_with 2 "$top_builddir/bench/workloads" pair ms=1 nonsense=1

says_version() {
  LD_PRELOAD=$top_builddir/lib/.libs/libcopse-malloc.so "$top_builddir/bench/workloads" --identify |
    grep -q "\"version\": \"$(sed -n 's/.*PACKAGE_VERSION "\(.*\)"/\1/p' "$top_builddir/config.h")\""
}
[ ! -e "$top_builddir/lib/.libs/libcopse-malloc.so" ] || result "the drop-in says which version it is" says_version

# ---- the simulation of more cores

# added CORES DEPTH ARENAS: what an exchange adds to an object, in ns, and of a hundred swaps those that fail.
added() { "$top_srcdir/bench/contention" --cores "$1" --depth "$2" --arenas "$3" | awk 'NR == 3 { print $3, $4 }'; }
# costs LESS MORE: each the three arguments of added.
costs() {
  local less more
  # shellcheck disable=SC2086 # three words
  less=$(added $1) more=$(added $2)
  echo "$1: $less; $2: $more"
  awk -v less="${less% *}" -v more="${more% *}" 'BEGIN { exit !(less + 0 < more + 0) }'
}
alone() { [ "$(added 8 16 8)" = "3.8 0" ]; }
result "a core with a head of its own waits for the bundles, and no swap fails" alone
result "deeper bundles cost less" costs "64 112 8" "64 28 8"
result "more cores cost more" costs "16 112 8" "256 112 8"
result "more arenas cost less" costs "64 28 32" "64 28 8"
result "no depth is refused" ends_with 2 "$top_srcdir/bench/contention" --depth 0

echo "1..$count"
[ "$failed" = 0 ]
