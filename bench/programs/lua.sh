#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Lua: tables and strings under its collector, which reallocates and frees with sizes of all kinds.
# needs: lua|lua5.4|lua5.3|lua5.1
set -eu

case $1 in
setup)
  cat >work.lua <<'END'
local n = tonumber(arg[1])
local state = 1
local function draw() state = (state * 16807) % 2147483647; return state end

local function tree(depth)
  if depth == 0 then return {} end
  return {tree(depth - 1), tree(depth - 1)}
end
local function count(t) return t[1] and count(t[1]) + count(t[2]) + 1 or 1 end

local total, seen, kinds = 0, {}, 0
for round = 1, n do
  total = total + count(tree(12))
  for _ = 1, 2000 do
    local word = "word" .. draw() % 20000
    if not seen[word] then kinds = kinds + 1 end
    seen[word] = (seen[word] or "") .. string.char(97 + draw() % 26)
  end
end
local length = 0
for _, text in pairs(seen) do length = length + #text end
print(total, kinds, length)
END
  ;;
run)
  for lua in lua lua5.4 lua5.3 lua5.1; do
    ! command -v "$lua" >/dev/null || exec "$lua" work.lua "$([ -n "${BENCH_QUICK:-}" ] && echo 60 || echo 300)"
  done
  exit 127
  ;;
esac
