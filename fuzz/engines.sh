# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts beside it: builds by an engine and a sanitizer, and runs.  Source it in any directory; the caller has $top.
# What it builds is in $work/ENGINE-SANITIZER.

: "${top:?}" "${work:?}"
# shellcheck disable=SC2034 # the callers use it
names=(api threads threads_overlap thread_lifecycle bit_tree size_class recycler span vm_failures malloc options misuse)
# Copse's memory is its own: nothing of it is malloc's, and no leak.
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_leaks=0:abort_on_error=1} UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
# Fork takes more locks at once than the deadlock detector can count, and threads that stay are no leak.
export TSAN_OPTIONS=${TSAN_OPTIONS-detect_deadlocks=0:report_thread_leaks=0:die_after_fork=0}

# shellcheck source=../tests/undefined.sh
. "$top/tests/undefined.sh"
# sanitizer_flags NAME: address stands for address and undefined.
sanitizer_flags() {
  case $1 in
    address) echo "-fsanitize=address,$clang_undefined -fno-sanitize-recover=all" ;;
    undefined) echo "-fsanitize=$clang_undefined -fno-sanitize-recover=all" ;;
    memory) echo "-fsanitize=memory -fsanitize-memory-track-origins" ;;
    thread) echo "-fsanitize=thread" ;;
    none) echo ;;
    *) echo "no such sanitizer: $1" >&2 && return 1 ;;
  esac
}

# build_engine ENGINE SANITIZER [VARIABLE=VALUE...]: ENGINE is libfuzzer or afl; the variables are those of fuzz/build.mk.
build_engine() {
  local engine=$1 sanitizer=$2 flags out=$work/$1-$2 cc=${FUZZ_CC:-clang} cxx=${FUZZ_CXX:-clang++} cover
  shift 2
  flags=$(sanitizer_flags "$sanitizer") || return
  cover=-fsanitize=fuzzer-no-link
  if [ "$engine" = afl ]; then
    cc=afl-clang-fast cxx=afl-clang-fast++ cover=
    export AFL_QUIET=1
  else
    cover+=" -fsanitize-coverage-ignorelist=$top/fuzz/quiet.list"
  fi
  mkdir -p "$out"
  make -s -j"${jobs:-2}" -f "$top/fuzz/build.mk" OUT="$out" CC="$cc" CXX="$cxx" CFLAGS="-O1 -g -Werror $cover $flags" \
    CXXFLAGS="-g $flags" LIB_FUZZING_ENGINE=-fsanitize=fuzzer "$@"
  [ "$engine" != afl ] || make -s -f "$top/fuzz/build.mk" OUT="$out" "$out/mutator_afl.so"
}

# unless_strict COMMAND...: not while a test has the system be strict with memory (it holds this lock then): what a sanitizer has reserved
# counts there, and requests are refused that no target expects to be.
unless_strict() { flock -s /proc/sys/vm/overcommit_memory "$@"; }

# run_libfuzzer DIRECTORY PROGRAM SECONDS [ARGUMENT...]: from the seed corpus and the regressions, into a corpus of its own that
# goes on growing; what it finds is put in $work/found.  The log is DIRECTORY/PROGRAM.log.
run_libfuzzer() {
  local dir=$1 program=$2 seconds=$3 name=${2#fuzz_} folders most=512
  name=${name%_instrumented}
  shift 3
  folders=("$work/corpus/$name" "$top/fuzz/corpus/$name")
  [ ! -d "$top/fuzz/regress/$name" ] || folders+=("$top/fuzz/regress/$name")
  mkdir -p "$work/corpus/$name" "$work/found/$name"
  [ "$name" != options ] || set -- "$@" "-dict=$top/fuzz/options.dict"
  unless_strict timeout -k 30 $((seconds + 120)) "$dir/$program" -max_total_time="$seconds" -timeout=25 -detect_leaks=0 -rss_limit_mb=3000 \
    -max_len=$most -print_final_stats=1 -artifact_prefix="$work/found/$name/" "$@" "${folders[@]}" >"$dir/$program.log" 2>&1
}
