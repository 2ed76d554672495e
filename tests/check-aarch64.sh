#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# copse on aarch64, cross-compiled by gcc and run by qemu-user: for -march=armv8-a, where what swaps 16 bytes is chosen at run
# time, on a processor that has LL/SC alone, and for +lse, which has CASP.  Prints TAP.  Each case of a unit test that passes on this
# machine passes there, but for those of tests/ports.list; and each compiler makes the instructions that are written down here.
# Usage: check-aarch64.sh [smoke]     smoke: the instructions, and a test of each module on +lse
# Wants gcc-aarch64-linux-gnu and qemu-user; cmocka for arm64 is brought by build-aux/cmocka.sh.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
# shellcheck source=ports.sh
. "$(dirname "$0")/ports.sh"
command -v aarch64-linux-gnu-gcc >/dev/null || skip_all "no aarch64-linux-gnu-gcc"
command -v qemu-aarch64 >/dev/null || skip_all "no qemu-aarch64"
objdump=aarch64-linux-gnu-objdump

# ---------------------------------------------------------------- the instructions

# instructions OBJECT FUNCTION: what there is of swaps, loads with acquire and calls, in order, in one line.
instructions() {
  "$objdump" -dr --no-show-raw-insn "$1" | awk -v name="<$2>:" '
    $2 == name { inside = 1; next }
    /^$/ { inside = 0 }
    inside && $2 ~ /^(ldar|ldapr|ldapur|casp[al]*|ldxp|ldaxp|stxp|stlxp|dmb)$/ { printf " %s", $2 }
    inside && /R_AARCH64_(CALL|JUMP)26/ { sub(/\+.*/, "", $3); printf " %s", $3 }' | sed 's/^ //'
}

# makes EXPECTED FUNCTION CC FLAG...: of lib/recycler.c.
makes() {
  local expected=$1 function=$2 seen
  shift 2
  "$@" -std=gnu11 -O2 -D_GNU_SOURCE -I"$top_srcdir/lib" -c "$top_srcdir/lib/recycler.c" -o "$scratch/recycler.o" || return
  seen=$(instructions "$scratch/recycler.o" "$function")
  [ "$seen" = "$expected" ] || {
    printf 'made:     %s\nexpected: %s\n' "$seen" "$expected"
    return 1
  }
}
push=copse_recycler_push_mpmc pop=copse_recycler_pop_mpmc
gcc=aarch64-linux-gnu-gcc
# __sync is a full barrier: gcc's LL/SC has one behind it, its helper and CASP have it in them.
check "gcc, armv8-a: push" makes "ldar __aarch64_cas16_sync" $push $gcc -march=armv8-a
check "gcc, armv8-a: pop" makes "ldar ldar __aarch64_cas16_sync" $pop $gcc -march=armv8-a
check "gcc, armv8-a without helpers: push" makes "ldar ldxp stlxp dmb" $push $gcc -march=armv8-a -mno-outline-atomics
check "gcc, armv8-a without helpers: pop" makes "ldar ldar ldxp stlxp dmb" $pop $gcc -march=armv8-a -mno-outline-atomics
# gcc 12 makes no LDAPR of an acquire load.
for march in armv8-a+lse armv8.3-a; do
  check "gcc, $march: push" makes "ldar caspal" $push $gcc -march=$march
  check "gcc, $march: pop" makes "ldar ldar caspal" $pop $gcc -march=$march
done
for version in 14 19; do
  clang=clang-$version
  if ! command -v "$clang" >/dev/null; then
    skip "$clang" "not installed"
    continue
  fi
  clang+=" --target=aarch64-linux-gnu"
  # The weaker load is clang 19's alone.
  case $version in 14) load=ldar ;; *) load=ldapr ;; esac
  # shellcheck disable=SC2086 # words
  {
    check "clang $version, armv8-a: push" makes "ldar __aarch64_cas16_rel" $push $clang -march=armv8-a
    check "clang $version, armv8-a: pop" makes "ldar ldar __aarch64_cas16_acq" $pop $clang -march=armv8-a
    # A swap that fails writes back what it read.
    check "clang $version, armv8-a without helpers: push" makes "ldar ldxp stlxp stlxp" $push $clang -march=armv8-a -mno-outline-atomics
    check "clang $version, armv8-a without helpers: pop" makes "ldar ldar ldaxp stxp stxp" $pop $clang -march=armv8-a -mno-outline-atomics
    check "clang $version, armv8-a+lse: push" makes "ldar caspl" $push $clang -march=armv8-a+lse
    check "clang $version, armv8-a+lse: pop" makes "ldar ldar caspa" $pop $clang -march=armv8-a+lse
    check "clang $version, armv8.3-a: push" makes "$load caspl" $push $clang -march=armv8.3-a
    check "clang $version, armv8.3-a: pop" makes "$load $load caspa" $pop $clang -march=armv8.3-a
  }
done
check_fails "another instruction than is written down is found" makes "ldapr ldapr caspal" $pop $gcc -march=armv8-a+lse
check_fails "one that is missing is found" makes "ldar ldar ldxp stlxp" $pop $gcc -march=armv8-a -mno-outline-atomics

# ---------------------------------------------------------------- the unit tests

cmocka=$ports/cmocka-arm64
if ! checked "cmocka for arm64 is there" "$top_srcdir/build-aux/cmocka.sh" arm64 "$cmocka"; then
  finish
  exit
fi
# Emulated, these two take as long as the rest.
smoke=$(grep -v -e /test_guard -e /test_copse <<<"$smoke")
if [ "${1-}" = smoke ]; then
  whole=$smoke passes=(lse) targets=lib/libcopse.la
else
  whole=$(units "$top_builddir") passes=(v8a lse)
fi
programs=$whole
check "the unit tests of the build pass" native "$scratch/native-results"

# has LIBRARY INSTRUCTION OTHER: the one, not the other, and no libatomic.
has() {
  "$objdump" -d "$1" >"$scratch/dump"
  grep -q "[[:space:]]$2[[:space:]]" "$scratch/dump" || { echo "there is no $2" && return 1; }
  ! grep -m 1 "[[:space:]]$3[[:space:]]" "$scratch/dump" && ! "$objdump" -p "$1" | grep 'NEEDED.*libatomic'
}
# emulated DIRECTORY RESULTS QEMU-OPTION...: qemu notes each page of what is reserved, 24 bytes that it never gives back, which
# takes memory and time; so there is a limit, below which copse takes what it can get: of 8 GB, and of 64 GB for the tests of large
# classes.
emulated() {
  local directory=$1 results=$2 limit all
  all=$(tried aarch64 <<<"$programs")
  shift 2
  rm -rf "$results"
  for limit in 8 64; do
    if [ "$limit" = 8 ]; then programs=$(grep -vE "$large" <<<"$all"); else programs=$(grep -E "$large" <<<"$all"); fi || continue
    (ulimit -v $((limit << 20)) && export COPSE_TEST_EMULATED=1 && run_units "$directory" "$results" qemu-aarch64 "$@" -L /usr/aarch64-linux-gnu)
  done
}
large='/test_(inline|pool_model|pool_trim_busy|pool_trim_parts|span.*|stats|traps)(_instrumented)?$'
export unit_limit=600
for pass in "${passes[@]}"; do
  cpu=max march=armv8-a+lse build=aarch64-lse programs=$whole
  [ "$pass" != v8a ] || cpu=cortex-a57 march=armv8-a build=aarch64-v8a
  checked "$pass: it builds without a warning" port "$build" -- --host=aarch64-linux-gnu CFLAGS="-O2 -g -march=$march" \
    CPPFLAGS="-I$cmocka/include" LDFLAGS="-L$cmocka/lib -Wl,-rpath,$cmocka/lib" || continue
  library=$ports/$build/lib/.libs/libcopse.so
  case $pass in
    v8a)
      check "$pass: the library has LL/SC, for processors without LSE" has "$library" ldxp libatomic
      check "$pass: and CASP, for those with it" has "$library" caspal libatomic
      ;;
    lse) check "$pass: the library has CASP, and no LL/SC" has "$library" caspal ldxp ;;
  esac
  emulated "$ports/$build" "$scratch/$pass" -cpu "$cpu"
  note "$pass"
  held aarch64 "$scratch/native-results" "$scratch/$pass"
done
finish
