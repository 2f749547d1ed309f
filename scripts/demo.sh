#!/usr/bin/env bash
# Runs Concord once, end to end, on this machine: installs what is missing, builds, starts an invented
# source, loads everything from it into an embedded database below ./concord-data and shows what landed.
#
#   scripts/demo.sh           # a small business; the run takes seconds
#   scripts/demo.sh --full    # the volumes of a real account, 300,000 records; the run takes minutes
#
# It can be run again at any time, and needs no network once the packages and crates are there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

size=small
scale=0.02
case "${1:-}" in
"") ;;
--full)
    size=full
    scale=1
    ;;
-h | --help)
    sed -n '2,8s/^# \{0,1\}//p' scripts/demo.sh
    exit
    ;;
*) fail "$1 is not known. Run scripts/demo.sh, or scripts/demo.sh --full." ;;
esac

# Each size has a database of its own: to the other one, most records would look deleted.
data=$PWD/concord-data/$size
config=$data/concord.toml
programs=${CARGO_TARGET_DIR:-target}/debug
scratch=$(mktemp -d "${TMPDIR:-/tmp}/concord-demo.XXXXXX")
source_pid=""

leave() {
    if [ -n "$source_pid" ]; then
        kill "$source_pid" 2>/dev/null || true
        wait "$source_pid" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The demo must not touch a database or a source that this shell was set up for.
unset DATABASE_URL
for variable in $(compgen -e | grep '^CONCORD_' | grep -v '^CONCORD_PG_BIN$' || true); do
    unset "$variable"
done

build() {
    need_cargo
    need_postgres
    say "Building Concord and the demo source (minutes the first time, seconds later)."
    # Features as for the whole workspace, so that the tests need not build the same packages again.
    cargo build --locked --workspace --bin run_sync --bin concord --bin standin
}

# Prints one text field of the ready line, or nothing.
ready_field() {
    sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"]*\)\".*/\1/p" "$scratch/ready" | head -n 1
}

start_source() {
    say "Starting the demo source, a stand-in for Gazelle with invented customers."
    "$programs/standin" --port 0 --scale "$scale" >"$scratch/ready" 2>"$scratch/source.log" &
    source_pid=$!
    until grep -q '}' "$scratch/ready"; do
        if ! kill -0 "$source_pid" 2>/dev/null; then
            cat "$scratch/source.log" >&2
            fail "The demo source ended before it was ready. Its messages are above."
        fi
        sleep 0.1
    done
    endpoint=$(ready_field graphql)
    [ -n "$endpoint" ] || endpoint=$(ready_field endpoint)
    [ -n "$endpoint" ] || fail "The demo source did not say where it listens: $(cat "$scratch/ready")"
    GAZELLE_API_KEY=$(ready_field api_key)
    export GAZELLE_API_KEY=${GAZELLE_API_KEY:-demo-key}
}

write_config() {
    mkdir -p "$data"
    [ -w "$data" ] || fail "$data belongs to another account. Remove it, or run this as that account."
    cat >"$config" <<TOML
# Written by scripts/demo.sh at every run: the source's port is new each time.
zone = "America/Montreal"

[sources.gazelle]
endpoint = "$endpoint"
auth = { kind = "header", name = "x-gazelle-api-key", secret_env = "GAZELLE_API_KEY" }
rate = { per_second = 1000, burst = 100 }

[database]
data_dir = "$data"
TOML
}

build
start_source
write_config

say "Loading every module from the source into production."
outcome=0
"$programs/run_sync" --config "$config" --all || outcome=$?

say ""
say "What landed:"
"$programs/concord" --config "$config" status
[ "$outcome" -eq 0 ] || {
    say "run_sync ended with $outcome, so not everything landed; the table above names the cause." >&2
    exit "$outcome"
}

say ""
say "Three commands to try next:"
say "  $programs/concord --config concord-data/$size/concord.toml log               # what was promoted, and when"
say "  $programs/concord --config concord-data/$size/concord.toml quarantine list   # what was set aside, and why"
say "  $programs/concord --config concord-data/$size/concord.toml serve             # the health page on http://127.0.0.1:8080"
