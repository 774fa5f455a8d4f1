#!/usr/bin/env python3
"""Mutation testing of the pure rooms in one build.

    benches/mutants.py WORK [--rooms src/time,src/model] [--tests time,audit] [--cap 60] [--jobs 2]

`cargo mutants` says which mutants there are. A build for each of thousands
would take months, so all are put into one program, each behind a switch that is
read from a file. Then each test runs once and notes which mutants it reaches,
and each mutant runs against the tests that reach it, the quickest first, until
one fails. WORK holds the copy of the tree, the build and what is known so far;
a run that is stopped goes on where it was, and one with a larger --cap goes on with
what was not killed in time. Nothing in this checkout changes.

Needs `cargo mutants` 27 and the Python packages tree_sitter and
tree_sitter_rust, and root on Linux: each job sees a file of its own at the
switch's path. What came of it is in docs/benchmarks.md.
"""

import argparse
import collections
import ctypes
import json
import multiprocessing
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time

import tree_sitter_rust
from tree_sitter import Language, Parser

SWITCH = "/run/mutants"
ON = "crate::mutant::on"
ROOMS = "src/audit,src/brief,src/model,src/time"
# One takes minutes by itself, the other is as good as all other tests of the audit.
SLOW = ("soak::", "worlds::")
# What does not end where it ended before is noticed, too.
KILLED = ("killed", "timed out")

MODULE = """//! The switch of the mutants.
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

enum Mode { Off, Run(u32), Trace(std::fs::File) }

static MODE: OnceLock<Mode> = OnceLock::new();
static SEEN: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

fn read() -> Mode {
    let Ok(text) = std::fs::read_to_string("SWITCH/mode") else { return Mode::Off };
    let trace = || std::fs::OpenOptions::new().create(true).append(true)
        .open(format!("SWITCH/trace/{}", std::process::id()));
    match text.trim() {
        "trace" => trace().map_or(Mode::Off, Mode::Trace),
        number => number.parse().map_or(Mode::Off, Mode::Run),
    }
}

#[must_use]
pub fn on(number: u32) -> bool {
    match MODE.get_or_init(read) {
        Mode::Off => false,
        Mode::Run(it) => *it == number,
        Mode::Trace(file) => {
            if !SEEN[number as usize].swap(true, Ordering::Relaxed) {
                let _ = (&*file).write_all(format!("{number}\\n").as_bytes());
            }
            false
        }
    }
}
"""


class Source:
    """One file with its mutants behind switches."""

    def __init__(self, path):
        self.path = path
        with open(path) as file:
            text = file.read()
        self.bytes, self.lines, self.starts = text.encode(), text.split("\n"), [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line.encode()) + 1)
        self.root = Parser(Language(tree_sitter_rust.language())).parse(self.bytes).root_node
        self.changes = collections.defaultdict(list)

    def at(self, place):
        line = place["line"] - 1
        return self.starts[line] + len(self.lines[line][: place["column"] - 1].encode())

    def put(self, number, mutant):
        """Why the mutant cannot be put in; nothing where it is."""
        start, end = self.at(mutant["span"]["start"]), self.at(mutant["span"]["end"])
        node = self.root.descendant_for_byte_range(start, max(start, end - 1))
        genre, what = mutant["genre"], mutant["replacement"]

        def up(*kinds):
            found = node
            while found is not None and found.type not in kinds:
                found = found.parent
            return found

        if genre == "FnValue":
            node = up("block")
            while node is not None and node.parent.type != "function_item":
                node = node.parent
                node = up("block")
            if node is None:
                return "no body"
            modifiers = [it.text for it in node.parent.children if it.type == "function_modifiers"]
            if any(b"const" in it for it in modifiers):
                return "const fn"
            if "::iter::" in what:
                return "a type without a name"
        elif genre == "BinaryOperator":
            node, what = node.parent, (start, end, what)
            if node.type not in ("binary_expression", "compound_assignment_expr"):
                return "a condition with let"
        elif genre == "UnaryOperator":
            node = up("unary_expression")
        elif genre in ("MatchArm", "MatchArmGuard"):
            node = up("match_arm")
            node = node and node.child_by_field_name("pattern")
            if node is not None and b"let " in node.text:
                return "a condition with let"
        else:
            return genre
        if node is None:
            return "no such place"
        self.changes[node.id].append((number, genre, what))
        return None

    def original(self, start, end):
        return self.bytes[start:end].decode()

    def inside(self, node, start, end):
        out, here = [], start
        for child in node.children:
            if child.end_byte > start and child.start_byte < end:
                out += [self.original(here, child.start_byte), self.render(child)]
                here = child.end_byte
        return "".join(out) + self.original(here, end)

    def render(self, node):
        """The node's text. A mutant holds what was there, so that two are never in force."""
        start, end = node.start_byte, node.end_byte
        mine = self.changes.get(node.id)
        if not mine:
            return self.inside(node, start, end)
        genre = mine[0][1]
        if genre == "FnValue":
            first = "".join(f" if {ON}({n}) {{ return {what}; }}" for n, _, what in mine)
            return "{" + first + self.inside(node, start + 1, end)
        if genre == "BinaryOperator":
            left, right = self.original(start, mine[0][2][0]), self.original(mine[0][2][1], end)
            tests = "".join(f"if {ON}({n}) {{ {left}{what[2]}{right} }} else " for n, _, what in mine)
            return f"({tests}{{ {self.inside(node, start, end)} }})"
        if genre == "UnaryOperator":
            rest = self.original(start + 1, end)
            return f"(if {ON}({mine[0][0]}) {{ {rest} }} else {{ {self.inside(node, start, end)} }})"
        condition = node.child_by_field_name("condition")
        gone = [n for n, genre, _ in mine if genre == "MatchArm"]
        if condition is None:
            return self.inside(node, start, end) + "".join(f" if !{ON}({n})" for n in gone)
        whole = self.render(condition)
        for n, genre, what in mine:
            if genre == "MatchArmGuard":
                whole = f"(if {ON}({n}) {{ {what} }} else {{ {whole} }})"
            else:
                whole = f"!{ON}({n}) && ({whole})"
        before = self.inside(node, start, condition.start_byte)
        return before + whole + self.inside(node, condition.end_byte, end)

    def write(self):
        head, tail = self.original(0, self.root.start_byte), self.original(self.root.end_byte, len(self.bytes))
        with open(self.path, "w") as file:
            file.write(head + self.render(self.root) + tail)


def instrument(tree, mutants, unviable):
    """Puts all mutants in. Gives why some are not."""
    subprocess.run(["git", "checkout", "--quiet", "src"], cwd=tree, check=True)
    left_out, sources = {}, {}
    for number, mutant in enumerate(mutants, 1):
        if number in unviable:
            left_out[number] = "does not compile"
            continue
        path = os.path.join(tree, mutant["file"])
        if path not in sources:
            sources[path] = Source(path)
        why = sources[path].put(number, mutant)
        if why:
            left_out[number] = why
    for source in sources.values():
        source.write()
    with open(os.path.join(tree, "src/mutant.rs"), "w") as file:
        file.write(MODULE.replace("COUNT", str(len(mutants) + 1)).replace("SWITCH", SWITCH))
    with open(os.path.join(tree, "src/lib.rs"), "a") as file:
        file.write("\n#[allow(missing_docs, clippy::all)]\npub mod mutant;\n")
    return left_out


def messages(output):
    for line in output.splitlines():
        if line.startswith(b"{"):
            yield json.loads(line)


def unviable_of(tree, output):
    """The mutants that the compiler's errors are about."""
    found = set()
    for message in messages(output):
        error = message.get("message") if message.get("reason") == "compiler-message" else None
        if not error or error["level"] != "error":
            continue
        for span in sorted(error["spans"], key=lambda it: not it["is_primary"]):
            while span.get("expansion"):
                span = span["expansion"]["span"]
            with open(os.path.join(tree, span["file_name"]), "rb") as file:
                text = file.read()
            before, within = text[: span["byte_start"]], text[span["byte_start"] : span["byte_end"]]
            if (error.get("code") or {}).get("code") == "E0004":
                # Without the arms that are gone the match is not whole.
                begin = end = text.index(b"{", span["byte_end"])
                depth = 0
                while end == begin or depth:
                    depth += (text[end : end + 1] == b"{") - (text[end : end + 1] == b"}")
                    end += 1
                arms = re.findall(rb"!crate::mutant::on\((\d+)\)", text[begin:end])
                found.update(map(int, arms))
                break
            line = before[before.rfind(b"\n") + 1 :]
            near = re.findall(rb"mutant::on\((\d+)\)", line)[-1:] or re.findall(rb"mutant::on\((\d+)\)", within)[:1]
            if near:
                found.add(int(near[0]))
                break
    return found


class Runner:
    def __init__(self, work, tree, programs, cap):
        self.work, self.tree, self.programs, self.cap = work, tree, programs, cap
        self.environment = {**os.environ, "CARGO_MANIFEST_DIR": tree, "RUST_TEST_THREADS": "2"}
        self.reached = collections.defaultdict(list)
        # How many tests a mutant has survived so far.
        self.survived = {}

    def path(self, name):
        return os.path.join(self.work, name)

    def known(self, name):
        if not os.path.exists(self.path(name)):
            return []
        with open(self.path(name)) as file:
            return [json.loads(line) for line in file]

    def passes(self, program, tests, limit, took=0):
        """Whether they pass; nothing where they do not end. A busy machine can make slow
        tests fail: those have a second try."""
        passed = self.run(program, tests, limit)
        again = passed is None or not passed and took > 2
        return self.run(program, tests, limit) if again else passed

    def run(self, program, tests, limit):
        # Of the processor's time, for the machine may be busy or the run stopped for a while.
        seconds = (int(limit), int(limit))
        process = subprocess.Popen(
            [program, "--exact", *tests], cwd=self.tree, env=self.environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, seconds),
        )
        try:
            ended = process.wait(600 + 10 * limit)
            return None if ended in (-signal.SIGXCPU, -signal.SIGKILL) else ended == 0
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None

    def trace(self, test):
        program, name = test
        for file in os.listdir(f"{SWITCH}/trace"):
            os.unlink(f"{SWITCH}/trace/{file}")
        switch("trace")
        begun = time.time()
        passed = bool(self.passes(program, [name], 300))
        took, seen = time.time() - begun, set()
        for file in os.listdir(f"{SWITCH}/trace"):
            with open(f"{SWITCH}/trace/{file}") as lines:
                seen.update(map(int, lines.read().split()))
        return program, name, passed, took, sorted(seen)

    def judge(self, number):
        tests, begun, size = sorted(self.reached[number]), spent(), 1
        at = self.survived.get(number, 0)
        switch(str(number))
        while at < len(tests):
            if spent() - begun > self.cap:
                return number, "not killed in time", at, self.cap
            some, at, size = tests[at : at + size], at + size, min(2 * size, 16)
            for program in self.programs:
                mine = [(took, name) for took, of, name in some if of == program]
                took = sum(took for took, _ in mine)
                passed = not mine or self.passes(program, [name for _, name in mine], 20 + 5 * took, took)
                if not passed:
                    what = "killed" if passed is False else "timed out"
                    return number, what, at, [name for _, name in mine]
        return number, "survived" if tests else "not reached", at, None


def spent():
    """The processor time of all tests of this job so far."""
    of_tests = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of_tests.ru_utime + of_tests.ru_stime


def switch(mode):
    with open(f"{SWITCH}/mode", "w") as file:
        file.write(mode)


def own_switch():
    """A mount namespace with a folder of its own at the switch's path."""
    libc = ctypes.CDLL(None, use_errno=True)
    private, recursive, new_namespace = 0x40000, 0x4000, 0x20000
    os.makedirs(SWITCH, exist_ok=True)
    if libc.unshare(new_namespace) or libc.mount(b"none", b"/", None, private | recursive, None) \
            or libc.mount(b"tmpfs", SWITCH.encode(), b"tmpfs", 0, None):
        sys.exit("mutants.py has to run as root, on Linux")
    os.makedirs(f"{SWITCH}/trace")


def work_off(runner, name, act, todo, jobs):
    print(f"{name}: {len(todo)}", flush=True)
    with multiprocessing.Pool(jobs, own_switch) as pool, open(runner.path(name), "a") as out:
        for row in pool.imap_unordered(act, todo):
            out.write(json.dumps(row) + "\n")
            out.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work")
    parser.add_argument("--rooms", default=ROOMS)
    parser.add_argument("--tests", help="modules of the suite; all without it, and the library's own always")
    parser.add_argument("--cap", type=float, default=60, help="processor seconds of tests a mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    given = parser.parse_args()
    sys.setrecursionlimit(100_000)
    work = os.path.abspath(given.work)
    tree, built = os.path.join(work, "tree"), os.path.join(work, "built.json")
    os.makedirs(work, exist_ok=True)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if not os.path.exists(built):
        if not os.path.exists(tree):
            subprocess.run(["git", "clone", "--quiet", here, tree], check=True)
        rooms = [part for room in given.rooms.split(",") for part in ("--file", f"{room}/**")]
        listed = subprocess.run(["cargo", "mutants", "--list", "--json", *rooms], cwd=tree, check=True, capture_output=True)
        mutants, unviable = json.loads(listed.stdout), set()
        cargo = ["cargo", "check", "--lib", "--all-features", "--message-format=json"]
        while True:
            left_out = instrument(tree, mutants, unviable)
            checked = subprocess.run(cargo, cwd=tree, capture_output=True)
            if checked.returncode == 0:
                break
            more = unviable_of(tree, checked.stdout) - unviable
            if not more:
                sys.exit(checked.stderr.decode())
            unviable |= more
            print(f"{len(unviable)} mutants do not compile", flush=True)
        cargo = ["cargo", "test", "--no-run", "--all-features", "--lib", "--test", "suite", "--message-format=json"]
        made = subprocess.run(cargo, cwd=tree, check=True, stdout=subprocess.PIPE)
        made = [it for it in messages(made.stdout) if it.get("executable") and it["profile"]["test"]]
        # The library's own tests first: they are the quickest.
        programs = [it["executable"] for it in sorted(made, key=lambda it: it["target"]["name"] == "suite")]
        with open(built, "w") as file:
            json.dump({"mutants": mutants, "left_out": left_out, "programs": programs}, file)
    with open(built) as file:
        known = json.load(file)
    mutants, programs = known["mutants"], known["programs"]
    left_out = {int(number): why for number, why in known["left_out"].items()}
    runner = Runner(work, tree, programs, given.cap)

    done = {(row[0], row[1]) for row in runner.known("traced")}
    tests = []
    for program in programs:
        listed = subprocess.run([program, "--list", "--format", "terse"], cwd=tree, env=runner.environment, capture_output=True, text=True)
        tests += [(program, line[:-6]) for line in listed.stdout.splitlines() if line.endswith(": test")]
    modules = given.tests and given.tests.split(",")

    def is_asked(program, name):
        is_slow = any(slow in name for slow in SLOW)
        return not is_slow and (not modules or program != programs[-1] or name.split("::")[0] in modules)

    todo = [it for it in tests if it not in done and is_asked(*it)]
    work_off(runner, "traced", runner.trace, todo, given.jobs)
    for program, name, passed, took, seen in runner.known("traced"):
        # What fails without a mutant says nothing.
        for number in seen if passed else ():
            runner.reached[number].append((took, program, name))

    judged = {row[0]: row for row in runner.known("judged")}
    todo = [number for number in range(1, len(mutants) + 1) if number not in left_out and number not in judged]
    # A run that is cut off has looked everywhere.
    random.Random(1).shuffle(todo)
    for number, what, at, cap in judged.values():
        if what == "not killed in time" and cap < given.cap:
            runner.survived[number] = at
    work_off(runner, "judged", runner.judge, todo + sorted(runner.survived), given.jobs)
    # Of one that was judged again the last word counts.
    report(mutants, left_out, {row[0]: row for row in runner.known("judged")}.values())


def report(mutants, left_out, judged):
    rooms = collections.defaultdict(collections.Counter)
    for number, what, *_ in judged:
        rooms["/".join(mutants[number - 1]["file"].split("/")[:2])][what] += 1
    for room, counts in sorted(rooms.items()):
        of = sum(counts.values())
        killed = sum(counts[what] for what in KILLED)
        print(f"{room}: {killed} of {of} killed ({killed / of:.1%}); {dict(counts)}")
    print(f"left out: {dict(collections.Counter(left_out.values()))}")
    for number, what, *_ in sorted(judged, key=lambda row: row[0]):
        if what not in KILLED:
            print(f"{what}: {mutants[number - 1]['name']}")


if __name__ == "__main__":
    main()
