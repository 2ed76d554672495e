#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# copse-map: what it draws of the simulation adds up to what the statistics say; what is no snapshot, or not whole, is refused.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
export LC_ALL=C
unset COLUMNS NO_COLOR COPSE_MAP
map=$top_builddir/bin/copse-map
simulation=$top_builddir/examples/simulation
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

sums() { awk -v of="${2-rects}" -f "$top_srcdir/tests/map_sums.awk" "$1"; }

# ---------------------------------------------------------------- the simulation

"$simulation" --frames 120 --entities 3000 --map=sim.map >said || note "the simulation failed"
sed -n 's/^map_class_\([0-9]*\)=size \(.*\) blocks \(.*\) free \(.*\) bare \(.*\)/\1 \2 \3 \4 \5/p' said >statistics

# equal SVG: its rects add up to the statistics.
equal() {
  [ "$(wc -l <statistics)" -gt 10 ] && sums "$1" | awk '$1 != "spans" { print $1, $2, $3, $6, $7 }' | diff statistics -
}
# consistent SVG: and to what the groups say; slots that are not free are in use.
consistent() {
  sums "$1" >rects && [ -s rects ] && sums "$1" groups | diff rects - && awk '$4 != $5 + $6 || $7 > $6 { print; bad = 1 } END { exit bad }' rects
}
well_formed() { xmllint --noout "$1"; }

check "a snapshot is drawn" "$map" --output=sim.svg sim.map
check "the rects add up to the statistics, class by class" equal sim.svg
check "and to their groups" consistent sim.svg
if command -v xmllint >/dev/null; then check "it is well-formed" well_formed sim.svg; else skip "it is well-formed" "xmllint is not installed"; fi
same_again() { "$map" <sim.map | cmp - sim.svg && "$map" --svg - <sim.map | cmp - sim.svg; }
check "standard input, and standard output that is no terminal: the same" same_again
no_script() { ! grep -i -e '<script' -e 'href' -e ' on[a-z]*=' "$1"; }
check "there is neither script nor link in it" no_script sim.svg

# Planted: a slot more that is free; a rect that is not drawn.
planted_free() { awk '!done && $1 == "block" && $7 == 0 { $7 = 1; done = 1 } { print } END { exit !done }' sim.map >wrong.map; }
planted_free && "$map" wrong.map >wrong.svg
check "a planted snapshot is drawn" consistent wrong.svg
check_fails "and its slot more is seen" equal wrong.svg
awk '!done && /^<rect .*data-/ { done = 1; next } { print }' sim.svg >less.svg
check_fails "a rect that is missing is seen in the statistics" equal less.svg
check_fails "and in its group" consistent less.svg

# ---------------------------------------------------------------- snapshots made here

# line CLASS ARENA ADDRESS SIZE SLOTS FREE BARE
small() {
  cat <<'END'
copse-heap 1 1000
block 0 0 600000000000 10 40 f 0
block 0 0 600000000400 10 40 ffffffffffffffff ffffffffffffffff
block 5 0 600800000000 60 20 ffffffff f
block 0 1 608000000000 10 1 0 0
span 700000000000 500000 0
span 700000600000 200000 1
end 4 2
END
}
small >small.map
small_sums() {
  "$map" small.map >small.svg && sums small.svg | diff - <(printf '%s\n' '0 16 3 129 61 68 64' '5 96 1 32 0 32 4' 'spans -1 2 2 1 1 0')
}
check "arenas, spans and ends of pools" small_sums
shades() { [ "$(grep -o '^<rect class="s[0-9]" [^>]*data-' small.svg | cut -d '"' -f 2 | paste -s -d ' ')" = "s5 s0 s6 s1 s6 s1" ]; }
check "each has the shade of its state" shades
empty() { printf 'copse-heap 1 1000\nend 0 0\n' | "$map" >empty.svg && ! sums empty.svg | grep . && grep -c '^</svg>' empty.svg; }
check "a snapshot of nothing is drawn" empty

# More than are drawn one by one.
awk 'BEGIN {
  print "copse-heap 1 1000"
  for (i = 0; i < 70000; i++) printf "block 3 0 6018%08x 40 40 %x 0\n", i * 4096, i % 16
  print "end 11170 0"
}' >many.map
gathered() {
  "$map" many.map >many.svg && consistent many.svg && sums many.svg && [ "$(sums many.svg)" = "3 64 70000 4480000 4340000 140000 0" ] &&
    [ "$(grep -c '^<rect .*data-' many.svg)" -le 20001 ] && [ "$(grep -c '^<rect .*data-' many.svg)" -gt 5000 ]
}
check "seventy thousand blocks are gathered, and none is lost" gathered

# ---------------------------------------------------------------- the terminal

as_text() { COLUMNS=$1 "$map" --terminal "$2"; }
fits() {
  as_text 80 "$1" >text && [ "$(awk '{ if (length > most) most = length } END { print most }' text)" -le 80 ] &&
    [ "$(sed '1d;$d' text | wc -l)" = "$(sums "$2" | wc -l)" ]
}
check "lines of the simulation fit, one a class" fits sim.map sim.svg
check "those of many blocks fit" fits many.map many.svg
letters() {
  as_text 80 small.map >text && cat text && sed -n 2,4p text | sed 's/  */ /g; s/ $//' |
    diff - <(printf '%s\n' ' 16 B 3 47 % %_#' ' 96 B 1 0 % .' ' spans 2 71 % #.')
}
check "each letter is the block's state" letters
no_escape() { ! grep -q "$(printf '\033')" text; }
check "what is no terminal gets no colours" no_escape
# on_terminal COMMAND: what it shows there.
on_terminal() { TERM=xterm-256color script -qec "$1" /dev/null </dev/null >text; }
colours() { on_terminal "COLUMNS=80 $map small.map" && grep -q "$(printf '\033')\\[48;5;27m" text; }
plain() { on_terminal "COLUMNS=80 NO_COLOR=1 $map small.map" && no_escape && grep -q '%_#' text; }
dumb() { on_terminal "TERM=dumb COLUMNS=80 $map small.map" && no_escape && grep -q '%_#' text; }
if command -v script >/dev/null; then
  check "a terminal gets colours" colours
  check "NO_COLOR is heeded" plain
  check "and a terminal that has none" dumb
else
  skip "a terminal" "script is not installed"
fi

# ---------------------------------------------------------------- what is refused

# refuses WORDS COMMAND...: exit status 2, nothing on stdout, one line on stderr with the words.
refuses() {
  local words=$1 status=0
  shift
  "$@" >out 2>err || status=$?
  cat err
  [ "$status" = 2 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q -e "^copse-map: .*$words" err
}
# refuses_text WORDS SED: the small snapshot with one change.
refuses_text() {
  small | sed "$2" >bad.map
  ! cmp -s bad.map small.map && refuses "bad.map:.*$1" "$map" bad.map
}
while IFS='|' read -r what words change; do
  check "refused: $what" refuses_text "$words" "$change"
done <<'END'
nothing at all|the end is missing|d
another file|not a snapshot|1s/.*/#!\/bin\/sh/
another version|another version|1s/ 1 / 2 /
a page of no size|no size of a page|1s/1000/1001/
an unknown word|no line of a snapshot|2s/block/black/
a number less|no line of a snapshot|2s/ 0$//
a number more|no line of a snapshot|2s/$/ 0/
two spaces|no line of a snapshot|2s/ 10 /  10 /
a zero in front|no line of a snapshot|2s/ 10 / 010 /
a prefix|no line of a snapshot|2s/ 10 / 0x10 /
capital letters|no line of a snapshot|2s/ f 0/ F 0/
a sign|no line of a snapshot|2s/ 10 / -10 /
seventeen digits|no line of a snapshot|3s/ffffffffffffffff$/1ffffffffffffffff/
an endless line|no line of a snapshot|2s/.*/&&&&&&&&&&/
a class beyond all|no such class|4s/ 5 / 3c /
a slot of no bytes|no size of a class|2s/ 10 40/ 0 40/
a slot larger than any|no size of a class|2s/ 10 40/ 100001 40/
no slots|no number of slots|5s/ 1 0 0/ 0 0 0/
sixty-five slots|no number of slots|2s/ 40 f/ 41 f/
a free slot that does not exist|a slot that does not exist|5s/ 1 0 0/ 1 2 0/
a bare slot that is not free|a slot is bare|2s/ f 0/ f 10/
no address|no address|2s/600000000000/0/
an address at the end of all|no address|5s/608000000000/fffffffffffffffc/
a block twice|out of order|3p
blocks in another order|out of order|2{h;d};3G
blocks that overlap|out of order|3s/600000000400/600000000300/
arenas in another order|out of order|4{h;d};5G
a class of two sizes|a class of two sizes|5s/ 10 1/ 20 1/
a block behind the spans|behind the spans|5{h;d};6G
a span of no length|length of a span|6s/500000/0/
spans that overlap|a span out of order|6s/500000/800000/
a span half cached|neither cached nor not|7s/ 1$/ 2/
a block missing|lines are missing|4d
a span missing|lines are missing|7d
the end missing|the end is missing|8d
lines behind the end|behind the end|8p
END
# Any byte that is another, or where it is cut off.
each_byte() {
  local length at
  length=$(wc -c <small.map)
  for ((at = 0; at < length; at++)); do
    { head -c "$at" small.map && printf '%b' "$1" && tail -c +$((at + 2)) small.map; } >bad.map
    refuses '' "$map" bad.map >/dev/null || { echo "byte $at" && return 1; }
  done
}
check "refused: any byte a letter" each_byte z
check "refused: any byte NUL" each_byte '\0'
each_length() {
  local length at
  length=$(wc -c <small.map)
  for ((at = 0; at < length; at++)); do
    head -c "$at" small.map >bad.map
    refuses '' "$map" bad.map >/dev/null || { echo "$at bytes" && return 1; }
  done
}
check "refused: cut off anywhere" each_length
cut_simulation() { head -c "$(($(wc -c <sim.map) / 2))" sim.map >bad.map && refuses 'is missing' "$map" bad.map; }
check "refused: half of the simulation's" cut_simulation

check "refused: no such file" refuses 'none.map: No such file' "$map" none.map
check "refused: a directory" refuses 'Is a directory' "$map" .
check "refused: two files" refuses 'more than one' "$map" small.map sim.map
check "refused: both formats" refuses 'not both' "$map" --svg --terminal small.map
check "refused: an unknown option" refuses "'--png'" "$map" --png small.map
check "refused: no file behind --output" refuses "'--output'" "$map" small.map --output
check "refused: a place that cannot be written" refuses 'none/out' "$map" --output=none/out.svg small.map
to_full() { refuses 'No space left' sh -c "'$map' $1 >/dev/full" && refuses 'No space left' "$map" --output=/dev/full "$1"; }
check "refused: a full disk" to_full small.map
check "refused: a full disk, more than a buffer" to_full many.map
check "nothing is written where nothing can be read" test ! -e out.svg
version() { [ "$("$map" --version)" = "copse-map $(sed -n 's/^#define COPSE_VERSION_[MP][A-Z]* *//p' "$top_srcdir/lib/copse.h" | paste -s -d .)" ]; }
check "--version is that of copse.h" version
check "--help" sh -c "'$map' --help | grep -q '^Usage: copse-map'"
check "--help on a full disk" refuses 'No space left' sh -c "'$map' --help >/dev/full"
check "--version on a full disk" refuses 'No space left' sh -c "'$map' --version >/dev/full"

# ---------------------------------------------------------------- the simulation's option

# stops STATUS WORDS COMMAND...
stops() {
  local want=$1 words=$2 status=0
  shift 2
  "$@" >out 2>err || status=$?
  cat err
  [ "$status" = "$want" ] && [ "$(wc -l <err)" = 1 ] && grep -q "^simulation: .*$words" err
}
check "a map that cannot be written ends the simulation" stops 1 'No such file' "$simulation" --frames 2 --entities 100 --map none/sim.map
check "there is one of copse alone" stops 2 'copse alone' "$top_builddir/examples/simulation-system" --map sim.map
finish
