#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Debian's packages, of a clean clone of the last commit: built twice with the same hashes, without a word of lintian's beyond
# what a first upload is told, and with the same symbols as the committed list.  With --install they are installed in
# a throwaway root, where debian/tests run (root, debootstrap, autopkgtest).
# Usage: check-deb.sh [--install] [--tests all | --tests 'TEST...']
#   --tests  tests that the first build runs, with the flags of the package; without it none is
# Wants build-essential, debhelper, fakeroot, lintian, valgrind, mandoc, libcmocka-dev, pkg-config.
install='' tests=''
while [ $# -gt 0 ]; do
  case $1 in
    --install) install=yes ;;
    --tests) tests=$2 && shift ;;
    *) printf "check-deb.sh: what is '%s'?\n" "$1" >&2 && exit 1 ;;
  esac
  shift
done
. "$(dirname "$0")/packaging.sh"
for tool in dpkg-buildpackage dh lintian git; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

tarball
# build DIRECTORY TESTS: what comes out of it stands beside the sources there.
build() {
  mkdir "$1"
  cp "$scratch/$tarball" "$1/copse_$version.orig.tar.xz"
  tar -xf "$scratch/$tarball" -C "$1"
  cp -r "$1/copse-$version/packaging/debian" "$1/copse-$version/debian"
  (
    cd "$1/copse-$version"
    unset SOURCE_DATE_EPOCH # the changelog's is used
    case $2 in
      '') export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-} nocheck" ;;
      all) ;;
      *) export COPSE_DEB_TESTS="$2" ;;
    esac
    dpkg-buildpackage -us -uc -F
  ) >"$1.log" 2>&1
}
result "the packages are built" build "$scratch/one" "$tests"
[ "$failed" = 0 ] || { tail -n 40 "$scratch/one.log" && exit 1; }
ran=$(grep -c '^PASS:' "$scratch/one.log" || true)
[ -z "$tests" ] || result "its tests were run ($ran results)" test "$ran" -gt 0

same_version() { head -n 1 "$top/packaging/debian/changelog" | grep -F "copse ($version-"; }
result "the changelog has the version" same_version

# What the Autotools bring has licences of its own, but for what is made of our own words.
licensed() {
  local file bad=0
  while IFS= read -r file; do
    case $file in '#'* | '' | ChangeLog | config.h.in) continue ;; esac
    grep -qE "^(Files:)?.* ${file//./\\.}( |\$)" "$top/packaging/debian/copyright" || { echo "debian/copyright: $file" && bad=1; }
  done <"$top/build-aux/ci/generated.list"
  return "$bad"
}
result "debian/copyright names the files that are not ours" licensed

# Another time zone, another mask, a longer path.
other() { (export TZ=Pacific/Auckland && umask 002 && build "$scratch/another-directory" ''); }
result "they are built again" other
hashes() { (cd "$1" && sha256sum ./*.deb ./*.dsc ./*.debian.tar.xz); }
same_hashes() { diff <(hashes "$scratch/one") <(hashes "$scratch/another-directory"); }
result "both builds have the same hashes" same_hashes
hashes "$scratch/one"

# What a first upload is told: nobody asked for the package, and so no bug is closed.
quiet() {
  lintian --allow-root --fail-on none -I "$scratch"/one/copse_*.changes >"$scratch/lintian" 2>&1 || return 1
  ! grep -v -e '^N: ' -e ': initial-upload-closes-no-bugs' "$scratch/lintian"
}
result "lintian has nothing to say" quiet

# dpkg-gensymbols fails by itself where a symbol is gone; new ones are to be listed too.
no_symbol_missing() {
  ! grep -E 'dpkg-gensymbols: (warning|error)' "$scratch/one.log"
}
result "the list of symbols is complete" no_symbol_missing

# A program that includes copse-inline.h is tied to this version by the names it uses, another is not.
needs() {
  gcc -I"$scratch/one/copse-$version/lib" "$@" "$top/packaging/consumers/program.c" -L"$libcopse0" -l:libcopse.so.0 -pthread -o "$scratch/needs" &&
    (cd "$scratch/one/copse-$version" && dpkg-shlibdeps -O -l"$libcopse0" -e"$scratch/needs")
}
tied() {
  local libcopse0 next=${version%.*}.$((${version##*.} + 1))
  libcopse0=$(dirname "$scratch/one/copse-$version"/debian/libcopse0/usr/lib/*/libcopse.so.0)
  needs -DCONSUMER_INLINE | tee /dev/stderr | grep -F "libcopse0 (<< $next~)" && ! needs | tee /dev/stderr | grep -F "libcopse0 (<<" &&
    needs | grep -F "libcopse0 (>= "
}
result "a program with copse-inline.h depends on this version" tied

# With link-time optimisation; and what is in the static libraries is machine code, for any compiler.
optimised() { grep -q '^libtool: link: [^ ]*gcc .* -flto' "$scratch/one.log"; }
result "they are built with -flto" optimised
machine_code() {
  mkdir "$scratch/dev"
  for package in "$scratch"/one/libcopse-dev_*.deb "$scratch"/one/libcopse-instrumented-dev_*.deb; do
    dpkg-deb -x "$package" "$scratch/dev"
  done
  find "$scratch/dev" -name '*.a' -exec objdump -h {} + >"$scratch/sections"
  ! grep -F .gnu.lto "$scratch/sections" && [ "$(grep -c ' \.text ' "$scratch/sections")" -gt 20 ]
}
result "their static libraries are machine code" machine_code

has() { dpkg-deb --contents "$scratch"/one/"$1"_*.deb | awk '{ print $6 }' | grep -qE "^\./$2\$"; }
result "libcopse0 has the library" has libcopse0 'usr/lib/[^/]*/libcopse\.so\.0'
result "libcopse-dev has the header for C++" has libcopse-dev usr/include/copse.hpp
result "libcopse-dev has the pages by all names" has libcopse-dev 'usr/share/man/man3/copse_alloc_zeroed\.3\.gz'
result "libcopse-dev has copse(7), which they refer to" has libcopse-dev 'usr/share/man/man7/copse\.7\.gz'
result "libcopse-instrumented-dev has its .pc" has libcopse-instrumented-dev 'usr/lib/[^/]*/pkgconfig/copse-instrumented\.pc'
result "copse-tools has copse-run" has copse-tools usr/bin/copse-run
result "copse-tools has copse-map" has copse-tools usr/bin/copse-map
result "copse-tools has copse-run(1)" has copse-tools 'usr/share/man/man1/copse-run\.1\.gz'

if [ -n "$install" ]; then
  result "installed in a throwaway root, debian/tests pass" "$top/packaging/test-installed.sh" "$scratch/one"
  grep -E '^(consumers|copse-run).*(PASS|FAIL|run$|ok$)' "$scratch/said" || true
fi
finish
