#!/bin/bash
# SPDX-License-Identifier: MIT
# sqlite3: a million rows inserted, indexed, updated, deleted and joined; the dump and the answers must be equal.
set -eu
# shellcheck source=tests/programs/common.bash
. "${BASH_SOURCE[0]%/*}/common.bash"
begin "sqlite3: a million rows"

cat >"$work/script.sql" <<'END'
PRAGMA cache_size = -60000;
PRAGMA temp_store = MEMORY;
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, body BLOB, price REAL);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO item SELECT i, (i * 7919) % 997, printf('item-%x-%d', i * 2654435761 % 4294967296, i % 13),
  CASE WHEN i % 10 = 0 THEN zeroblob(i % 300) END, (i * 31 % 10007) / 8.0 FROM n;
COMMIT;
CREATE INDEX item_kind ON item (kind, price);
CREATE INDEX item_name ON item (name);
UPDATE item SET name = upper(name) || '/' || kind WHERE kind < 50;
DELETE FROM item WHERE id % 17 = 3;
CREATE TABLE total AS SELECT kind, count(*) AS n, sum(price) AS price, group_concat(substr(name, 6, 4), ',') AS names
  FROM item WHERE id < 100000 GROUP BY kind;
SELECT count(*), sum(length(name)), max(price) FROM item;
SELECT a.kind, count(*) FROM item a JOIN item b ON a.name = b.name WHERE a.id <> b.id AND a.id < 300000 GROUP BY 1 ORDER BY 2 DESC LIMIT 10;
SELECT substr(name, 1, 9) AS p, count(*), avg(price) FROM item WHERE id < 400000 GROUP BY p ORDER BY 2 DESC, 1 LIMIT 200;
SELECT json_group_array(json_object('k', kind, 'n', n)) FROM total;
PRAGMA quick_check;
END

run() {
  local on=$1 name=$2
  {
    cat "$work/script.sql"
    # shellcheck disable=SC2016
    printf '.system cat /proc/$PPID/maps >%s\n' "$work/$name.maps"
    printf '.output %s\n.dump\n' "$work/$name.dump"
  } >"$work/$name.sql"
  "$on" sqlite3 -batch :memory: <"$work/$name.sql" >"$work/$name.out" 2>&1
}
both run
loaded sqlite3 "$work/copse.maps"
same "answers of the queries" "$work/system.out" "$work/copse.out"
same ".dump of the database" "$work/system.dump" "$work/copse.dump"
printf '  .dump: sha256 %s\n' "$(sha256sum <"$work/copse.dump" | cut -c 1-32)"
good "the dump has a million rows less those deleted" \
  test "$(grep -c '^INSERT INTO item ' "$work/copse.dump")" = 941176
bound "$(command -v sqlite3)" -version
ended sqlite3
finish
