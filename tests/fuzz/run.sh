#!/usr/bin/env bash
# Feeds the readers of what comes from outside, guided by coverage, for so many seconds each; what breaks one is kept in
# tests/fuzz/artifacts. The bounded form of the same targets runs with every test run (fuzzing.rs in fetcher and in
# reconciler/matching).
#
#   tests/fuzz/run.sh [SECONDS] [TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh

seconds=${1:-60}
shift || true
need_cargo
if ! cargo fuzz --version >/dev/null 2>&1; then
    say "Installing cargo-fuzz."
    cargo install --locked cargo-fuzz
fi
# The sanitizer's options are not stable; the compiler is.
export RUSTC_BOOTSTRAP=1
cd tests/fuzz
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    targets=(targets/*.rs)
fi
for target in "${targets[@]}"; do
    name=$(basename "$target" .rs)
    say "Feeding $name for $seconds seconds."
    cargo fuzz run --fuzz-dir . "$name" -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -print_final_stats=1
done
say "Nothing broke."
