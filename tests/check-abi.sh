#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ABI of the built libraries is the committed one (packaging/abi/libcopse.0.abi, by abidw), or more: whatever else
# abidiff finds is a failure.
#
#   check-abi.sh             compares
#   check-abi.sh --update    writes the committed one anew; see doc/RELEASING for when that is right
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
for tool in abidw abidiff; do command -v $tool >/dev/null || skip_all "$tool is not installed"; done
[ "${COPSE_SHARED-yes}" = yes ] || skip_all "built without shared libraries"
libs=$top_builddir/lib/.libs
[ -e "$libs/libcopse.so" ] || skip_all "nothing is built in $libs"
"${READELF:-readelf}" -S "$libs/libcopse.so" | grep -q '\.debug_info' || skip_all "built without -g, which abidw reads"
abi=$top_srcdir/packaging/abi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Neither places nor the processor: it is the same on all.
dump() {
  abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --drop-private-types --drop-undefined-syms \
    --exported-interfaces-only --headers-dir "$top_srcdir/lib" --suppressions "$abi/private.suppr" "$1" |
    sed "s|path='[^']*/lib/|path='lib/|"
}

if [ "${1-}" = --update ]; then
  dump "$libs/libcopse.so" >"$scratch/abi" && cp "$scratch/abi" "$abi/libcopse.0.abi"
  exit
fi

# same OLD NEW: nothing of OLD is gone or other in NEW.
same() {
  abidiff --no-architecture --no-added-syms --suppressions "$abi/private.suppr" "$1" "$2"
}
has_all() { [ "$(grep -c '<elf-symbol ' "$1")" -ge 20 ] && grep -q "class-decl name='copse_stats'" "$1"; }

dump "$libs/libcopse.so" >"$scratch/now"
# The instrumented library has another soname.
dump "$libs/libcopse-instrumented.so" | sed 's/libcopse-instrumented\.so/libcopse.so/' >"$scratch/instrumented"
check "the dump has the functions and the structs" has_all "$scratch/now"
check "libcopse.so has the ABI that is committed" same "$abi/libcopse.0.abi" "$scratch/now"
check "libcopse-instrumented.so has the same" same "$abi/libcopse.0.abi" "$scratch/instrumented"
added() { abidiff --no-architecture --suppressions "$abi/private.suppr" "$abi/libcopse.0.abi" "$scratch/now" | sed -n 's/.*\[A\]/added:/p'; }
note "$(added || true)"

# The library as it would be with one change each, by changing what was committed the other way.
planted() {
  sed "$2" "$scratch/now" >"$scratch/planted"
  if cmp -s "$scratch/planted" "$scratch/now"; then nok "$1" "nothing was planted"; else
    check_fails "$1" same "$scratch/now" "$scratch/planted"; fi
}
planted "a function that is gone is found" "/<elf-symbol name='copse_trim'/d; /function-decl name='copse_trim'/,/<\/function-decl>/d"
planted "a struct that grew is found" "/class-decl name='copse_misuse'/s/size-in-bits='[0-9]*'/size-in-bits='640'/"
planted "a field that moved is found" "/class-decl name='copse_misuse'/,/<\/class-decl>/s/layout-offset-in-bits='64'/layout-offset-in-bits='72'/"
planted "another soname is found" "s/soname='libcopse.so.0'/soname='libcopse.so.1'/"
finish
