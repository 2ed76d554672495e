#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: long.sh HOURS [NAME...]      Fuzzes all targets, or those named, in turns of ten minutes each, until so many hours of wall clock
# are over: libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, ThreadSanitizer for those with threads, MemorySanitizer on the
# release library, and release without a sanitizer.  Each turn adds a line to fuzz/LEDGER.  What is found stays in $FUZZ_WORK/found, and
# ends nothing.  FUZZ_CC and FUZZ_CXX: another clang.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=${FUZZ_WORK:-$top/build/fuzz}
# shellcheck source=engines.sh
. "$top/fuzz/engines.sh"
end=$(awk -v now="$(date +%s)" -v hours="${1:-8}" 'BEGIN { printf "%d", now + hours * 3600 }')
[ $# -lt 2 ] || names=("${@:2}")
turn=${TURN_SECONDS:-600}
build_engine libfuzzer address
build_engine libfuzzer none
build_engine libfuzzer thread NAMES="threads threads_overlap thread_lifecycle"
build_engine libfuzzer memory MODES=release
engine=libFuzzer
case ${FUZZ_CC-} in clang-*) engine+=" of ${FUZZ_CC/-/ }" ;; esac
commit=$(git -C "$top" rev-parse --short HEAD 2>/dev/null || echo none)

# one SANITIZER PROGRAM
one() {
  local dir=$work/libfuzzer-$1 program=$2 seconds status=0 finding=none closing begin
  [ -x "$dir/$program" ] && [ "$(date +%s)" -lt "$end" ] || return 0
  begin=$(date +%s)
  TIMEFORMAT='%U %S'
  { time run_libfuzzer "$dir" "$program" "$turn" 2>/dev/null || status=$?; } 2>"$dir/$program.time" || true
  seconds=$(awk '{ printf "%d", $1 + $2 }' "$dir/$program.time")
  closing=$(grep -E '	DONE |^SUMMARY' "$dir/$program.log" | tail -n 1 | tr -s '\t' ' ' | tr -d ';' | sed "s#$top/##g; s#$work/##g") || true
  [ "$status" = 0 ] || finding="fuzz/regress/${program#fuzz_}/TO-BE-MINIMISED"
  printf '%s ; %s ; %s ; %s ; %s ; %s ; %s ; %s\n' "$commit" "$(date -u +%F)" "${program#fuzz_}" "$engine" "$1" "${seconds:-0}" "$finding" \
    "${closing:-none, after $(($(date +%s) - begin)) s}" >>"$top/fuzz/LEDGER"
}

while [ "$(date +%s)" -lt "$end" ]; do
  for name in "${names[@]}"; do
    for sanitizer in address thread memory none; do
      one "$sanitizer" "fuzz_$name"
      one "$sanitizer" "fuzz_${name}_instrumented"
    done
  done
done
bash "$top/fuzz/ledger.sh"
