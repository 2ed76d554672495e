#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# OSS-Fuzz's and ClusterFuzzLite's build.  CC, CXX, CFLAGS, CXXFLAGS and LIB_FUZZING_ENGINE are theirs; targets, seed corpora,
# dictionaries and options are left in $OUT.
# The instrumented library calls what it finds of any sanitizer, which the build check takes for two of them at once: so its targets
# are built for AddressSanitizer alone.
set -eu
: "${OUT:?}" "${CC:?}" "${CXX:?}" "${LIB_FUZZING_ENGINE:?}"
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${WORK:-${TMPDIR:-/tmp}}/copse.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$OUT"
case ${SANITIZER-address} in address | none) modes="release instrumented" ;; *) modes=release ;; esac

make -s -j"$(nproc)" -f "$top/fuzz/build.mk" OUT="$work" CC="$CC" CXX="$CXX" CFLAGS="${CFLAGS-}" CXXFLAGS="${CXXFLAGS-}" \
  LIB_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" MODES="$modes"

# zip_files ARCHIVE FOLDER...: their files, without their folders.
zip_files() {
  local archive=$1 files=()
  shift
  mapfile -t files < <(find "$@" -type f | sort)
  rm -f "$archive"
  if command -v zip >/dev/null; then zip -q -j "$archive" "${files[@]}"; else python3 -m zipfile -c "$archive" "${files[@]}"; fi
}

for program in "$work"/fuzz_*; do
  target=$(basename "$program")
  name=${target#fuzz_}
  name=${name%_instrumented}
  folders=("$top/fuzz/corpus/$name")
  [ ! -d "$top/fuzz/regress/$name" ] || folders+=("$top/fuzz/regress/$name")
  cp "$program" "$OUT/"
  zip_files "$OUT/${target}_seed_corpus.zip" "${folders[@]}"
  # Copse's memory is not malloc's; a process that forks leaks nothing that counts.
  printf '%s\n' '[libfuzzer]' 'max_len = 512' 'detect_leaks = 0' '[asan]' 'detect_leaks = 0' >"$OUT/$target.options"
  if [ "$name" = options ]; then
    cp "$top/fuzz/options.dict" "$OUT/$target.dict"
    sed -i '/^max_len/a dict = '"$target.dict" "$OUT/$target.options"
  fi
done
