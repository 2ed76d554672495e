#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the documents name is there: files, make's targets, configure's options, stages.  And the README's lines of API are
# functions of copse.h.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
documents=(README PACKAGERS CONTRIBUTING NEWS doc/DESIGN doc/DEBUGGING doc/RELEASING doc/VERIFICATION doc/ordering)

# files DIR: paths that begin with a directory of ours, and scripts at the top.
files() {
  local document word bad=0 seen=0
  for document in "${documents[@]}"; do
    while IFS= read -r word; do
      seen=$((seen + 1))
      # A tarball does without .ci.
      case $word in .ci/*) [ -e "$top_srcdir/.gitattributes" ] || continue ;; esac
      # A program of the build has a source; one of the model checker's, a directory.
      # shellcheck disable=SC2086 # patterns
      if compgen -G "$top_srcdir/$word" >/dev/null || [ -e "$top_srcdir/${word%_instrumented}.c" ] ||
        [ -e "$top_srcdir/${word%.log}.c" ] || [ -e "$top_srcdir/$word.in" ] || [ "$word" = tests/model/model ] || [ "$word" = tests/test_foo ]; then
        continue
      fi
      echo "$document: $word is not there"
      bad=1
    done < <(grep -oE '(^|[^a-zA-Z0-9_/.-])(\.\./)*(bench|bin|build-aux|doc|examples|fuzz|lib|packaging|stress|tests|m4|\.ci)/[A-Za-z0-9_.*/-]*[A-Za-z0-9_*]' \
      "$1/$document" | sed -E 's/^[^a-z.]//; s|^(\.\./)*||' | sort -u)
  done
  [ "$seen" -gt 50 ] || { echo "hardly any names were found" && return 1; }
  return "$bad"
}

# targets DIR: "make TARGET", and "make -C DIR TARGET".
targets() {
  local document target bad=0 seen=0
  make -C "$top_builddir" -pn nothing 2>/dev/null | sed -nE 's/^([a-zA-Z0-9_.\/-]+):( .*)?$/\1/p' | sort -u >"$scratch/targets"
  for document in "${documents[@]}"; do
    while IFS= read -r target; do
      seen=$((seen + 1))
      grep -qxF "$target" "$scratch/targets" || { echo "$document: there is no make $target" && bad=1; }
    done < <(grep -oE '(^|[^a-z])make( -C [^ ]+)? (check|dist|install)[a-z0-9-]*(\.[a-z0-9-]+)*' "$1/$document" | sed 's/.* //' | sort -u)
  done
  [ "$seen" -ge 8 ] || { echo "hardly any targets were found" && return 1; }
  return "$bad"
}

# options DIR: what begins with --enable-, --disable- or --with-.
options() {
  local document option bad=0 seen=0
  "$top_srcdir/configure" --help >"$scratch/help"
  for document in "${documents[@]}"; do
    while IFS= read -r option; do
      case $option in --disable-static) option=--enable-static ;; --disable-shared) option=--enable-shared ;; esac
      seen=$((seen + 1))
      grep -qE -e "^ *$option([ =[]|\$)" "$scratch/help" || { echo "$document: configure has no $option" && bad=1; }
    done < <(grep -oE -e '--(enable|disable|with)-[a-z-]+' "$1/$document" | sort -u)
  done
  [ "$seen" -ge 5 ] || { echo "hardly any options were found" && return 1; }
  return "$bad"
}

# functions DIR
functions() {
  local document name bad=0 seen=0
  for document in "${documents[@]}"; do
    while IFS= read -r name; do
      seen=$((seen + 1))
      grep -qE "[ *]$name\(" "$top_srcdir"/lib/*.h "$top_srcdir"/lib/*.c || { echo "$document: there is no $name" && bad=1; }
    done < <(grep -oE '\bcopse_[a-z_]+\(' "$1/$document" | tr -d '(' | sort -u)
  done
  [ "$seen" -ge 10 ] || { echo "hardly any functions were found" && return 1; }
  return "$bad"
}

# commands DIR: what check-commands.sh takes for a command is a program or in its list, and no sentence that goes on with a file's name
# where a line begins.
commands() {
  local line command bad=0 seen=0
  while IFS= read -r line; do
    command=${line#*: }
    [[ $command =~ ^(bench|build-aux|examples|fuzz|packaging|stress|tests)/ ]] || continue
    seen=$((seen + 1))
    if grep -qF -e "$command | " "$top_srcdir/tests/commands.list" || [ -x "$top_srcdir/$command" ]; then continue; fi
    echo "${line%%: *}: not a command that can be run, nor in tests/commands.list: $command"
    bad=1
  done < <(env top_srcdir="$1" bash "$top_srcdir/tests/check-commands.sh" --list)
  [ "$seen" -ge 15 ] || { echo "hardly any commands were found" && return 1; }
  return "$bad"
}

# list_holds LIST: tests/commands.list says of commands that are shown where they are run, and they are.
list_holds() { env top_srcdir="$top_srcdir" bash "$top_srcdir/tests/check-commands.sh" --list-holds "$1"; }

# readme DIR: the README's lines of API, in a program.
readme() {
  {
    printf '#include <copse.h>\nstruct particle { float x; };\nint main(void) {\n  void *out[1000];\n  size_t n;\n'
    printf '  struct copse_stats stats;\n'
    # What stands behind the statement is for the reader.
    sed -n '/^Your own program/,/^Building/s/^    \([a-z][^;]*;\)\( .*\)\{0,1\}$/  \1/p' "$1/README"
    printf '  return stats.threads != 1;\n}\n'
  } >"$scratch/readme.c"
  [ "$(grep -c 'copse_.*(.*;' "$scratch/readme.c")" -ge 8 ] || { cat "$scratch/readme.c" && return 1; }
  "${cc[@]}" -std=gnu11 -O2 -Wall -Wextra -Werror -I"$top_srcdir/lib" "$scratch/readme.c" "$top_builddir/lib/.libs/libcopse.a" -pthread \
    -o "$scratch/readme" && "$scratch/readme"
}

read -ra cc <<<"${CC:-gcc}"
check "files that the documents name are there" files "$top_srcdir"
check "make knows the targets" targets "$top_srcdir"
if [ -x "$top_srcdir/configure" ]; then
  check "configure knows the options" options "$top_srcdir"
else
  skip "configure knows the options" "no configure: run bootstrap"
fi
check "functions are there" functions "$top_srcdir"
check "what looks like a command is one" commands "$top_srcdir"
check "tests/commands.list holds" list_holds "$top_srcdir/tests/commands.list"
if [ -e "$top_builddir/lib/.libs/libcopse.a" ] && [ -z "${COPSE_SANITIZERS-}" ]; then
  check "the README's lines are a program that runs" readme "$top_srcdir"
else
  skip "the README's lines are a program that runs" "nothing is built without a sanitizer"
fi

# planted NAME TEXT CHECK: one document with one line more.
planted() {
  rm -rf "$scratch/copy"
  mkdir -p "$scratch"/copy/{bench,doc,fuzz}
  local document
  for document in "${documents[@]}" bench/README fuzz/README; do cat "$top_srcdir/$document" >"$scratch/copy/$document"; done
  printf '%s\n' "$2" >>"$scratch/copy/CONTRIBUTING"
  check_fails "$1" "$3" "$scratch/copy"
}
planted "a planted file is found" "   see lib/attic.c, and tests/" files
planted "a planted target is found" "   make check-attic" targets
[ ! -x "$top_srcdir/configure" ] || planted "a planted option is found" "   ../configure --enable-attic" options
if [ -e "$top_builddir/lib/.libs/libcopse.a" ] && [ -z "${COPSE_SANITIZERS-}" ]; then
  sed -i 's/copse_free_batch(64, n, out)/copse_free_batch(out, n, 64)/' "$scratch/copy/README"
  check_fails "a planted mistake in the README's lines is found" readme "$scratch/copy"
fi
planted "a planted function is found" "   copse_attic() does it" functions
planted "a planted sentence that looks like a command is found" "   tests/test_pool.c; stress/trim does it too." commands
planted "one that begins with a script's name is found" "   tests/check-layers.sh does it." commands
sed 's/^\(make check-fuzz-mutants | in [^:]*:\) .*/\1 CHECK_LONG += fuzz-coverage check-fuzz-mutants/' "$top_srcdir/tests/commands.list" >"$scratch/list"
check_fails "a text that has gone from where tests/commands.list looks is found" list_holds "$scratch/list"
finish
