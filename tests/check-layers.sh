#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Holds lib/ to its floors (lib/LAYERS), and its files to 450 lines.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

longest_allowed=450

# layers DIR: every violation is a line; fails if there is one.
layers() {
  (cd "$1" && shopt -s nullglob && awk '
    function fault(text) { print text; faults++ }

    # Fills floor[], family[], place[] from LAYERS.
    function read_layers(    line, part, stems, n, i, members, m, k) {
      while ((getline line < "LAYERS") > 0) {
        sub(/#.*/, "", line)
        if (line ~ /^[ \t]*$/) continue
        if (line !~ /^[0-9]+:/) { fault("LAYERS: what is \"" line "\"?"); continue }
        split(line, part, ":")
        if (part[1] + 0 > top) top = part[1] + 0
        text[part[1] + 0] = text[part[1] + 0] part[2]
        n = split(part[2], stems, " ")
        for (i = 1; i <= n; i++) {
          m = split(stems[i], members, "+")
          for (k = 1; k <= m; k++) {
            if (members[k] in floor) fault("LAYERS: " members[k] " stands there twice")
            floor[members[k]] = part[1] + 0
            family[members[k]] = members[1]
            place[members[k]] = ++places
          }
        }
      }
      if (!places) fault("LAYERS is missing or empty")
    }

    # The stem of LAYERS that a file belongs to: its full name, else the longest that it is or begins with.
    function stem_of(file,    stem) {
      if (file in floor) return file
      stem = file
      sub(/\.[a-z]+$/, "", stem)
      while (!(stem in floor)) if (!sub(/_[^_]*$/, "", stem)) return ""
      return stem
    }

    BEGIN {
      read_layers()
      for (i = 1; i < ARGC; i++) { sub(/^\.\//, "", ARGV[i]); there[ARGV[i]] }
      for (i = 1; i < ARGC; i++) {
        file = ARGV[i]
        stem = stem_of(file)
        if (stem == "") { fault(file ": on no floor of LAYERS"); continue }
        number = 0
        while ((getline line < file) > 0) {
          number++
          if (line !~ /^[ \t]*#[ \t]*include[ \t]*["<]/) continue
          name = line
          sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name)
          sub(/[">].*/, "", name)
          at = file ":" number ": "
          if (name ~ /\.(c|cc)$/) { fault(at "includes the source " name); continue }
          if (line ~ /</ && !(name in there)) continue
          other = stem_of(name)
          if (other == "") { fault(at "includes " name ", on no floor of LAYERS"); continue }
          if (family[other] == family[stem]) continue
          if (floor[other] < floor[stem]) continue
          if (floor[stem] == 0 && floor[other] == 0 && place[other] < place[stem]) continue
          fault(at "floor " floor[stem] " includes " name " of floor " floor[other])
        }
        close(file)
      }
      if (!faults) for (i = 0; i <= top; i++) printf "floor %d:%s\n", i, text[i]
      exit faults > 0
    }' ./*.h ./*.c ./*.cc)
}

# lengths DIR: the median and the longest; fails if a file is too long.
lengths() {
  (cd "$1" && shopt -s nullglob && wc -l ./*.h ./*.c ./*.cc | sed 's|\./||' | awk '$2 != "total"' | sort -n | awk -v most="$longest_allowed" '
    { lines[NR] = $1; name[NR] = $2; if ($1 > most) { print $2 ": " $1 " lines, more than " most; long = 1 } }
    END {
      if (!NR) { print "no files"; exit 1 }
      median = NR % 2 ? lines[(NR + 1) / 2] : (lines[NR / 2] + lines[NR / 2 + 1]) / 2
      printf "%d files, median %s lines, longest %s with %d\n", NR, median, name[NR], lines[NR]
      exit long
    }')
}

check "every include goes to a lower floor" layers "$top_srcdir/lib"
check "no file is longer than $longest_allowed lines" lengths "$top_srcdir/lib"

# The same on copies with one fault each: a check that cannot fail checks nothing.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# planted NAME TEXT FILE CHECK: TEXT is appended to FILE of a fresh copy.
planted() {
  rm -rf "${scratch:?}/lib"
  mkdir "$scratch/lib"
  cp "$top_srcdir"/lib/* "$scratch/lib"
  chmod -R u+w "$scratch/lib"
  printf '%s\n' "$2" >>"$scratch/lib/$3"
  check_fails "$1" "$4" "$scratch/lib"
}
planted "a planted include of a higher floor is found" '#include "copse-inline.h"' base.h layers
planted "a planted include of the same floor is found" '#  include "region.h"' bit_tree.h layers
planted "a planted include of a source is found" '#include "lock.c"' copse.c layers
planted "a planted file on no floor is found" '' attic.c layers
planted "a planted long file is found" "$(yes '/* */' | head -n "$longest_allowed")" base.h lengths
finish
