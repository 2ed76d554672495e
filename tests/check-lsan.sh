#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The instrumented library in programs whose leaks are looked for, by LeakSanitizer alone and by that of AddressSanitizer:
# malloc's memory that only copse's memory points at is no leak, and what nothing points at is.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
# shellcheck source=tools.sh
. "$(dirname "$0")/tools.sh"
run=(env ASAN_OPTIONS=detect_leaks=1)
lost() { says "$1" leak_malloc -- 'came to its end' 'ERROR: LeakSanitizer: detected memory leaks' '77 byte'; }

for sanitizer in leak address; do
  compilers "-fsanitize=$sanitizer"
  for cc in "${found[@]}"; do
    objects=()
    name=$sanitizer-$cc
    checked "$name: a program is built" program "$name" "$cc" "-fsanitize=$sanitizer" || continue
    check "$name: what copse's memory points at is no leak" silent "$name" reachable
    check "$name: what nothing points at is one" lost "$name"
    if fault no_reserved copse_annotate_reserved "$cc" && program "fault-$name" "$cc" "-fsanitize=$sanitizer"; then
      check_fails "$name: fault: of the reservation nothing is said" silent "fault-$name" reachable
    else
      nok "$name: fault: of the reservation nothing is said" "it does not compile"
    fi
  done
done
finish
