#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compiles and runs a C program and a C++ program with the copse that pkg-config finds: by hand, by CMake's PkgConfig and
# by Meson's dependency(); native, instrumented and inline, shared and static.  What a missing tool would do is an error
# unless COPSE_CONSUMERS names the ways: some of hand, cmake, meson.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Each may be a command with options.
read -ra cc <<<"${CC:-cc}"
read -ra cxx <<<"${CXX:-c++}"
version=$(pkg-config --modversion copse)

# runs PROGRAM: it ends well and says which library it runs on.
runs() {
  local want=$version said
  case $1 in *instrumented*) want="$version instrumented" ;; esac
  said=$("$1") || { echo "$1: status $?" && return 1; }
  [ "$said" = "$want" ] || { echo "$1 says '$said', not '$want'" && return 1; }
  echo "ran $1"
}

five() {
  for program in program_c program_cc program_c_instrumented program_cc_instrumented program_c_inline; do
    runs "$1/$program"
  done
}

by_hand() {
  local mode suffix cflags libs
  for mode in copse copse-instrumented; do
    suffix=${mode#copse} suffix=${suffix/-/_}
    read -ra cflags <<<"$(pkg-config --cflags "$mode")"
    read -ra libs <<<"$(pkg-config --libs "$mode")"
    "${cc[@]}" -O2 -Wall -Wextra -Werror "${cflags[@]}" "$here/program.c" "${libs[@]}" -o "program_c$suffix"
    "${cxx[@]}" -O2 -std=c++17 -Wall -Wextra -Werror "${cflags[@]}" "$here/program.cc" "${libs[@]}" -o "program_cc$suffix"
    read -ra libs <<<"$(pkg-config --libs-only-L "$mode") -l:lib$mode.a -pthread"
    "${cc[@]}" -O2 "${cflags[@]}" -DCONSUMER_INLINE "$here/program.c" "${libs[@]}" -o "program_c_static$suffix"
    runs "./program_c_static$suffix"
  done
  read -ra cflags <<<"$(pkg-config --cflags copse) -DCONSUMER_INLINE"
  read -ra libs <<<"$(pkg-config --libs copse)"
  "${cc[@]}" -O2 -Wall -Wextra -Werror "${cflags[@]}" "$here/program.c" "${libs[@]}" -o program_c_inline
  five .
}

by_cmake() {
  cmake -S "$here" -B cmake
  cmake --build cmake
  five cmake
}
by_meson() {
  meson setup meson "$here"
  meson compile -C meson
  five meson
}

cd "$scratch"
for way in ${COPSE_CONSUMERS:-hand cmake meson}; do
  # A shell of its own, in which the first failure ends it: `||` behind it would keep it going.
  set +e
  (set -e && "by_$way") >"$way.log" 2>&1
  status=$?
  set -e
  ran=$(grep -c '^ran ' "$way.log" || true)
  if [ "$status" != 0 ] || [ "$ran" = 0 ]; then
    cat "$way.log"
    echo "consumers: $way failed"
    exit 1
  fi
  echo "consumers: $way: $ran programs compiled and run"
done
