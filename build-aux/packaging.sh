# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# For check-deb.sh and check-rpm.sh: source it; $top is the tree, $scratch a directory that goes at the end, or stays where
# KEEP is set.
set -eu
export LC_ALL=C
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
scratch=$(mktemp -d "${TMPDIR:-/var/tmp}/copse-packages.XXXXXX")
chmod 755 "$scratch"
trap '[ -n "${KEEP-}" ] || { chmod -R u+w "$scratch" && rm -rf "$scratch"; }' EXIT
failed=0

fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}
# result NAME COMMAND...: a line, "ok" or "FAILED" with what the command printed.
result() {
  local name=$1
  shift
  if "$@" >"$scratch/said" 2>&1; then
    printf 'ok      %s\n' "$name"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s\n' "$name"
    tail -n 40 "$scratch/said"
  fi
}
finish() {
  [ -z "${KEEP-}" ] || printf 'kept: %s\n' "$scratch"
  [ "$failed" = 0 ]
}

# tarball: makes $scratch/copse-VERSION.tar.xz of a clean clone of the last commit; sets $version and $tarball.
tarball() {
  git -C "$top" rev-parse --verify --quiet HEAD >/dev/null || fail "$top is no git tree to clone"
  [ -z "$(git -C "$top" status --porcelain)" ] || printf 'note: what is not committed is left out\n'
  SOURCE_DATE_EPOCH=$(git -C "$top" log -1 --format=%ct)
  export SOURCE_DATE_EPOCH
  git clone -q "$top" "$scratch/clone"
  (cd "$scratch/clone" && ./bootstrap && mkdir build && cd build && ../configure && make -s dist) >"$scratch/dist.log" 2>&1 ||
    { tail -n 20 "$scratch/dist.log" && fail "make dist failed"; }
  tarball=$(cd "$scratch/clone/build" && echo copse-*.tar.xz)
  version=${tarball#copse-} version=${version%.tar.xz}
  mv "$scratch/clone/build/$tarball" "$scratch/"
}
