#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The map of the simulation in a browser, without a screen: the squares that it has in its DOM, and that have their colours in a
# screenshot, are as many blocks, free slots and bare slots as the statistics say, class by class, on a light page and on a dark one.
# BROWSER names another than Debian's chromium.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
export LC_ALL=C
browser=${BROWSER:-chromium}
command -v "$browser" >/dev/null || skip_all "there is no $browser (Debian: chromium)"
command -v python3 >/dev/null || skip_all "there is no python3, which reads the screenshot (Debian: python3)"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export HOME=$scratch
unset COPSE_MAP

# The page is our own, so that it needs no sandbox, which root has none of.
browse() {
  timeout 120 "$browser" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run \
    --force-device-scale-factor=1 --user-data-dir="$scratch/profile" "$@" 2>said
}
# shown SVG [dark]: what it shows, by map_pixels.py, in $1.shown.
shown() {
  local width height scheme=1
  width=$(sed -n 's/^<svg .* width="\([0-9]*\)".*/\1/p' "$1")
  height=$(sed -n 's/^<svg .* height="\([0-9]*\)".*/\1/p' "$1")
  [ "${2-}" != dark ] || scheme=0
  rm -f screen.png
  browse --blink-settings=preferredColorScheme=$scheme --dump-dom "file://$scratch/$1" >dom || { tail -n 3 said && return 1; }
  browse --blink-settings=preferredColorScheme=$scheme --window-size="$width,$height" --screenshot="$scratch/screen.png" "file://$scratch/$1" ||
    { tail -n 3 said && return 1; }
  python3 "$top_srcdir/tests/map_pixels.py" dom screen.png "${@:2}" >"$1.shown" || return 1
  [ -z "${COPSE_MAP_KEEP-}" ] || cp screen.png "$COPSE_MAP_KEEP/${1%.svg}${2:+-$2}.png"
}
# equal SVG: what was shown is what the statistics say, and each block is a square.
equal() {
  [ "$(wc -l <statistics)" -gt 10 ] && grep -qx 'legend 7' "$1.shown" && grep -v '^legend' "$1.shown" | diff statistics -
}
# shows SVG [dark]
shows() { shown "$@" && equal "$1"; }

"$top_builddir/examples/simulation" --frames 400 --map=sim.map >figures || note "the simulation failed"
"$top_builddir/bin/copse-map" --output=sim.svg sim.map || note "copse-map failed"
# A square a block: there are fewer than are drawn one by one.
sed -n 's/^map_class_\([0-9]*\)=size .* blocks \(.*\) free \(.*\) bare \(.*\)/\1 \2 \2 \3 \4/p' figures >statistics
check "a light page shows what the statistics say" shows sim.svg
note "$(awk '$1 != "legend" { squares += $2 } END { print squares " squares" }' sim.svg.shown 2>/dev/null || true)"
check "a dark page does" shows sim.svg dark

# planted NAME AWK: one change to the page.
planted() {
  awk "$2" sim.svg >planted.svg
  if cmp -s sim.svg planted.svg; then nok "$1" "nothing was planted"; else check_fails "$1" shows planted.svg; fi
}
planted "a square that is not there is seen" '!done && /^<rect .*data-/ { done = 1; next } { print }'
planted "a square without its colour is seen" '!done && /^<rect .*data-/ { done = 1; sub(/class="s[0-9]"/, "class=\"s9\"") } { print }'
planted "a square beside the page is seen" '!done && /^<rect .*data-/ { done = 1; sub(/ x="[0-9]*"/, " x=\"100000\"") } { print }'
planted "something that lies over the squares is seen" '/^<\/svg>/ { print "<rect x=\"340\" y=\"100\" width=\"90\" height=\"9\"/>" } { print }'
planted "a page without its style is seen" '/^\.s[0-9]/ { next } { print }'
planted "a page that is not well-formed is seen" '{ sub(/^<\/svg>/, ""); print }'
finish
