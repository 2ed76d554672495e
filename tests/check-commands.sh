#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every command that a document shows is run by a test: here, in a copy of the tree, or where tests/commands.list says.  A
# command is a line, or what stands before two spaces in one, that is indented and begins as commands do (shown, below); what is
# behind "$ " in doc/DEBUGGING is run by check-debugging.sh, and the manual pages' EXAMPLES by check-man.sh.
#
#   check-commands.sh                       needs a shared build
#   check-commands.sh --list                prints the commands with the documents that show them
#   check-commands.sh --list-holds [LIST]   whether tests/commands.list, or that one, holds; no command is run
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
documents=(README CONTRIBUTING PACKAGERS bench/README fuzz/README doc/DEBUGGING doc/DESIGN doc/RELEASING doc/VERIFICATION)
limit=180

# shown DIRECTORY: "DOCUMENT: COMMAND" for each.
shown() {
  local document
  for document in "${documents[@]}"; do
    sed -nE 's/^ {3,}((\.\.?\/|\.ci\/|(bench|tests|fuzz|stress|build-aux|packaging|examples)\/[a-z]|\/tmp\/|(make|bash|sh|cc|c\+\+|gcc|g\+\+|clang|git|mkdir|cd|copse-run|valgrind|python3|sudo|apt-get|[A-Z_]+=[^ ]*) ).*)$/\1/p' "$1/$document" |
      sed -E 's/ {2,}.*//; s/ +#.*//' | sed "s|^|$document: |"
  done
}
if [ "${1-}" = --list ]; then
  shown "$top_srcdir"
  exit
fi
export LC_ALL=C
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# ---------------------------------------------------------------- the list: "COMMAND | as COMMAND", "COMMAND | in FILE: TEXT", "COMMAND | not: REASON"

# unlisted DIRECTORY LIST: the commands that are to be run here.
unlisted() { shown "$1" | sed 's/^[^:]*: //' | awk -F ' \\| ' 'NR == FNR { if (!/^#/) listed[$1]; next } !($0 in listed) && !seen[$0]++' "$2" -; }

# list_holds DIRECTORY LIST: each line is about a command that is shown; a text stands in its file; a reason is given.
list_holds() {
  local command how file text bad=0
  shown "$1" | sed 's/^[^:]*: //' | sort -u >"$scratch/shown"
  while IFS= read -r line; do
    case $line in '#'* | '') continue ;; esac
    command=${line%% | *} how=${line#* | }
    grep -qxF -e "$command" "$scratch/shown" || { echo "stale: no document shows: $command" && bad=1; }
    case $how in
      'as '?*) ;;
      'not: '?*) ;;
      'in '*': '?*)
        file=${how#in } && file=${file%%: *} text=${how#*: }
        # A tarball does without .ci and the workflows.
        case $file in .*) [ -e "$top_srcdir/.gitattributes" ] || continue ;; esac
        grep -qF -e "$text" "$top_srcdir/$file" || { echo "stale: $file has no: $text" && bad=1; }
        ;;
      *) echo "what is: $line" && bad=1 ;;
    esac
  done <"$2"
  return "$bad"
}

list=$top_srcdir/tests/commands.list
if [ "${1-}" = --list-holds ]; then
  list_holds "$top_srcdir" "${2:-$list}"
  exit
fi

# ---------------------------------------------------------------- to run them

[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
[ -e "$top_builddir/lib/.libs/libcopse-instrumented.so" ] || skip_all "built without shared libraries"
command -v pkg-config >/dev/null || skip_all "no pkg-config"
unset LD_PRELOAD COPSE_OPTIONS COPSE_SHOW_STATS COPSE_RUN COPSE_LIBDIR MAKEFLAGS MFLAGS

# A tree beside the real one: its build/release is the build, and other builds are of its own.
tree=$scratch/copse
mkdir -p "$tree/build"
for entry in "$top_srcdir"/* "$top_srcdir"/.ci; do
  case ${entry##*/} in build) ;; *) ln -s "$entry" "$tree/" ;; esac
done
ln -s "$top_builddir" "$tree/build/release"
make -s -C "$top_builddir" install-libLTLIBRARIES install-includeHEADERS install-binSCRIPTS install-nodist_pkgconfigDATA \
  DESTDIR="$scratch/root" >"$scratch/install.log" 2>&1 || { note "$(tail "$scratch/install.log")" && nok "it installs" && finish; exit; }
pc=$(find "$scratch/root" -name copse.pc)
sed -i "s|^prefix=|prefix=$scratch/root|" "${pc%/*}"/*.pc
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH=${pc%/*} LD_LIBRARY_PATH=$libdir LIBRARY_PATH=$libdir COPSE_LIBDIR=$libdir root=$scratch/installed top_srcdir
PATH=$(dirname "$(find "$scratch/root" -name copse-run)"):$PATH

# run COMMAND: where the documents mean it to be run; its output is shown where it fails.
run() {
  local where=$tree status=0
  case $1 in
    ../../configure* | 'mkdir -p '*) where=$tree/build/other && rm -rf "$where" && mkdir "$where" ;;
    tests/model/* | fuzz/fuzz_*) where=$top_builddir ;;
    'bash ../../'*) where=$tree/build/other && mkdir -p "$where" ;;
    'make -C '* | 'make -f '*) ;;
    make | 'make '*) where=$top_builddir ;;
    cc\ *) where=$scratch/program && mkdir -p "$where" && cp "$top_srcdir/examples/hello.c" "$where/program.c" ;;
  esac
  (cd "$where" && timeout "$limit" bash -e -c "$1") >"$scratch/said" 2>&1 </dev/null || status=$?
  # What was compiled is run.
  case $1 in cc\ *) [ "$status" != 0 ] || (cd "$where" && ./a.out) >"$scratch/said" 2>&1 || status=$? ;; esac
  [ "$status" = 0 ] || { echo "status $status" && tail -n 20 "$scratch/said"; }
  return "$status"
}

check "tests/commands.list holds" list_holds "$top_srcdir" "$list"
shown "$top_srcdir" >"$scratch/all"
unlisted "$top_srcdir" "$list" >"$scratch/here"
note "$(wc -l <"$scratch/all") commands are shown, $(wc -l <"$scratch/here") of them are run here as they are"
enough() { [ "$(wc -l <"$scratch/all")" -gt 50 ] && [ "$(wc -l <"$scratch/here")" -gt 10 ]; }
check "the documents have commands" enough
while IFS= read -r command <&3; do
  tool=''
  case $command in
    *clang*) command -v clang >/dev/null || tool=clang ;;
    *aarch64-linux-gnu*) command -v aarch64-linux-gnu-gcc >/dev/null || tool=aarch64-linux-gnu-gcc ;;
  esac
  if [ -n "$tool" ]; then skip "$command" "no $tool"; else check "$command" run "$command"; fi
done 3<"$scratch/here"
while IFS= read -r line <&3; do
  check "${line%% | *} (as ${line#* | as })" run "${line#* | as }"
done 3< <(grep '^[^#].* | as ' "$list")

# ---------------------------------------------------------------- planted faults

mkdir -p "$scratch/plant/bench" "$scratch/plant/fuzz" "$scratch/plant/doc"
for document in "${documents[@]}"; do cat "$top_srcdir/$document" >"$scratch/plant/$document"; done
printf '   make check-attic                 what is stored there\n' >>"$scratch/plant/CONTRIBUTING"
all_run() {
  local command
  while IFS= read -r command; do
    grep -qxF -e "$command" "$scratch/here" || run "$command" || return
  done < <(unlisted "$scratch/plant" "$list")
}
check_fails "a command that no test runs, and that fails, is found" all_run
{ cat "$list" && echo 'make attic | not: it is planted'; } >"$scratch/list"
check_fails "a line of the list that is stale is found" list_holds "$top_srcdir" "$scratch/list"
{ grep -v '^#' "$list" | head -n 1 | sed 's/ | .*/ | in README: this is not there/'; } >"$scratch/list"
check_fails "a text that its file does not have is found" list_holds "$top_srcdir" "$scratch/list"
finish
