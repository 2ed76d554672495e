#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: under-tools.sh SECONDS [NAME...]      Copse and the scenarios compiled with AddressSanitizer and UndefinedBehaviorSanitizer, then
# with ThreadSanitizer: each scenario, or those named, for so many seconds on each library.  Prints TAP.  Built is in
# $top_builddir/stress/sanitized.
set -eu
seconds=${1:-2}
[ $# = 0 ] || shift
# shellcheck source=../tests/tap.sh
. "$(dirname "$0")/../tests/tap.sh"
# What a round may take: a sanitizer makes a tenth of the work cost as much.
export STRESS_LIMIT=180

# built FOLDER SANITIZERS
built() {
  mkdir -p "$1"
  cd "$1"
  if [ ! -e Makefile ] && ! "$top_srcdir/configure" --enable-werror --disable-shared --enable-sanitizers="$2" >log 2>&1; then
    tail -n 20 log
    return 1
  fi
  make -s -j"${jobs:-2}" stress-programs >log 2>&1 || {
    tail -n 20 log
    return 1
  }
}

for sanitizers in address,undefined thread; do
  folder=$top_builddir/stress/sanitized/${sanitizers%%,*}
  if checked "builds with $sanitizers" built "$folder" "$sanitizers"; then
    adopt "$sanitizers" env STRESS_SANITIZER="${sanitizers%%,*}" top_builddir="$folder" top_srcdir="$top_srcdir" bash "$top_srcdir/stress/run.sh" "$seconds" "$@"
  fi
done
finish
