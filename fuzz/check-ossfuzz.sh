#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: check-ossfuzz.sh [ENGINE-SANITIZER...]      What OSS-Fuzz does with ossfuzz.sh, without its container: the build with the flags of
# its base image, in a folder that is then moved and whose sources are gone, and its build check: four runs done, enough edges, the
# sanitizer's calls and no other's, archives, dictionaries and options.  The thresholds are those of its bad_build_check.  Prints TAP.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
export top_srcdir=$top
# shellcheck source=../tests/tap.sh
. "$top/tests/tap.sh"
[ $# -gt 0 ] || set -- libfuzzer-address libfuzzer-undefined libfuzzer-memory libfuzzer-thread afl-address
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cflags='-O1 -fno-omit-frame-pointer -gline-tables-only -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION'
ubsan='array-bounds,bool,builtin,enum,function,integer-divide-by-zero,null,object-size,return,returns-nonnull-attribute,shift,signed-integer-overflow,unreachable,vla-bound,vptr'
sanitizer_of() {
  case $1 in
    address) echo "-fsanitize=address -fsanitize-address-use-after-scope" ;;
    undefined) echo "-fsanitize=$ubsan -fno-sanitize-recover=$ubsan" ;;
    memory) echo "-fsanitize=memory -fsanitize-memory-track-origins" ;;
    thread) echo "-fsanitize=thread" ;;
  esac
}

# build ENGINE SANITIZER: a clone of the tree is built into $scratch/first, and is gone afterwards.
build() {
  local flags cc=clang cxx=clang++ engine=-fsanitize=fuzzer each=1 less=0
  rm -rf "$scratch/src" "$scratch/first" "$scratch/second"
  mkdir -p "$scratch/src" "$scratch/first" "$scratch/tmp"
  cp -r "$top/lib" "$top/fuzz" "$top/tests" "$scratch/src/"
  flags="$cflags $(sanitizer_of "$2")"
  if [ "$1" = afl ]; then cc=afl-clang-fast cxx=afl-clang-fast++; else flags+=" -fsanitize=fuzzer-no-link"; fi
  AFL_QUIET=1 SANITIZER=$2 OUT=$scratch/first WORK=$scratch/tmp CC=$cc CXX=$cxx CFLAGS=$flags CXXFLAGS="$flags -stdlib=libstdc++" \
    LIB_FUZZING_ENGINE=$engine bash "$scratch/src/fuzz/ossfuzz.sh" 2>&1 | grep -v '^$' | tail -n 20
  rm -rf "$scratch/src"
  mv "$scratch/first" "$scratch/second"
  # One a target, and for AddressSanitizer one more on the instrumented library.
  if [ "$2" = address ]; then each=2; fi
  if [ "$2" = thread ]; then less=1; fi
  [ "$(find "$scratch/second" -name 'fuzz_*' -perm -u+x -type f | wc -l)" = $((each * $(find "$top/fuzz" -name 'fuzz_*.c' | wc -l) - less)) ]
}

# Calls of a sanitizer's functions in a program.
calls() { objdump -d "$1" | grep -c "call.*<__$2_" || true; }

# counts PROGRAM SANITIZER: the thresholds of bad_build_check.
counts() {
  local a m u t
  a=$(calls "$1" asan) m=$(calls "$1" msan) u=$(calls "$1" ubsan) t=$(calls "$1" tsan)
  echo "calls: asan $a, msan $m, ubsan $u, tsan $t"
  case $2 in
    address) [ "$a" -ge 1000 ] && [ "$m" -le 20 ] && [ "$u" -le 200 ] && [ "$t" -le 100 ] ;;
    memory) [ "$m" -ge 1000 ] && [ "$a" = 0 ] && [ "$u" -le 200 ] ;;
    undefined) [ "$u" -ge 169 ] && [ "$a" = 0 ] && [ "$m" -le 20 ] ;;
    thread) [ "$t" -ge 1000 ] && [ "$a" = 0 ] && [ "$m" -le 20 ] ;;
  esac
}

companions() {
  local target=$1
  python3 -m zipfile -t "$target"_seed_corpus.zip >/dev/null && [ "$(python3 -m zipfile -l "$target"_seed_corpus.zip | wc -l)" -gt 1 ] &&
    grep -q '^\[libfuzzer\]' "$target.options" || return
  case $target in *options*) [ -s "$target.dict" ] && grep -q "^dict = $(basename "$target").dict" "$target.options" ;; esac
}

export ASAN_OPTIONS=detect_leaks=0:symbolize=0:abort_on_error=1 TSAN_OPTIONS=detect_deadlocks=0:report_thread_leaks=0:die_after_fork=0 AFL_NO_UI=1 AFL_SKIP_CPUFREQ=1 AFL_NO_AFFINITY=1 \
  AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1

# Four runs on an input that is not empty, and more than a hundred edges in more than two functions.
runs_libfuzzer() {
  local said
  rm -rf "$scratch/input"
  mkdir "$scratch/input"
  head -c 64 /dev/urandom >"$scratch/input/one"
  said=$(cd / && timeout 100 "$1" -seed=1337 -runs=4 -detect_leaks=0 "$scratch/input" </dev/null 2>&1) || { printf '%s\n' "$said" | tail -n 20 && return 1; }
  grep -q '^Done 4 runs' <<<"$said" && [[ $said =~ \(([0-9]+)\ inline ]] && echo "edges: ${BASH_REMATCH[1]}" && [ "${BASH_REMATCH[1]}" -ge 100 ]
}
runs_afl() {
  rm -rf "$scratch/in" "$scratch/afl"
  mkdir "$scratch/in"
  head -c 64 /dev/urandom >"$scratch/in/one"
  (cd / && timeout 60 afl-fuzz -V 3 -m none -t 5000+ -i "$scratch/in" -o "$scratch/afl" -- "$1") >"$scratch/log" 2>&1 || true
  if grep -q 'All set and ready to roll' "$scratch/log" && grep -q '^execs_done *: [1-9]' "$scratch/afl/default/fuzzer_stats"; then
    return 0
  fi
  tail -n 20 "$scratch/log"
  return 1
}

# No path of the machine that built it, as it was.
no_path() { ! strings -a "$1" | grep -F -q -e "$scratch/first" -e "$scratch/tmp"; }

for kind in "$@"; do
  engine=${kind%-*} sanitizer=${kind#*-}
  if [ "$engine" = afl ] && ! command -v afl-clang-fast >/dev/null; then
    skip "$kind" "afl-clang-fast is not installed"
    continue
  fi
  checked "$kind: builds" build "$engine" "$sanitizer" || continue
  for program in "$scratch"/second/fuzz_*; do
    case $program in *.zip | *.dict | *.options) continue ;; esac
    target=$(basename "$program")
    check "$kind: $target runs where it was moved to" "runs_$engine" "$program"
    check "$kind: $target: the sanitizer's calls" counts "$program" "$sanitizer"
    check "$kind: $target: seeds, options, dictionary" companions "$program"
    check "$kind: $target names no folder it was built into" no_path "$program"
  done
done
# The check can fail: a program without a sanitizer has none of its calls.
printf 'int main(void) { return 0; }\n' | clang -x c - -o "$scratch/plain"
check_fails "a program without the sanitizer is found" counts "$scratch/plain" address
finish
