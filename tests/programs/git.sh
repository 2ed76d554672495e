#!/bin/bash
# SPDX-License-Identifier: MIT
# git: a repository made on the spot is cloned, repacked and checked; refs and objects must be equal.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "git: clone, gc, fsck"

export HOME=$work GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$work/config
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.invalid GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.invalid
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
cat >"$work/config" <<'END'
[init]
  defaultBranch = main
[pack]
  threads = 2
[gc]
  auto = 0
[protocol "file"]
  allow = always
[advice]
  detachedHead = false
END

# A stream for fast-import: 800 commits on four branches, each changing some of 120 files.
history() {
  awk 'BEGIN {
    for (c = 1; c <= 800; c++) {
      branch = c % 10 == 0 ? "side" c % 3 : "main"
      printf "commit refs/heads/%s\nmark :%d\n", branch, c
      printf "author A <a@example.invalid> %d +0000\ncommitter C <c@example.invalid> %d +0000\n", 1600000000 + c * 60, 1600000000 + c * 60
      message = "Change number " c "\n"
      printf "data %d\n%s", length(message), message
      if (branch != "main" || last[branch]) { if (last["main"]) printf "from :%d\n", branch == "main" ? last["main"] : (last[branch] ? last[branch] : last["main"]) }
      last[branch] = c
      for (f = 0; f < 8; f++) {
        n = (c * 7 + f * 13) % 120
        text = ""
        for (l = 0; l < 60; l++) text = text sprintf("line %d of file %d: %d\n", l, n, l % 9 ? (l * n * 7919) % 10007 : (c * l * 31) % 997)
        printf "M 100644 inline dir%d/sub%d/file%d.txt\ndata %d\n%s\n", n % 7, n % 3, n, length(text), text
      }
      if (c % 100 == 0) printf "tag v%d\nfrom :%d\ntagger C <c@example.invalid> %d +0000\ndata 4\ntag\n", c / 100, c, 1600000000 + c * 60
    }
  }'
}
history >"$work/stream"

run() {
  local on=$1 name=$2 dir=$work/$2
  mkdir "$dir"
  exec 2>"$work/$name.log"
  "$on" git init -q "$dir/origin"
  "$on" git -C "$dir/origin" fast-import --quiet <"$work/stream"
  "$on" git -C "$dir/origin" checkout -q main
  printf 'one more\n' >"$dir/origin/new.txt"
  "$on" git -C "$dir/origin" add -A
  "$on" git -C "$dir/origin" commit -q -m "Add a file"
  "$on" git clone -q "file://$dir/origin" "$dir/clone"
  "$on" git -C "$dir/clone" gc -q --aggressive --prune=now
  "$on" git -C "$dir/clone" repack -q -a -d -f --window=20
  "$on" git -C "$dir/clone" fsck --full --strict --no-progress >"$work/$name.fsck" 2>&1
  "$on" git -C "$dir/clone" for-each-ref >"$work/$name.refs"
  "$on" git -C "$dir/clone" cat-file --batch-all-objects --batch-check >"$work/$name.objects"
  "$on" git -C "$dir/clone" log --all --stat -M --format='%H %s' >"$work/$name.history"
  "$on" git -C "$dir/clone" blame --porcelain dir0/sub0/file0.txt >"$work/$name.blame"
  "$on" git -C "$dir/clone" grep -nE 'line 5[0-9] .*99' main >"$work/$name.grep"
  "$on" git -C "$dir/clone" diff --patience v1 v8 >"$work/$name.diff"
}

both run
same "refs of the clone" "$work/system.refs" "$work/copse.refs"
same "every object, by name, type and size" "$work/system.objects" "$work/copse.objects"
same "log --stat of all branches" "$work/system.history" "$work/copse.history"
same "blame" "$work/system.blame" "$work/copse.blame"
same "grep" "$work/system.grep" "$work/copse.grep"
same "diff of two tags" "$work/system.diff" "$work/copse.diff"
good "the clone's fsck had nothing to say" test ! -s "$work/copse.fsck"
bound "$(command -v git)" --version
ended git 16
finish
