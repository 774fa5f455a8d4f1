#!/bin/sh
# Times the commands that write many commits beside `git add` + `git commit`
# with core.fsync=all of the same files, in one run on one machine, and writes
# the table "Commands" in docs/benchmarks.md.
#
#   benches/commits.sh [COUNT]      handoffs a way; default 1000
#
# HANDOFF is the binary that is measured (default: a release build), RUNS how
# often (default 5). The ways take turns, each in its own fresh folder below
# $BENCH_DIR (default target/bench), and nothing is deleted before the end.
set -eu

cd "$(dirname "$0")/.."
bench=$(mkdir -p "${BENCH_DIR:-target/bench}/commits" && cd "${BENCH_DIR:-target/bench}/commits" && pwd)
target=${CARGO_TARGET_DIR:-target}
runs=${RUNS:-5} count=${1:-1000} by_git=40
handoff=${HANDOFF:-$target/release/handoff}
[ -x "$handoff" ] || cargo build --release
handoff=$(cd "$(dirname "$handoff")" && pwd)/$(basename "$handoff")
sample=$PWD/tests/fixtures/esign/pandadoc-completed-full.body.json
now=2026-11-25T12:00:00Z
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Bench GIT_AUTHOR_EMAIL=bench@example.com
export GIT_COMMITTER_NAME=Bench GIT_COMMITTER_EMAIL=bench@example.com
: > "$bench/rates"

ledger() {
    git init -q -b main "$1"
    cat > "$1/handoff.yaml" << 'END'
version: 1
esign: {pandadoc: {}}
documents: [{when: "true", is: contract}]
map: csv
team:
  csms: [{name: Sam Lee, email: sam@example.com, github: samlee}]
  assign: [{to: [samlee]}]
  fallback: samlee
first_touch: {within: 24h}
handoff_within: 1h
END
    git -C "$1" config user.name Bench
    git -C "$1" config user.email bench@example.com
    git -C "$1" config gc.auto 0
    git -C "$1" add handoff.yaml
    git -C "$1" commit -qm settings
}

commits() { git -C "$1" rev-list --count main; }

# rate WAY COUNT START: commits a second since then.
rate() {
    date +%s.%N | awk -v way="$1" -v n="$2" -v from="$3" '{ printf "%s %.1f\n", way, n / ($1 - from) }' |
        tee -a "$bench/rates" >&2
}

# An export as HubSpot writes it.
awk -v n="$count" 'BEGIN {
    print "\"Record ID\",\"Deal Name\",\"Deal Stage\",\"Close Date\",\"Deal owner\",\"Amount\",\"Pipeline\",\"Currency\",\"Associated Company\",\"Associated Contact\""
    for (i = 1; i <= n; i++)
        printf "\"%d\",\"Customer %d, platform\",\"Closed Won\",\"2026-11-%02d %02d:%02d\",\"Robin Diaz\",\"%d.00\",\"Sales Pipeline\",\"USD\",\"Customer %d\",\"Ana Lee (ana@customer%d.example)\"\n", 880000 + i, i, 1 + i % 20, i % 24, i % 60, 1000 + i, i, i
}' > "$bench/deals.csv"
rm -rf "$bench/payloads"
mkdir "$bench/payloads"
number=1
while [ "$number" -le "$count" ]; do
    sed "s/f9CbJKS4ZAs6nU629cuowb/watched$number/g; s/18640329741/77$number/g" "$sample" > "$bench/payloads/$number.json"
    number=$((number + 1))
done

round=1
while [ "$round" -le "$runs" ]; do
    own=$bench/$(date +%s)-$round
    mkdir "$own"

    ledger "$own/backfill"
    start=$(date +%s.%N)
    "$handoff" -C "$own/backfill" --now "$now" backfill --deals "$bench/deals.csv" --no-push > "$own/out" 2> "$own/err" || {
        cat "$own/err" >&2
        exit 1
    }
    rate backfill $(($(commits "$own/backfill") - 1)) "$start"

    ledger "$own/watch"
    start=$(date +%s.%N)
    "$handoff" -C "$own/watch" --now "$now" watch "$bench/payloads" --no-push > "$own/out" 2> "$own/err" &
    watch=$!
    while [ "$(commits "$own/watch")" -le "$count" ]; do
        kill -0 "$watch" || { cat "$own/err" >&2; exit 1; }
        sleep 0.02
    done
    rate watch "$count" "$start"
    kill "$watch"
    wait "$watch" || true

    # The same files, by git; into a ledger of the same size.
    git clone -q --no-hardlinks "$own/backfill" "$own/git"
    git -C "$own/git" config gc.auto 0
    git -C "$own/git" config core.fsync all
    from=$(find "$own/backfill/briefs" -name brief.yaml | head -n 1)
    from=${from%/brief.yaml}
    start=$(date +%s.%N)
    number=0
    while [ "$number" -lt "$by_git" ]; do
        number=$((number + 1))
        folder=briefs/2026/11/by-git--hubspot-$number
        mkdir "$own/git/$folder"
        for file in "$from"/*; do
            sed "s/Customer/Customer $number of/" "$file" > "$own/git/$folder/${file##*/}"
        done
        git -C "$own/git" add "$folder"
        git -C "$own/git" commit -qm "$number"
    done
    rate git "$by_git" "$start"
    round=$((round + 1))
done

# The table, between the two marks.
awk -v load="$(cut -d ' ' -f 1-3 /proc/loadavg)" -v cpus="$(nproc)" -v count="$count" -v runs="$runs" '
    { rates[$1, ++n[$1]] = $2 }
    function row(way, words,   i, j, t, v) {
        for (i = 1; i <= n[way]; i++) v[i] = rates[way, i]
        for (i = 1; i <= n[way]; i++) for (j = i + 1; j <= n[way]; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
        median = v[int((n[way] + 1) / 2)]
        if (way == "git") git = median
        printf "| %s | %.1f (%.1f–%.1f) | %.1f |\n", words, median, v[1], v[n[way]], median / git
    }
    END {
        printf "Build: release. %d handoffs a way, medians of %d with least and most; load average at the end %s on %s cores.\n\n", count, runs, load, cpus
        print "| | commits a second | beside git |\n|---|---|---|"
        row("git", "`git add` + `git commit`, `core.fsync=all`")
        row("backfill", "`handoff backfill`")
        row("watch", "`handoff watch`")
    }' "$bench/rates" > "$bench/table"
awk -v table="$bench/table" '
    /^<!-- commits -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1; next }
    /^<!-- end of commits -->/ { skip = 0 }
    !skip' docs/benchmarks.md > "$bench/page" && cp "$bench/page" docs/benchmarks.md
cat "$bench/table"
