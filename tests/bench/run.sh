#!/usr/bin/env bash
# Measures how fast Concord carries client records, beside the floors that nothing can do without:
# bare fetching of the same pages, and bare COPY of the same rows. Builds for release, starts a throw-away
# PostgreSQL and a source of pre-serialised pages, and runs one whole process at a time.
#
#   tests/bench/run.sh [--records 200000] [--rounds 3]
#
# Prints one table and ends with 1 when a count is wrong. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

records=200000
rounds=3
while [ $# -gt 0 ]; do
    case "$1" in
    --records) records=$2 ;;
    --rounds) rounds=$2 ;;
    *) fail "$1 is not known. Use --records NUMBER and --rounds NUMBER." ;;
    esac
    shift 2 || fail "A number is missing."
done

here=$PWD/tests/bench
programs=${CARGO_TARGET_DIR:-$PWD/target}/release
source_pid=""
scratch=""
wrong=0

leave() {
    stop_source
    if [ -n "$scratch" ]; then
        (cd / && as_unprivileged "$postgres/pg_ctl" -D "$scratch/data" -m immediate -s stop 2>/dev/null) || true
        rm -rf "$scratch"
    fi
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

unset DATABASE_URL
for variable in $(compgen -e | grep '^CONCORD_' | grep -v '^CONCORD_PG_BIN$' || true); do
    unset "$variable"
done

# GNU time, which reports CPU and peak memory in one format on every system.
need_gnu_time() {
    gnu_time=$(command -v gtime || type -P time || true)
    if [ -z "$gnu_time" ] || ! "$gnu_time" -f %e true 2>/dev/null; then
        install_packages "GNU time" "time" "gnu-time"
        gnu_time=$(command -v gtime || type -P time)
    fi
}

# The settings of the embedded server, where they matter for speed.
start_postgres() {
    postgres=$(postgres_folder)
    psql=$postgres/psql
    if [ ! -x "$psql" ]; then psql=$(command -v psql) || fail "psql is not found. Install PostgreSQL's client programs."; fi
    scratch=$(mktemp -d /tmp/concord-bench.XXXXXX)
    mkdir "$scratch/server" "$scratch/modules" && chmod 755 "$scratch"
    if [ "$(id -u)" -eq 0 ]; then chown "$(unprivileged_account)" "$scratch" "$scratch/server"; fi
    (
        cd "$scratch"
        for locale in C.UTF-8 C; do
            if as_unprivileged "$postgres/initdb" -D "$scratch/data" -U postgres --auth=trust \
                --encoding=UTF8 --locale="$locale" >"$scratch/server/initdb.log" 2>&1; then break; fi
        done
        as_unprivileged "$postgres/pg_ctl" -D "$scratch/data" -l "$scratch/server/log" -w -s -o "-k $scratch/server \
            -c listen_addresses='' -c shared_buffers=128MB -c work_mem=16MB -c maintenance_work_mem=128MB \
            -c max_wal_size=2GB -c checkpoint_timeout=15min -c timezone=UTC -c jit=off -c wal_level=minimal \
            -c max_wal_senders=0 -c max_parallel_workers_per_gather=0 -c max_parallel_maintenance_workers=0" start
    ) || {
        cat "$scratch/server/initdb.log" "$scratch/server/log" >&2 || true
        fail "PostgreSQL did not start; what it said is above."
    }
    postmaster=$(head -n 1 "$scratch/data/postmaster.pid")
}

url() { echo "postgres://postgres@localhost/$1?host=$scratch/server"; }

# sql DATABASE STATEMENT
sql() { "$psql" -X -h "$scratch/server" -U postgres -d "$1" -Atqc "$2"; }

start_source() {
    : >"$scratch/ready"
    "$programs/standin" bulk --clients "$1" >"$scratch/ready" 2>"$scratch/source.log" &
    source_pid=$!
    until grep -q '}' "$scratch/ready"; do
        kill -0 "$source_pid" 2>/dev/null || fail "The source did not start: $(cat "$scratch/source.log")"
        sleep 0.1
    done
    endpoint=$(sed -n 's/.*"graphql"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' "$scratch/ready" | head -n 1)
}

stop_source() {
    if [ -n "$source_pid" ]; then
        kill "$source_pid" 2>/dev/null || true
        wait "$source_pid" 2>/dev/null || true
        source_pid=""
    fi
}

# The clients module with another page size, in a folder that run_sync is given.
module_with_page_size() {
    mkdir -p "$scratch/modules/$1/gazelle"
    cp -R fetcher/modules/gazelle/clients "$scratch/modules/$1/gazelle/clients"
    local file=$scratch/modules/$1/gazelle/clients/module.yaml
    awk -v size="$1" '{ print } /^fetch:/ { print "  paging: { size: " size " }" }' "$file" >"$file.new"
    mv "$file.new" "$file"
}

write_config() {
    cat >"$scratch/$1.toml" <<TOML
[database]
url = "$(url "$1")"

[sources.gazelle]
endpoint = "$endpoint"
rate = { per_second = 1000000, burst = 100000 }
TOML
}

# Keeps the largest private memory of any server process, in MiB, until it is ended. Linux only.
watch_server() {
    local most=0 now
    while :; do
        now=$(cat /proc/[0-9]*/status 2>/dev/null | awk -v parent="$postmaster" '
            /^PPid:/ { ours = $2 == parent } /^RssAnon:/ && ours && $2 > most { most = $2 }
            END { print int(most / 1024) }') || true
        if [ "${now:-0}" -gt "$most" ]; then
            most=$now
            echo "$most" >"$1"
        fi
        sleep 0.5
    done
}

# CPU seconds of the server's processes, dead ones included. Linux only.
server_cpu() {
    cat /proc/[0-9]*/stat 2>/dev/null | awk -v parent="$postmaster" -v hz="$(getconf CLK_TCK)" '
        { sub(/^.*\) /, "") } $2 == parent { live += $12 + $13 }
        END { print live / hz }' || echo 0
}

# note LABEL RECORDS SECONDS CPU PEAK_MIB SERVER_MIB, one measured run each; "-" where not measured
note() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" | tee -a "$scratch/results" >&2; }

# timed COMMAND...: its output in $scratch/out; sets wall, cpu, peak (MiB) and status
timed() {
    status=0
    "$gnu_time" -q -o "$scratch/time" -f '%e %U %S %M' "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
    read -r wall cpu peak <<<"$(tail -n 1 "$scratch/time" | awk '{ print $1, $2 + $3, int($4 / 1024) }')"
}

must() { # must LABEL FOUND WANTED
    if [ "$2" != "$3" ]; then
        say "WRONG: $1: $2 instead of $3" >&2
        wrong=1
    fi
}

floors() {
    local size got seconds
    for size in 100 1000; do
        timed "$programs/floor" --endpoint "$endpoint" --page "$size" fetch
        read -r got seconds <"$scratch/out" || { cat "$scratch/err" >&2; fail "The floor could not be measured."; }
        must "bare fetch" "$got" "$records"
        note "bare fetch, pages of $size" "$records" "$seconds" "$cpu" "$peak" -
    done
    timed "$programs/floor" --endpoint "$endpoint" --page 1000 copy --database "$(url postgres)"
    read -r got seconds <"$scratch/out" || { cat "$scratch/err" >&2; fail "The floor could not be measured."; }
    must "bare COPY" "$(sql postgres 'select count(*) from floor')" "$records"
    note "bare COPY" "$records" "$seconds" - - -
    sql postgres "drop table floor"
}

# seconds_of DATABASE STEP: of the last run
seconds_of() {
    sql "$1" "select round(extract(epoch from finished_at - started_at)::numeric, 3) from ops.run_steps
              where step = '$2' and run_id = (select max(run_id) from ops.runs)"
}

# sync LABEL DATABASE PAGE_SIZE RECORDS: one run_sync, two lines
sync() {
    local label=$1 database=$2 size=$3 count=$4 watcher before memory
    sql "$database" checkpoint
    rm -f "$scratch/memory"
    watch_server "$scratch/memory" &
    watcher=$!
    timed "$programs/run_sync" --config "$scratch/$database.toml" --modules "$scratch/modules/$size" --module clients
    kill "$watcher" && wait "$watcher" 2>/dev/null || true
    memory=$(cat "$scratch/memory" 2>/dev/null || echo -)
    if [ "$status" -ne 0 ]; then
        cat "$scratch/out" "$scratch/err" >&2
        fail "run_sync ended with $status."
    fi
    must "$label: staged" "$(sql "$database" "select count(*) from staging.records")" "$count"
    must "$label: fetched" "$(sql "$database" "select fetched from ops.runs order by run_id desc limit 1")" "$count"
    must "$label: in production" "$(sql "$database" "select count(*) from prod.clients where not is_placeholder")" "$count"
    note "$label, pages of $size: fetch and stage" "$count" "$(seconds_of "$database" 'fetch and stage')" - - -
    note "$label, pages of $size: reconcile and promote" "$count" "$(seconds_of "$database" 'reconcile and promote')" - - -
    note "$label, pages of $size: whole process" "$count" "$wall" "$cpu" "$peak" "$memory"
}

# first_and_again PAGE_SIZE RECORDS
first_and_again() {
    local database=bench_$1_$2
    sql postgres "create database $database"
    write_config "$database"
    sync "first run of $2" "$database" "$1" "$2"
    must "first run: inserted" "$(sql "$database" "select inserted from ops.runs order by run_id desc limit 1")" "$2"
    sync "no-change run of $2" "$database" "$1" "$2"
    must "no-change run: unchanged" "$(sql "$database" "select unchanged from ops.runs order by run_id desc limit 1")" "$2"
    must "no-change run: claimed" "$(sql "$database" "select claimed from ops.runs order by run_id desc limit 1")" 0
    sql postgres "drop database $database"
}

need_cargo
need_postgres
need_gnu_time
say "Building for release (minutes the first time)."
cargo build --locked --release -p concord -p standin -p floor --bin run_sync --bin concord --bin standin --bin floor
start_postgres
for size in 100 1000; do module_with_page_size "$size"; done

start_source "$records"
for round in $(seq "$rounds"); do
    say "Round $round of $rounds."
    floors
    for size in 100 1000; do first_and_again "$size" "$records"; done
done
stop_source
say "Twice the records, once, to see whether memory grows with them."
start_source $((2 * records))
first_and_again 100 $((2 * records))

say ""
say "$(uname -sm), $(getconf _NPROCESSORS_ONLN) cores, $(awk '/^MemTotal/ { printf "%d GiB", $2 / 1048576 }' /proc/meminfo 2>/dev/null || true) memory, $("$postgres/postgres" --version), medians of $rounds rounds"
awk -f "$here/table.awk" "$scratch/results"
exit "$wrong"
