#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit tests with another C library, or without a dynamic one.  Prints TAP: each case that passes in the build passes there,
# but for those of tests/ports.list.
# Usage: check-libc.sh musl [smoke]      built by musl-gcc; and the drop-in under a program of musl's
#        check-libc.sh static [smoke]    linked statically, with the C library that the build has
#   smoke   a test of each module
# cmocka is compiled from Debian's sources by build-aux/cmocka.sh.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
# shellcheck source=ports.sh
. "$(dirname "$0")/ports.sh"
kind=$1
case $kind in
  musl)
    command -v musl-gcc >/dev/null || skip_all "no musl-gcc (Debian: musl-tools)"
    # There is no C++ library for musl.
    cc=musl-gcc options=(CC=musl-gcc CXX=false) linked=()
    ;;
  static) cc=${CC:-gcc} options=("CC=$cc" --disable-shared) linked=("LDFLAGS=-all-static -L$ports/cmocka-static/lib") ;;
  *) echo "check-libc.sh: what is '$kind'?" >&2 && exit 2 ;;
esac
cmocka=$ports/cmocka-$kind
# shellcheck disable=SC2086 # words
if ! checked "cmocka is compiled by $cc" "$top_srcdir/build-aux/cmocka.sh" source "$cmocka" $cc; then
  finish
  exit
fi
programs=$smoke
[ "${2-}" = smoke ] || programs=$(units "$top_builddir" | tried "$kind")
if ! checked "$kind: it builds without a warning" port "$kind" "${linked[@]}" -- "${options[@]}" CPPFLAGS="-I$cmocka/include" LDFLAGS="-L$cmocka/lib"; then
  finish
  exit
fi

# What the programs are linked with is what was asked for.
linked_right() {
  local program
  for program in $programs; do
    case $kind in
      musl) readelf -l "$ports/$kind/$program" | grep -q 'interpreter: /lib/ld-musl-' ;;
      static) ! readelf -l "$ports/$kind/$program" | grep -q 'INTERP' ;;
    esac || { echo "$program is linked otherwise" && return 1; }
  done
}
check "$kind: the programs are linked so" linked_right
check "the unit tests of the build pass" native "$scratch/native-results"
run_units "$ports/$kind" "$scratch/results"
held "$kind" "$scratch/native-results" "$scratch/results"

if [ "$kind" = musl ]; then
  cat >"$scratch/program.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char *all[1000], line[256];
  int seen = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) seen |= strstr(line, "libcopse-malloc") != NULL;
  for (int i = 0; i < 1000; i++) memset(all[i] = malloc((size_t)i * 100 + 1), i, (size_t)i * 100 + 1);
  for (int i = 0; i < 1000; i++) free(all[i]);
  puts(seen ? "on copse" : "not on copse");
  return 0;
}
END
  $cc -O2 "$scratch/program.c" -o "$scratch/program"
  for library in libcopse-malloc libcopse-malloc-instrumented; do
    on_copse() { [ "$(LD_PRELOAD=$ports/musl/lib/.libs/$library.so "$scratch/program")" = "on copse" ]; }
    check "musl: a program runs on $library" on_copse
  done
fi
finish
