#!/bin/sh
# SPDX-License-Identifier: MIT
# links.sh PAGE...: a line "page link" for each name beyond the first that a page's NAME section has: what must lead there.
set -eu
for page; do
  awk -v file="${page##*/}" '
    /^\.Sh/ { inside = $2 == "NAME" }
    inside && $1 == ".Nm" && names++ { suffix = file; sub(/.*\./, "", suffix); print file, $2 "." suffix }' "$page"
done
