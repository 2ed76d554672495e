#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tarball is the committed tree and the generated files that are listed, to the byte, twice the same, and it builds,
# installs and can be linked against, through its .pc and statically, and builds with link-time optimisation and with fortified
# calls of the C library.
# limit: 15
# packages: git libcmocka-dev xz-utils pkg-config
. build-aux/ci/common.sh
need_release

git rev-parse HEAD >/dev/null || {
  echo "the tarball is compared with git's tree, and this is none"
  exit 1
}
top=$PWD
scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
status=0

# ---- made twice, the same both times
make -s -C build/release dist
cp build/release/copse-*.tar.xz "$scratch/"
tarball=$(cd "$scratch" && echo copse-*.tar.xz)
name=${tarball%.tar.xz}
make -s -C build/release dist
one "the tarball is reproducible" cmp "$scratch/$tarball" "build/release/$tarball" || status=1

# ---- its files are git's and the listed ones, with git's contents
cd "$scratch"
tar -xf "$tarball"
mkdir git
git -C "$top" archive HEAD | tar -xf - -C git
list() { (cd "$1" && find . ! -type d | sed 's|^\./||' | sort); }
same_files() {
  # A generated file's line in the list is its name; comments and blank lines aside.
  grep -v -e '^#' -e '^$' "$top/build-aux/ci/generated.list" | sort >generated
  list "$name" >ours
  list git | sort - generated >expected
  diff expected ours
}
one "the tarball has git's files and the listed ones, no more and no less" same_files || status=1
same_contents() {
  local file bad=0
  while IFS= read -r file; do
    [ ! -e "$name/$file" ] || cmp "git/$file" "$name/$file" || bad=1
  done <<<"$(list git)"
  return "$bad"
}
one "each of git's files is unchanged in it" same_contents || status=1

# ---- it builds from a tree that cannot be written to, without autotools
chmod -R a-w "$name"
mkdir build prefix
builds() {
  (cd build && "../$name/configure" --prefix="$scratch/prefix" AUTOCONF=false AUTOMAKE=false ACLOCAL=false \
    AUTOHEADER=false && make -s -j"$jobs" && make -s install) >build.log 2>&1 || {
    tail -n 20 build.log
    return 1
  }
}
one "it builds and installs" builds || exit 1

# ---- a program finds it
cat >use.c <<'END'
#include <copse.h>
#include <copse-inline.h>
#include <stdio.h>
int main(void) {
  char *p = copse_alloc(100);
  if (!p) return 1;
  p[99] = 1;
  copse_free(p, 100);
  puts(copse_version());
  return 0;
}
END
printf '#include <copse.h>\nint main() { copse_free(copse_alloc(8), 8); }\n' >use.cc
export PKG_CONFIG_PATH=$scratch/prefix/lib/pkgconfig
# flags PACKAGE: as words.
flags() { read -ra cflags <<<"$(pkg-config --cflags "$1")" && read -ra libs <<<"$(pkg-config --libs "$1")"; }
runs() { [ "$(LD_LIBRARY_PATH=$scratch/prefix/lib ./use)" = "$1" ]; }
version=${name#copse-}
shared() { flags copse && gcc -O2 "${cflags[@]}" use.c -o use "${libs[@]}" && runs "$version"; }
static() { flags copse && gcc -O2 "${cflags[@]}" use.c -o use "$scratch/prefix/lib/libcopse.a" -pthread && runs "$version"; }
wholly_static() { flags copse && gcc -O2 -static "${cflags[@]}" use.c -o use "${libs[@]}" -pthread && runs "$version"; }
instrumented() {
  flags copse-instrumented && gcc -O2 "${cflags[@]}" use.c -o use "${libs[@]}" && runs "$version instrumented"
}
cxx() { flags copse && g++ -O2 -Wall -Wextra -Werror "${cflags[@]}" use.cc -o use "${libs[@]}" && runs ""; }
ran() { "$scratch/prefix/bin/copse-run" true; }
drew() {
  "$scratch/prefix/bin/copse-run" --map="$scratch/sort.map" sort /dev/null && "$scratch/prefix/bin/copse-map" "$scratch/sort.map" | grep -q '<rect .*data-'
}
one "a program builds with copse.pc" shared || status=1
one "a program links libcopse.a" static || status=1
one "a program links statically" wholly_static || status=1
one "a program builds with copse-instrumented.pc" instrumented || status=1
one "a C++ program builds with copse.pc" cxx || status=1
one "the installed copse-run runs a program" ran || status=1
one "the installed copse-map draws what it left" drew || status=1

# ---- with link-time optimisation, and calls that the C library checks, as distributions build
mkdir lto
optimised() {
  if ! { (cd lto && "../$name/configure" CFLAGS="-O2 -flto=auto" CPPFLAGS=-D_FORTIFY_SOURCE=2 && make -s -j"$jobs") &&
    LD_PRELOAD=$scratch/lto/lib/.libs/libcopse-malloc.so sh -c 'grep -q libcopse-malloc /proc/self/maps && git --version'; } >lto.log 2>&1 || grep 'warning:' lto.log; then
    tail -n 20 lto.log
    return 1
  fi
}
one "it builds with -flto without a warning, and the drop-in runs a program" optimised || status=1
# What depends on what stays a call: the guard's promises and the stacks.
tests=(test_copse test_inline test_guard_instrumented test_report_instrumented)
optimised_tests() {
  local test
  if ! { make -s -C lto "${tests[@]/#/tests/}" && for test in "${tests[@]}"; do (cd lto && "tests/$test") || return; done; } >check.log 2>&1; then
    tail -n 40 check.log
    return 1
  fi
}
replaced() {
  make -s -C lto tests/test_new_replaced >replaced.log 2>&1 &&
    LD_PRELOAD="$scratch/lto/lib/.libs/libcopse-malloc.so $scratch/lto/lib/.libs/libcopse-new.so" lto/tests/test_new_replaced
}
simulated() { (lto/examples/simulation --frames 20 --entities 500 && lto/examples/simulation --frames 20 --entities 500 --table) >simulated; }
one "tests of the interface, of promises and of stacks pass with -flto" optimised_tests || status=1
one "operators that a program replaces are heard with -flto" replaced || status=1
one "the simulation runs with it, fortified" simulated || status=1
exit "$status"
