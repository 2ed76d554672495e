#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the simulation on the system's malloc and on copse by turns, checks that both came to the same end, and prints one
# table.  Each figure is the median of the rounds.
set -eu
export LC_ALL=C

usage() {
  cat <<'END'
Usage: examples/run-simulation.sh BUILD_DIR [OPTION...]

  --rounds N      how often each is run (3)
  --plant-fault   let the run on copse overlook one death: the checksums must differ (to test this script)
  --frames N, --entities N, --threads N, --seed N    as in the simulation's own --help
END
}

fail() {
  printf 'run-simulation: %s\n' "$2" >&2
  exit "$1"
}

rounds=3
fault=()
options=()
build=
while [ $# -gt 0 ]; do
  case $1 in
    --help)
      usage
      exit 0
      ;;
    --rounds)
      [[ ${2-} =~ ^[1-9][0-9]{0,2}$ ]] || fail 2 "--rounds wants a number from 1 to 999"
      rounds=$2
      shift
      ;;
    --plant-fault) fault=(--plant-fault) ;;
    --frames | --entities | --threads | --seed)
      [ $# -gt 1 ] || fail 2 "no number after $1"
      options+=("$1" "$2")
      shift
      ;;
    -*) fail 2 "unknown option '$1'; try --help" ;;
    *)
      [ -z "$build" ] || fail 2 "one build directory is enough; try --help"
      build=$1
      ;;
  esac
  shift
done
[ -n "$build" ] || fail 2 "which build directory?  Try --help"
for program in simulation simulation-system; do
  [ -x "$build/examples/$program" ] || fail 1 "$build/examples/$program is missing: run make in $build"
done

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
trap 'exit 130' INT TERM

# On a terminal one line that is written over, else a line at each run.
progress() {
  if [ -t 1 ]; then
    printf '\r\033[KSimulation: round %d of %d, %s ...' "$1" "$rounds" "$2"
  else
    printf 'Simulation: round %d of %d, %s ...\n' "$1" "$rounds" "$2"
  fi
}

run_system() {
  progress "$1" "system's malloc"
  "$build/examples/simulation-system" "${options[@]}" >"$results/system.$1"
}

run_copse() {
  progress "$1" copse
  "$build/examples/simulation" "${options[@]}" "${fault[@]}" >"$results/copse.$1"
}

for ((round = 1; round <= rounds; round++)); do
  # Who goes first takes turns too.
  if ((round % 2)); then order=(run_system run_copse); else order=(run_copse run_system); fi
  for run in "${order[@]}"; do
    status=0
    "$run" "$round" || status=$?
    if [ "$status" != 0 ]; then
      [ ! -t 1 ] || printf '\n'
      # The simulation has said why.
      exit "$status"
    fi
  done
done
[ ! -t 1 ] || printf '\r\033[K'

sums=$(sed -n 's/^checksum=//p' "$results"/*.* | sort -u)
if [ "$(printf '%s\n' "$sums" | wc -l)" != 1 ] || [ -z "$sums" ]; then
  grep -H '^checksum=' "$results"/*.* | sed "s|^$results/||" >&2
  fail 1 "the checksums differ: the same seed must come to the same end on both allocators"
fi

awk -F= -v rounds="$rounds" '
  # The least value that at least half of the rounds do not exceed; the mean of two where they are even.
  function median(who, key, i, j, swap, list) {
    for (i = 1; i <= rounds; i++) list[i] = value[who, i, key]
    for (i = 2; i <= rounds; i++)
      for (j = i; j > 1 && list[j] < list[j - 1]; j--) { swap = list[j]; list[j] = list[j - 1]; list[j - 1] = swap }
    return rounds % 2 ? list[(rounds + 1) / 2] : (list[rounds / 2] + list[rounds / 2 + 1]) / 2
  }
  function row(text, key, digits, system_, copse_) {
    system_ = median("system", key); copse_ = median("copse", key)
    # The digits are put together by hand: not every awk knows %.*f.
    printf "%-34s %15." digits "f %15." digits "f %9s\n", text, system_, copse_, \
      (system_ > 0 ? sprintf("%.2f", copse_ / system_) : "-")
  }
  FNR == 1 { split(FILENAME, part, "/"); split(part[length(part)], name, "."); who = name[1]; round = name[2] }
  { value[who, round, $1] = $1 == "checksum" || $1 == "allocator" ? $2 : $2 + 0 }
  END {
    printf "%d entities, %d workers, seed %d: %d frames after %d of warm-up, median of %d rounds\n", \
      value["system", 1, "entities"], value["system", 1, "threads"], value["system", 1, "seed"], \
      value["system", 1, "frames"], value["system", 1, "warmup_frames"], rounds
    printf "The same checksum on both: %s\n\n", value["system", 1, "checksum"]
    printf "%-34s %15s %15s %9s\n", "", "system malloc", "copse", "ratio"
    row("throughput: entity updates/s", "updates_per_s", 0)
    row("throughput: spawns+despawns/s", "churn_per_s", 0)
    row("throughput: allocations/s", "allocations_per_s", 0)
    row("frame p50, us", "frame_p50_us", 1)
    row("frame p99, us", "frame_p99_us", 1)
    row("frame p99.9, us", "frame_p999_us", 1)
    row("frame max, us", "frame_max_us", 1)
    row("warm-up frame p50, us", "warmup_p50_us", 1)
    row("component update, % of a frame", "share_update", 1)
    row("events, spawn, despawn, %", "share_sync", 1)
    row("main thread, %", "share_main", 1)
    row("waiting at barriers, %", "share_wait", 1)
    row("component update, % of the work", "work_update", 1)
    row("peak resident, KB", "peak_kb", 0)
    row("resident freed and trimmed, KB", "trimmed_kb", 0)
    printf "\nratio = copse / system malloc; throughput: more is better, frames and memory: less is better\n"
  }' "$results"/*.*
