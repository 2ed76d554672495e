#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Proves that copse builds and passes from nothing: makes a minimal Debian 12 in a directory, puts a clean clone of this
# tree's last commit into it, and runs `./quickstart` and `./quickstart check` there.  Wants root and debootstrap.
# Usage: fresh-root.sh [--bare] [--keep] [DIRECTORY]
#   --bare     without /proc, /sys and terminals in the root
#   --keep     leave the root there when done
#   DIRECTORY  where to make it (not in a file system that is mounted nodev); default: a new one in ${TMPDIR:-/var/tmp}
# The packages come from the mirror that this machine's apt uses.
set -eu
export LC_ALL=C

fail() {
  printf 'fresh-root: %s\n' "$*" >&2
  exit 1
}

bare=''
keep=''
root=''
for arg in "$@"; do
  case $arg in
    --bare) bare=yes ;;
    --keep) keep=yes ;;
    -*) fail "what is '$arg'?" ;;
    *) root=$arg ;;
  esac
done
[ "$(id -u)" = 0 ] || fail "wants root"
for tool in debootstrap git unshare; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install $tool"
done
top=$(cd "$(dirname "$0")/.." && pwd)
git -C "$top" rev-parse --verify --quiet HEAD >/dev/null || fail "$top is no git tree to clone"

# A mount namespace of its own: whatever is mounted goes with this process.
if [ -z "${COPSE_FRESH_ROOT-}" ]; then
  COPSE_FRESH_ROOT=inside exec unshare --mount --propagation private "$0" "$@"
fi

# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"

if [ -z "$root" ]; then
  root=$(mktemp -d "${TMPDIR:-/var/tmp}/copse-root.XXXXXX")
else
  mkdir -p "$root"
  root=$(cd "$root" && pwd)
fi
# As any root is: programs that change their user load their libraries through it.
chmod 755 "$root"
finish() {
  status=$?
  trap - EXIT
  for mounted in proc sys dev/pts; do
    if mountpoint -q "$root/$mounted" 2>/dev/null; then umount "$root/$mounted" || exit 1; fi
  done
  if [ -n "$keep" ]; then
    echo "fresh-root: the root is $root"
  else
    rm -rf --one-file-system "$root"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

begin=$SECONDS
said() { printf 'fresh-root: %s (%d s)\n' "$*" $((SECONDS - begin)); }

mkdir -p "$top/build/log"
minimal_debian "$root" "$top/build/log/debootstrap.log"
if [ -z "$bare" ]; then
  mount -t proc proc "$root/proc"
  mount -t sysfs sys "$root/sys"
  mount -t devpts -o ptmxmode=666 pts "$root/dev/pts"
fi
said "a Debian $(cat "$root/etc/debian_version") is there"

git clone -q --no-hardlinks "$top" "$root/root/copse"
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb chroot "$root" bash -c 'cd /root/copse && "$@"' sh "$@"
}

inside ./quickstart || fail "./quickstart failed with $?"
said "./quickstart: exit 0"
# The first run has installed all that this one wants.
out=$top/build/log/fresh-root-check.log
inside ./quickstart check >"$out" 2>&1 || {
  tail -n 60 "$out"
  fail "./quickstart check failed"
}
cat "$out"
said "./quickstart check: exit 0"
! grep -q '^Installing' "$out" || fail "the second run installs again"
