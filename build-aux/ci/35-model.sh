#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The sources under every interleaving of the scenarios, the checker against itself, and each scenario and memory order against
# mutants; some of it on aarch64, emulated.
# limit: 20
# packages: binutils gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
. build-aux/ci/common.sh

[ -x configure ] || ./bootstrap >build/log/bootstrap.log 2>&1
# build DIRECTORY CONFIGURE-OPTION...: the checker, there.
build() {
  local directory=$1
  shift
  mkdir -p "$directory"
  [ -e "$directory/Makefile" ] ||
    (cd "$directory" && ../../configure --enable-werror --disable-shared "$@") >"build/log/${directory##*/}-configure.log" 2>&1
  make -s -C "$directory" -j"$jobs" tests/model/model
}
# ask SUITE DIRECTORY TARGET: each line that begins by "ok" or "not ok" is a result.
ask() {
  local out=build/log/$3.out passed failed status=0
  make -s -C "$2" "$3" MODEL_JOBS="$jobs" >"$out" 2>&1 || status=$?
  cat "$out"
  passed=$(grep -c '^ok ' "$out" || true)
  failed=$(grep -c '^not ok ' "$out" || true)
  # It broke off, or had nothing to say.
  if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
  passed_failed "$1" "$passed" "$failed"
  [ "$failed" = 0 ]
}
status=0
build build/model && ask "model" build/model check-model && ask "model's mutants" build/model check-mutants || status=1
build build/model-aarch64 --host=aarch64-linux-gnu && ask "model on aarch64" build/model-aarch64 check-model-emulated || status=1
exit "$status"
