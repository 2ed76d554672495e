#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library's release objects are the same, to the byte, whether the model checker is there and built or not: two copies of the
# sources, one without tests/model/*.[ch], configured and built by the same commands.
set -eu
# shellcheck source=../tap.sh
. "$(dirname "$0")/../tap.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

copy() {
  mkdir "$scratch/$1" && (cd "$top_srcdir" && tar -c --exclude=./build --exclude=./.git --exclude='./*/.deps' .) |
    tar -x -C "$scratch/$1"
}
configured() { mkdir "$scratch/$1/b" && cd "$scratch/$1/b" && ../configure --disable-shared CC="${CC:-gcc}" CFLAGS='-O2 -g0' >log 2>&1; }
built() { make -s -C "$scratch/$1/b" "${@:2}" >>"$scratch/$1/b/log" 2>&1 || { tail "$scratch/$1/b/log" && return 1; }; }
same() { same_objects 40 "$scratch/with/b/lib" "$scratch/without/b/lib"; }
no_hook() { ! nm "$scratch/with/b/lib"/*.o | grep -E '__tsan_|model_'; }

check "a copy" copy with
check "a copy without the model" copy without
rm -f "$scratch/without/tests/model"/*.[ch]
check "both are configured" configured with
check "both are configured, the second" configured without
check "the model is built beside the first" built with tests/model/model lib/libcopse_internal.la
check "the second has none" built without lib/libcopse_internal.la
check "all objects are the same" same
check "none of them calls the checker" no_hook

# A source that looks whether the checker is there.
for tree in with without; do
  printf '#if __has_include("../tests/model/model.h")\nhidden int planted;\nint planted = 1;\n#endif\n' >>"$scratch/$tree/lib/recycler.c"
done
check "with a planted shim they compile" built with lib/libcopse_internal.la
check "with a planted shim the second compiles" built without lib/libcopse_internal.la
check_fails "the planted shim is found" same
finish
