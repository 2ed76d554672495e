#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nothing of the instrumented library is in release: its objects are the same, to the byte, where check.h and annotate.h are
# replaced by headers that are nothing but empty macros (tests/empty/).
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
read -ra compiler <<<"${CC:-gcc}"
read -ra flags <<<"${CFLAGS:--O2}"
# What is compared is machine code.
flags+=(-fno-lto -g0 -std=gnu11 -pthread -fvisibility=hidden -ftls-model=initial-exec -D_GNU_SOURCE -I.)
[ "$(uname -m)" != x86_64 ] || flags+=(-mcx16)

# objects NAME: a copy of lib/ is compiled where it stands, since names of files may be in the objects.
objects() {
  (cd "$scratch/$1" && printf '%s\n' ./*.c | grep -v '^./malloc' |
    xargs -P "$(nproc)" -n 4 "${compiler[@]}" "${flags[@]}" -c) &&
    (cd "$scratch/$1" && "${compiler[@]}" "${flags[@]}" -fno-builtin -DCOPSE_DROPIN -c ./malloc*.c)
}
copy() { mkdir "$scratch/$1" && cp "$top_srcdir"/lib/*.[ch] "$scratch/$1/"; }
same() { same_objects 20 "$scratch/real" "$scratch/$1"; }

copy real
copy empty
cp "$top_srcdir"/tests/empty/*.h "$scratch/empty/"
check "the library compiles" objects real
check "with empty macros it compiles as well" objects empty
check "all objects are the same" same empty
not_text() { ! size -A "$scratch/real/$1.o" | awk '$1 !~ /^\.(note|comment)/ && $1 ~ /^\./ && $2 > 0' | grep .; }
for part in annotate annotate_asan annotate_tsan annotate_msan annotate_valgrind guard side stack quarantine report; do
  [ ! -e "$top_srcdir/lib/$part.c" ] || check "$part.c is nothing in release" not_text "$part"
done

# A check that stays in release, in one function.
copy planted
cp "$top_srcdir"/tests/empty/*.h "$scratch/planted/"
sed -i 's/^#define must(x) .*/#define must(x) ((x) ? (void)0 : __builtin_trap())/' "$scratch/planted/check.h"
check "with a planted check it compiles" objects planted
check_fails "the planted check is found" same planted
finish
