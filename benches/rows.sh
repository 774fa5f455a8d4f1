#!/bin/sh
# Times reading: audits, exports, coverage, the audit's page, validation and the
# start of the program, each beside what people have today, in one run on one
# machine, and writes the section "Reading" of docs/benchmarks.md.
#
#   benches/rows.sh [PART…]       of: start export coverage audit page validate; default all
#
# HANDOFF is the binary that is measured (default: a release build; BUILD says
# what it is otherwise), RUNS how often (default 5). A row stops after MOST
# seconds (default 300), and after TOTAL (default 1000) the rows that are left
# have one run each; the table says how many. SIZES are the ledgers' handoffs
# (default 1000 10000 100000), DEALS the rows of the exports (default 1000000). Ledgers and exports stay in $BENCH_DIR (default
# target/bench) and are made once; REPACK=yes packs the ledgers as `git gc
# --aggressive` would, which takes an hour for the largest.
#
# What is compared with is measured where it is there: duckdb (as a program, or
# in the Python that PYTHON names), CHECK_JSONSCHEMA, AJV, CHROMIUM. GNU time is needed.
set -eu

cd "$(dirname "$0")/.."
root=$PWD
bench=$(mkdir -p "${BENCH_DIR:-target/bench}" && cd "${BENCH_DIR:-target/bench}" && pwd)
target=${CARGO_TARGET_DIR:-target}
runs=${RUNS:-5} most=${MOST:-300} total=${TOTAL:-1000} started=$(date +%s) sizes=${SIZES:-1000 10000 100000} deals=${DEALS:-1000000}
handoff=${HANDOFF:-$target/release/handoff}
[ $# -gt 0 ] || set -- start export coverage audit page validate
parts=" $* "
[ -x "$handoff" ] || cargo build --release
handoff=$(cd "$(dirname "$handoff")" && pwd)/$(basename "$handoff")
python=${PYTHON:-python3}
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
now=2026-11-25T12:00:00Z
work=$bench/rows
mkdir -p "$work/empty"
: > "$work/results"

has() {
    case $parts in *" $1 "*) ;; *) return 1 ;; esac
}

has_time() {
    [ "$did" -lt "$runs" ] && [ $(($(date +%s) - begin)) -lt "$most" ] && [ $(($(date +%s) - started)) -lt "$total" ]
}

# measure ROW COMMAND…: wall seconds and peak memory in KiB of each run. What
# PREPARE says is done before each run and not timed.
measure() {
    row=$1
    shift
    : > "$work/times"
    begin=$(date +%s) did=0
    while [ "$did" -eq 0 ] || has_time; do
        did=$((did + 1))
        ${PREPARE:-:}
        code=0 from=$(date +%s%N)
        /usr/bin/time -o "$work/time" -f '%U %S %M' "$@" > "$work/out" 2> "$work/err" || code=$?
        to=$(date +%s%N)
        [ "$code" -eq 0 ] || {
            # Findings and nothing to do are results; what could not be done is none.
            [ "$code" -eq 1 ] || [ "$code" -eq 4 ] || {
                echo "$row ended with $code:" >&2
                tail -n 5 "$work/err" >&2
                return 0
            }
        }
        # GNU time rounds to hundredths, so the clock is read beside it.
        tail -n 1 "$work/time" | awk -v from="$from" -v to="$to" '{ printf "%.4f %s %s %s\n", (to - from) / 1e9, $1, $2, $3 }' >> "$work/times"
    done
    sort -n "$work/times" | awk -v row="$row" '
        { t[NR] = $1; c[NR] = $2 + $3; if ($4 > m) m = $4 }
        END { k = int((NR + 1) / 2); print row, NR, t[k], t[1], t[NR], c[k], m }' >> "$work/results"
    tail -n 1 "$work/results" >&2
}

# own ROW COMMAND…: the most memory that was the program's own, in KiB: pages of
# files it reads are the system's. Looked at a hundred times a second, in a run
# that is not timed.
own() {
    row=$1
    shift
    ${PREPARE:-:}
    "$@" > "$work/out" 2> "$work/err" &
    pid=$! peak=0
    while [ -r "/proc/$pid/status" ] && kill -0 "$pid" 2> /dev/null; do
        anon=0
        while read -r key value _; do
            [ "$key" = RssAnon: ] && anon=$value
        done < "/proc/$pid/status" 2> /dev/null || true
        [ "$anon" -gt 0 ] || { [ "$peak" -eq 0 ] || break; }
        [ "$anon" -le "$peak" ] || peak=$anon
        sleep 0.01
    done
    wait "$pid" || true
    echo "$row-own 1 0 0 0 0 $peak" >> "$work/results"
    tail -n 1 "$work/results" >&2
}

ledger() {
    size=$1 made=$bench/$1/ledger.git
    [ ! -e "$bench/$size/ready" ] || return 0
    if [ ! -e "$made/HEAD" ]; then
        generate=${GENERATE:-$target/release/examples/generate_ledger}
        [ -x "$generate" ] || cargo build --release --example generate_ledger
        "$generate" "$bench/$size" "$size"
    fi
    # A fresh fast-import pack flatters: its deltas are in the order of the commits.
    if [ "${REPACK:-yes}" = yes ]; then
        git -C "$made" repack -adfq
    fi
    git -C "$made" commit-graph write --reachable
    : > "$bench/$size/ready"
}

# A HubSpot export: all of its deals won, or one in a hundred.
export_of() {
    [ -e "$work/$1.csv" ] || {
        awk -v n="$deals" -v every="$2" 'BEGIN {
            split("Riley Ross|Sam Hill|Kim Park|Ana Silva|Jon Wu", rep, "|")
            split("Appointment Scheduled|Contract Sent|Closed Lost|Qualified To Buy", stage, "|")
            print "\"Record ID\",\"Deal Name\",\"Deal Stage\",\"Close Date\",\"Deal owner\",\"Amount\",\"Pipeline\",\"Deal Type\",\"Currency\",\"Create Date\",\"Is Closed Won\",\"Associated Company\""
            for (i = 0; i < n; i++) {
                won = i % every == 0; year = 2024 + i % 3; month = 1 + int(i / 28) % 11; day = 1 + i % 28
                printf "\"31%09d\",\"Company %d GmbH - Platform\",\"%s\",\"%04d-%02d-%02d %02d:%02d\",\"%s\",\"%d.0\",\"Sales Pipeline\",\"%s\",\"USD\",\"%04d-%02d-%02d 09:15\",\"%s\",\"Company %d GmbH\"\n", i, i % 50000, won ? "Closed Won" : stage[1 + i % 4], year, month, day, i % 24, i % 60, rep[1 + i % 5], 5000 + (i * 7919) % 200000, i % 20 ? "New Business" : "Existing Business", year - 1, month, day, won ? "true" : "false", i % 50000
            }
        }' > "$work/$1.csv.part"
        mv "$work/$1.csv.part" "$work/$1.csv"
    }
}

duckdb_of() {
    query="SELECT count(*), count(DISTINCT \"Record ID\"), sum(CAST(\"Amount\" AS DECIMAL(18,2))) FROM read_csv('$work/$1.csv', all_varchar=true) WHERE \"Is Closed Won\" = 'true'"
    if command -v duckdb > /dev/null; then
        measure "duckdb-$1" duckdb -c "$query"
    elif "$python" -c 'import duckdb' 2> /dev/null; then
        measure "duckdb-$1" "$python" -c 'import sys, duckdb; print(duckdb.sql(sys.argv[1]).fetchall())' "$query"
    fi
}


has start && {
    measure version "$handoff" --version
}

if has export || has coverage; then
    export_of few 100
    export_of all 1
    cat "$work"/few.csv "$work"/all.csv > /dev/null
    for kind in few all; do
        measure "sha256-$kind" sha256sum "$work/$kind.csv"
        duckdb_of $kind
        # One day of the deals: the report is small, the file is read whole.
        has export && measure "export-$kind" "$handoff" -C "$work/empty" --now "$now" \
            audit --deals "$work/$kind.csv" --from 2026-06-01 --to 2026-06-01
        has coverage && measure "coverage-$kind" "$handoff" -C "$work/empty" --now "$now" \
            coverage --deals "$work/$kind.csv"
    done
    has export && measure whole-all "$handoff" -C "$work/empty" --now "$now" audit --deals "$work/all.csv"
fi

if has audit; then
    for size in $sizes; do
        ledger "$size"
        made=$bench/$size/ledger.git
        at="-C $made --now $now audit --offline --deals $bench/$size/deals.csv"
        measure "log-$size" git -C "$made" log --raw --no-renames -m --first-parent main -- briefs
        # shellcheck disable=SC2086
        measure "cold-$size" "$handoff" $at --no-cache
        # What an audit kept a hundred commits ago; each run begins with that.
        tip=$(git -C "$made" rev-parse main)
        rm -rf "$made/handoff" "$work/kept"
        git -C "$made" update-ref refs/heads/main main~100
        # shellcheck disable=SC2086
        "$handoff" $at > /dev/null 2>&1 || true
        git -C "$made" update-ref refs/heads/main "$tip"
        cp -a "$made/handoff" "$work/kept"
        restore() {
            rm -rf "$made/handoff"
            cp -a "$work/kept" "$made/handoff"
        }
        # shellcheck disable=SC2086
        {
            PREPARE=restore measure "warm-$size" "$handoff" $at
            measure "same-$size" "$handoff" $at
            own "same-$size" "$handoff" $at
            own "cold-$size" "$handoff" $at --no-cache
        }
    done
fi

if has page; then
    for size in $sizes; do
        ledger "$size"
        page=$work/audit-$size.html
        measure "page-$size" "$handoff" -C "$bench/$size/ledger.git" --now "$now" audit --offline \
            --deals "$bench/$size/deals.csv" --format html --output "$page"
        [ -s "$page" ] || cp "$work/out" "$page"
        echo "bytes-$size 1 0 0 0 0 $(($(wc -c < "$page") / 1024))" >> "$work/results"
        chromium=${CHROMIUM:-$(command -v chromium || command -v google-chrome || true)}
        [ -z "$chromium" ] || {
            browse="$chromium --headless --no-sandbox --disable-gpu --user-data-dir=$work/chromium --dump-dom"
            # shellcheck disable=SC2086
            {
                measure "blank-$size" $browse about:blank
                measure "opened-$size" $browse "file://$page"
            }
        }
    done
fi

if has validate; then
    size=10000
    ledger "$size"
    checkout=$work/checkout
    [ -e "$checkout/ready" ] || {
        rm -rf "$checkout"
        git clone -q "$bench/$size/ledger.git" "$checkout"
        git -C "$checkout" remote remove origin
        # The generator's pages are its own; these are the template's.
        "$handoff" -C "$checkout" --now "$now" validate --fix > /dev/null 2>&1 || true
        : > "$checkout/ready"
    }
    find "$checkout/briefs" -name brief.yaml | sort > "$work/briefs"
    measure validate "$handoff" -C "$checkout" --now "$now" validate
    measure validate-one "$handoff" -C "$checkout" --now "$now" validate "$(head -n 1 "$work/briefs")"
    check=${CHECK_JSONSCHEMA:-$(command -v check-jsonschema || true)}
    [ -z "$check" ] || measure check-jsonschema xargs -a "$work/briefs" -n 20000 "$check" --schemafile "$checkout/schema/brief.schema.json"
    ajv=${AJV:-$(command -v ajv || true)}
    [ -z "$ajv" ] || measure ajv "$ajv" validate --spec=draft2020 --strict=false -c ajv-formats \
        -s "$checkout/schema/brief.schema.json" -d "$checkout/briefs/**/brief.yaml"
fi

# The section, between the two marks.
awk -v sizes="$sizes" -v deals="$deals" -v runs="$runs" -v build="${BUILD:-release}" -v load="$(cut -d ' ' -f 1-3 /proc/loadavg)" -v cpus="$(nproc)" '
    { n[$1] = $2; wall[$1] = $3; low[$1] = $4; high[$1] = $5; cpu[$1] = $6; memory[$1] = $7 }
    function mib(kib) { return sprintf("%d MiB", (kib + 1023) / 1024) }
    function line(name, row, beside, words, goal,   text, ratio) {
        if (!(row in wall)) return
        text = sprintf("%.3f s (%.3f–%.3f; cpu %.2f)", wall[row], low[row], high[row], cpu[row])
        if (n[row] != runs) text = text sprintf(", %d run%s", n[row], n[row] == 1 ? "" : "s")
        ratio = ""
        if (beside in wall) ratio = sprintf("%.4f of %s", wall[row] / (wall[beside] > 0 ? wall[beside] : 0.001), words)
        printf "| %s | %s | %s | %s%s | %s |\n", name, text, ratio, mib(memory[row]), ((row "-own") in memory) ? ", its own " mib(memory[row "-own"]) : "", goal
    }
    END {
        printf "Build: %s. Load average at the end %s on %s cores. Times: median (least–most; median of processor seconds). Memory: the peak of all runs; its own is without pages of files.\n\n", build, load, cpus
        print "| | time | beside | memory | goal |\n|---|---|---|---|---|"
        line("`--version`", "version", "", "", "10 ms")
        line("`validate` of one brief of 10,000", "validate-one", "", "", "30 ms")
        split("few all", kinds, " ")
        words["few"] = "one in a hundred won"; words["all"] = "all won"
        for (k = 1; k <= 2; k++) {
            kind = kinds[k]
            line("`sha256sum` of " deals " deals, " words[kind], "sha256-" kind, "", "", "")
            line("duckdb: won deals counted, ids told apart, amounts summed; " words[kind], "duckdb-" kind, "", "", "")
            line("`audit` of the export, one day; " words[kind], "export-" kind, ("duckdb-" kind) in wall ? "duckdb-" kind : "sha256-" kind, ("duckdb-" kind) in wall ? "duckdb" : "`sha256sum`", "1 s, 512 MiB")
            line("`coverage`; " words[kind], "coverage-" kind, "sha256-" kind, "`sha256sum`", "1 s, 512 MiB")
        }
        line("`audit` of the export, each deal missing and reported; all won", "whole-all", "sha256-all", "`sha256sum`", "")
        many = split(sizes, size, " ")
        for (i = 1; i <= many; i++) {
            s = size[i]
            line("`git log --raw --no-renames -m --first-parent main -- briefs`, " s " handoffs", "log-" s, "", "", "")
            line("`audit --no-cache`, " s, "cold-" s, "log-" s, "`git log`", s >= 100000 ? "0.3, its own 256 MiB" : s >= 10000 ? "0.55" : "0.9")
            line("`audit`, 100 new commits, " s, "warm-" s, "log-" s, "`git log`", s >= 100000 ? "0.01" : "")
            line("`audit`, nothing new, " s, "same-" s, "log-" s, "`git log`", s >= 100000 ? "0.01, its own 128 MiB" : "")
        }
        for (i = 1; i <= many; i++) {
            s = size[i]
            line("`audit --format html`, " s, "page-" s, "", "", "")
            if (("bytes-" s) in memory) printf "| the page, %s handoffs | | | %.1f MB on the disk | %s |\n", s, memory["bytes-" s] * 1.024 / 1000, (s >= 100000 ? "15 MB" : "")
            line("an empty page opened in Chromium", "blank-" s, "", "", "")
            line("the page opened in Chromium and written out again, " s, "opened-" s, "", "", s >= 100000 ? "3 s" : "")
        }
        line("`check-jsonschema` of 10,000 briefs", "check-jsonschema", "", "", "")
        line("`ajv validate` of the same", "ajv", "", "", "")
        line("`validate` of the same: schema, rules, rendering", "validate", "check-jsonschema", "`check-jsonschema`", "1/60")
        if ("ajv" in wall) line("the same", "validate", "ajv", "`ajv`", "1/3")
    }' "$work/results" > "$work/section"
if [ "${WRITE:-yes}" = yes ]; then
    awk -v section="$work/section" '
        /<!-- rows -->/ { print; print ""; while ((getline text < section) > 0) print text; print ""; skip = 1; next }
        /<!-- end of rows -->/ { skip = 0 }
        !skip { print }' "$root/docs/benchmarks.md" > "$work/page"
    cp "$work/page" "$root/docs/benchmarks.md"
else
    cat "$work/section"
fi
