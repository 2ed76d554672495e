#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which lines and branches of lib/ the tests reach: all unit tests in both modes, the drop-ins, copse-run, the death tests
# without a tool, and the fuzzing corpora.  Built by clang in build-coverage/ below the build directory; release and instrumented
# objects count as one: a line is covered where either ran it.  A table, and HTML in build-coverage/html.
#
#   coverage.sh [PERCENT]      fails where fewer lines are covered
#
# What the counters cost makes some figures that tests look at other ones: whether they pass is `make check`'s.
set -eu
out=${top_builddir:?}/build-coverage
find_tool() { command -v "$1-14" || command -v "$1"; }
profdata=$(find_tool llvm-profdata) cov=$(find_tool llvm-cov)
rm -rf "$out"
mkdir -p "$out/profile"
cd "$out"
# Counters are in the file itself (%c): those of a child of fork and of what ends by a signal are not lost.
counted="-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation"
# libtool puts libc before the counters' runtime in a library of C++: atexit, which libc has as an object, is asked for early.
"${top_srcdir:?}/configure" -q CC=clang CXX=clang++ CFLAGS="-O1 -g $counted" CXXFLAGS="-O1 -g" LDFLAGS="-fprofile-instr-generate -Wl,-u,atexit"
# What runs before all else of the process runs before the counters do, and is not seen.
make -s -j"$(nproc)" copse_initfirst= >make.log 2>&1
# Not those that look at the sources, the objects, or build programs of their own.
# shellcheck disable=SC2016 # make expands it
tests=$(printf 'include Makefile\nprint-tests:\n\t@echo $(TESTS)\n' | make -s -f - print-tests | tr ' ' '\n' |
  grep -v -e '/check-[^/]*$' -e '^bench/' | tr '\n' ' ')
LLVM_PROFILE_FILE=$out/profile/%c%m.profraw DEATH_COLUMNS=plain make -s -j"$(nproc)" check copse_initfirst= \
  TESTS="$tests tests/check-cxx.sh fuzz/check-replay.sh" >check.log 2>&1 || true
grep '^# [A-Z]*:' check.log || { tail -n 20 check.log && exit 1; }
"$profdata" merge -sparse profile/*.profraw -o all.profdata
objects=()
for file in tests/test_* lib/.libs/*.so fuzz/fuzz_*; do
  # Scripts and objects aside.
  [ "$(head -c 4 "$file" | tail -c 3)" = ELF ] && [ -x "$file" ] && objects+=(-object "$file")
done
show() { "$cov" "$1" "${objects[@]:1}" -instr-profile all.profdata -ignore-filename-regex='/(tests|fuzz|bench|examples)/' "${@:2}" 2>/dev/null; }
show show -format=html -output-dir=html -show-branches=count >/dev/null
show report >table
# Name, then regions, functions, lines and branches: of each how many, how many missed, and the share.
awk '$1 ~ /\.[ch]$/ && NF >= 13 {
  sub(".*/", "", $1)
  printf "%-24s lines %6s missed %5s  %7s   branches %6s missed %5s  %7s\n", $1, $8, $9, $10, $11, $12, $13
  lines += $8; missed += $9; branches += $11; untaken += $12
} END {
  if (!lines) exit 1
  printf "lines of lib/ covered by the tests: %.1f %% of %d; branches: %.1f %% of %d\n", 100 - 100 * missed / lines, lines,
    100 - 100 * untaken / branches, branches
  exit (100 - 100 * missed / lines < least)
}' least="${1:-0}" table
