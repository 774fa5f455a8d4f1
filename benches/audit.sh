#!/bin/sh
# Times the audit's history scan beside `git log` on generated ledgers, in one
# run on one machine: medians of five, peak memory by GNU time.
#
#   benches/audit.sh [SIZE…]        sizes in handoffs; default 1000 10000 100000
#
# The ledgers stay in $BENCH_DIR (default target/bench) and are made once. The
# largest takes an hour or so to pack; that is git's time, not ours.
set -eu

cd "$(dirname "$0")/.."
bench=${BENCH_DIR:-target/bench}
target=${CARGO_TARGET_DIR:-target}
runs=${RUNS:-5}
[ $# -gt 0 ] || set -- 1000 10000 100000

cargo build --release --example generate_ledger --example scan_ledger
mkdir -p "$bench"

# Seconds and, where GNU time is there, peak memory in MiB of the median run.
median() {
    : > "$bench/times"
    for _ in $(seq "$runs"); do
        if [ -x /usr/bin/time ]; then
            /usr/bin/time -o "$bench/time" -f '%e %M' "$@" > /dev/null
            tail -n 1 "$bench/time" >> "$bench/times"
        else
            begin=$(date +%s%N)
            "$@" > /dev/null
            end=$(date +%s%N)
            echo "$(( (end - begin) / 1000000 ))" | awk '{ print $1 / 1000, 0 }' >> "$bench/times"
        fi
    done
    sort -n "$bench/times" | awk '{ t[NR] = $1; m[NR] = $2 } END { k = int((NR + 1) / 2); printf "%.3f %.0f\n", t[k], m[k] / 1024 }'
}

row() {
    name=$1 beside=$2
    shift 2
    result=$(median "$@")
    seconds=${result% *} memory=${result#* }
    ratio=$(awk -v a="$seconds" -v b="${beside:-$seconds}" 'BEGIN { printf "%.3f", (b > 0) ? a / b : 0 }')
    printf '| %s | %s s | %s | %s MiB |\n' "$name" "$seconds" "$ratio" "$memory"
}

for size in "$@"; do
    ledger=$bench/$size/ledger.git
    if [ ! -e "$bench/$size/ready" ]; then
        rm -rf "${bench:?}/$size"
        "$target/release/examples/generate_ledger" "$bench/$size" "$size"
        # A fresh fast-import pack flatters: its deltas are in the order of the commits.
        git -C "$ledger" repack -adfq
        git -C "$ledger" commit-graph write --reachable
        : > "$bench/$size/ready"
    fi
    scan=$target/release/examples/scan_ledger
    printf '\n%s handoffs, %s commits, pack of %s MiB\n\n' "$size" \
        "$(git -C "$ledger" rev-list --count main)" \
        "$(du -cm "$ledger"/objects/pack/*.pack | tail -n 1 | cut -f 1)"
    printf '| | time | beside git log | peak memory |\n|---|---|---|---|\n'
    result=$(median git -C "$ledger" log --raw --no-renames -m --first-parent main -- briefs)
    beside=${result% *}
    printf '| git log --raw --no-renames -m --first-parent -- briefs | %s s | 1 | %s MiB |\n' "$beside" "${result#* }"
    rm -rf "$ledger/handoff"
    row 'scan, cold' "$beside" "$scan" "$ledger" cold
    # The cache of a hundred commits ago: the warm scan reads the news.
    tip=$(git -C "$ledger" rev-parse main)
    git -C "$ledger" update-ref refs/heads/main main~100
    "$scan" "$ledger" warm > /dev/null
    git -C "$ledger" update-ref refs/heads/main "$tip"
    row 'scan, warm, 100 new commits' "$beside" "$scan" "$ledger" warm
    row 'scan, cold, and all briefs and timelines read' "$beside" "$scan" "$ledger" blobs
done
