#!/bin/bash
# SPDX-License-Identifier: MIT
# redis-server on loopback: a scripted load; all replies and DEBUG DIGEST must be equal.
#
# Debian links redis-server with libjemalloc.  Where that is the shared one, redis calls it by the names malloc and free,
# and the preloaded drop-in comes first; where it were static, redis would keep it for its data.  The script says which.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "redis: a scripted load on loopback"

server=$(command -v redis-server) || die "no redis-server"
if ldd "$server" | grep -q libjemalloc; then
  printf '  note: redis-server is linked with the shared libjemalloc; the drop-in stands before it\n'
elif grep -qa 'jemalloc' "$server"; then
  printf '  note: redis-server has jemalloc within: its data is not on copse, only what libraries allocate\n'
else
  printf '  note: redis-server uses the malloc of the C library\n'
fi
bound "$server" --version

# The load: every type, growing and shrinking, deleted in the foreground and by redis's own threads.
awk 'BEGIN {
  x = 1
  for (i = 0; i < 60000; i++) {
    x = (x * 16807) % 2147483647
    k = x % 4000
    if (i % 12 == 0) printf "SET s:%d %0*d\n", k, x % 900 + 1, x
    else if (i % 12 == 1) printf "APPEND s:%d %0*d\n", k, x % 300 + 1, i
    else if (i % 12 == 2) printf "HSET h:%d f%d %0*d f%d %d\n", k % 300, x % 97, x % 120 + 1, i, i % 53, x
    else if (i % 12 == 3) printf "RPUSH l:%d %d a%0*d %d\n", k % 200, x, x % 70 + 1, i, i
    else if (i % 12 == 4) printf "LPOP l:%d\n", k % 200
    else if (i % 12 == 5) printf "ZADD z:%d %d m%d %d n%0*d\n", k % 150, x % 1000, x % 500, i, x % 100 + 1, k
    else if (i % 12 == 6) printf "SADD t:%d %d %d x%d\n", k % 250, x % 700, i, x % 900
    else if (i % 12 == 7) printf "SETRANGE s:%d %d %d\n", k, x % 20000, i
    else if (i % 12 == 8) printf "DEL s:%d h:%d\n", (k * 7) % 4000, (k * 3) % 3000
    else if (i % 12 == 9) printf "UNLINK z:%d t:%d l:%d\n", (k * 5) % 2000, (k * 11) % 2000, k % 5000
    else if (i % 12 == 10) printf "XADD st:%d %d-1 field %0*d\n", k % 20, i + 1, x % 200 + 1, x
    else printf "INCRBY c:%d %d\n", k % 100, x % 50
  }
}' >"$work/load"

# What is asked by hand afterwards: the text of each reply is compared.
cat >"$work/questions" <<'END'
DBSIZE
STRLEN s:7
HGET h:10 f30
HSTRLEN h:10 f6
HLEN h:2
LRANGE l:5 0 20
ZRANGEBYSCORE z:3 100 800 WITHSCORES
ZUNIONSTORE z:all 3 z:1 z:2 z:4 AGGREGATE MAX
ZREVRANGE z:all 0 15 WITHSCORES
SINTERCARD 2 t:1 t:2
SORT t:8 ALPHA LIMIT 0 25
SUNIONSTORE t:all t:1 t:2 t:3 t:4 t:5 t:6
SCARD t:all
XLEN st:3
XRANGE st:3 - + COUNT 5
EVAL "local s = 0 for i = 1, 3000 do redis.call('SET', 'lua:' .. i, string.rep('v', i % 500)) s = s + redis.call('STRLEN', 'lua:' .. i) end return s" 0
EVAL "local t = {} for i = 1, 20000 do t[i] = tostring(i) .. 'x' end return #table.concat(t)" 0
COPY s:7 s:copy REPLACE
GETRANGE s:9 0 60
DEBUG RELOAD
DBSIZE
DEBUG DIGEST
FLUSHDB ASYNC
DBSIZE
END

# redis-cli that does not colour, ask or wait for long.
cli() { timeout 60 redis-cli -h 127.0.0.1 -p "$1" --no-raw "${@:2}"; }

# The replies to what stands on standard input, without the time that is printed after a slow one.
ask() { cli "$1" | sed -E '/^\([0-9.]+s\)$/d'; }

run() {
  local on=$1 name=$2 port pid try
  mkdir "$work/$name"
  for try in 1 2 3 4 5; do
    port=$((20000 + (RANDOM * 7 + try * 131 + BASHPID) % 12000))
    "$on" redis-server --port "$port" --bind 127.0.0.1 --dir "$work/$name" --save '' --appendonly no --daemonize no \
      --enable-debug-command local --hz 50 --dbfilename dump.rdb >"$work/$name.log" 2>&1 &
    pid=$!
    for _ in {1..100}; do
      [[ $(cli "$port" ping 2>/dev/null || true) != PONG ]] || break 2
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
    wait "$pid" || true
    pid=''
  done
  [[ -n $pid ]] || return 1
  # The job may be a shell that waits for the server.
  cat "/proc/$(cli "$port" info server | tr -d '\r' | sed -n 's/^process_id://p')/maps" >"$work/$name.maps"
  timeout 60 redis-cli -h 127.0.0.1 -p "$port" --pipe <"$work/load" >"$work/$name.pipe"
  cli "$port" debug digest >"$work/$name.digest"
  cli "$port" bgsave >/dev/null
  # While a child saves, which is a fork.  It is waited for before the reload: that writes the same file and reads it, and the
  # child's, of before the questions, could take its place in between.
  ask "$port" <<<"$(sed '/^DEBUG RELOAD$/,$d' "$work/questions")" >"$work/$name.replies"
  for _ in {1..100}; do
    [[ $(cli "$port" info persistence) == *rdb_bgsave_in_progress:0* ]] && break
    sleep 0.1
  done
  ask "$port" <<<"$(sed -n '/^DEBUG RELOAD$/,$p' "$work/questions")" >>"$work/$name.replies"
  cli "$port" info persistence | tr -d '\r' | grep -E 'rdb_last_bgsave_status|loading:' >"$work/$name.save"
  cli "$port" shutdown nosave >/dev/null 2>&1 || true
  wait "$pid"
}
both run
loaded redis-server "$work/copse.maps"
same "replies to the pipe: $(grep -o 'errors: .*' "$work/copse.pipe")" "$work/system.pipe" "$work/copse.pipe"
same "DEBUG DIGEST after the load: $(tail -n 1 "$work/copse.digest")" "$work/system.digest" "$work/copse.digest"
same "replies to the questions" "$work/system.replies" "$work/copse.replies"
same "saving by a forked child" "$work/system.save" "$work/copse.save"
good "no command of the load failed" grep -q '^errors: 0, replies: 60000' "$work/copse.pipe"
ended redis-server
finish
