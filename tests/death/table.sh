#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writes the table of misuses, doc/MISUSE, from the heads of the programs here and from what a run saw.
#
#   table.sh RESULTS      as run.sh leaves it in DEATH_RESULTS, of all columns
set -eu
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cat <<'TEXT'
copse: what is found of each misuse
===================================

Generated from the heads of the programs in tests/death, one misuse each, which say what each tool must report; where a run
left its results, a cell is what was seen in it, as in all of them after `make doc-misuse`.  Each is
linked with the instrumented library as it is installed, which is compiled with no sanitizer; a column is the tool that the
program itself is compiled with, or run under:

    plain       none: copse alone
    asan        -fsanitize=address, with LeakSanitizer
    tsan        -fsanitize=thread
    msan        -fsanitize=memory, clang
    valgrind    the plain program under valgrind's memcheck

C: copse itself reports it, by a line "copse: FUNCTION: WHAT", with the stacks.  T: the tool does, and where it shows the
allocation's and the free's stacks they are those of the program.  F: the program faults.  A letter in brackets: it is not
found; why stands at the end.  What the line says stands in the second table.  Writes are told from reads: without a tool a
load leaves no trace.

TEXT
awk '
  FILENAME != ARGV[1] {
    if (FNR == 1) { name = FILENAME; sub(/.*\//, "", name); sub(/\.c$/, "", name); names[++n] = name }
    if ($0 == " */") nextfile
    if (/^ \* misuse: /) title[name] = substr($0, 12)
    if (match($0, /^ \* [a-z ]+: +none +/)) {
      columns = substr($0, 4, index($0, ":") - 4)
      why = substr($0, RLENGTH + 1)
      k = split(columns, list, " ")
      for (i = 1; i <= k; i++) reason[name, list[i]] = why
    }
    next
  }
  { name = $1; column = $2; sub(/^[^ ]+ [^ ]+ ?/, ""); cell[name, column] = $0 }
  function short(name, column,   text) {
    text = cell[name, column]
    if (text == "") return "?"
    if (text == "-") {
      if (!(reason[name, column] in letter)) { letter[reason[name, column]] = ++letters; why_of[letters] = reason[name, column] }
      return "(" substr("abcdefghijklmnopqrstuvwxyz", letter[reason[name, column]], 1) ")"
    }
    if (text ~ /^copse: /) return "C"
    if (text ~ /^SIG/ || text ~ /SEGV$/) return "F"
    return "T"
  }
  function line(text, column, seen,   words) {
    words = text
    sub(/^copse: [a-z_]+: /, "", words)
    sub(/^copse: /, "", words)
    sub(/^(Address|Thread|Memory|Leak)Sanitizer: /, "", words)
    return words
  }
  END {
    k = split("plain asan tsan msan valgrind", column_of, " ")
    printf "%-88s %-6s%-6s%-6s%-6s%s\n", "misuse", "plain", "asan", "tsan", "msan", "valgrind"
    for (i = 1; i <= n; i++) {
      printf "%-88s", title[names[i]]
      for (c = 1; c <= k; c++) printf c < k ? " %-5s" : " %s\n", short(names[i], column_of[c])
    }
    print "\nNot found, because"
    for (i = 1; i <= letters; i++) printf "    (%s) %s\n", substr("abcdefghijklmnopqrstuvwxyz", i, 1), why_of[i]
    print "\nWhat is said\n"
    for (i = 1; i <= n; i++) {
      printf "%s (%s.c)\n", title[names[i]], names[i]
      # Columns that say the same stand together.
      split("", done)
      for (c = 1; c <= k; c++) {
        text = line(cell[names[i], column_of[c]])
        if (done[c] || text == "-") continue
        together = column_of[c]
        for (d = c + 1; d <= k; d++)
          if (line(cell[names[i], column_of[d]]) == text) { together = together ", " column_of[d]; done[d] = 1 }
        printf "    %-36s %s\n", together, text
      }
    }
  }' "$1" "$here"/*.c
