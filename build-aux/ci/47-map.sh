#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The walk with planted faults; copse-map with all the tools that its tests want: a terminal, a parser of XML, and a browser that shows what was drawn.
# limit: 5
# packages: bsdutils chromium libcmocka-dev libxml2-utils python3
. build-aux/ci/common.sh
need_release

export top_srcdir=$PWD top_builddir=$PWD/build/release
status=0
tap_summary "copse-map" bash tests/test_map.sh || status=1
tap_summary "faults in the walk" bash tests/check-walk-faults.sh || status=1
tap_summary "copse-map in a browser" bash tests/check-map-browser.sh || status=1
exit "$status"
