//! There are two readers of YAML, a quick one for the form that handoff writes
//! and the parser: they must say the same of every text, places included.

use std::path::{Path, PathBuf};

use handoff::yaml;

/// Reads a text in both ways. A tab is for the parser, even in a comment; the
/// comment's line stands before the text both times, so that places agree.
fn compare(text: &str) {
    let quick = yaml::read(format!("#\n{text}").as_bytes());
    let parsed = yaml::read(format!("#\t\n{text}").as_bytes());
    assert_eq!(quick, parsed, "{text:?}");
}

/// The YAML files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("entry")) {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml" || it == "yml") {
            found.push(path);
        }
    }
}

fn texts(folders: &[&str]) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    folders.iter().for_each(|folder| files(&root.join(folder), &mut found));
    found.sort();
    found.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

#[test]
fn every_file_of_the_project_reads_the_same_in_both_ways() {
    let texts = texts(&["briefs", "templates", "tests/fixtures", ".github"]);
    assert!(texts.len() > 100, "{} files", texts.len());
    texts.iter().for_each(|text| compare(text));
}

#[test]
fn forms_near_the_written_one_read_the_same_in_both_ways() {
    for text in [
        "a: 1\n",
        "a: 1",
        "a:\n",
        "a: \n",
        "a:  1\n",
        "a: 1 \n",
        "a:b: 1\n",
        "a: b: c\n",
        "a: b:\n",
        "a: b #c\n",
        "a: b#c\n",
        "a: #c\n",
        "a: ~\n",
        "a: null\n",
        "null: 1\n",
        "True: 1\ntrue: 2\n",
        "\"on\": 1\n",
        "\"on\":1\n",
        "\"on\" : 1\n",
        "\"on\":\n  \"off\": 1\n",
        "- \"on\": 1\n  b: 2\n",
        "- \"on\"\n",
        "- \"on\"x: 1\n",
        "\"a b\": 1\n",
        "\"\": 1\n",
        "\"a\": 1\na: 2\n",
        "\"1\": x\n1: y\n",
        "\"true\": 1\n\"~\": 2\n\"null\": 3\n",
        "\"-a\": 1\n",
        "\"a\n",
        "\"a\"b: 1\n",
        "\"a\\n\": 1\n",
        "'on': 1\n",
        "a b: 1\n",
        "a  b: 1\n",
        "a : 1\n",
        "a b : 1\n",
        "a - b: 1\n",
        "- a b: 1\n  c d: 2\n",
        "- a b\n",
        "- -a: 1\n",
        " : 1\n",
        "true x: 1\n",
        "\"Umsatz: Größe #1\": {a: 1}\n",
        "\"Größe, \": 1\n\"a 'b'\": 2\n",
        "1: x\n01: y\n",
        "1: x\n0x1: y\n",
        "a: 0x1F\nb: .5\nc: +3\nd: 1e3\ne: 0o7\n",
        "- a\n- b\n",
        "- a: 1\n  b: 2\n- c: 3\n",
        "- a:\n    b: 1\n  c: 2\n",
        "- - a\n",
        "-\n",
        "- \n",
        "-  a\n",
        "a:\n- b\n- c\n",
        "a:\n  - b\n - c\n",
        "a:\n  - b\n  c: 1\n",
        "a:\n    b: 1\n  c: 2\n",
        "  a: 1\n  b: 2\n",
        "  a: 1\nb: 2\n",
        "a: 1\n b: 2\n",
        "a: 1\n\nb: 2\n",
        "a: x\n  y\n",
        "a: \"x\"\n",
        "a: \"x\" y\n",
        "a: \"x\" \n",
        "a: \"x\n",
        "a: \"\\\"\\\\\\n\\t\\r\"\n",
        "a: \"\\x41\"\n",
        "a: \"\\\"\n",
        "a: \"\n",
        "a: \"x\" \"y\"\n",
        "a: 'x'\n",
        "a: 'it''s'\n",
        "a: 'it's'\n",
        "a: '''\n",
        "a: ''''\n",
        "a: '\n",
        "a: '' '\n",
        "\"a\": 1\n",
        "a: [1]\n",
        "a: {}\n",
        "a: |\n  x\n",
        "a: >\n  x\n",
        "a: &x 1\nb: *x\n",
        "a: !!str 1\n",
        "a: *x\n",
        "a: @x\n",
        "a: -1\n",
        "a: -x\n",
        "a: ?x\n",
        "a: x\n---\nb: 1\n",
        "---\na: 1\n",
        "a: 1\n...\n",
        "%YAML 1.2\n---\na: 1\n",
        "# c\na: 1\n# c\n",
        "a: 株式会社\nb: é x\n",
        "é: 1\n",
        "a: \u{feff}x\n",
        "a: x\u{85}y\n",
        "a: \u{a0}x\n",
        "a: x\u{2028}y\n",
        "a: x\u{7f}\n",
        "a: x\ty\n",
        "a:\tx\n",
        "a: x\r\nb: y\r\n",
        "a: x\0\n",
        "a: 1\na: 2\n",
        "",
        "\n",
        "# c\n",
        "a: ,x\n",
        "a: x, y\n",
        "a: x [y]\n",
        "a: (x)\n",
        "a: $x\n",
        "a: .x\n",
        "a: /x\n",
        "/a/b: 1\n",
        "-a: 1\n",
        ".a: 1\n",
        "a.b-c_d/e: 1\n",
        "a: https://x.example/#y?z=1\n",
        "a: x:y\n",
        "- x: \n",
        "- x:\n",
        "x\n",
        "- x\n  y\n",
    ] {
        compare(text);
    }
    compare(&format!("{}: 1\n", "k".repeat(2_000)));
    compare(&format!("a: {}\n", "v ".repeat(2_000).trim_end()));
    for depth in [63, 64, 65, 66] {
        let lines = (0..depth).map(|at| format!("{}a:\n", "  ".repeat(at)));
        compare(&(lines.collect::<String>() + &"  ".repeat(depth) + "b: 1\n"));
    }
    let many: String = (0..300).map(|at| format!("k{at}: {at}\n")).collect();
    compare(&many);
    compare(&format!("{many}k7: again\n"));
}

#[test]
fn changed_files_read_the_same_in_both_ways() {
    const PIECES: [&str; 24] = [
        " ", "  ", "\n", "\t", ":", ": ", "- ", "#", " #", "\"", "'", "\\", "\\n", "[", "{", "&a ",
        "*a", "|", "é", "0", "null", "~", "\r", "-",
    ];
    let texts = texts(&["briefs"]);
    let mut random = fastrand::Rng::with_seed(17);
    for round in 0..12_000 {
        let mut text = texts[round % texts.len()].clone();
        // A piece of a file, so that what is changed is near both ends, too.
        let lines: Vec<&str> = text.lines().collect();
        let from = random.usize(..lines.len());
        let to = random.usize(from..lines.len().min(from + 12)) + 1;
        text = lines[from..to].join("\n") + "\n";
        for _ in 0..random.usize(1..4) {
            let mut at = random.usize(..=text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            match random.u8(..3) {
                0 if at < text.len() => drop(text.remove(at)),
                _ => text.insert_str(at, PIECES[random.usize(..PIECES.len())]),
            }
        }
        compare(&text);
    }
}
