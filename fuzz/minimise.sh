#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Usage: minimise.sh NAME FOLDER...      Makes fuzz/corpus/NAME anew: of what is in there and in the folders, inputs of at most 512
# bytes, one after the other that which reaches most of what none before it does, in either library; 34 at most, beside those that
# somebody wrote, program-*, which stay.
set -eu
name=$1
shift
top=$(cd "$(dirname "$0")/.." && pwd)
work=${FUZZ_WORK:-$top/build/fuzz}
# shellcheck source=engines.sh
. "$top/fuzz/engines.sh"
build_engine libfuzzer address NAMES="$name"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
corpus=$top/fuzz/corpus/$name
mkdir -p "$scratch/all" "$corpus"
for folder in "$corpus" "$@"; do
  # An engine that is at work in one takes inputs away again.
  find "$folder" -type f -size -513c -exec cp -t "$scratch/all" {} + 2>/dev/null || [ "$folder" != "$corpus" ]
done
# The control file of a merge says of each input, by its number, what it reaches.  Edges alone: how often each is passed would
# take ten times as many inputs.
for program in "fuzz_$name" "fuzz_${name}_instrumented"; do
  mkdir "$scratch/few"
  "$work/libfuzzer-address/$program" -merge=1 -use_counters=0 -detect_leaks=0 -max_len=512 -merge_control_file="$scratch/$program" \
    "$scratch/few" "$scratch/all" >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" && exit 1; }
  rm -r "$scratch/few"
done
awk '
  FNR == 1 { part++ }
  FNR > 2 && !/^(STARTED|FT|COV) / { file[part, FNR - 3] = $0; next }
  $1 == "FT" { f = file[part, $2]; for (i = 3; i <= NF; i++) reaches[f] = reaches[f] " " part "." $i; if (!(f in size)) { size[f] = NF; files++ } }
  END {
    for (round = 0; round < 34; round++) {
      best = ""; most = 0
      for (f in size) {
        n = split(reaches[f], e, " "); fresh = 0
        for (i = 1; i <= n; i++) if (!(e[i] in reached)) fresh++
        if (fresh > most) { most = fresh; best = f }
      }
      if (!most) break
      n = split(reaches[best], e, " ")
      for (i = 1; i <= n; i++) reached[e[i]]
      delete size[best]
      print best
    }
  }' "$scratch/fuzz_$name" "$scratch/fuzz_${name}_instrumented" >"$scratch/chosen"
find "$corpus" -type f ! -name "program-*" -exec rm {} +
while read -r file; do
  case $file in */program-*) ;; *) cp "$file" "$corpus/$(sha1sum <"$file" | cut -c 1-12)" ;; esac
done <"$scratch/chosen"
echo "$name: $(find "$scratch/all" -type f | wc -l) inputs, $(find "$corpus" -type f | wc -l) kept, $(cat "$corpus"/* | wc -c) bytes"
