#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The workflows of .github are what they say: YAML, nothing but commands in them, and a job for each stage of build-aux/ci.
set -eu
# shellcheck source=tap.sh
. "$(dirname "$0")/tap.sh"
# A tarball does without them.
[ -d "$top_srcdir/.github/workflows" ] || skip_all "there is no .github"

# thin FILE: no step uses an action, and each command is a script of ours or the checkout.
thin() {
  ! grep -nE '^ *(- )?uses:' "$1" || return 1
  # shellcheck disable=SC2016 # patterns
  ! grep -nE '^ *(- )?run:' "$1" | grep -vE 'run: (sh -ec "\$CHECKOUT"|build-aux/ci/stages\.sh( long-)? >>"\$GITHUB_OUTPUT"|\.ci/run "\$\{\{ matrix\.stage \}\}")$' || return 1
  # No tab, and indents by twos: what breaks YAML most.
  ! grep -nP '\t' "$1" && ! grep -nE '^( {2})* [^ ]' "$1"
}
# well_formed FILE: by a parser, where there is one.
well_formed() {
  python3 - "$1" 2>"$scratch/said" <<'END_PYTHON' || { tail -n 1 "$scratch/said" && return 1; }
import sys, yaml
with open(sys.argv[1]) as f:
    flow = yaml.safe_load(f)
jobs = flow["jobs"]
assert set(jobs) == {"stages", "stage"}, jobs
assert jobs["stage"]["needs"] == "stages"
assert "fetch" in flow["env"]["CHECKOUT"]
for job in jobs.values():
    assert job["steps"][0]["run"] == 'sh -ec "$CHECKOUT"', job
END_PYTHON
}
# all_stages WHICH PATTERN: stages.sh has each file, as JSON.
all_stages() {
  local file want=''
  for file in "$top_srcdir"/build-aux/ci/$2; do
    file=${file##*/}
    want+=",\"${file%.sh}\""
  done
  [ "$("$top_srcdir/build-aux/ci/stages.sh" "$1")" = "list=[${want#,}]" ]
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for file in check.yml long.yml; do
  path=$top_srcdir/.github/workflows/$file
  check "$file has nothing but our scripts" thin "$path"
  if python3 -c 'import yaml' 2>/dev/null; then
    check "$file is well-formed" well_formed "$path"
    sed 's/^  stage:/   stage:/' "$path" >"$scratch/planted.yml"
    check_fails "a planted indent in $file is found" well_formed "$scratch/planted.yml"
  else
    skip "$file is well-formed" "there is no parser (python3-yaml)"
  fi
  { cat "$path" && printf '      - uses: somebody/something@v1\n'; } >"$scratch/planted.yml"
  check_fails "a planted action in $file is found" thin "$scratch/planted.yml"
  { cat "$path" && printf '      - run: curl example.invalid\n'; } >"$scratch/planted.yml"
  check_fails "a planted command in $file is found" thin "$scratch/planted.yml"
done
check "every stage has a job" all_stages '' '[0-9]*.sh'
check "every long stage has one" all_stages long- 'long-*.sh'
check_fails "stages are not mixed up" all_stages long- '[0-9]*.sh'
# The checkout, here: from this tree in place of a server.
checkout() {
  local commands
  commands=$(sed -n '/^  CHECKOUT: |/,/^[a-z]/s/^    //p' "$1" | grep -v apt-get)
  [ -n "$commands" ] && mkdir "$scratch/checkout" && (
    cd "$scratch/checkout"
    HOME=$scratch GITHUB_SERVER_URL=file:// GITHUB_REPOSITORY=$(cd "$top_srcdir" && pwd) \
      GITHUB_SHA=$(git -C "$top_srcdir" rev-parse HEAD) sh -ec "$commands"
    [ "$(git rev-parse HEAD)" = "$(git -C "$top_srcdir" rev-parse HEAD)" ] && [ -x .ci/run ]
  )
}
if git -C "$top_srcdir" rev-parse HEAD >/dev/null 2>&1; then
  check "the checkout brings the commit" checkout "$top_srcdir/.github/workflows/check.yml"
else
  skip "the checkout brings the commit" "this is no git tree"
fi
finish
