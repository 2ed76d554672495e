#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Mutants of the library's logic: each is one change of one source, compiled for the checker in its place; the scenario named
# must fail.  Usage: check-logic.sh [PART-OF-WHAT].  In the build directory, after tests/model/model.  MODEL_COMPILE and
# MODEL_LINK come from make.  Those that doc/SCENARIOS names must be here.
set -eu
source=${top_srcdir:?}
work=tests/model/logic
rm -rf "$work"
mkdir -p "$work"
: >"$work/killed"
killed=0 survived=0 only=${1-}

# mutant FILE SED-EXPRESSION SCENARIO WHAT
mutant() {
  local file=$1 change=$2 scenario=$3 what=$4 output status=0
  case $what in *"$only"*) ;; *) return ;; esac
  sed -E "$change" "$source/lib/$file.c" >"$work/$file.c"
  if cmp -s "$source/lib/$file.c" "$work/$file.c"; then
    echo "not ok: this change finds nothing to change any more: $what ($file.c)"
    survived=$((survived + 1))
    return
  fi
  # shellcheck disable=SC2086 # flags
  ${MODEL_COMPILE:?} "-I$source/lib" "$work/$file.c" -c -o "$work/$file.o"
  local objects=()
  for object in ${MODEL_OBJECTS:?}; do
    [ "$object" = "tests/model/lib_$file.o" ] && object=$work/$file.o
    objects+=("$object")
  done
  # shellcheck disable=SC2086 # flags
  ${MODEL_LINK:?} -o "$work/model" "${objects[@]}" -pthread
  output=$(timeout 120 "$work/model" --jobs 1 "$scenario" 2>&1) || status=$?
  if [ "$status" = 1 ] && grep -q "^not ok $scenario  *fails " <<<"$output"; then
    killed=$((killed + 1))
    printf '%s\t%s\n' "$scenario" "$what" >>"$work/killed"
    printf 'killed    %-58s by %s: %s\n' "$what" "$scenario" "$(sed -n 's/.* fails at \(execution [0-9]*: .\{0,60\}\).*/\1/p' <<<"$output" | head -n 1)"
  else
    survived=$((survived + 1))
    printf 'SURVIVED  %-58s %s (status %s)\n' "$what" "$scenario" "$status"
  fi
}

mutant recycler 's/head\.high \+ 1\}/head.high}/' recycler/aba-same-count 'no generation'
mutant recycler 's/\(count \+ 1\)/count/' recycler/2-push-pop 'a push that does not count'
mutant recycler 's/\(count - 1\)/count/' recycler/2-push-pop 'a pop that does not count'
mutant recycler 's/if \(count >= cap\) return false;//' recycler/cap-of-one 'no cap'
mutant recycler 's/count >= cap/count > cap/' recycler/cap-three-exits 'a cap that is one too large'
mutant recycler 's/struct bundle \*below = load_relaxed\(&b->next\);/struct bundle *below = NULL;/' recycler/2-pop-push 'a pop that forgets what is below'
mutant recycler 's/count >= cap/count > cap/' recycler/cap-of-none 'a cap of none that holds one'
mutant pool 's/after = before \| mask;/after = mask;/' pool/put-put-one-block 'bits stored, not added'
mutant pool '/^void copse_pool_put/,/^}/ s/copse_lock_(acquire|release)\(&p->lock\);//' pool/take-against-put 'a put without the lock'
mutant pool '/^static enum pool_outcome take/,/^}/ s/^  copse_lock_release\(&p->lock\);//; /^static enum pool_outcome take/,/^}/ s/^  p->locked\+\+;/  copse_lock_release(\&p->lock);/' pool/take-take 'a take that unlocks early'
mutant pool_trim '/^static void detach_locked/,/^}/ s/\*pool_word\(p, block\) &= ~mask;//' pool/trim-vacant-against-take 'a trim that does not own what it gives back'
mutant pool_trim '/^static void return_locked/,/^}/ s/\*word \|= piece->mask;//' pool/trim-against-put 'a trim that keeps what it took'
mutant pool_trim 's/ recall_missed_locked\(p, piece\);/ (void)recall_missed_locked;/' pool/trims-share-page-four 'a trim that forgets what two of them had parts of'
mutant pool_trim 's/if \(!\(piece->bare & 1\)\) recall_locked.*//' pool/trims-share-page 'a trim that forgets the page before its block'
mutant pool_trim 's/if \(!\(piece->bare >> 63\)\) recall_locked.*//' pool/trims-share-page 'a trim that forgets the page behind its block'
mutant pool_trim '/^static void return_locked/,/^}/ { s/^  \*word \|= piece->mask;//; s/^  if \(!p->slotwise && piece->mask == .*/&\n  *word |= piece->mask;/; s/^    copse_pool_place_locked.*/    *word |= piece->mask, copse_pool_place_locked(p, piece->block), *word \&= ~piece->mask;/ }' pool/trims-share-page 'a trim that asks what is left before its slots are back'
mutant pool_trim 's/if \(!\(piece->bare & 1\)\) recall_locked/if (piece->was_bare) return; &/' pool/trims-share-page-bare-between 'a trim that forgets what is beside a bare block'
mutant pool_trim 's/if \(!\(piece->bare & 1\)\) recall_locked/if (piece->was_bare) return; &/' pool/trims-share-page-bare 'a trim whose bare blocks forget the page that they share'
mutant pool_trim '/^static bool missed_locked/,/^}/ s/return mask != ~\(u64\)0 && .*/return mask != ~(u64)0 \&\& free == ~(u64)0;/' pool/trims-share-run 'a trim that forgets the rest of a run'
mutant pool_trim '/^static bool missed_locked/,/^}/ s/return mask != ~\(u64\)0 && .*/return false;/' pool/trims-share-block 'a trim that forgets the other part of its block'
mutant pool_trim '/^static bool missed_locked/,/^}/ s/others = free & ~mask/others = warm \& ~mask/' pool/slotwise-trims-share-page-bare 'a trim that forgets the pages of a bare slot'
mutant pool_trim '/^static void recall_locked/,/^}/ s/on\.to > pool_known/on.to >= pool_known/' pool/trims-share-page-four "a trim that takes a pool's last page for not there"
mutant pool_trim 's/if \(p->slotwise \|\| mask != ~\(u64\)0\) \{/if (true) {/' pool/trims-share-page-used 'a trim that leaves its neighbours their part of a page'
mutant pool_trim '/^static void stamp/,/^}/ s/p->since\[block\] = p->tick;//' pool/trims-share-page-cooling 'a trim with a cooldown that notes no number'
mutant pool_trim '/^static bool missed_locked/,/^}/ s/if \(warm & pages && mask & pages && others & pages\) return true;//' pool/slotwise-trims-share-page 'a trim that forgets the other slots of its pages'
mutant pool_trim '/^static bool missed_locked/,/^}/ s/unit = pool_unit\(p\)/unit = 1/' pool/slotwise-trims-share-page-used 'a trim that takes each slot for whole pages'
mutant pool_trim 's/at->done \? at->chosen : choose_locked/choose_locked/' pool/trim-in-parts-against-take-put 'a trim that chooses anew in the midst of a block'
mutant pool_trim '/^static u64 cut_locked/,/^}/ s/\*done = at;/*done = at + 1;/' pool/trim-in-parts-against-take-put 'a trim that leaves out what it cuts at'
mutant pool_trim 's/if \(pieces\[i\]\.block != begun\) settle/settle/' pool/trim-in-parts-against-put 'a trim in parts that settles a block twice'
mutant pool_grow 's/p->frontier \+= slots;//' pool/growth-against-growth 'growth that claims nothing'
mutant pool_grow '/^void copse_pool_rollback_locked/,/^}/ s/p->uncommitted -= .*//' pool/growth-all-refused 'a rollback that forgets the count'
mutant pool_look 's/copse_lock_(acquire|release)\(&p->lock\);//' pool/look-against-trim 'a look without the lock'
mutant pool_look 's/out\[i\]\.bare = \*pool_bare\(p, block \+ i\);/out[i].bare = ~out[i].free;/' pool/slotwise-look-against-trim 'a look that takes bare for taken'
mutant cache 's/store_relaxed\(&c->hot\.top\[place\], dummy_top\(\)\);//' cache/flush-flush 'a bundle that stays at the top'
mutant cache 's/exchange_acquire\(&of->spare\[class\], \(u64\)0\)/load_acquire(\&of->spare[class])/' cache/spare-taken-while-refilling 'a spare that is taken and left'
mutant cache '/^static struct bundle \*pass_on/,/^}/ s/copse_direct_put\(.*\);//' cache/spill-spill-twice 'a refused bundle that is dropped'
mutant cache '/^void copse_cache_follow_owner/,/^}/ s/copse_cache_flush_owner\(c\);//' trim/behind-means-flushed 'a thread that follows a trim without a flush'
mutant registry 's/cas_acquire\(&c->taken, &free, 1\)/(store_relaxed(\&c->taken, (u32)1), free == 0)/' cache/attach-attach-one-free 'a record taken without a swap'
mutant registry 's/while \(!cas_release\(&registry, &head, c\)\)/while (store_release(\&registry, c), false)/' cache/attach-attach-new 'a record pushed without a swap'
mutant start '/^bool copse_start/,/^}/ s/copse_lock_(acquire|release)\(&copse_start_lock\);//' start/two-at-once 'a start without the lock'
mutant start '/^bool copse_start/,/^}/ s/bool first = .*;/bool first = true, done = bring_up();/' start/two-first-allocations 'a start that does not ask again'
mutant span '/^bool copse_span_free/,/^}/ s/copse_lock_(acquire|release)\(&copse_span_lock\);//' span/give-give 'a span freed without the lock'
mutant span 's/exchange_acquire\(&S\.table\[at\], \(u64\)0\)/load_relaxed(\&S.table[at])/' span/freed-twice 'a span that can be freed twice'
mutant region 's/while \(!cas_relaxed\(&own_next, &next, at \+ bytes\)\);/while (store_relaxed(\&own_next, at + bytes), false);/' pool/own-region-claims 'claims that overlap'
mutant vm 's/while \(!cas_relaxed\(&copse_vm_counters\.in_use, &now, now \+ bytes\)\);/while (store_relaxed(\&copse_vm_counters.in_use, now + bytes), false);/' pool/limit-two-charges 'a charge without a swap'
mutant fork '/^static void take_others/,/^}/ s/copse_lock_acquire\(&copse_span_lock\);//' fork/against-span 'a fork that leaves a lock out'
mutant fork 's/p->lost \+= p->detached;//' fork/child-of-trim 'a child that forgets what a trim had detached'
mutant fork '/^static void child/,/^}/ s/p->detached = 0;//' fork/child-of-trim 'a child in which a trim goes on'
mutant fork 's/^  copse_cache_fork_child\(.*\);//' fork/child-of-spill 'a child that leaves the records of others'
mutant fork '/^static void child/,/^}/ s/^  copse_span_fork_child\(\);//' fork/child-of-span-take-give 'a child that leaves the spans of others'
mutant fork '/^void copse_fork_started/,/^}/ s/^  take_others\(\);//' fork/starts 'a start while forking that takes no locks'
mutant fork '/^void copse_fork_started/,/^}/ s/^  copse_lock_seize\(\);//' fork/starts 'a start while forking that waits for itself'
mutant fork '/^void copse_fork_started/,/^}/ s/^  up = true;//' fork/child-that-started 'a start while forking that the child does not know of'
mutant start 's/if \(first && done\) copse_fork_started\(\);//' fork/child-that-started 'a start that does not tell who forks'
mutant registry '/^void copse_cache_fork_child/,/^}/ s/^  count_lost\(\);//' fork/child-of-spill 'a child that does not count what was in hands'
mutant registry 's/^  mark_places\(\);//' fork/child-of-exit 'a child that counts as lost what is in a place'
mutant registry 's/if \(held & HELD_BLANK\) .*;//; s/^  else$//' fork/child-of-refill 'a child that counts blank slots by address'
mutant pool 's/if \(held && pieces\) store_relaxed\(held, held_blank\(p->region, \*taken\)\);//' fork/child-of-refill 'slots that leave a pool unheld'
mutant pool 's/if \(held\) store_relaxed\(held, load_relaxed\(held\) - some\);//' fork/child-of-exit 'slots that are put and still held'
mutant cache 's/store_relaxed\(&b->held, \(u64\)\*count\);//' fork/child-of-flush 'a top that is taken and not held'
mutant cache 's/&copse_recyclers\[region\], b, recycler_cap/recycler_of(region_class(region), c->arena), b, recycler_cap/' arenas/apart-goes-home "a neighbour's bundle that goes to the recycler of who frees"
mutant cache '/^void copse_cache_flush_owner/,/^}/ s/place < places\(\)/place < CLASSES/' arenas/exit-with-apart "an exit that leaves a neighbour's bundle"
mutant trim '/^static void gather/,/^}/ s/pools_end\(\)/copse_pools + CLASSES/' arenas/trim-empties-both 'a trim of the first arena alone'
mutant registry '/^bool copse_cache_holds/,/^}/ s/if \(load_relaxed\(&c->spare\[class\]\) & SPARE_COUNT\) return true;//' trim/spare-is-pending 'a count of who is behind a trim that overlooks spares'
mutant trim 's/!cas_relaxed\(&copse_vm_counters\.mark, &mark, in_use \+ step\)/(store_relaxed(\&copse_vm_counters.mark, in_use + step), false)/' trim/peak-against-peak 'a peak that is two threads at once'
mutant trim '/^static void gather\(/,/^}/ s/copse_cache_take_spare\(c, class, other\);/copse_cache_flush_owner(other);/' trim/peak-against-give "a peak's trim that flushes a running thread"
mutant cache_direct 's/region_at\(arena, region_class\(region\)\)/region/' arenas/taken-elsewhere 'an arena that asks itself'
mutant pool '/^bool copse_pools_reach/,/^}/ s/copse_lock_(acquire|release)\(&arenas_lock\);//' arenas/reach-reach 'an arena made without the lock'

# A row of doc/SCENARIOS that stands for one of these.
if [ -z "$only" ]; then
  while IFS= read -r row; do
    grep -qxF "$row" "$work/killed" && continue
    echo "not ok: doc/SCENARIOS names a mutant of logic that was not killed: $row"
    survived=$((survived + 1))
  done < <(awk '/^   [a-z]/ { s = $1 } sub(/^      logic: /, "") { print s "\t" $0 }' "$source/doc/SCENARIOS")
fi

echo "# mutants of logic: $killed killed, $survived survived"
[ "$survived" = 0 ]
