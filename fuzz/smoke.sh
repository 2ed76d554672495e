#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: smoke.sh SECONDS | fixed
# Every target under libFuzzer with AddressSanitizer and UndefinedBehaviorSanitizer, on the release library and on the instrumented one;
# two of them by clang 19 as well, and two under AFL++, in its persistent mode.  Prints TAP.  FUZZ_WORK is where it builds: build/fuzz where it is not given.
#   SECONDS   each target for so long, the half of it on each library, from a corpus that goes on growing
#   fixed     for CI: so many runs of each, by a seed, from the seed corpus alone in one order, so that the same sources give the same
#             result, whatever the machine's speed.  Not threads_overlap: what threads do all at once no seed decides.
set -eu
seconds=${1:-10} fixed=false
if [ "$seconds" = fixed ]; then fixed=true seconds=60; fi
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

# Of each target, some seconds' work; with AFL++ more.
declare -A runs=([api]=600 [threads]=500 [thread_lifecycle]=150 [bit_tree]=10000 [size_class]=50000 [recycler]=300000 [span]=2000
  [vm_failures]=600 [malloc]=400 [options]=50000 [misuse]=1000)
afl_runs=2500

# smoke_fixed PROGRAM: the same by a fixed seed.
smoke_fixed() {
  local dir=$work/libfuzzer-address name=${1#fuzz_} status=0 more=() fresh=$work/fixed/$1
  name=${name%_instrumented}
  rm -rf "$fresh"
  mkdir -p "$fresh" "$work/found/$name"
  [ "$name" != options ] || more=("-dict=$top/fuzz/options.dict")
  # Not the folders: in which order those are read depends on the file system.
  find "$top/fuzz/corpus/$name" "$top/fuzz/regress/$name" -type f 2>/dev/null | LC_ALL=C sort | tr '\n' , | sed 's/,$//' >"$fresh.list"
  unless_strict timeout -k 30 240 "$dir/$1" -seed=1 -use_cmp=0 -reload=0 -runs="${runs[$name]}" -timeout=60 -detect_leaks=0 -rss_limit_mb=3000 -max_len=512 -print_final_stats=1 \
    -artifact_prefix="$work/found/$name/" "${more[@]}" "-seed_inputs=@$fresh.list" "$fresh" >"$dir/$1.log" 2>&1 || status=$?
  if [ "$status" != 0 ] || ! grep -q "^Done ${runs[$name]} runs" "$dir/$1.log"; then
    tail -n 40 "$dir/$1.log" | cut -c 1-1000
    return 1
  fi
  grep '	DONE ' "$dir/$1.log" | tail -n 1 | sed 's,exec/s.*,,'
}

# afl PROGRAM: executions without a crash or a hang.
afl() {
  local dir=$work/afl-address out=$work/afl-out/$1 name=${1#fuzz_} how=(-V "$seconds")
  if $fixed; then how=(-s 1 -E "$afl_runs"); fi
  rm -rf "$out"
  mkdir -p "$out"
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:symbolize=0 UBSAN_OPTIONS='' AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_AFFINITY=1 \
    AFL_CUSTOM_MUTATOR_LIBRARY=$dir/mutator_afl.so \
    unless_strict timeout -k 30 $((seconds + 60)) afl-fuzz "${how[@]}" -m none -t 25000 -i "$top/fuzz/corpus/${name%_instrumented}" -o "$out" \
    -- "$dir/$1" >"$out/log" 2>&1 || true
  local stats=$out/default/fuzzer_stats
  if [ ! -e "$stats" ]; then
    tail -n 20 "$out/log"
    return 1
  fi
  grep -E '^(execs_done|corpus_count|saved_crashes|saved_hangs|afl_version|target_mode)' "$stats"
  # Seeds that crash or hang it leaves out with a warning.
  if grep -a 'results in a crash\|results in a timeout' "$out/log"; then return 1; fi
  # Names of what it kept tell what made it.
  local made
  made=$(find "$out/default/queue" -maxdepth 1 -name '*mutator_afl.so*' | wc -l)
  echo "kept that the mutator of records made: $made"
  grep -q '^target_mode.*persistent' "$stats" && grep -q '^saved_crashes *: 0$' "$stats" && grep -q '^saved_hangs *: 0$' "$stats" &&
    grep -q '^execs_done *: [1-9]' "$stats" && [ "$made" -gt 0 ]
}

builds() { build_engine libfuzzer address; }
if checked "all targets build for libFuzzer" builds; then
  for name in "${names[@]}"; do
    for program in "fuzz_$name" "fuzz_${name}_instrumented"; do
      if ! $fixed; then
        check "libFuzzer: $program" smoke "$program"
      elif [ -n "${runs[$name]-}" ]; then
        check "libFuzzer: $program, ${runs[$name]} runs" smoke_fixed "$program"
      fi
    done
  done
fi
# newer COMMAND...: with what clang 19 built.
newer() {
  local work=$work/clang-19 FUZZ_CC=clang-19 FUZZ_CXX=clang++-19
  "$@"
}
if command -v clang-19 >/dev/null; then
  builds_newer() { newer build_engine libfuzzer address NAMES="api threads"; }
  if checked "two targets build for clang 19's libFuzzer" builds_newer; then
    for program in fuzz_api fuzz_threads_instrumented; do
      if $fixed; then run=smoke_fixed; else run=smoke; fi
      check "clang 19's libFuzzer: $program" newer "$run" "$program"
    done
  fi
else
  skip "clang 19's libFuzzer" "clang-19 is not installed"
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
