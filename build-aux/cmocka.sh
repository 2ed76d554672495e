#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Brings cmocka for programs that are not this machine's own, from Debian by apt-get, with lists and packages in a directory of
# their own: nothing of the machine changes, and nobody has to be root.
# Usage: cmocka.sh arm64 DIRECTORY                Debian's shared library for arm64
#        cmocka.sh source DIRECTORY CC [FLAG...]  libcmocka.a, of Debian's source package, by that compiler
# Afterwards DIRECTORY has include and lib; one that has them already is left as it is.
set -eu
export LC_ALL=C
kind=$1 directory=$2
shift 2
fail() {
  printf 'cmocka.sh: %s\n' "$*" >&2
  exit 1
}
[ ! -e "$directory/complete" ] || exit 0
command -v apt-get >/dev/null || fail "there is no apt-get here"
mkdir -p "$directory/include" "$directory/lib"
directory=$(cd "$directory" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# shellcheck source=debian.sh
. "$(dirname "$0")/debian.sh"
case $kind in
  arm64) printf 'deb [arch=arm64] %s bookworm main\n' "$mirror" ;;
  source) printf 'deb-src %s bookworm main\n' "$mirror" ;;
  *) fail "what is '$kind'?" ;;
esac >"$scratch/sources.list"
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
apt() {
  apt-get -q -o Acquire::Retries=3 -o Dir::Etc::SourceList="$scratch/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$scratch/lists" -o Dir::Cache="$scratch/cache" -o APT::Architectures::=arm64 \
    -o APT::Sandbox::User="$(id -un)" "$@" >"$scratch/log" 2>&1 || {
    tail -n 20 "$scratch/log" >&2
    fail "apt-get $1 failed"
  }
}
apt update

cd "$scratch"
if [ "$kind" = arm64 ]; then
  apt download libcmocka-dev:arm64 libcmocka0:arm64
  for package in ./*.deb; do dpkg-deb -x "$package" .; done
  cp usr/include/{cmocka,cmocka_pbc}.h "$directory/include"
  cp -P usr/lib/aarch64-linux-gnu/libcmocka.so* "$directory/lib"
else
  apt source --download-only cmocka
  tar -xf cmocka_*.orig.tar.xz
  cp cmocka-*/include/{cmocka,cmocka_pbc,cmocka_private}.h "$directory/include"
  # What cmocka's own configuration finds with any C library for Linux.
  has=(MALLOC_H INTTYPES_H SIGNAL_H STRINGS_H STRUCT_TIMESPEC CLOCK_REALTIME SIGLONGJMP STRSIGNAL GCC_THREAD_LOCAL_STORAGE)
  "$@" -D_GNU_SOURCE "${has[@]/#/-DHAVE_}" -I"$directory/include" -O2 -c cmocka-*/src/cmocka.c -o cmocka.o
  ar cr "$directory/lib/libcmocka.a" cmocka.o
fi
touch "$directory/complete"
