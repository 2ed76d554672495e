#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs Debian's packages, as check-deb.sh made them, in a throwaway root, and runs debian/tests there by autopkgtest: programs
# in C and C++ that find copse by pkg-config, CMake and Meson, native, instrumented and inline, and copse-run.
# Usage: test-installed.sh DIRECTORY      with one copse_*.dsc and the .debs
# Wants root, debootstrap and autopkgtest; the packages come from the mirror that this machine's apt uses.
set -eu
export LC_ALL=C
fail() {
  printf 'test-installed: %s\n' "$*" >&2
  exit 1
}
if [ $# != 1 ] || [ ! -d "$1" ]; then fail "wants the directory with the packages"; fi
[ "$(id -u)" = 0 ] || fail "wants root"
for tool in debootstrap autopkgtest unshare; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

# A mount namespace of its own: whatever is mounted goes with this process.
if [ -z "${COPSE_THROWAWAY-}" ]; then
  COPSE_THROWAWAY=inside exec unshare --mount --propagation private "$0" "$@"
fi
root=$(mktemp -d "${TMPDIR:-/var/tmp}/copse-root.XXXXXX")
chmod 755 "$root"
trap 'umount -q "$root/proc"; rm -rf --one-file-system "$root"' EXIT
# shellcheck source=../build-aux/debian.sh
. "$(dirname "$0")/../build-aux/debian.sh"
minimal_debian "$root" "$root.log"
rm -f "$root.log"
mount -t proc proc "$root/proc"

# Its directory for temporary files is not there in the root.
env -u TMPDIR autopkgtest --no-built-binaries "$1"/*.deb "$1"/copse_*.dsc -- chroot "$root"
