# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# For the scripts beside it: each runs one real program twice, on the system's malloc and under copse-run, and compares.
#
#   begin TITLE             makes $work, which goes away at the end
#   on_system CMD...        runs it with no preload
#   on_copse CMD...         runs it under copse-run, with the flags in COPSE_RUN_FLAGS
#   both FUNCTION           calls it with on_system and on_copse, and the words system and copse
#   same WHAT ONE TWO       compares two files, and says what was compared
#   loaded WHAT MAPS        a copy of /proc/PID/maps shows the drop-in
#   bound FILE [ARG...]     the dynamic linker binds malloc of the program's file to the drop-in
#   ended NAME [LEAST]      so many processes of that name left a summary of copse's memory at exit
#   good WHAT CMD...        a check of another kind
#   finish                  PASS or FAIL, and the exit status
#
# Environment: COPSE_RUN (path of copse-run), COPSE_LIBDIR (where the libraries are, if not installed).

: "${COPSE_RUN:?the path of copse-run}"
COPSE_RUN=$(realpath "$COPSE_RUN")
if [[ -n ${COPSE_LIBDIR-} ]]; then
  COPSE_LIBDIR=$(realpath "$COPSE_LIBDIR")
  export COPSE_LIBDIR
fi
unset LD_PRELOAD COPSE_SHOW_STATS
export LC_ALL=C TZ=UTC
read -ra copse_run_flags <<<"${COPSE_RUN_FLAGS-}"
drop_in=libcopse-malloc
[[ " ${copse_run_flags[*]} " != *" --instrumented "* ]] || drop_in=libcopse-malloc-instrumented

title='' work='' failures=0

begin() {
  title=$1
  work=$(mktemp -d "${TMPDIR:-/tmp}/copse-program.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  : >"$work/ended"
}

on_system() { "$@"; }

# Summaries go to a file that every process of the run has as descriptor 9.
on_copse() { COPSE_SHOW_STATS=9 "$COPSE_RUN" "${copse_run_flags[@]}" "$@" 9>>"$work/ended"; }

fail() {
  failures=$((failures + 1))
  printf '  not so: %s\n' "$*"
}

# both FUNCTION: FUNCTION on_system system, and FUNCTION on_copse copse, at the same time; each under set -e.
both() {
  local one two status=0
  (set -e && "$1" on_system system) &
  one=$!
  (set -e && "$1" on_copse copse) &
  two=$!
  wait "$one" || status=1
  ((!status)) || fail "the run on the system's malloc failed"
  if ! wait "$two"; then
    status=1
    fail "the run on copse failed"
  fi
  ((status)) || return 0
  tail -qn 4 "$work"/{system,copse}.{out,log} 2>/dev/null | cut -c 1-200 | sed 's/^/    /'
  finish
}

# A program that fails ends its script there, with these words.
die() {
  fail "$@"
  finish
}

good() {
  local what=$1
  shift
  if "$@"; then printf '  checked: %s\n' "$what"; else fail "$what"; fi
}

same() {
  local what=$1 one=$2 two=$3
  if [[ ! -s $one ]]; then
    fail "$what: the system's run left nothing to compare"
  elif cmp -s "$one" "$two"; then
    printf '  compared: %s: equal (%s lines, %s bytes)\n' "$what" "$(wc -l <"$one")" "$(wc -c <"$one")"
  else
    fail "$what: not equal"
    { diff -a "$one" "$two" || true; } | cut -c 1-160 | sed -n 's/^/    /;1,10p'
  fi
}

loaded() { good "$1: $drop_in is in its memory map" grep -q "$drop_in\.so" "$2"; }

bound() {
  local file=$1
  shift
  rm -f "$work"/bindings.*
  # 2>&1: with all variables set, even a usage line is enough of a run.
  (
    cd "$work"
    LD_BIND_NOW=1 LD_DEBUG=bindings LD_DEBUG_OUTPUT=$work/bindings "$COPSE_RUN" "${copse_run_flags[@]}" "$file" "$@" \
      >/dev/null 2>&1 </dev/null || true
  )
  if grep -qsE "binding file [^ ]* .*to [^ ]*$drop_in\.so[^ ]* .*symbol .malloc'" "$work"/bindings.*; then
    printf '  checked: %s: malloc is bound to %s\n' "$file" "$drop_in"
  else
    fail "$file: malloc is not bound to $drop_in"
  fi
  rm -f "$work"/bindings.*
}

ended() {
  local name=$1 least=${2:-1} n
  n=$(grep -cE "^$name\[[0-9]+\]: copse .* at exit" "$work/ended" || true)
  if ((n >= least)); then
    printf '  checked: %s processes of %s ended on copse\n' "$n" "$name"
  else
    fail "$n processes of $name ended on copse, not $least"
  fi
}

finish() {
  if ((failures)); then
    printf 'FAIL: %s (%d)\n' "$title" "$failures"
    exit 1
  fi
  printf 'PASS: %s\n' "$title"
  exit 0
}
