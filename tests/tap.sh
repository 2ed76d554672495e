# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For test scripts: source it, call ok or nok for each result, end with `finish`.  Prints TAP.
# Outside of make the sources are looked for beside the script, and the build in build/release.

: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=$top_srcdir/build/release}"
tap_count=0
tap_failed=0

# ok NAME: a result that is as it should be.
ok() {
  tap_count=$((tap_count + 1))
  printf 'ok %d - %s\n' "$tap_count" "$1"
}

# nok NAME [WHY]
nok() {
  tap_count=$((tap_count + 1))
  tap_failed=$((tap_failed + 1))
  printf 'not ok %d - %s\n' "$tap_count" "$1"
  [ $# -lt 2 ] || note "$2"
}

# skip NAME WHY: one result that cannot be had here.
skip() {
  tap_count=$((tap_count + 1))
  printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

# A line, or several, for the reader of the log.
note() { printf '%s\n' "$*" | sed 's/^/# /'; }

# check NAME COMMAND...: ok if the command succeeds; its output is shown in any case.
check() {
  local name=$1 out status=0
  shift
  out=$("$@" 2>&1) || status=$?
  [ -z "$out" ] || note "$out"
  if [ "$status" = 0 ]; then ok "$name"; else nok "$name"; fi
}

# checked NAME COMMAND...: as check, and says whether it was ok.
checked() {
  local failed_before=$tap_failed
  check "$@"
  [ "$tap_failed" = "$failed_before" ]
}

# check_fails NAME COMMAND...: ok if it fails.  For planted faults.
check_fails() {
  local name=$1 out status=0
  shift
  out=$("$@" 2>&1) || status=$?
  [ -z "$out" ] || note "$out"
  if [ "$status" != 0 ]; then ok "$name"; else nok "$name" "the fault was not found"; fi
}

# skip_all WHY: none of it can be had here.
skip_all() {
  printf '1..0 # SKIP %s\n' "$*"
  exit 0
}

# adopt NAME COMMAND...: takes over the results of a program that prints TAP.  One that breaks off, or that fails without
# a failed result, adds a failed one.
adopt() {
  local name=$1 out status=0 line plan='' seen=0 failed_before=$tap_failed
  shift
  out=$("$@" 2>&1) || status=$?
  while IFS= read -r line; do
    case $line in
      'not ok '*) nok "$name: ${line#not ok [0-9]* - }" && seen=$((seen + 1)) ;;
      'ok '*' # SKIP '*) skip "$name: ${line#*# SKIP }" "says the test" && seen=$((seen + 1)) ;;
      'ok '*) ok "$name: ${line#ok [0-9]* - }" && seen=$((seen + 1)) ;;
      '1..0 # SKIP'*) skip "$name" "${line#*SKIP }" && plan=0 ;;
      1..[0-9]*) plan=${line#1..} && plan=${plan%% *} ;;
      *) note "$line" ;;
    esac
  done <<<"$out"
  if [ "$plan" != "$seen" ]; then
    nok "$name: $seen results of ${plan:-no} planned, status $status"
  elif [ "$status" != 0 ] && [ "$tap_failed" = "$failed_before" ]; then
    nok "$name: status $status"
  fi
}

# one_word DIRECTORY: a $CC of several words, as packages are built by, becomes one: a script in that directory, named as the first.
one_word() {
  local words
  read -ra words <<<"${CC-}"
  [ ${#words[@]} -gt 1 ] || return 0
  words[0]=$(command -v "${words[0]}") || return
  CC=${words[0]##*/}
  mkdir "$1/bin"
  printf '#!/bin/sh\nexec%s "$@"\n' "$(printf ' %q' "${words[@]}")" >"$1/bin/$CC"
  chmod +x "$1/bin/$CC"
  PATH=$1/bin:$PATH
}

# same_objects MORE-THAN FOLDER FOLDER: both have the same objects, to the byte, and more than so many.
same_objects() {
  local object bad=0 n=0
  for object in "$2"/*.o; do
    cmp "$object" "$3/${object##*/}" || bad=1
    n=$((n + 1))
  done
  printf '%s objects\n' "$n"
  [ "$n" -gt "$1" ] && [ "$(cd "$2" && echo *.o)" = "$(cd "$3" && echo *.o)" ] && return "$bad"
}

finish() {
  printf '1..%d\n' "$tap_count"
  [ "$tap_failed" = 0 ]
}
