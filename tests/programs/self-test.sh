#!/bin/bash
# SPDX-License-Identifier: MIT
# Can these tests fail?  A drop-in that is broken on purpose stands in for copse: with each fault one script at least must
# fail, and with none they must pass.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "self-test: faults are noticed"

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
cc=${CC:-cc}
mkdir "$work/lib"
$cc -O2 -fPIC -shared -fno-builtin -o "$work/lib/libcopse-malloc.so" "$here/broken.c" || die "broken.c does not compile"
$cc -O2 -D_GNU_SOURCE -fno-builtin -Wno-deprecated-declarations -I"$here/.." -o "$work/test_malloc" "$here/../test_malloc.c" -lcmocka ||
  die "test_malloc.c does not compile (Debian: libcmocka-dev)"

# Does perl.sh fail with this fault?
is_red() {
  ! COPSE_FAULT=$1 COPSE_LIBDIR=$work/lib COPSE_RUN_FLAGS='' timeout 120 "$here/perl.sh" >"$work/$1.log" 2>&1
}

# Alignment is seen by the conformance test: programs on x86-64 rarely depend on it.
edges() {
  COPSE_FAULT=$1 COPSE_TEST_ANY_MALLOC=1 LD_PRELOAD=$work/lib/libcopse-malloc.so CMOCKA_MESSAGE_OUTPUT=TAP \
    "$work/test_malloc" 2>/dev/null | grep -E 'test_malloc_edges$' | cut -d ' ' -f 1
}

if is_red none; then
  fail "with no fault perl.sh fails"
  sed 's/^/    /' "$work/none.log"
else
  printf '  checked: with no fault perl.sh passes\n'
fi
for fault in overlap truncate flip dirty; do
  good "$fault: noticed by perl.sh" is_red $fault
  sed -n 's/^  not so/    it says/p' "$work/$fault.log" | head -n 1
done
good "with no fault malloc's edges pass" test "$(edges none)" = ok
good "misaligned: noticed by test_malloc" test "$(edges misaligned)" = not
finish
