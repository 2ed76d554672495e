#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doc/ordering has each atomic access of lib/, and none that is not there.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

# accesses DIR: "file: access(word)", of the builtins with their order, one a line.
accesses() {
  (cd "$1" && awk '
    FILENAME == "atomic.h" { next } # where the names are made
    {
      line = $0
      while (match(line, /(^|[^a-z_])((load|store|exchange|add|sub|or|and|cas|cas_pair)_(relaxed|acquire|release|acq_rel|seq_cst)|count_owner|order_stores|__atomic_[a-z_]+|__sync_[a-z_]+)\(/)) {
        call = substr(line, RSTART, RLENGTH)
        sub(/^[^a-z_]/, "", call)
        line = substr(line, RSTART + RLENGTH)
        # The first argument: to the comma or the end, outside of all brackets.
        depth = 0
        word = ""
        for (i = 1; i <= length(line); i++) {
          c = substr(line, i, 1)
          if (c ~ /[(\[]/) depth++
          if (c ~ /[)\]]/ && depth-- == 0) break
          if (c == "," && depth == 0) break
          word = word c
        }
        order = call ~ /^__/ && match(line, /__ATOMIC_[A-Z_]+/) ? " " substr(line, RSTART + 9, RLENGTH - 9) : ""
        # Whatever the index is called.
        gsub(/\[[^\[\]]*\]/, "[]", word)
        print FILENAME ": " call word ")" order
      }
    }' ./*.c ./*.h | sed 's|^\./||' | grep -v '^atomic\.h: ' | sort -u)
}

# listed FILE: the lines of the page that name accesses.
listed() { sed -n 's/^      \([a-z*_-]*\(\.[ch]\)\{0,1\}: [a-z_]*(.*\)$/\1/p' "$1"; }

# complete DIR FILE: both ways.
complete() {
  accesses "$1" >"$scratch/there"
  listed "$2" >"$scratch/listed"
  [ "$(wc -l <"$scratch/there")" -gt 100 ] || { echo "hardly any accesses were found" && return 1; }
  awk '
    function fault(text) { print text; faults++ }
    NR == FNR { there[++n] = $0; next }
    {
      m++
      text[m] = $0
      if (said[$0]++) fault("in the page twice: " $0)
      if (index($0, "*") && $0 !~ /relaxed\(|count_owner\(/) fault("a * where an order is named: " $0)
      p = $0
      gsub(/[^a-zA-Z0-9_ *]/, "[&]", p)
      gsub(/\[\^\]/, "\\^", p)
      gsub(/\*/, ".*", p)
      pattern[m] = "^" p "$"
    }
    END {
      for (i = 1; i <= n; i++) {
        found = 0
        for (k = 1; k <= m; k++) if (there[i] ~ pattern[k]) { used[k] = 1; found = 1 }
        if (!found) fault("not in the page: " there[i])
      }
      for (k = 1; k <= m; k++) if (!used[k]) fault("in the page, and not in lib/: " text[k])
      if (!faults) printf "%d accesses, %d lines\n", n, m
      exit faults > 0
    }' "$scratch/there" "$scratch/listed"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
check "doc/ordering has every atomic access" complete "$top_srcdir/lib" "$top_srcdir/doc/ordering"

# Copies with one fault each.
mkdir "$scratch/lib"
cp "$top_srcdir"/lib/*.[ch] "$top_srcdir/doc/ordering" "$scratch/lib"
chmod -R u+w "$scratch/lib"
printf 'u64 planted(u64 *word) { return exchange_acquire(word, (u64)0); }\n' >>"$scratch/lib/vm.c"
check_fails "a planted access is found" complete "$scratch/lib" "$top_srcdir/doc/ordering"
cp "$top_srcdir/lib/vm.c" "$scratch/lib"
printf 'u64 planted(u64 *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }\n' >>"$scratch/lib/base.h"
check_fails "a planted builtin is found" complete "$scratch/lib" "$top_srcdir/doc/ordering"
cat "$top_srcdir/lib/base.h" >"$scratch/lib/base.h"
sed 's/add_release(&copse_generation/add_relaxed(\&copse_generation/' "$top_srcdir/lib/trim.c" >"$scratch/lib/trim.c"
check_fails "an order made weaker is found" complete "$scratch/lib" "$top_srcdir/doc/ordering"
sed '/cas_pair_acquire(&r->head)/d' "$top_srcdir/doc/ordering" >"$scratch/page"
check_fails "a line that is missing is found" complete "$top_srcdir/lib" "$scratch/page"
sed 's/cache.c: exchange_acq_rel(&c->spare\[\])/*: exchange_acq_rel(\&c->spare*)/' "$top_srcdir/doc/ordering" >"$scratch/page"
check_fails "a * in place of an ordered access is found" complete "$top_srcdir/lib" "$scratch/page"
finish
