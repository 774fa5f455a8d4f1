#!/bin/sh
# Times commands on ledgers of growing size beside git on the same ledger, in
# one run on one machine, and writes the section "Growth" of docs/benchmarks.md.
#
#   benches/growth.sh [SIZE…]       sizes in handoffs; default 1000 10000 100000 300000
#
# HANDOFF is the binary that is measured (default: a release build; BUILD says
# what it is otherwise), RUNS how often (default 5). A row stops after MOST seconds (default 60), so that the
# slowest have fewer runs; the table says how many. The ledgers stay in
# $BENCH_DIR (default target/bench) and are made once; each way has its own copy.
set -eu

cd "$(dirname "$0")/.."
bench=$(mkdir -p "${BENCH_DIR:-target/bench}" && cd "${BENCH_DIR:-target/bench}" && pwd)
target=${CARGO_TARGET_DIR:-target}
runs=${RUNS:-5} most=${MOST:-60}
handoff=${HANDOFF:-$target/release/handoff}
[ $# -gt 0 ] || set -- 1000 10000 100000 300000
[ -x "$handoff" ] || cargo build --release
handoff=$(cd "$(dirname "$handoff")" && pwd)/$(basename "$handoff")
sample=$PWD/tests/fixtures/esign/pandadoc-completed-full.body.json
now=2026-11-25T12:00:00Z
results=$bench/growth
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=Bench GIT_AUTHOR_EMAIL=bench@example.com
export GIT_COMMITTER_NAME=Bench GIT_COMMITTER_EMAIL=bench@example.com
: > "$results"
number=0

# settings LEDGER SINCE: commits the settings for what is measured: least_open
# and same_customer, and an outbox for what was signed since then.
settings() {
    {
        printf 'version: 1\nesign: {pandadoc: {}}\nteam:\n'
        printf '  csms: [{name: Sam Lee, email: sam@example.com, github: samlee}]\n'
        printf '  assign: [{to: same_customer}, {to: least_open}]\n  fallback: samlee\n'
        printf 'first_touch: {within: 24h}\nhandoff_within: 1h\n'
        printf 'deliver: {since: %s, outbox: {dir: outbox}}\n' "$2"
    } > "$bench/settings"
    {
        printf 'commit refs/heads/main\ncommitter Bench <bench@example.com> 1795608000 +0000\ndata 8\nSettings'
        printf '\nfrom refs/heads/main^0\nM 100644 inline handoff.yaml\ndata %s\n' "$(wc -c < "$bench/settings")"
        cat "$bench/settings"
    } | git -C "$1" fast-import --quiet --date-format=raw
}

# measure SIZE ROW COMMAND…: wall and processor seconds of each run.
measure() {
    size=$1 row=$2
    shift 2
    : > "$bench/times"
    begin=$(date +%s) did=0
    while [ "$did" -lt "$runs" ] && [ $(($(date +%s) - begin)) -lt "$most" ]; do
        number=$((number + 1)) did=$((did + 1))
        export NUMBER=$number
        /usr/bin/time -o "$bench/time" -f '%e %U %S' "$@" > "$bench/out" 2> "$bench/err" || {
            code=$?
            # Findings and nothing open are results; what could not be done is none.
            [ "$code" -eq 1 ] || [ "$code" -eq 4 ] || {
                echo "$size $row ended with $code:" >&2
                cat "$bench/err" >&2
                return 0
            }
        }
        tail -n 1 "$bench/time" | awk '{ print $1, $2 + $3 }' >> "$bench/times"
    done
    for column in 1 2; do
        sort -n -k "$column" "$bench/times" | awk -v c="$column" '
            { t[NR] = $c } END { k = int((NR + 1) / 2); printf "%s %s %s ", t[k], t[1], t[NR] }'
    done > "$bench/row"
    echo "$size $row $did $(cat "$bench/row")" | tee -a "$results" >&2
}

sign() {
    measure "$1" "$2" sh -c 'sed "s/f9CbJKS4ZAs6nU629cuowb/growth$NUMBER/; s/18640329741/77$NUMBER/g" "$1" |
        "$2" -C "$3" --now "$4" sign - --provider pandadoc --as contract --no-deliver --no-push' \
        sh "$sample" "$handoff" "$3" "$now"
}

for size in "$@"; do
    made=$bench/$size/ledger.git work=$bench/$size/growth.git checkout=$bench/$size/growth
    if [ ! -e "$bench/$size/made" ]; then
        rm -rf "${bench:?}/$size"
        cargo build --release --example generate_ledger
        # More than 100,000 take more years, so that a month holds no more of them.
        years=$((size > 100000 ? size * 3 / 100000 : 3))
        "$target/release/examples/generate_ledger" "$bench/$size" "$size" "$years"
        git -C "$made" commit-graph write --reachable
        : > "$bench/$size/made"
    fi
    rm -rf "$work" "$checkout"
    at="-C $work --now $now"
    measure "$size" git-log git -C "$made" log --raw --no-renames -m --first-parent main -- briefs
    # Of the largest ledgers the warm audit alone.
    # shellcheck disable=SC2086
    [ "$size" -gt 100000 ] || {
        git clone -q --bare "$made" "$work"
        settings "$work" 2026-11-25T00:00:00Z
        runs_before=$runs; runs=1
        measure "$size" status-cold "$handoff" $at status
        measure "$size" promises-cold "$handoff" $at promises
        sign "$size" sign-cold "$work"
        runs=$runs_before
        measure "$size" status "$handoff" $at status
        measure "$size" promises "$handoff" $at promises
        measure "$size" deliver-dry "$handoff" $at deliver --dry-run
        settings "$work" 2026-11-01T00:00:00Z
        measure "$size" deliver-due "$handoff" $at deliver --dry-run
        settings "$work" 2026-11-25T00:00:00Z
        sign "$size" sign-bare "$work"
        measure "$size" git-diff git -C "$work" diff --name-only HEAD~1 HEAD -- briefs
        measure "$size" validate-since "$handoff" $at validate --since HEAD~1
    }
    cp "$bench/$size/deals.csv" "$bench/deals.csv"
    [ "$size" -gt 100000 ] ||
        measure "$size" audit-cold "$handoff" -C "$made" --now "$now" audit --deals "$bench/deals.csv" --no-cache
    "$handoff" -C "$made" --now "$now" audit --deals "$bench/deals.csv" > /dev/null 2>&1 || true
    measure "$size" audit-warm "$handoff" -C "$made" --now "$now" audit --deals "$bench/deals.csv"
    if [ "${CHECKOUT:-yes}" = yes ] && [ "$size" -le 100000 ]; then
        git clone -q "$work" "$checkout"
        git -C "$checkout" config gc.auto 0
        git -C "$checkout" remote remove origin
        git -C "$checkout" config core.fsync all
        runs_before=$runs; runs=1
        sign "$size" sign-checkout-cold "$checkout"
        runs=$runs_before
        sign "$size" sign-checkout "$checkout"
        measure "$size" git-commit sh -c 'cd "$1" && mkdir -p "briefs/2026/10/growth$NUMBER--x-$NUMBER" &&
            for name in README.md brief.yaml timeline.yaml; do
                echo "$NUMBER $name" > "briefs/2026/10/growth$NUMBER--x-$NUMBER/$name"
            done && git add "briefs/2026/10/growth$NUMBER--x-$NUMBER" && git commit -qm growth' sh "$checkout"
    fi
done

# The section, between the two marks.
awk -v runs="$runs" -v build="${BUILD:-release}" -v load="$(cut -d ' ' -f 1-3 /proc/loadavg)" -v cpus="$(nproc)" '
    { size = $1; row = $2; n[size, row] = $3; wall[size, row] = $4; low[size, row] = $5; high[size, row] = $6; cpu[size, row] = $7
      if (!(size in seen)) { seen[size] = 1; sizes[++count] = size } }
    function cell(size, row,   text) {
        if (!((size, row) in wall)) return "not measured"
        text = sprintf("%.2f s (%.2f–%.2f; cpu %.2f)", wall[size, row], low[size, row], high[size, row], cpu[size, row])
        return n[size, row] == runs ? text : text sprintf(", %d run%s", n[size, row], n[size, row] == 1 ? "" : "s")
    }
    function line(name, row, beside, words,   i, size, base) {
        printf "| %s |", name
        for (i = 1; i <= count; i++) printf " %s |", cell(sizes[i], row)
        base = sizes[1]; size = base
        for (i = 1; i <= count; i++) if ((sizes[i], row) in wall) size = sizes[i]
        if (!((size, row) in wall) || (beside != "" && !((size, beside) in wall))) printf " |"
        else if (beside == "") printf " %.1f × the cpu of %s |", cpu[size, row] / (cpu[base, row] > 0 ? cpu[base, row] : 0.01), base
        else printf " %.3f of the cpu of %s |", cpu[size, row] / (cpu[size, beside] > 0 ? cpu[size, beside] : 0.01), words
        printf "\n"
    }
    END {
        printf "Build: %s. Load average at the end %s on %s cores. Each cell: median (least–most; median of processor seconds).\n\n", build, load, cpus
        printf "| |"; for (i = 1; i <= count; i++) printf " %s handoffs |", sizes[i]; printf " at the largest |\n|---|"
        for (i = 1; i <= count; i++) printf "---|"; printf "---|\n"
        line("`git log --raw --no-renames -m --first-parent main -- briefs`", "git-log", "", "")
        line("`status`, the first time", "status-cold", "git-log", "`git log`")
        line("`status`, nothing new", "status", "git-log", "`git log`")
        line("`promises`, the first time", "promises-cold", "git-log", "`git log`")
        line("`promises`, nothing new", "promises", "git-log", "`git log`")
        line("`deliver --dry-run`, nothing due", "deliver-dry", "git-log", "`git log`")
        line("`deliver --dry-run`, what was signed in 24 days is due", "deliver-due", "git-log", "`git log`")
        line("`audit --no-cache`", "audit-cold", "git-log", "`git log`")
        line("`audit`, nothing new", "audit-warm", "git-log", "`git log`")
        line("`git diff --name-only HEAD~1 HEAD -- briefs`", "git-diff", "", "")
        line("`validate --since HEAD~1`, bare", "validate-since", "git-diff", "`git diff`")
        line("`sign`, bare, the first time", "sign-cold", "", "")
        line("`sign`, bare", "sign-bare", "", "")
        line("`sign`, checkout, the first time", "sign-checkout-cold", "", "")
        line("`sign`, checkout", "sign-checkout", "git-commit", "`git add` and `git commit`")
        line("`git add` and `git commit` of three files, `core.fsync=all`", "git-commit", "", "")
    }' "$results" > "$bench/section"
awk -v section="$bench/section" '
    /<!-- growth -->/ { print; print ""; while ((getline text < section) > 0) print text; print ""; skip = 1; next }
    /<!-- end of growth -->/ { skip = 0 }
    !skip { print }' docs/benchmarks.md > "$bench/page"
cp "$bench/page" docs/benchmarks.md
