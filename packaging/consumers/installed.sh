#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make installcheck`: run.sh with what was installed in $DESTDIR$libdir, by as many of its ways as there are tools for.
set -eu
: "${libdir:?the directory of the installed library}"
if ! command -v pkg-config >/dev/null; then
  echo "consumers: left out, there is no pkg-config"
  exit
fi
export PKG_CONFIG_PATH=${DESTDIR-}$libdir/pkgconfig LD_LIBRARY_PATH=${DESTDIR-}$libdir
[ -z "${DESTDIR-}" ] || export PKG_CONFIG_SYSROOT_DIR=$DESTDIR
COPSE_CONSUMERS=hand
for tool in cmake meson; do ! command -v "$tool" >/dev/null || COPSE_CONSUMERS+=" $tool"; done
export COPSE_CONSUMERS
exec "${BASH:-bash}" "$(dirname "$0")/run.sh"
