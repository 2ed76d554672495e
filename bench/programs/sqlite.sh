#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SQLite: rows, indexes, grouping and deletion in a database in memory.
# needs: sqlite3
set -eu

case $1 in
setup)
  rows=$([ -n "${BENCH_QUICK:-}" ] && echo 60000 || echo 400000)
  cat >work.sql <<END
create table t (id integer primary key, k integer, name text, payload text);
with recursive c(i) as (select 1 union all select i + 1 from c where i < $rows)
  insert into t select i, (i * 7919) % 10007, 'name' || (i * 31 % 5003), substr(hex(i * 2654435761), 1, i % 60) from c;
create index t_k on t (k);
create index t_name on t (name, k);
select count(*), sum(length(payload)), max(name) from t;
select count(*), sum(s) from (select name, count(*) * k as s from t group by name, k having count(*) > 0);
delete from t where k % 3 = 0;
update t set payload = payload || name where k % 5 = 1;
select count(*), sum(length(payload)), sum(k) from t;
select group_concat(name) from (select name from t order by payload, id limit 50);
END
  ;;
run) exec sqlite3 :memory: <work.sql ;;
esac
