#!/usr/bin/env bash
# How long one record against the base takes: fills prod.clients with the rows of a CSV file whose names are columns of the
# contract, lets a run index them, and holds every record of a JSON-lines file against them.
#
#   tests/bench/matching/resolve.sh ROWS.csv RECORDS.jsonl [PROGRAMS]
#
# Wants DATABASE_URL, an empty database, and psql. PROGRAMS is the folder of the built programs, target/release by default.
set -euo pipefail
rows=$(realpath "$1")
records=$(realpath "$2")
programs=$(realpath "${3:-target/release}")
scratch=$(mktemp -d)
source_pid=""
leave() {
    if [ -n "$source_pid" ]; then kill "$source_pid" 2>/dev/null || true; fi
    rm -rf "$scratch"
}
trap leave EXIT
cd "$scratch"

"$programs/standin" --port 0 --clients 1 --pianos 1 --timeline 0 >ready 2>source.log &
source_pid=$!
until grep -qs '}' ready; do sleep 0.1; done
field() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p" ready | head -n 1; }
cat >concord.toml <<TOML
zone = "America/Montreal"
[database]
url = "$DATABASE_URL"
[sources.gazelle]
endpoint = "$(field graphql)"
auth = { kind = "header", name = "x-gazelle-api-key", secret_env = "BENCH_KEY" }
TOML
BENCH_KEY=$(field api_key)
export BENCH_KEY=${BENCH_KEY:-demo-key}

"$programs/concord" migrate >/dev/null
names=$(head -1 "$rows" | tr -d '\r')
psql -qX "$DATABASE_URL" -c "\\copy prod.clients ($names) from '$rows' csv header"
began=$(date +%s)
"$programs/run_sync" --module users --module clients >run.log || true
echo "indexed and run in $(($(date +%s) - began)) s: $(psql -qXAt "$DATABASE_URL" -c "select count(*) || ' rows, ' || (select count(*) from prod.blocking_keys) || ' keys' from prod.clients")"
psql -qX "$DATABASE_URL" -c 'analyze prod.clients; analyze prod.blocking_keys; analyze prod.match_keys'
# Once to warm the caches, once to measure.
"$programs/concord" matching resolve clients --record "$records" --json >/dev/null
"$programs/concord" matching resolve clients --record "$records" --json >resolved.json
python3 - <<'PY'
import collections, json
found = json.load(open("resolved.json"))
times = sorted(one["ms"] for one in found)
at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
print(f"{len(times)} records: p50 {at(.5):.2f} ms, p90 {at(.9):.2f} ms, p99 {at(.99):.2f} ms, most {times[-1]:.2f} ms")
print(dict(collections.Counter(f"{one['by']} {one['decision']}" for one in found)))
PY
