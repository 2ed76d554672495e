#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make installcheck`: programs that know of the installed instrumented library by pkg-config alone, built with a sanitizer
# that the library was not built with.  Each is run without its fault, which must be silent, and with it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../tap.sh
. "$here/../tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "the library itself is built with $COPSE_SANITIZERS"
command -v pkg-config >/dev/null || skip_all "pkg-config is not installed"
unset TSAN_OPTIONS ASAN_OPTIONS
: "${libdir:?the directory of the installed library}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
one_word "$scratch"
export PKG_CONFIG_PATH=${DESTDIR-}$libdir/pkgconfig
[ -z "${DESTDIR-}" ] || export PKG_CONFIG_SYSROOT_DIR=$DESTDIR
read -ra cflags <<<"$(pkg-config --cflags copse-instrumented)"
read -ra libs <<<"$(pkg-config --libs copse-instrumented)"
note "${cflags[*]} ${libs[*]}"

# build KIND CC SOURCE FLAG...: $scratch/program, with the shared library or the static one.
build() {
  local kind=$1 cc=$2 source=$here/$3
  shift 3
  local with=("${libs[@]}")
  [ "$kind" = shared ] || with=("${DESTDIR-}$libdir/libcopse-instrumented.a")
  "$cc" -std=gnu11 -Wall -Wextra -Wno-use-after-free -O1 -g -fno-omit-frame-pointer "$@" "${cflags[@]}" "$source" -pthread \
    "${with[@]}" -o "$scratch/program"
}

execute() {
  local status=0
  LD_LIBRARY_PATH=${DESTDIR-}$libdir ASAN_OPTIONS=detect_leaks=0 "$scratch/program" "$@" >"$scratch/out" 2>&1 || status=$?
  echo "status $status" >>"$scratch/out"
}
quiet() { execute && cat "$scratch/out" && grep -q instrumented "$scratch/out" && ! grep 'WARNING\|ERROR\|^copse:' "$scratch/out"; }
# reports COUNT PATTERN...: with the fault, all of them, and no more reports than that.
reports() {
  local count=$1 pattern bad=0
  shift
  execute fault
  head -n 60 "$scratch/out"
  [ "$(grep -c 'WARNING: ThreadSanitizer\|ERROR: AddressSanitizer' "$scratch/out")" = "$count" ] || bad=1
  for pattern in "$@"; do
    grep -q "$pattern" "$scratch/out" || {
      echo "no: $pattern"
      bad=1
    }
  done
  return "$bad"
}

for kind in shared static; do
  library=$libdir/libcopse-instrumented.$([ $kind = shared ] && echo so || echo a)
  if [ ! -e "${DESTDIR-}$library" ]; then
    skip "$kind" "$library is not installed"
    continue
  fi
  for cc in ${COPSE_TOOL_CC:-${CC:-gcc}}; do
    if ! command -v "$cc" >/dev/null; then
      skip "$kind, $cc" "not installed"
      continue
    fi
    if checked "$kind, $cc: it builds with -fsanitize=thread" build "$kind" "$cc" race.c -fsanitize=thread; then
      check "$kind, $cc: without a race none is reported" quiet
      check "$kind, $cc: the program's own race is, and none other" reports 1 'data race' '#0 careless' \
        'heap block of size 64' 'new_message'
    fi
    if checked "$kind, $cc: it builds with -fsanitize=address" build "$kind" "$cc" after_free.c -fsanitize=address; then
      check "$kind, $cc: without a fault nothing is reported" quiet
      check "$kind, $cc: an access after free is" reports 1 'heap-use-after-free' '#0 .* in sum_dropped' \
        'inside a block of 16 bytes' 'allocated by' ' in push' 'freed by' ' in drop'
    fi
  done
done
finish
