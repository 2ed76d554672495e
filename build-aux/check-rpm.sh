#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The rpms, of a clean clone of the last commit, built by rpmbuild, and what is in them.
# Usage: check-rpm.sh
# Link-time optimisation is on, as where rpm comes from; Debian's rpm has no flags of its own for it.
# Wants rpm, cpio and what the build wants; where rpm's own database knows no packages (Debian), BuildRequires are not looked up.
. "$(dirname "$0")/packaging.sh"
for tool in rpmbuild rpm cpio git; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

tarball
nodeps=()
rpm -q gcc >/dev/null 2>&1 || nodeps=(--nodeps)
flags="-O2 -g -flto=auto -ffat-lto-objects"
build() {
  rpmbuild --define "_topdir $scratch/rpm" --define "_sourcedir $scratch" --define "optflags $flags" "${nodeps[@]}" -ba \
    "$scratch/clone/packaging/rpm/copse.spec"
}
result "the rpms are built" build
[ "$failed" = 0 ] || exit 1
same_version() { grep -x "Version: *$version" "$top/packaging/rpm/copse.spec"; }
result "the spec has the version" same_version

has() { rpm -qpl "$scratch"/rpm/RPMS/*/"$1"-"$version"-*.rpm | grep -E "$2"; }
result "libcopse0 has the library" has libcopse0 '/libcopse\.so\.0$'
result "copse-devel has the headers" has copse-devel '/include/copse\.hpp$'
result "copse-devel has the pages by all names" has copse-devel '/man3/copse_alloc_zeroed\.3'
result "copse-devel has copse(7), which they refer to" has copse-devel '/man7/copse\.7'
result "copse-devel has the examples" has copse-devel '/simulation\.c$'
provides() { rpm -qp --provides "$scratch"/rpm/RPMS/*/"$1"-"$version"-*.rpm | grep "^$2 = $version"; }
result "copse-devel provides copse-static" provides copse-devel copse-static
result "copse has what copse-run preloads, where no linker looks" has copse '/lib(64)?/copse/libcopse-malloc\.so$'
result "copse-instrumented-devel has the library with checks" has copse-instrumented-devel '/libcopse-instrumented\.so$'
result "copse has copse-map and its page" has copse '/man1/copse-map\.1'
result "copse has copse-run and its page" has copse '/man1/copse-run\.1'

# Taken apart, the libraries work: a program on those of libcopse0 and copse-devel.
works() {
  mkdir "$scratch/root"
  cd "$scratch/root"
  for file in "$scratch"/rpm/RPMS/*/*.rpm; do rpm2cpio "$file" | cpio -idm --quiet || return 1; done
  local dir
  dir=$(dirname "$(find "$scratch/root" -name 'libcopse.so.0')")
  PKG_CONFIG_PATH=$dir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$scratch/root LD_LIBRARY_PATH=$dir COPSE_CONSUMERS=hand \
    "$top/packaging/consumers/run.sh"
}
result "programs compile and run with what is in them" works
finish
