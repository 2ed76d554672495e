# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For the scripts that hold the unit tests of a port against those of the build: source it behind tap.sh.
# tests/ports.list has what a port does not do, with the reason.

list=$top_srcdir/tests/ports.list
ports=$top_builddir/ports
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset MAKEFLAGS MFLAGS
jobs=${jobs:-$(nproc)}
# A test of each module, in seconds: for CI.
modules="size_class bit_tree chain bundle recycler lock tune stats promise region vm pool_model quarantine report guard cache registry
  copse batch inline"
# shellcheck disable=SC2034 # who sources this uses it
smoke=$(for module in $modules; do printf 'tests/test_%s\ntests/test_%s_instrumented\n' "$module" "$module"; done)

# units DIRECTORY: the programs of the unit tests that are built there.
# shellcheck disable=SC2016 # make expands it
units() {
  printf 'include Makefile\nprint-units:\n\t@echo "units:" $(copse_unit_programs)\n' |
    make -s -C "$1" -f - print-units | sed -n 's/^units: //p' | tr ' ' '\n'
}
# alone DIRECTORY: those of them that others would disturb.
# shellcheck disable=SC2016 # make expands it
alone() {
  printf 'include Makefile\nprint-alone:\n\t@echo "alone:" $(copse_alone_tests)\n' |
    make -s -C "$1" -f - print-alone | sed -n 's/^alone: //p' | tr ' ' '\n'
}

# port PORT MAKE-ARGUMENT... -- CONFIGURE-ARGUMENT...: configures and builds the libraries and $programs in $ports/PORT.  A port
# is not told what the build is made with, neither by AM_TESTS_ENVIRONMENT nor by arguments of make.
port() {
  local directory=$ports/$1 arguments=()
  shift
  while [ "$1" != -- ]; do arguments+=("$1") && shift; done
  shift
  mkdir -p "$directory"
  if [ ! -e "$directory/Makefile" ]; then
    (cd "$directory" && unset CC CXX CFLAGS NM OBJDUMP READELF && "$top_srcdir/configure" --enable-werror "$@") >"$directory/configure.log" 2>&1 || {
      tail -n 20 "$directory/configure.log"
      rm -f "$directory/Makefile"
      return 1
    }
  fi
  # One after the other: "all" is a make of its own, and both would compile the same objects at once.
  # shellcheck disable=SC2086,SC2154 # words; who sources this sets them
  { make -s -C "$directory" -j"$jobs" "${arguments[@]}" ${targets-all} && make -s -C "$directory" -j"$jobs" "${arguments[@]}" $programs; } \
    >"$directory/make.log" 2>&1 || {
    grep -B 3 -A 3 '\*\*\*' "$directory/make.log" || tail -n 20 "$directory/make.log"
    return 1
  }
}

# run_units DIRECTORY RESULTS [COMMAND...]: runs $programs there, under the command; RESULTS gets the TAP of each.
run_one() {
  local results=$1 program=$2
  shift 2
  timeout "${unit_limit:-600}" sh "$top_srcdir/tests/cmocka-tap.sh" "$@" "$program" >"$results/${program##*/}.log" 2>&1 || true
}
run_units() {
  # What a test loads is the port's.
  local directory=$1 results=$2 alone together top_builddir=$1
  shift 2
  mkdir -p "$results"
  alone=$(alone "$directory")
  together=$(grep -vxF "$alone" <<<"$programs" || true)
  export CMOCKA_MESSAGE_OUTPUT=TAP top_srcdir top_builddir unit_limit
  export -f run_one
  # shellcheck disable=SC2016 # the inner shell expands it
  (cd "$directory" && {
    printf '%s\n' "$together" | grep . | xargs -P "$jobs" -I '{}' bash -c 'run_one "$0" "$@"' "$results" '{}' "$@"
    grep -xF "$alone" <<<"$programs" | xargs -I '{}' bash -c 'run_one "$0" "$@"' "$results" '{}' "$@"
  }) || true
}

# cases RESULTS: "PROGRAM CASE" of each that passed, and did not leave out what it is about.
cases() {
  local file
  for file in "$1"/*.log; do
    awk -v program="$(basename "$file" .log)" '
      /left out/ { left = 1 }
      /^ok [0-9]+ - / { if (!left) print program, $4 }
      /^(not )?ok / { left = 0 }' "$file"
  done | sort
}

# short PORT NATIVE RESULTS LIST: what passes here, and not there, but for the list; and what is listed, and passes or is no test.
short() {
  local fault=0 program case reason key
  cases "$2" >"$scratch/native"
  cases "$3" >"$scratch/there"
  comm -23 "$scratch/native" "$scratch/there" >"$scratch/missing"
  sed -n "s/^$1 //p" "$4" >"$scratch/listed"
  while read -r program case; do
    # A line without _instrumented is about both.
    grep -q -e "^$program \($case\|[*]\) " -e "^${program%_instrumented} \($case\|[*]\) " "$scratch/listed" && continue
    echo "$program $case passes here, and not there: $(grep -h -A 3 "^not ok [0-9]* - $case\b" "$3/$program.log" | tr '\n' ' ' | head -c 300)"
    fault=1
  done <"$scratch/missing"
  while read -r program case reason; do
    [ -n "$reason" ] || { echo "ports.list: $program $case has no reason" && fault=1; }
    key="^$program\(_instrumented\)\? $case\$"
    # A part of the tests may have been run; and a program with a star was not.
    [ "$case" != '*' ] || continue
    [ -e "$2/$program.log" ] || [ -e "$2/${program}_instrumented.log" ] || continue
    case $reason in 'at times '*) continue ;; esac
    grep -q "$key" "$scratch/missing" || { echo "ports.list is stale: $1 $program $case" && fault=1; }
  done <"$scratch/listed"
  echo "$(wc -l <"$scratch/native") cases pass here, $(wc -l <"$scratch/there") there; $(wc -l <"$scratch/missing") of the first do not"
  [ "$(wc -l <"$scratch/there")" -gt 20 ] || { echo "hardly any were run" && fault=1; }
  return "$fault"
}

# tried PORT: of the programs on standard input, those without a star.
tried() { grep -vxE "tests/($(sed -n "s/^$1 \([^ ]*\) [*] .*/\1/p" "$list" | paste -s -d '|'))(_instrumented)?"; }

# held PORT NATIVE RESULTS: the comparison, and that it finds what is planted.
held() {
  check "$1: what passes here passes there, but for tests/ports.list" short "$1" "$2" "$3" "$list"
  # The last case of all that pass is lost.
  rm -rf "$scratch/planted"
  cp -r "$3" "$scratch/planted"
  local file
  file=$(grep -l '^ok [0-9]* - ' "$scratch/planted"/*.log | tail -n 1)
  sed -i 's/^ok \([0-9]* - \)/not ok \1/' "$file"
  check_fails "$1: tests that fail there alone are found" short "$1" "$2" "$scratch/planted" "$list"
  {
    cat "$list"
    printf '%s test_size_class %s planted\n' "$1" "$(sed -n 's/^test_size_class //p' "$scratch/there" | head -n 1)"
  } >"$scratch/list"
  check_fails "$1: a line of the list that is stale is found" short "$1" "$2" "$3" "$scratch/list"
}

# native RESULTS: the same programs of the build itself.
native() {
  # shellcheck disable=SC2086 # words
  make -s -C "$top_builddir" -j"$jobs" $programs >"$scratch/native.log" 2>&1 || { tail -n 20 "$scratch/native.log" && return 1; }
  run_units "$top_builddir" "$1"
  if grep -H '^not ok' "$1"/*.log; then return 1; fi
}
