# shellcheck shell=bash
# What the shell scripts of this folder need from the machine, and how it is installed. Sourced by
# them, from the repository's root, under `set -euo pipefail`. Works with the bash 3.2 of macOS.
# Nothing is asked of a package manager while everything is there, so it all works offline.

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Runs a command as an account that is not root, because PostgreSQL refuses root.
as_unprivileged() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$(unprivileged_account)" -- "$@"
    else
        sudo -u "$(unprivileged_account)" "$@"
    fi
}

unprivileged_account() {
    if id -u postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Puts cargo on the PATH and decides whether it may use the network.
need_cargo() {
    if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    fi
    command -v cargo >/dev/null || fail "cargo is not there. Install the stable Rust toolchain from https://rustup.rs and run this again."
    if ! command -v cc >/dev/null; then
        install_packages "a C compiler, which Rust links with" "gcc libc6-dev" ""
    fi
    local host
    host=$(rustc -vV | sed -n 's/^host: //p')
    if [ "${CARGO_NET_OFFLINE:-false}" != true ] && ! cargo fetch --locked --quiet --target "$host" 2>/dev/null; then
        say "The crates cannot be fetched now, so cargo works offline with those it has."
        export CARGO_NET_OFFLINE=true
    fi
}

need_lints() {
    if cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; then return; fi
    command -v rustup >/dev/null || fail "rustfmt or clippy is missing. Install them with the Rust toolchain and run this again."
    say "Installing rustfmt and clippy with rustup."
    rustup component add rustfmt clippy
}

# Prints the folder of the newest PostgreSQL server binaries (14 or newer), or fails.
postgres_folder() {
    local folder version best="" best_version=0
    for folder in \
        "${CONCORD_PG_BIN:-}" \
        "$(dirname "$(command -v postgres || echo /nowhere/postgres)")" \
        "$(pg_config --bindir 2>/dev/null || true)" \
        /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
        /Applications/Postgres.app/Contents/Versions/*/bin
    do
        if [ ! -x "$folder/postgres" ] || [ ! -x "$folder/initdb" ]; then continue; fi
        version=$("$folder/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
        if [ "${version:-0}" -gt "$best_version" ]; then
            best=$folder
            best_version=$version
        fi
    done
    [ "$best_version" -ge 14 ] && printf '%s\n' "$best"
}

need_postgres() {
    postgres_folder >/dev/null || install_packages "PostgreSQL's server binaries" "postgresql" "postgresql@17"
    postgres_folder >/dev/null || fail "PostgreSQL 14 or newer is still not found. Install it, or set CONCORD_PG_BIN to the folder that holds postgres and initdb."
}

need_pgbouncer() {
    # Debian keeps it where only root looks.
    case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH="$PATH:/usr/sbin" ;; esac
    command -v pgbouncer >/dev/null || install_packages "pgbouncer" "pgbouncer" "pgbouncer"
}

need_node() {
    command -v node >/dev/null || install_packages "Node.js" "nodejs" "node"
    command -v npm >/dev/null || install_packages "npm" "npm" "node"
    local major
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    [ "$major" -ge 18 ] || fail "Node.js $major is too old for PostGraphile. Install Node.js 18 or newer and run this again."
}

# install_packages WHAT "DEBIAN PACKAGES" "HOMEBREW PACKAGES"
install_packages() {
    local what=$1 debian homebrew
    read -r -a debian <<<"$2"
    read -r -a homebrew <<<"$3"
    if command -v brew >/dev/null && [ -n "$3" ]; then
        say "Installing $what with Homebrew: $3"
        brew install --quiet "${homebrew[@]}" || fail "Homebrew could not install $3. Install $what and run this again."
    elif command -v apt-get >/dev/null; then
        if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
            fail "This machine lacks $what, and sudo is not there. As root, run apt-get install $2; then run this again."
        fi
        say "Installing $what with apt: $2"
        apt_install "${debian[@]}" || fail "apt could not install $2. Install $what and run this again."
    elif [ "$(uname)" = Darwin ] && [ -z "$3" ]; then
        fail "This machine lacks $what. Run xcode-select --install, then this again."
    else
        fail "This machine lacks $what, and neither apt nor Homebrew is here. Install it (on Debian: $2) and run this again."
    fi
    hash -r
}

# Installs Debian packages without letting them start a server: no cluster is made, no service runs now
# or at the next boot. The two files that say so are taken away again.
apt_install() {
    local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d made_policy=no status=0
    as_root mkdir -p "$clusters"
    echo 'create_main_cluster = false' | as_root tee "$clusters/concord.conf" >/dev/null
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made_policy=yes
    fi
    as_root apt-get update -qq || say "The package lists cannot be renewed now; apt uses those it has."
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || status=$?
    as_root rm -f "$clusters/concord.conf"
    if [ "$made_policy" = yes ]; then as_root rm -f "$policy"; fi
    if [ "$*" = pgbouncer ] && [ -d /run/systemd/system ]; then
        as_root systemctl disable --quiet pgbouncer || true
    fi
    return "$status"
}
