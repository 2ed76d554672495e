#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# configure refuses what copse cannot run on.
# limit: 3
# packages:
. build-aux/ci/common.sh

[ -x configure ] || ./bootstrap >build/log/bootstrap.log 2>&1
tap_summary "refusals of configure" bash tests/check-configure.sh
