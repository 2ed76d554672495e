#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The version stands in lib/copse.h; what repeats it repeats that one: NEWS, Debian's changelog and list of symbols, the spec.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"

# same DIR
same() {
  local version bad=0
  version=$(sed -n 's/^#define COPSE_VERSION_[MP][A-Z]* *//p' "$1/lib/copse.h" | paste -s -d .)
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "copse.h has no version" && return 1; }
  grep -m 1 '^\* ' "$1/NEWS" | grep -qF "* $version (" || { echo "NEWS begins with another version" && bad=1; }
  head -n 1 "$1/packaging/debian/changelog" | grep -qF "copse ($version-" || { echo "debian/changelog has another" && bad=1; }
  # What a program that includes copse-inline.h depends on: this version, and none of the next patch's.
  grep -qxF "| libcopse0 (>= $version), libcopse0 (<< ${version%.*}.$((${version##*.} + 1))~)" "$1/packaging/debian/libcopse0.symbols" ||
    { echo "libcopse0.symbols ties to another" && bad=1; }
  grep -qx "Version: *$version" "$1/packaging/rpm/copse.spec" || { echo "copse.spec has another" && bad=1; }
  return "$bad"
}
check "all versions are that of copse.h" same "$top_srcdir"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/lib" "$scratch/packaging/debian" "$scratch/packaging/rpm"
for file in lib/copse.h NEWS packaging/debian/changelog packaging/debian/libcopse0.symbols packaging/rpm/copse.spec; do
  for each in lib/copse.h NEWS packaging/debian/changelog packaging/debian/libcopse0.symbols packaging/rpm/copse.spec; do
    cat "$top_srcdir/$each" >"$scratch/$each"
  done
  sed -i 's/0\.1\.0/0.0.9/; s/\(COPSE_VERSION_PATCH\) .*/\1 77/' "$scratch/$file"
  ! cmp -s "$scratch/$file" "$top_srcdir/$file" || sed -i 's/[0-9]*\.[0-9]*\.[0-9]*/0.0.0/' "$scratch/$file"
  check_fails "another version in $file is found" same "$scratch"
done
finish
