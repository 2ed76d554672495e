#!/bin/bash
# SPDX-License-Identifier: MIT
# node: buffers, workers, compression, hashes, JSON; the output must be equal.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "node: buffers and workers"

cat >"$work/script.js" <<'END'
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const zlib = require('zlib');
const fs = require('fs');

let x = isMainThread ? 1 : workerData.seed;
const next = () => (x = (x * 48271) % 2147483647);
const hash = (...parts) => { const h = crypto.createHash('sha256'); parts.forEach((p) => h.update(p)); return h.digest('hex').slice(0, 16); };

function buffers(rounds) {
  const held = new Array(500);
  const total = crypto.createHash('sha256');
  for (let i = 0; i < rounds; i++) {
    const b = Buffer.alloc(next() % (i % 50 === 0 ? 3000000 : 20000), i & 255);
    if (b.length > 8) b.writeUInt32LE(next(), b.length - 8);
    const at = next() % held.length;
    if (held[at]) total.update(held[at]);
    held[at] = i % 3 ? b : Buffer.concat([b, Buffer.from(String(i))]);
  }
  return total.digest('hex').slice(0, 16);
}

function compress() {
  const text = Array.from({ length: 40000 }, () => (next() % 5000).toString(36)).join(' ');
  const packed = zlib.gzipSync(text, { level: 9 });
  const brotli = zlib.brotliCompressSync(text, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 6 } });
  const back = zlib.gunzipSync(packed).toString() === text && zlib.brotliDecompressSync(brotli).toString() === text;
  return `${text.length} ${packed.length} ${brotli.length} ${back} ${hash(packed, brotli)}`;
}

function objects() {
  const map = new Map();
  for (let i = 0; i < 200000; i++) { map.set('k' + (next() % 60000), { i, s: 'v'.repeat(i % 40), a: [i, i + 1] }); if (i % 4 === 0) map.delete('k' + (next() % 60000)); }
  const text = JSON.stringify([...map.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
  return `${map.size} ${text.length} ${hash(text, JSON.stringify(JSON.parse(text)))}`;
}

if (!isMainThread) {
  const shared = new Uint8Array(workerData.shared);
  for (let i = 0; i < shared.length; i += 997) Atomics.add(shared, i, 1);
  const bytes = Buffer.alloc(100000, workerData.seed).buffer;
  parentPort.postMessage({ seed: workerData.seed, line: `${buffers(1500)} ${compress()} ${objects()}`, bytes }, [bytes]);
} else {
  (async () => {
    console.log('buffers', buffers(6000));
    console.log('compress', compress());
    console.log('objects', objects());
    for (let round = 0; round < 1; round++) {
      const shared = new SharedArrayBuffer(1 << 20);
      const answers = await Promise.all([3, 5, 7, 11].map((seed) => new Promise((good, bad) => {
        const worker = new Worker(__filename, { workerData: { seed, shared } });
        worker.once('message', good); worker.once('error', bad);
      })));
      for (const a of answers) console.log('worker', a.seed, a.line, hash(Buffer.from(a.bytes)));
      console.log('shared', hash(Buffer.from(shared)));
    }
    const pairs = crypto.pbkdf2Sync('word', 'salt', 20000, 64, 'sha512').toString('hex').slice(0, 16);
    const gzip = (b) => new Promise((good, bad) => zlib.gzip(b, (e, r) => (e ? bad(e) : good(r))));
    const many = await Promise.all(Array.from({ length: 30 }, (_, i) => gzip(Buffer.alloc(300000 + i * 1000, i))));
    console.log('pool', pairs, hash(...many));
    if (process.argv[2]) fs.writeFileSync(process.argv[2], fs.readFileSync('/proc/self/maps'));
    console.log('end');
  })().catch((e) => { console.log('failed', e); process.exit(1); });
}
END

run() { "$1" node "$work/script.js" "$work/$2.maps" >"$work/$2.out" 2>&1; }
both run
loaded node "$work/copse.maps"
same "what the script prints" "$work/system.out" "$work/copse.out"
good "it came to its end" grep -q '^end$' "$work/copse.out"
bound "$(command -v node)" --version
ended node
finish
