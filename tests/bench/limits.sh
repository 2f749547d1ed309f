#!/usr/bin/env bash
# Measures how much of a source's permitted rate is used, and how many requests it has to refuse: for windows that are
# fixed or slide, for cost, with one process, with two that share one account of the limits, and with two hosts that
# share nothing but a database: a new one on the server that DATABASE_URL names, or none where it names none.
#
#   tests/bench/limits.sh [--requests 600]
#
# Prints one table; ends with 1 when anything was refused or less than 99 % was used. Takes about four minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

requests=600
while [ $# -gt 0 ]; do
    case "$1" in
    --requests) requests=$2 ;;
    *) fail "$1 is not known. Use --requests NUMBER." ;;
    esac
    shift 2 || fail "A number is missing."
done

programs=${CARGO_TARGET_DIR:-$PWD/target}/debug
source_pid=""
server=${DATABASE_URL:-}
name=concord_limits_$$
scratch=$(mktemp -d /tmp/concord-limits.XXXXXX)
wrong=0

stop_source() {
    if [ -n "$source_pid" ]; then
        kill "$source_pid" 2>/dev/null || true
        wait "$source_pid" 2>/dev/null || true
        source_pid=""
    fi
}
leave() {
    stop_source
    [ -z "$server" ] || psql -q "$server" -c "drop database if exists $name with (force)" 2>/dev/null || true
    rm -rf "$scratch"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

for variable in $(compgen -e | grep '^CONCORD_' || true); do unset "$variable"; done

field() { sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\{0,1\}\([^\",}]*\).*/\1/p" "$2" | head -n 1; }

# start LIMIT_AS_JSON: one record to a page, so that records are requests
start() {
    rm -rf "$scratch/data" "$scratch/ready" && mkdir "$scratch/data"
    "$programs/standin" --clients "$requests" --pianos "$requests" --timeline 10 --page-cap 1 \
        --fault "{\"name\":\"rate_limit\",\"value\":$1}" >"$scratch/ready" 2>"$scratch/source.log" &
    source_pid=$!
    until grep -qs '}' "$scratch/ready"; do
        kill -0 "$source_pid" 2>/dev/null || fail "The source did not start: $(cat "$scratch/source.log")"
        sleep 0.1
    done
    key=$(field api_key "$scratch/ready")
    cat >"$scratch/concord.toml" <<TOML
[database]
data_dir = "data"

[sources.gazelle]
endpoint = "$(field graphql "$scratch/ready")"
auth = { kind = "header", name = "x-gazelle-api-key", secret_env = "KEY" }
TOML
}

# stats: what the source has counted so far, and when
stats() {
    curl -fsS "$(field admin "$scratch/ready")/stats" >"$scratch/stats"
    now=$(date +%s.%N)
    asked=$(field requests "$scratch/stats")
    refused=$(field throttled "$scratch/stats")
}

# measure LABEL PERMITTED_PER_SECOND WARM_UP_SECONDS MODULE...: the share after the warm-up, the refusals of all the time
measure() {
    local label=$1 permitted=$2 warm=$3 began before pids=() pid
    shift 3
    for module in "$@"; do
        KEY=$key "$programs/concord" --config "$scratch/concord.toml" fetch "$module" --out - \
            >/dev/null 2>"$scratch/out.$module" &
        pids+=($!)
    done
    sleep "$warm"
    stats
    began=$now before=$asked
    for pid in "${pids[@]}"; do wait "$pid" || { cat "$scratch"/out.* >&2; fail "concord fetch ended badly."; }; done
    stats
    report "$label" "$permitted"
    stop_source
}

# report LABEL PERMITTED_PER_SECOND: one line of the table, from what stats saw last
report() {
    awk -v label="$1" -v permitted="$2" -v began="$began" -v ended="$now" \
        -v asked="$((asked - before))" -v refused="$refused" 'BEGIN {
            seconds = ended - began; used = asked / seconds
            printf "%-44s %8d %8.1f %12.2f %10.2f %8.2f %% %8d\n", label, asked, seconds, permitted, used, 100 * used / permitted, refused
            exit !(refused == 0 && used / permitted >= 0.99) }' || wrong=1
}

# hosts LABEL PERMITTED_PER_SECOND WARM_UP_SECONDS: as above, by two run_sync that share a database, until one ends
hosts() {
    local label=$1 permitted=$2 warm=$3 began before pids=() pid module place=0
    rm -rf "$scratch"/host?
    for module in clients pianos; do
        place=$((place + 1))
        KEY=$key DATABASE_URL=$database CONCORD_DATA_DIR=$scratch/host$place "$programs/run_sync" \
            --config "$scratch/concord.toml" --module "$module" --json >/dev/null 2>"$scratch/out.$module" &
        pids+=($!)
    done
    sleep "$warm"
    stats
    began=$now before=$asked
    wait -n "${pids[@]}" || { cat "$scratch"/out.* >&2; fail "run_sync ended badly."; }
    stats
    report "$label" "$permitted"
    # The other ends by itself; the source is a child too, and does not.
    for pid in "${pids[@]}"; do wait "$pid" || true; done
    stop_source
}

need_cargo
say "Building."
cargo build --locked -q --workspace --bins

printf '%-44s %8s %8s %12s %10s %10s %8s\n' limit requests seconds "permitted/s" "used/s" share refused
start '{"kind":"fixed","limit":20,"window_seconds":1,"says":"ietf"}'
measure "fixed window of 1 s, RateLimit" 20 2 clients
start '{"kind":"fixed","limit":200,"window_seconds":10,"says":"x_ratelimit"}'
measure "fixed window of 10 s, X-RateLimit" 20 22 clients pianos
start '{"kind":"sliding","limit":20,"window_seconds":1,"says":"ietf"}'
measure "sliding window of 1 s, RateLimit" 20 2 clients
start '{"kind":"sliding","limit":200,"window_seconds":10,"says":"ietf"}'
measure "sliding window of 10 s, two processes" 20 12 clients pianos
# Each question costs 50 points, of which 40 are kept: 1,000 points a second bear 25 questions.
start '{"kind":"cost","limit":2000,"window_seconds":2,"cost":50}'
measure "cost, 1,000 points a second" 25 4 clients
start '{"kind":"cost","limit":2000,"window_seconds":2,"cost":50}'
measure "cost, two processes" 25 4 clients pianos
if [ -z "$server" ]; then
    echo "Two hosts are not measured: DATABASE_URL names no server."
    exit "$wrong"
fi
database=$(psql -Atq "$server" -c "select regexp_replace('$server', '^([a-z]+://[^/]*)/[^?]*', '\1/$name')")
psql -q "$server" -c "create database $name"
start '{"kind":"sliding","limit":20,"window_seconds":1,"says":"ietf"}'
hosts "sliding window of 1 s, two hosts" 20 8
start '{"kind":"cost","limit":2000,"window_seconds":2,"cost":50}'
hosts "cost, two hosts" 25 8
exit "$wrong"
