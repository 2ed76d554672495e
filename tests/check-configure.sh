#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# configure refuses what copse cannot run on, in one clear sentence each, and knows the version of the header.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

[ -x "$top_srcdir/configure" ] || skip_all "no configure: run bootstrap"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# A tree in which configure has run is refused by it: the sources without that.
mkdir source
for entry in "$top_srcdir"/*; do
  case ${entry##*/} in config.status | config.h | Makefile | build) ;; *) ln -s "$entry" source/ ;; esac
done
# What make exports must not reach configure.
unset CFLAGS CXX MAKEFLAGS MFLAGS
compiler=${CC:-gcc}
read -ra run_compiler <<<"$compiler"

# refuses SENTENCE OPTION...: configure fails, and the sentence is the last thing it says and the only error.
refuses() {
  local sentence=$1 last status=0
  shift
  source/configure "$@" >out 2>&1 || status=$?
  last=$(grep -v '^$' out | tail -n 1)
  printf '%s\n' "$last"
  [ "$status" != 0 ] || return 1
  [[ $last == "configure: error: $sentence"* && $last == *. ]] || return 1
  [ "$(grep -c error: out)" = 1 ]
}

wide="copse needs a 64-bit target: "
pair="copse needs a target with a 128-bit compare-and-swap instruction: "
if "${run_compiler[@]}" -m32 -E -x c /dev/null >/dev/null 2>&1; then
  check "a 32-bit target is refused" refuses "$wide" CC="$compiler" CFLAGS=-m32
  check "a 32-bit target asked for in CC is refused" refuses "$wide" CC="$compiler -m32"
else
  skip "a 32-bit target is refused" "$compiler does not know -m32"
  skip "a 32-bit target asked for in CC is refused" "$compiler does not know -m32"
fi
check "a target without 128-bit compare-and-swap is refused" refuses "$pair" CC="$compiler" copse_cv_cas16=no
system="copse needs Linux on x86-64 or aarch64: "
check "another system is refused" refuses "$system" CC="$compiler" --host=x86_64-unknown-freebsd13
check "another processor is refused" refuses "$system" CC="$compiler" --host=riscv64-unknown-linux-gnu
check "another order of bytes is refused" refuses "$system" CC="$compiler" --host=aarch64_be-unknown-linux-gnu
check_fails "nothing is refused without a reason" refuses "$wide" CC="$compiler"
check "the version is that of copse.h" grep -q " copse $(sed -n 's/^#define COPSE_VERSION_[MP][A-Z]* *//p' \
  "$top_srcdir/lib/copse.h" | paste -s -d .) for " out

# The other model of thread-local storage goes to the library, to the headers, and to programs by pkg-config.
tells_the_model() {
  source/configure CC="$compiler" --with-tls-model="$1" >out 2>&1 || { tail -n 5 out && return 1; }
  grep '^COPSE_CFLAGS = .*-DCOPSE_TLS_DYNAMIC' Makefile && grep '^Cflags: .*-DCOPSE_TLS_DYNAMIC' copse.pc &&
    grep '^Cflags: .*-DCOPSE_TLS_DYNAMIC' copse-instrumented.pc
}
check "--with-tls-model=global-dynamic is told to all" tells_the_model global-dynamic
check_fails "the default is not" tells_the_model initial-exec
finish
