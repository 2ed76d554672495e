#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which lines and branches of lib/ the committed corpora and regressions reach: a table, and HTML in $FUZZ_WORK/coverage/html.  Release
# and instrumented objects, and instrumented ones under AddressSanitizer and ThreadSanitizer, are counted as one: a line is covered where
# any of them ran it.
# coverage.sh [PERCENT] fails where fewer lines are covered.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=${FUZZ_WORK:-$top/build/fuzz}
# shellcheck source=engines.sh
. "$top/fuzz/engines.sh"
out=$work/coverage
mkdir -p "$out"
find_tool() { command -v "$1-14" || command -v "$1"; }
profdata=$(find_tool llvm-profdata) cov=$(find_tool llvm-cov)
counted="-fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic -mllvm -runtime-counter-relocation"
# build SANITIZER DIRECTORY [VARIABLE=VALUE...]
build() {
  make -s -j"${jobs:-2}" -f "$top/fuzz/build.mk" OUT="$2" CC="${FUZZ_CC:-clang}" \
    CFLAGS="-O1 -g $counted $(sanitizer_flags "$1") -Wno-unused-command-line-argument" LIB_FUZZING_ENGINE= "${@:3}"
}
build none "$out"
# What the library tells a sanitizer is said where there is one: by a target of one thread, and one of several.
told=(api threads)
for sanitizer in address thread; do build "$sanitizer" "$out/$sanitizer" MODES=instrumented NAMES="${told[*]}"; done
rm -f "$out"/*.profraw
objects=()
# replay NAME PROGRAM [ARGUMENT...]
replay() {
  local folders=("$top/fuzz/corpus/$1") program=${2#"$out/"}
  [ ! -d "$top/fuzz/regress/$1" ] || folders+=("$top/fuzz/regress/$1")
  # Counters are in the file itself (%c): those of children of fork, which end by _exit, are not lost.
  LLVM_PROFILE_FILE=$out/${program//\//-}.%c%p.profraw timeout 300 "$2" "${folders[@]}" "${@:3}" >/dev/null
  objects+=(-object "$2")
}
for name in "${names[@]}"; do
  for program in "$out/fuzz_$name" "$out/fuzz_${name}_instrumented"; do replay "$name" "$program" "${@:2}"; done
done
for name in "${told[@]}"; do
  for sanitizer in address thread; do replay "$name" "$out/$sanitizer/fuzz_${name}_instrumented" "${@:2}"; done
done
"$profdata" merge -sparse "$out"/*.profraw -o "$out/all.profdata"
report() { "$cov" "$1" "${objects[@]:1}" -instr-profile "$out/all.profdata" "${@:2}"; }
rm -rf "$out/html"
report show -format=html -output-dir="$out/html" -show-branches=count "$top"/lib/*.c "$top"/lib/*.h >/dev/null
report report "$top"/lib/*.c "$top"/lib/*.h >"$out/report"
# Name, then regions, functions, lines and branches: of each how many, how many missed, and the share.
awk 'NR == 1 || /^---/ { next } NF >= 13 { printf "%-24s lines %6s missed %5s  %7s   branches %6s missed %5s  %7s\n", $1, $8, $9, $10, $11, $12, $13 }' "$out/report"
total=$(awk '/^TOTAL/ { sub("%", "", $10); print $10 }' "$out/report")
echo "lines of lib/ covered by the corpora: $total %; HTML in $out/html/index.html"
awk -v total="$total" -v least="${1:-0}" 'BEGIN { exit total + 0 < least + 0 }'
