#!/usr/bin/env bash
# Measures how well and how fast records are matched, beside Splink where a Python has it, and prints one table.
#
#   tests/bench/matching/run.sh --er DIR [--data DIR] [--records 100000] [--seed 1] [--sets "crm assets febrl4 restaurants"] [--splink PYTHON]
#                              [--labels 0]
#
# DIR holds gen_crm.py, prep.py and run_splink.py; --data holds the folders febrl4 and fodors_zagat. Builds for release, makes the
# customers and assets in a scratch folder, and runs one whole process at a time. --labels teaches the model so many decided pairs, and
# measures it on all others. Leave the machine alone meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

fail() {
    echo "$1" >&2
    exit 2
}

er="" data="" records=100000 seed=1 sets="crm assets febrl4 restaurants" python="" labels=0
while [ $# -gt 0 ]; do
    [ $# -gt 1 ] || fail "A value is missing after $1."
    case "$1" in
    --er) er=$(cd "$2" && pwd) ;;
    --data) data=$(cd "$2" && pwd) ;;
    --records) records=$2 ;;
    --seed) seed=$2 ;;
    --sets) sets=$2 ;;
    --splink) python=$2 ;;
    --labels) labels=$2 ;;
    *) fail "$1 is not known. Use --er, --data, --records, --seed, --sets, --splink and --labels." ;;
    esac
    shift 2
done
[ -n "$er" ] || fail "Say with --er where gen_crm.py is."

specs=$PWD/tests/bench/matching
program=${CARGO_TARGET_DIR:-$PWD/target}/release/match_files
cargo build --release --quiet -p match_files
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

case " $sets " in
*" crm "* | *" assets "*) python3 "$er/gen_crm.py" --records "$records" --seed "$seed" --out "$scratch/crm" >&2 ;;
esac

# The files of a set, and what is known of it.
ours() {
    case "$1" in
    crm) set -- "$specs/customers.yaml" "$scratch/crm/clients.csv" --gold "$scratch/crm/gold_client_pairs.csv" --truth "$scratch/crm/truth_clients.csv" ;;
    assets) set -- "$specs/assets.yaml" "$scratch/crm/assets.csv" --gold "$scratch/crm/gold_asset_pairs.csv" --truth "$scratch/crm/truth_assets.csv" ;;
    febrl4) set -- "$specs/febrl4.yaml" "$data/febrl4/a.csv" "$data/febrl4/b.csv" --gold "$data/febrl4/gold_pairs.csv" ;;
    restaurants) set -- "$specs/restaurants.yaml" "$data/fodors_zagat/a.csv" "$data/fodors_zagat/b.csv" --gold "$data/fodors_zagat/gold_pairs.csv" ;;
    *) fail "The set $1 is not known." ;;
    esac
    "$program" "$@" --labels "$labels"
}

theirs() {
    local folder=$data/$1
    case "$1" in
    crm | assets)
        folder=$scratch/crm
        local kind=clients
        [ "$1" = crm ] || kind=assets
        (cd "$er" && "$python" prep.py "$kind" "$folder/$kind.csv" "$folder/$kind.parquet")
        ;;
    restaurants) folder=$data/fodors_zagat ;;
    esac
    (cd "$er" && "$python" run_splink.py "$1" "$folder" "$scratch/splink.json" >/dev/null 2>"$scratch/splink.log")
}

python3 "$specs/table.py" --head
for name in $sets; do
    ours "$name" >"$scratch/ours.json"
    python3 "$specs/table.py" concord "$name" "$scratch/ours.json"
    if [ -n "$python" ]; then
        theirs "$name"
        python3 "$specs/table.py" splink "$name" "$scratch/splink.json"
    fi
done
