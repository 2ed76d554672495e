#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doc/DEBUGGING holds: each of its commands ("    $ COMMAND") is run, in order, against a scratch installation, and prints
# the lines that the page shows below it, but for "...", addresses and numbers.
#
#   check-debugging.sh           needs a shared build; what a missing tool would run is skipped, and said
#   check-debugging.sh --show    prints the commands with what they print now, for pasting
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
page=$top_srcdir/doc/DEBUGGING
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
[ -e "$top_builddir/lib/.libs/libcopse-instrumented.so" ] || skip_all "built without shared libraries"
command -v pkg-config >/dev/null || skip_all "no pkg-config"
unset LD_PRELOAD COPSE_OPTIONS COPSE_SHOW_STATS COPSE_MAP COPSE_RUN COPSE_LIBDIR ASAN_OPTIONS TSAN_OPTIONS MSAN_OPTIONS LSAN_OPTIONS
export LC_ALL=C
ulimit -c 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
make -s -C "$top_builddir" install-libLTLIBRARIES install-includeHEADERS install-binSCRIPTS install-nodist_pkgconfigDATA \
  DESTDIR="$scratch/root" >"$scratch/install.log" 2>&1 || {
  note "$(tail -n 20 "$scratch/install.log")"
  nok "it installs"
  finish
  exit
}
ok "it installs"
# Where it was meant to stand, it is not: the scratch directory is before the prefix.
pc=$(find "$scratch/root" -name copse-instrumented.pc)
sed -i "s|^prefix=|prefix=$scratch/root|" "${pc%/*}"/*.pc
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=${pc%/*} LD_LIBRARY_PATH=$libdir COPSE_LIBDIR=$libdir
PATH=$(dirname "$(find "$scratch/root" -name copse-run)"):$PATH
mkdir "$scratch/work"
cp "$top_srcdir"/examples/*.c "$scratch/work"
cd "$scratch/work"

# What differs from run to run, and from machine to machine.
normal() { sed -E 's/0x[0-9a-f]+/0x/g; s/\+0x\)//; s/[0-9]+/N/g; s|[^ (]*/||g; s/[[:space:]]+/ /g; s/ \(BuildId: [^)]*\)//; s/^ //; s/ $//'; }

# shown FILE: of the lines on standard input, each is in the file, in their order.
shown() {
  local want from=1 at
  normal <"$1" >"$1.normal"
  while IFS= read -r want; do
    case $want in *...*) continue ;; esac
    want=$(normal <<<"$want")
    [ -n "$want" ] || continue
    at=$(tail -n "+$from" "$1.normal" | grep -n -F -x -m 1 -e "$want" | cut -d : -f 1)
    if [ -z "$at" ]; then
      printf 'not there, or not in this order: %s\nwhat was printed:\n' "$want"
      head -n 60 "$1"
      return 1
    fi
    from=$((from + at))
  done
}

run_command() {
  local command=$1 shown_lines=$2 tool status=0
  for tool in clang valgrind gcc; do
    case " $command" in *" $tool "*) command -v "$tool" >/dev/null || { skip "$command" "no $tool" && missing=1 && return; } ;; esac
  done
  # In a process group of its own: what aborts says so to nobody.
  { bash -c "ulimit -c 0; $command" >"$scratch/out" 2>&1; } 2>/dev/null </dev/null || status=$?
  if [ -n "${show-}" ]; then
    printf '    $ %s\n' "$command" && sed 's/^/    /' "$scratch/out" && echo && return
  fi
  case $command in
    # A compilation succeeds, and says nothing.
    *pkg-config*)
      if [ "$status" = 0 ] && [ ! -s "$scratch/out" ]; then ok "$command"; else nok "$command" "$(cat "$scratch/out")"; fi
      ;;
    *)
      if [ -z "$shown_lines" ] && [ "$status" != 0 ]; then
        nok "$command" "status $status: $(head -n 40 "$scratch/out")"
      else
        check "$command" shown "$scratch/out" <<<"$shown_lines"
      fi
      ;;
  esac
}

show='' missing='' command='' lines=''
[ "${1-}" != --show ] || show=1
while IFS= read -r line; do
  case $line in
    '    $ '*)
      [ -z "$command" ] || run_command "$command" "$lines"
      command=${line#    \$ } lines=''
      ;;
    '    '*) [ -z "$command" ] || lines+=$line$'\n' ;;
    *)
      [ -z "$command" ] || run_command "$command" "$lines"
      command='' lines=''
      ;;
  esac
done <"$page"
[ -z "$command" ] || run_command "$command" "$lines"
if [ -n "$show" ]; then exit 0; fi
[ "$tap_count" -gt 10 ] || nok "the page has commands"
finish
