#!/bin/sh
# What a commit takes of the processor in a PostgreSQL server, beside an UPDATE: run.sh
# [CLIENTS [SECONDS [ROUNDS]]], on the machine of the server, with PGHOST, PGPORT, PGUSER and
# PGDATABASE set for a superuser, and the schema pawl in the database (pawl init makes it).
# The two take turns. It needs Linux, for it reads how much time the server's processes have had.
set -e
cd "$(dirname "$0")"
clients=${1:-64} seconds=${2:-10} rounds=${3:-4}
psql -q -c "SET client_min_messages = warning" -c "CREATE TABLE IF NOT EXISTS bare (id int PRIMARY KEY, value bytea) WITH (fillfactor = 50)" \
	-c "INSERT INTO bare SELECT i, '' FROM generate_series(0, $clients - 1) i ON CONFLICT DO NOTHING"
lineage=$(psql -Atc "SELECT pawl.lineage()")
server=$(psql -Atc "SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)")
ticks() { sed 's/.*) //' "/proc/$server/stat" | awk '{ print $14 + $15 }'; } # of those that have ended
wal() { psql -Atc "SELECT pg_current_wal_insert_lsn() - '0/0'"; }
for round in $(seq "$rounds"); do
	for what in commit update; do
		before=$(ticks) bytes=$(wal)
		said=$(pgbench -n -c "$clients" -j 2 -T "$seconds" -D lineage="'$lineage'" -f "$what.sql" 2>&1)
		done=$(echo "$said" | sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p')
		until [ "$(psql -Atc "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'")" = 0 ]; do :; done
		echo "$round $what $(($(ticks) - before)) $done $(($(wal) - bytes)) $seconds" |
			awk -v hz="$(getconf CLK_TCK)" '{ printf "round %d: %-6s %6.0f/s, %4.0f us of processor time in the server, %5.0f bytes of WAL\n", $1, $2, $4 / $6, $3 / hz / $4 * 1e6, $5 / $4 }'
	done
done
