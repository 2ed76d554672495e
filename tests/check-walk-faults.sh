#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Faults planted in what copse_heap_walk is made of, one at a time: tests/test_walk.c or test_walk_text.c finds each.  On the release library as it is
# built, with the one file compiled anew.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
[ -z "${COPSE_SANITIZERS-}" ] || skip_all "a fault is looked for without a sanitizer"
library=$top_builddir/lib/.libs/libcopse_internal.a
[ -e "$library" ] || library=$top_builddir/lib/libcopse_internal.a
[ -e "$library" ] || skip_all "nothing is built in $top_builddir"
read -ra cc <<<"${CC:-gcc}"
flags=(-std=gnu11 -O1 -pthread -fvisibility=hidden -D_GNU_SOURCE -I"$top_srcdir/lib" -I"$top_srcdir/tests")
[ "$(uname -m)" != x86_64 ] || flags+=(-mcx16)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CMOCKA_MESSAGE_OUTPUT=TAP

for source in test_walk test_walk_text vm_faults; do "${cc[@]}" "${flags[@]}" -c "$top_srcdir/tests/$source.c" -o "$scratch/$source.o"; done

# passes FILE: the tests, with that file of $scratch in place of the library's.
passes() {
  local test
  "${cc[@]}" "${flags[@]}" -c "$scratch/$1" -o "$scratch/planted.o" || return 100
  for test in test_walk test_walk_text; do
    "${cc[@]}" -pthread "$scratch/$test.o" "$scratch/vm_faults.o" "$scratch/planted.o" "$library" -lcmocka -o "$scratch/test" || return 100
    timeout 10 "$scratch/test" >"$scratch/said" 2>&1 || return
  done
}
for file in pool_look.c span_look.c walk.c say.c; do
  cat "$top_srcdir/lib/$file" >"$scratch/$file"
  check "$file as it is" passes $file
done

# found FILE SED: it compiles, and the test fails, or does not come to its end.
found() {
  local status=0
  sed "$2" "$top_srcdir/lib/$1" >"$scratch/$1"
  ! cmp -s "$scratch/$1" "$top_srcdir/lib/$1" || { echo "nothing was planted" && return 1; }
  : >"$scratch/said"
  passes "$1" || status=$?
  grep -h 'not so' "$scratch/said" | head -n 1 || true
  [ "$status" != 0 ] && [ "$status" != 100 ]
}
while IFS='|' read -r what file change; do
  check "found: $what" found "$file" "$change"
done <<'END'
a pool ends with a whole block|pool_look.c|s/min_u64(64, frontier - slot)/64/
the last block of a hold is left out|pool_look.c|s/? min_u64(room, blocks - block)/? min_u64(room, blocks - block) - 1/
the last block of a pool is left out|pool_look.c|s/min_u64(room, blocks - block)/min_u64(room, blocks - block - 1)/
nothing is bare|pool_look.c|s/? free : 0/? 0 : 0/
all that is vacant is bare|pool_look.c|s/chain_has(&p->chains\[BARE\], block + i)/~free == 0/
slots of a page and more are bare when they are free|pool_look.c|s/\*pool_bare(p, block + i)/free/
addresses are those of slots, not blocks|pool_look.c|s/u64 slot = 64 \*/u64 slot =/
the arena is always the first|pool_look.c|s/region_arena(p->region)/0/
the lock is not given back|pool_look.c|/copse_lock_release/d
cached spans are not seen|span_look.c|s/live ? live : cached_at_locked(granule)/live/
cached spans are live|span_look.c|s/\.free = !live/.free = 0/
the second half of the spans is not looked at|span_look.c|s/return granule < frontier/return false/
a span is seen again in each of its granules|span_look.c|s/u64 live = S.table\[granule\]/u64 live = S.table[granule] ? S.table[granule] : GRANULE/; s/granule += span_granules(length)/granule++/
more are stored than there is room for|span_look.c|s/\*n < room \&\& //
a pool's first 64 blocks alone|walk.c|s/while (n == WALK_BLOCKS)/while (0)/
the visitor cannot end the walk|walk.c|s/(ended = visit(blocks, n, context))) return ended/(ended = visit(blocks, n, context))) continue/
its result is lost|walk.c|s/return ended/return 1/
the visitor runs under the pool's lock|walk.c|s/if (n \&\& (ended = visit(blocks, n, context))) return ended;/copse_lock_acquire(\&copse_span_lock); & copse_lock_release(\&copse_span_lock);/
it starts copse|walk.c|s/if (!copse_started()) return 0;/(void)copse_start();/
a signal ends the writing|say.c|s/if (n < 0 \&\& errno == EINTR) continue;//
the rest of a short write is not written|say.c|s/bytes -= (size_t)n/bytes = 0/
a short write begins again|say.c|s/text += n;//
errors are not noticed|say.c|s/return !bytes;/return true;/
errno is not kept|walk.c|s/  errno = saved;/  errno = 0;/
numbers lose their last digit|walk.c|s/highest_bit(number) \/ 4 + 1/highest_bit(number) \/ 4/
the last lines are not written|walk.c|s/if (!end_line(&t) || !flush(&t)) return -1;/end_line(\&t);/
END
finish
