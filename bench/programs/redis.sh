#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Redis: a scripted load of strings, hashes, lists and sorted sets, with deletions; then the digest of the data.
# needs: redis-server redis-cli awk
set -eu

case $1 in
setup)
  awk -v n="$([ -n "${BENCH_QUICK:-}" ] && echo 40000 || echo 250000)" 'BEGIN {
    text = "0123456789abcdefghijklmnopqrstuvwxyz"
    while (length(text) < 2000) text = text text
    state = 1
    for (i = 0; i < n; i++) {
      state = (state * 16807) % 2147483647
      k = state % (n / 4)
      v = substr(text, 1 + state % 30, state % 400)
      if (i % 6 == 0) printf "SET s%d \"%s\"\r\n", k, v
      else if (i % 6 == 1) printf "APPEND s%d \"%s\"\r\n", k, substr(v, 1, 40)
      else if (i % 6 == 2) printf "HSET h%d f%d \"%s\"\r\n", k % 2000, i % 100, v
      else if (i % 6 == 3) printf "RPUSH l%d \"%s\"\r\n", k % 500, v
      else if (i % 6 == 4) printf "ZADD z%d %d m%d\r\n", k % 300, state % 1000, i
      else printf "DEL s%d\r\n", (k * 7) % (n / 4)
    }
  }' >load.txt
  ;;
run)
  socket=$(mktemp -u /tmp/copse-bench-redis.XXXXXX)
  redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --daemonize no --enable-debug-command yes \
    >server.log 2>&1 &
  server=$!
  trap 'kill "$server" 2>/dev/null || true' EXIT
  for _ in $(seq 200); do
    [ ! -S "$socket" ] || break
    sleep 0.02
  done
  redis-cli -s "$socket" --pipe <load.txt | grep '^errors'
  redis-cli -s "$socket" DEBUG DIGEST
  redis-cli -s "$socket" FLUSHALL
  redis-cli -s "$socket" DBSIZE
  redis-cli -s "$socket" SHUTDOWN NOSAVE
  wait "$server"
  trap - EXIT
  ;;
esac
