#!/bin/bash
# SPDX-License-Identifier: MIT
# python3: Debian's own test modules for json, re, threading and multiprocessing; the counts must be equal, and no test
# may fail.  PYTHONMALLOC=malloc makes every object an allocation, which python would else cut from arenas of its own.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "python3: its own tests"

python=/usr/bin/python3
export PYTHONMALLOC=malloc PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
modules=(test_json test_re test_threading test_multiprocessing_main_handling test_multiprocessing_fork)

"$python" -c 'import test.test_json, test.test_threading' 2>/dev/null ||
  die "the modules of python's test suite are not there (Debian: libpython3.11-testsuite)"

# Each module by itself, with its name in the log; multiprocessing mostly waits, so it does so beside the others.
run() {
  local on=$1 name=$2 module
  mkdir "$work/$name"
  cd "$work/$name"
  "$on" "$python" -m test -v test_multiprocessing_fork >test_multiprocessing_fork.log 2>&1 &
  for module in "${modules[@]}"; do
    [[ $module != test_multiprocessing_fork ]] || continue
    "$on" "$python" -m test -v "$module" >"$module.log" 2>&1 || true
  done
  wait $! || true
  "$on" "$python" -c 'import json, sys
numbers = {str(i): [i * j % 97 for j in range(i % 50)] for i in range(20000)}
text = json.dumps(numbers)
assert json.loads(text) == numbers
print(len(text), sum(map(ord, text)))
if sys.argv[1:]: print(open("/proc/self/maps").read(), file=open(sys.argv[1], "w"))' "$work/$name.maps" >"$work/$name.out"
}

# "Ran 168 tests", "OK (skipped=2)": what unittest says at its end, without the time.
counts() {
  sed -nE 's/^Ran ([0-9]+) tests? in .*/ran \1/p; /^(OK|FAILED)( \(.*\))?$/p' "$1"
}

both run
loaded python3 "$work/copse.maps"
for module in "${modules[@]}"; do
  counts "$work/system/$module.log" >"$work/system.counts"
  counts "$work/copse/$module.log" >"$work/copse.counts"
  same "$module: $(paste -sd ' ' "$work/copse.counts")" "$work/system.counts" "$work/copse.counts"
  if ! grep -q '^OK' "$work/copse.counts" || grep -q '^FAILED' "$work/copse.counts"; then
    fail "$module has failures on copse"
    { grep -aE '^(FAIL|ERROR|Fatal|Timeout|[A-Za-z]*Error)' "$work/copse/$module.log" || true; } | head -n 8 | sed 's/^/    /'
  fi
done
same "a dictionary through json and back" "$work/system.out" "$work/copse.out"
bound "$python" -c pass
ended 'python3(\.[0-9]+)?' 6
finish
