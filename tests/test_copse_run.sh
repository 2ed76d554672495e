#!/bin/bash
# SPDX-License-Identifier: MIT
# copse-run: what it preloads, its options, its errors and exit codes; and COPSE_OPTIONS, which must never be a crash.
# Prints TAP, and exits with 1 if anything failed.
#
# COPSE_RUN and COPSE_LIBDIR as in check-programs.sh.
# shellcheck disable=SC2016 # what stands in single quotes is for the program that is run
set -eu

build=${top_builddir:-$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)/build/release}
run=$(realpath "${COPSE_RUN:-$build/bin/copse-run}")
COPSE_LIBDIR=$(realpath "${COPSE_LIBDIR:-$build/lib/.libs}")
export COPSE_LIBDIR LC_ALL=C
unset LD_PRELOAD COPSE_OPTIONS COPSE_SHOW_STATS COPSE_MAP
work=$(mktemp -d "${TMPDIR:-/tmp}/copse-run.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

count=0 failures=0
report() {
  count=$((count + 1))
  if (($1)); then
    failures=$((failures + 1))
    printf 'not ok %d - %s\n' "$count" "$2"
    sed 's/^/# out: /' out
    sed 's/^/# err: /' err
  else
    printf 'ok %d - %s\n' "$count" "$2"
  fi
}

# run_it ARG...: copse-run with output in out and err, exit code in $status
status=0
run_it() {
  status=0
  "$run" "$@" >out 2>err </dev/null || status=$?
}
# expect WHAT CONDITION...: a test, by test(1) or any command
expect() {
  local what=$1 bad=0
  shift
  "$@" || bad=1
  report "$bad" "$what"
}
lines() { [[ $(wc -l <"$1") == "$2" ]]; }
# refuses STATUS TEXT ARG...: that exit code, nothing on stdout, one line that has the text
refuses() {
  local want=$1 text=$2 bad=0
  shift 2
  run_it "$@"
  [[ $status == "$want" && ! -s out ]] && lines err 1 && grep -q "^copse-run: .*$text" err || bad=1
  report "$bad" "exit $want: ${*:-no argument}"
}

dropin=$COPSE_LIBDIR/libcopse-malloc.so

# ---- what it does
run_it sh -c 'echo "$LD_PRELOAD|$*"; cat /proc/self/maps' sh a 'b  c'
expect "preloads the drop-in and passes arguments on" grep -qxF "$dropin|a b  c" out
expect "the program has it in its memory map" grep -qF "$dropin" out
expect "nothing on stderr" test ! -s err
LD_PRELOAD=libc.so.6 run_it sh -c 'echo "$LD_PRELOAD"'
expect "appends to LD_PRELOAD" grep -qxF "libc.so.6:$dropin" out
run_it sh -c 'exit 42'
expect "exits with the program's status" test "$status" = 42
{ run_it sh -c 'kill -TERM $$'; } 2>/dev/null
expect "dies of the program's signal" test "$status" = 143
mkdir sub
(cd "$COPSE_LIBDIR" && COPSE_LIBDIR=. "$run" sh -c "cd '$work/sub' && cat /proc/self/maps") >out 2>err || true
expect "a relative COPSE_LIBDIR outlives a change of directory" grep -qF libcopse-malloc.so out
(cd "${COPSE_LIBDIR%/*}" && CDPATH=. COPSE_LIBDIR=${COPSE_LIBDIR##*/} "$run" cat /proc/self/maps) >out 2>err || true
expect "and a CDPATH" grep -qF libcopse-malloc.so out
run_it --new sh -c 'echo "$LD_PRELOAD"'
expect "--new brings libcopse-new" grep -qxF "$dropin:$COPSE_LIBDIR/libcopse-new.so" out
run_it --instrumented cat /proc/self/maps
expect "--instrumented brings that library" grep -qF "$COPSE_LIBDIR/libcopse-malloc-instrumented.so" out
expect "and it runs" test "$status" = 0
run_it -- echo --stats
expect "-- ends the options" grep -qx -- --stats out
printf 'echo "no interpreter line: $1"\n' >plain
chmod +x plain
run_it ./plain yes
expect "a script without an interpreter line" grep -qx 'no interpreter line: yes' out

# ---- the environment is the program's, whatever bash thinks of it
given() { env -u _ "$@" | sort; }
given=(version=9.9 libdir=/x libraries=a:b stats=yes new=old suffix=.c name=n path=p dir=d at=7 status=s plain=q entry=e options=o option=q
  a-b=1 CDPATH=/x GLOBIGNORE=y ENV=q BASH_ENV=/dev/null)
given "${given[@]}" env -u _ >wanted
given "${given[@]}" "$run" --stats --map=/dev/null env -u _ -u LD_PRELOAD -u COPSE_SHOW_STATS -u COPSE_MAP >out 2>err
expect "variables are what they were" cmp -s wanted out
fail() { echo "fail of mine $*"; }
export -f fail
run_it bash -c 'fail here'
unset -f fail
expect "a function that has the name of one of copse-run's is what it was" grep -qx 'fail of mine here' out
echo 'echo something' >at_start
BASH_ENV=$work/at_start run_it cat /dev/null
expect "BASH_ENV is for the program" test ! -s out -a ! -s err
env SHELLOPTS=pipefail:nothing BASHOPTS=extglob "$run" bash -c 'false; echo "$nothing alive"; false | true; echo $?; shopt extglob' >out 2>err || true
expect "options of bash that are exported are what they were" test "$(tr -s ' \t' ' ' <out)" = " alive
1
extglob on"
env SHELLOPTS=errexit:nothing "$run" sh -c 'exit 5' >out 2>err && status=0 || status=$?
expect "and one that there is none of does no harm" test "$status" = 5 -a ! -s err

# ---- statistics
run_it --stats cat /dev/null
expect "--stats prints to stderr, each line with program and pid" test -s err -a ! -s out
expect "all lines say who" test "$(grep -cvE '^cat\[[0-9]+\]: ' err || true)" = 0
expect "the first says what" grep -qE '^cat\[[0-9]+\]: copse [0-9.]+.*at exit' err
# bash, since dash ends by _exit(2), as few programs do.
run_it --stats bash -c 'cat /dev/null; exit 3'
expect "the program's children print theirs" test "$(grep -c 'at exit' err)" = 2
expect "and the status is the program's" test "$status" = 3
(COPSE_SHOW_STATS=7 "$run" --stats cat /dev/null 7>seven) >out 2>err || true
expect "COPSE_SHOW_STATS set by hand is a descriptor" grep -q 'at exit' seven
expect "and stderr is left alone" test ! -s err

# ---- maps
map=${COPSE_MAP_PROGRAM:-$build/bin/copse-map}
whole() { env -u COPSE_MAP "$map" --svg "$1" >svg && grep -q '^<rect .*data-' svg; }
run_it --map=one cat /dev/null
expect "--map leaves a snapshot, whole" whole one
expect "and nothing beside it" test "$(echo one*)" = one
expect "nothing is said" test ! -s err -a ! -s out
run_it --map=one bash -c 'cd sub && cat /dev/null && exit 3'
expect "a change of directory makes no difference" whole one
expect "the status is the program's" test "$status" = 3
run_it --map=each.%p bash -c 'cat /dev/null; exit 0'
expect "%p: one for each process" test "$(printf '%s\n' each.* | grep -cE '^each\.[0-9]+$')" = 2
run_it --map=100%%p.map cat /dev/null
expect "%%: a %" test -s 100%p.map
mkdir 'd%pd' && cd 'd%pd'
run_it --map=in.map cat /dev/null
expect "a directory's name is taken as it is" test -s in.map
cd ..
for each in each.*; do expect "it is whole" whole "$each"; done
# Many that end at once: whoever comes last, the file is whole.
run_it --map=many bash -c 'for i in 1 2 3 4 5 6 7 8; do cat /dev/null & done; wait'
expect "eight processes at once leave one that is whole" whole many
expect "and nothing beside it" test "$(echo many*)" = many
run_it --instrumented --map=checked cat /dev/null
expect "the instrumented library's" whole checked
mkfifo pipe
cat pipe >piped &
run_it --map=pipe cat /dev/null
wait
expect "a pipe is written to as it is" whole piped
# As /dev/stdout is: to a file, to one that the program has closed by then, and to a pipe.
ln -s /proc/self/fd/1 stdout
"$run" --map="$PWD/stdout" bash -c : >redirected
expect "a link to a file stays" test -L stdout
expect "and the file has the snapshot" whole redirected
"$run" --map="$PWD/stdout" cat /dev/null >redirected
expect "a link to a descriptor that is closed stays" test -L stdout
"$run" --map="$PWD/stdout" bash -c : | cat >redirected
expect "a link to a pipe is written to as it is" whole redirected
ln -s aimed_at link
run_it --map=link bash -c :
expect "a link to nothing stays" test -L link
expect "and what it is to has the snapshot" whole aimed_at
run_it --map=link bash -c 'for i in 1 2 3 4; do cat /dev/null & done; wait'
expect "also of many that end at once" whole aimed_at
expect "and there is nothing beside either" test "$(echo aimed_at* link*)" = 'aimed_at link'
(COPSE_MAP='' "$run" cat /dev/null) >out 2>err
expect "an empty name is none" test ! -s err
refuses 125 'no file can be written' --map=none/one true
refuses 125 'no file can be written' --map=sub true
refuses 125 'no file after' --map= true

# ---- options
show='printf "%s\n" "$COPSE_OPTIONS"'
run_it --options=cooldown=2 sh -c "$show"
expect "--options sets COPSE_OPTIONS" grep -qx cooldown=2 out
COPSE_OPTIONS=cooldown=1 run_it --options=cooldown=2 sh -c "$show"
expect "and appends to it" grep -qx cooldown=1,cooldown=2 out
expect "known names are no error" test ! -s err
long=$(printf '%05000d' 0)
for bad in nonsense=1 nonsense =1 cooldown=x cooldown= cooldown=-1 cooldown=99999999999999999999999 "$long" "$long=1" \
  'a=%s%n' limit=1e9; do
  COPSE_OPTIONS=$bad run_it cat /dev/null
  [[ $status == 0 ]] && lines err 1 && [[ $(wc -c <err) -lt 400 ]] && bad_one=0 || bad_one=1
  report "$bad_one" "COPSE_OPTIONS=${bad:0:30}: one line, and the program runs"
done
for fine in '' ',' ',,' 'cooldown=1,'; do
  COPSE_OPTIONS=$fine run_it echo here
  expect "COPSE_OPTIONS='$fine': the program runs" grep -qx here out
done
COPSE_OPTIONS=nonsense=1,cooldown=1,other=2 run_it cat /dev/null
expect "two unknown names among three are two lines at most" test "$(wc -l <err)" -le 2 -a -s err

# ---- help and errors
run_it --help
expect "--help" grep -q '^Usage: copse-run' out
run_it --version
expect "--version" grep -qE '^copse-run [0-9]+\.[0-9]+' out
refuses 125 'no program'
refuses 125 "unknown option '--nonsense'" --nonsense true
refuses 125 "unknown option '-x'" -x
refuses 127 'not found' no-such-program
refuses 127 'no such file' ./no-such-program
touch unreadable
refuses 126 'cannot be executed' ./unreadable
refuses 126 'directory' "$work"
PATH=$work:$PATH refuses 126 'cannot be executed' unreadable
printf '#!/no/such/interpreter\n' >lost
chmod +x lost
run_it ./lost
expect "a missing interpreter: one line, 126 or 127" test "$status" -ge 126 -a "$(wc -l <err)" = 1
COPSE_LIBDIR=$work/none refuses 125 'no libcopse-malloc.so in' true
mkdir "with space"
cp "$COPSE_LIBDIR/libcopse-malloc.so" "with space/"
COPSE_LIBDIR="$work/with space" refuses 125 'space or a colon' true
if ((UID == 0)) && cp "$(type -P true)" theirs && chown 65534 theirs && chmod 4755 theirs; then
  run_it ./theirs
  expect "a set-user-ID program runs, with a note" grep -q 'note: .*ignores LD_PRELOAD' err
  expect "and exits well" test "$status" = 0
fi

# What runs with somebody else's rights takes nothing from the environment: no file is written, no figure said, no parameter set.
# A program that is linked to the drop-in, since LD_PRELOAD is not looked at there.
chmod 755 "$work" && mkdir -m 777 everybody && cp "$COPSE_LIBDIR/libcopse-malloc.so" everybody/
cat >rights.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
void *volatile p;
int main(void) { p = malloc(100); printf("%lu\n", getauxval(AT_SECURE)); free(p); }
END
if ((UID == 0)) && ${CC:-cc} -o everybody/rights rights.c -L everybody -Wl,-rpath,"$work/everybody" -Wl,--no-as-needed -l:libcopse-malloc.so 2>err; then
  cp everybody/rights everybody/theirs && chown 65534 everybody/theirs && chmod 4755 everybody/theirs
  asked() {
    COPSE_MAP=$work/everybody/$1.map COPSE_SHOW_STATS=2 COPSE_OPTIONS=no_such_parameter=1 everybody/"$1" >out 2>err </dev/null
  }
  asked rights
  expect "a program that was linked to the drop-in writes its map" test -s everybody/rights.map
  expect "and its figures, and says what it thinks of its parameters" test "$(grep -cE 'memory at exit|no_such_parameter' err)" = 2
  if asked theirs && grep -qx 1 out; then
    expect "with another's rights it writes no map" test ! -e everybody/theirs.map
    expect "and says nothing" test ! -s err
  fi
fi

printf '1..%d\n' "$count"
((failures == 0))
