#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build-aux/check-long.sh, on targets of a tree made for it: what it remembers, what it forgets, and that a failure is one.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
command -v git >/dev/null || skip_all "no git"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build-aux" "$work/build" "$work/fuzz"
echo none >"$work/fuzz/LEDGER"
cp "$top_srcdir/build-aux/check-long.sh" "$work/build-aux/"
# Each target says that it was made; `may` says what a2 may do.  Of b and c each ends only if the other has begun; d ends only if neither
# runs.
cat >"$work/build/Makefile" <<'end'
a1 a2 a3:
	@echo $@ >>made; test $@ != a2 || test -e may
b c:
	@mkdir runs-$@; for i in `seq 300`; do test -e runs-b && test -e runs-c && break || sleep 0.1; done; sleep 0.2; \
	test -e runs-b && test -e runs-c && echo $@ >>made; status=$$?; sleep 0.5; rmdir runs-$@; exit $$status
d:
	@test ! -e runs-b && test ! -e runs-c && echo $@ >>made
.PHONY: a1 a2 a3 b c d
end
echo x >"$work/build/config.status"
printf 'build/\n' >"$work/.gitignore"

commit() { git -C "$work" -c user.name=n -c user.email=e -c init.defaultBranch=main "$@"; }
long() { (cd "$work/build" && : >made && status=0 && bash ../build-aux/check-long.sh "$@" || status=$?; sort made | tr '\n' ' '; echo "status $status"); }
# is NAME LAST-LINE COUNTS TARGET...
is() {
  local name=$1 end=$2 counts=$3 out
  shift 3
  out=$(long "$@" 2>&1)
  note "$out"
  if [ "$(tail -n 1 <<<"$out")" = "$end" ] && [ "$(tail -n 2 <<<"$out" | head -n 1)" = "$counts" ]; then ok "$name"; else nok "$name" "not: $counts, $end"; fi
}

is "without git nothing is remembered" "a1 a3 status 0" "2 passed, 0 failed" a1 a3
is "so it is made again" "a1 a3 status 0" "2 passed, 0 failed" a1 a3
commit init -q "$work" && commit add -A && commit commit -qm one
is "a failure keeps none from running" "a1 a2 a3 status 1" "2 passed, 1 failed" a1 a2 a3
touch "$work/build/may"
is "only what has not passed is made" "a2 status 0" "3 passed, 0 failed" a1 a2 a3
echo change >"$work/file"
is "with a change all is made" "a1 a2 a3 status 0" "3 passed, 0 failed" a1 a2 a3
commit add -A && commit commit -qm two
is "and with another commit" "a1 a2 a3 status 0" "3 passed, 0 failed" a1 a2 a3
echo line >>"$work/fuzz/LEDGER"
is "a line in the ledger of fuzzing changes nothing" "status 0" "3 passed, 0 failed" a1 a2 a3
commit commit -qam three
is "nor does it when it is committed" "status 0" "3 passed, 0 failed" a1 a2 a3
echo LEDGER >"$work/fuzz/LEDGERS" && commit add -A && commit commit -qm four
is "another file beside it does" "a1 a2 a3 status 0" "3 passed, 0 failed" a1 a2 a3
echo y >"$work/build/config.status"
is "and with another configuration" "a1 a2 a3 status 0" "3 passed, 0 failed" a1 a2 a3
rm -r "$work/build/check-long"
is "and when it was told to forget" "a1 a2 a3 status 0" "3 passed, 0 failed" a1 a2 a3
is "an unknown target is a failure" "status 1" "0 passed, 1 failed" a4
is "two run at once, and one alone" "b c d status 0" "3 passed, 0 failed" --jobs 2 b c --alone d
is "a failure among two is one" "status 1" "2 passed, 1 failed" --jobs 2 a1 a4 --alone a3
is "no target is no success" "status 1" "0 passed, 0 failed"
finish
