#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The sources under every interleaving of the scenarios, and the checker against itself.
# limit: 8
# packages: binutils
. build-aux/ci/common.sh

[ -x configure ] || ./bootstrap >build/log/bootstrap.log 2>&1
mkdir -p build/model
[ -e build/model/Makefile ] ||
  (cd build/model && ../../configure --enable-werror --disable-shared >../log/model-configure.log 2>&1)
status=0
make -s -C build/model -j"$jobs" tests/model/model || exit 1
out=build/log/model.out
make -s -C build/model check-model MODEL_JOBS="$jobs" >"$out" 2>&1 || status=$?
cat "$out"
passed=$(grep -c '^ok ' "$out" || true)
failed=$(grep -c '^not ok ' "$out" || true)
# It broke off, or had nothing to say.
if [ "$failed" = 0 ] && { [ "$status" != 0 ] || [ "$passed" = 0 ]; }; then failed=1; fi
passed_failed "model" "$passed" "$failed"
[ "$failed" = 0 ]
