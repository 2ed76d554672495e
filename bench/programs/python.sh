#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Python: objects, dictionaries, text and JSON; small objects come from its own arenas.
# needs: python3
set -eu

case $1 in
setup)
  cat >work.py <<'END'
import json, re, sys

n = int(sys.argv[1])

class Node:
    def __init__(self, key):
        self.key, self.left, self.right = key, None, None

def insert(root, key):
    at = root
    while True:
        side = "left" if key < at.key else "right"
        down = getattr(at, side)
        if down is None:
            setattr(at, side, Node(key))
            return
        at = down

state = 1
def draw():
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    return state >> 33

root = Node(2**30)
for _ in range(n):
    insert(root, draw())
words = [f"word{draw() % 5000}" for _ in range(4 * n)]
counts = {}
for word in words:
    counts[word] = counts.get(word, 0) + 1
text = " ".join(words)
table = [{"id": i, "name": words[i], "list": list(range(i % 20)), "text": words[i] * (i % 50)} for i in range(n)]
again = json.loads(json.dumps(table))
big = [bytes(draw() % 4000) for _ in range(n)]
print(len(counts), len(re.findall(r"word1\d*7\b", text)), again == table, sum(map(len, big)))
END
  ;;
run)
  python=/usr/bin/python3
  [ -x "$python" ] || python=python3
  export PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
  exec "$python" work.py "${COUNT:-$([ -n "${BENCH_QUICK:-}" ] && echo 8000 || echo 40000)}"
  ;;
esac
