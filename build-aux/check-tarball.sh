#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tarball of the last commit has one hash: made in two clones, the second in a longer path, with another umask and time
# zone, and, where this is root, by another user.  Prints the hash; with a FILE, puts the tarball there.
# Usage: check-tarball.sh [FILE]
. "$(dirname "$0")/packaging.sh"
epoch=$(git -C "$top" log -1 --format=%ct)

# make_in DIRECTORY: clones the tree there and makes the tarball.
make_in() {
  git clone -q "$top" "$1"
  other=()
  if [ "${2-}" = other ] && [ "$(id -u)" = 0 ]; then
    chown -R nobody "$1"
    other=(setpriv --reuid nobody --regid nogroup --clear-groups env "HOME=$1")
  fi
  # shellcheck disable=SC2016 # it expands there
  "${other[@]}" bash -c 'cd "$1" && ./bootstrap && mkdir build && cd build && ../configure && make -s dist' sh "$1" \
    >"$1.log" 2>&1 || { tail -n 20 "$1.log" && return 1; }
}
plain() { (umask 022 && make_in "$scratch/one"); }
strange() { (umask 002 && TZ=Pacific/Auckland SOURCE_DATE_EPOCH=$epoch make_in "$scratch/a/much-longer-path" other); }
mkdir "$scratch/a"
chmod 777 "$scratch/a"
result "make dist in one tree" plain
result "make dist in another, as $([ "$(id -u)" = 0 ] && echo another user || echo the same user)" strange
same() {
  sha256sum "$scratch"/one/build/copse-*.tar.xz "$scratch"/a/much-longer-path/build/copse-*.tar.xz | awk '
    { print $1; n += !($1 in seen); seen[$1] }
    END { exit !(NR == 2 && n == 1) }'
}
result "one hash" same
head -n 1 "$scratch/said"
[ -z "${1-}" ] || cp "$scratch"/one/build/copse-*.tar.xz "$1"
finish
