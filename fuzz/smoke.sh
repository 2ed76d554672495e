#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: smoke.sh SECONDS      Every target for so long under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, the
# half of it on the release library and half on the instrumented one; and two of them under AFL++, in its persistent mode.
# Prints TAP.  FUZZ_WORK is where it builds: build/fuzz where it is not given.
set -eu
seconds=${1:-10}
top=$(cd "$(dirname "$0")/.." && pwd)
work=${FUZZ_WORK:-$top/build/fuzz}
export top_srcdir=$top
# shellcheck source=../tests/tap.sh
. "$top/tests/tap.sh"
# shellcheck source=engines.sh
. "$top/fuzz/engines.sh"

# smoke PROGRAM: the closing line; the end of the log where it failed.
smoke() {
  local dir=$work/libfuzzer-address status=0 half=$(((seconds + 1) / 2))
  run_libfuzzer "$dir" "$1" "$half" || status=$?
  if [ "$status" != 0 ] || ! grep -q '^Done [1-9]' "$dir/$1.log"; then
    tail -n 40 "$dir/$1.log" | cut -c 1-200
    return 1
  fi
  grep '	DONE ' "$dir/$1.log" | tail -n 1
}

# afl PROGRAM: executions without a crash or a hang.
afl() {
  local dir=$work/afl-address out=$work/afl-out/$1 name=${1#fuzz_}
  rm -rf "$out"
  mkdir -p "$out"
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:symbolize=0 UBSAN_OPTIONS='' AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 \
    timeout $((seconds + 60)) afl-fuzz -V "$seconds" -m none -t 5000+ -i "$top/fuzz/corpus/${name%_instrumented}" -o "$out" \
    -- "$dir/$1" >"$out/log" 2>&1 || true
  local stats=$out/default/fuzzer_stats
  if [ ! -e "$stats" ]; then
    tail -n 20 "$out/log"
    return 1
  fi
  grep -E '^(execs_done|corpus_count|saved_crashes|saved_hangs|afl_version|target_mode)' "$stats"
  grep -q '^target_mode.*persistent' "$stats" && grep -q '^saved_crashes *: 0$' "$stats" && grep -q '^execs_done *: [1-9]' "$stats"
}

builds() { build_engine libfuzzer address; }
if checked "all targets build for libFuzzer" builds; then
  for name in "${names[@]}"; do
    check "libFuzzer: fuzz_$name" smoke "fuzz_$name"
    check "libFuzzer: fuzz_${name}_instrumented" smoke "fuzz_${name}_instrumented"
  done
fi
if command -v afl-clang-fast >/dev/null; then
  builds_afl() { build_engine afl address NAMES="api span"; }
  if checked "two targets build for AFL++" builds_afl; then
    check "AFL++: fuzz_api_instrumented" afl fuzz_api_instrumented
    check "AFL++: fuzz_span" afl fuzz_span
  fi
else
  skip "AFL++" "afl-clang-fast is not installed"
fi
finish
