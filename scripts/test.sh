#!/usr/bin/env bash
# Runs the tests, after installing what they need and is missing.
#
#   scripts/test.sh            # format, lints and every test: what CI runs
#   scripts/test.sh FILTER     # only the tests whose path contains FILTER, such as `rollback::`
#   scripts/test.sh FILTER -- --nocapture   # the rest goes to the test programs
#
# It stops what it starts, and needs no network once the packages, crates and Node modules are there.
# A DATABASE_URL of your own is used as it is; without one a throw-away PostgreSQL is started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

filter=${1:-}
case "$filter" in
-h | --help)
    sed -n '2,9s/^# \{0,1\}//p' scripts/test.sh
    exit
    ;;
-*) fail "$filter is no filter. Run scripts/test.sh --help." ;;
esac
if [ $# -gt 0 ]; then shift; fi
if [ "${1:-}" = -- ]; then shift; fi

scratch=""

leave() {
    if [ -n "$scratch" ]; then
        (cd / && as_unprivileged "$postgres/pg_ctl" -D "$scratch/data" -m immediate -s stop 2>/dev/null) || true
        rm -rf "$scratch"
    fi
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# PostGraphile, the GraphQL server nobody here wrote. The stamp is the lock file it was installed from.
install_node_modules() {
    local folder=tests/postgraphile
    local stamp=$folder/node_modules/.installed-from.json
    if cmp -s "$folder/package-lock.json" "$stamp"; then
        say "PostGraphile is installed as its lock file says."
        return
    fi
    say "Installing PostGraphile for Node.js $(node --version) as its lock file says."
    (cd "$folder" && npm ci --prefer-offline --no-audit --no-fund --loglevel=error) ||
        fail "npm could not install PostGraphile. It needs the network once; run this again when it is there."
    cp "$folder/package-lock.json" "$stamp"
}

# A server for the tests that ask sqlx for a database: on a socket, so that no port is taken.
start_postgres() {
    postgres=$(postgres_folder)
    # Not under TMPDIR: a socket's path may have a hundred characters, and another account must reach it.
    scratch=$(mktemp -d /tmp/concord-test.XXXXXX)
    if [ "$(id -u)" -eq 0 ]; then chown "$(unprivileged_account)" "$scratch"; fi
    say "Starting a throw-away PostgreSQL for the unit tests in $scratch."
    # From a folder that the other account may enter.
    (
        cd "$scratch"
        for locale in C.UTF-8 C; do
            if as_unprivileged "$postgres/initdb" -D "$scratch/data" -U postgres --auth=trust --no-sync \
                --encoding=UTF8 --locale="$locale" >"$scratch/initdb.log" 2>&1; then break; fi
        done
        as_unprivileged "$postgres/pg_ctl" -D "$scratch/data" -l "$scratch/data/server.log" -w -s \
            -o "-c listen_addresses='' -k $scratch -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" \
            start
    ) || {
        cat "$scratch/initdb.log" "$scratch/data/server.log" >&2 || true
        fail "PostgreSQL did not start; what it said is above."
    }
    export DATABASE_URL="postgres://postgres@localhost/postgres?host=$scratch"
}

# Tests by name, without format and lints. Where the filter begins with a file of tests/, only those are built.
# A filter that no test's path contains is an error, not a success.
run_matching() {
    local of=--workspace file=${filter%%::*} found
    if [ -e "tests/$file.rs" ] || [ -e "tests/$file/mod.rs" ]; then of=--test=system; fi
    cargo test --locked $of --no-run
    found=$(cargo test --locked $of --quiet -- --list "$filter" 2>/dev/null | grep -c ': test$') || true
    [ "$found" -gt 0 ] || fail "No test's path contains \"$filter\"."
    say "Running $found of the tests."
    cargo test --locked $of --quiet -- "$filter" "$@"
}

need_cargo
need_postgres
if [ -n "$filter" ]; then
    case "$filter" in *folder_sources* | *postgraphile*) need_node && install_node_modules ;; esac
    case "$filter" in *pooler* | *pgbouncer*) need_pgbouncer ;; esac
    if [ -z "${DATABASE_URL:-}" ]; then start_postgres; fi
    run_matching "$@"
    exit
fi
need_lints
need_pgbouncer
need_node
install_node_modules
start_postgres

say "Checking the format."
cargo fmt --all --check
say "Checking with clippy."
cargo clippy --locked --workspace --all-targets -- -D warnings
say "Running every test."
cargo test --locked --workspace
say "Everything passed."
