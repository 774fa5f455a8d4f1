//! A second opinion over random ledgers whose settings change, too: the class
//! of each deal from `git` and the list of deals alone, at random moments.
//! `HANDOFF_WORLDS` says how many worlds; 14 where it is not set.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::HEADER;
use crate::sandbox::Sandbox;

const DEALS: u64 = 8;

/// The same numbers for the same world, each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64* (Marsaglia, Vigna).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }

    fn minutes(&mut self, most: u64) -> TimeDelta {
        TimeDelta::minutes(i64::try_from(self.roll(most)).unwrap())
    }
}

pub(crate) struct Deal {
    pub(crate) id: u64,
    pub(crate) won: DateTime<Utc>,
    pub(crate) is_renewal: bool,
}

struct World {
    deals: Vec<Deal>,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn settings(hours: u64, excludes: bool) -> String {
    let rule = "{when: \"deal.properties.deal_type == 'Renewal'\", reason: renewal}";
    let exclude = if excludes { rule } else { "" };
    format!("version: 1\nbranch: main\nhandoff_within: {hours}h\nscope: {{exclude: [{exclude}]}}\n")
}

fn brief(deal: &Deal, signed: Option<DateTime<Utc>>, edition: u64) -> String {
    let id = deal.id;
    let mut text = format!(
        "schema: handoff/brief/v1\nkey: hubspot-{id}\ndeal:\n  crm: hubspot\n  id: \"{id}\"\ncustomer:\n  name: Customer {id}\n  tier: edition {edition}\n"
    );
    if let Some(signed) = signed {
        let at = stamp(signed);
        let _ = write!(
            text,
            "signature:\n  provider: pandadoc\n  document_id: document-{id}\n  signed_at: {at}\n"
        );
    }
    text
}

/// A ledger in `l`, made of one stream: deliveries, drafts, edits, removals,
/// exemptions, and settings that are changed and broken in between.
fn make(sandbox: &Sandbox, seed: u64) -> World {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let first: DateTime<Utc> = "2026-10-01T06:00:00Z".parse().unwrap();
    let deals: Vec<Deal> = (1..=DEALS)
        .map(|id| Deal {
            id,
            // Some are won before the ledger has settings.
            won: first - TimeDelta::hours(12) + dice.minutes(4 * 24 * 60) + TimeDelta::minutes(1),
            is_renewal: dice.roll(3) == 0,
        })
        .collect();
    let mut stream = String::new();
    let mut at = first;
    let commit = |stream: &mut String, at: DateTime<Utc>, files: &[(String, Option<String>)]| {
        let second = at.timestamp();
        let _ = writeln!(
            stream,
            "commit refs/heads/main\ncommitter T <t@example.com> {second} +0000\ndata 1\nx"
        );
        for (path, text) in files {
            let _ = match text {
                Some(text) => {
                    writeln!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len())
                }
                None => writeln!(stream, "D {path}"),
            };
        }
    };
    let good = |dice: &mut Dice| {
        settings([1, 1, 4, 24, 72][usize::try_from(dice.roll(5)).unwrap()], dice.roll(2) == 0)
    };
    let own = "handoff.yaml".to_owned();
    commit(&mut stream, at, &[(own.clone(), Some(good(&mut dice)))]);
    for edition in 0..18 {
        at = at + dice.minutes(9 * 60) + TimeDelta::minutes(1);
        let deal = &deals[usize::try_from(dice.roll(DEALS)).unwrap()];
        let folder = format!("briefs/2026/10/customer--hubspot-{}", deal.id);
        let (file, timeline) = (format!("{folder}/brief.yaml"), format!("{folder}/timeline.yaml"));
        let signed = deal.won + dice.minutes(90) - TimeDelta::minutes(45);
        let begin = format!("schema: handoff/timeline/v1\nkey: hubspot-{}\nevents:\n", deal.id);
        let event = format!("  - {{at: {}, event: accepted, via: cli, by: sam}}\n", stamp(at));
        let exempted = format!(
            "  - {{at: {}, event: exempted, via: cli, by: boss, reason: gift}}\n",
            stamp(at)
        );
        let files = match dice.roll(12) {
            0 | 1 => vec![(own.clone(), Some(good(&mut dice)))],
            2 => vec![(own.clone(), Some("version: [\n".to_owned()))],
            3..=7 => vec![
                (file, Some(brief(deal, Some(signed), edition))),
                (timeline, Some(begin + &event)),
            ],
            8 => vec![(file, Some(brief(deal, None, edition))), (timeline, Some(begin + &event))],
            9 => vec![(timeline, Some(begin + &exempted))],
            _ => vec![(file, None), (timeline, None)],
        };
        commit(&mut stream, at, &files);
    }
    // What is checked out at the end can be read.
    at += TimeDelta::minutes(1);
    commit(&mut stream, at, &[(own, Some(good(&mut dice)))]);
    sandbox.git(".", &["init", "-q", "-b", "main", "l"]);
    let mut import = sandbox.command("git", sandbox.join("l"));
    let mut import = import.args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
    sandbox.git("l", &["reset", "-q", "--hard"]);
    let row = |deal: &Deal| {
        let kind = if deal.is_renewal { "Renewal" } else { "New" };
        let won = deal.won.format("%Y-%m-%d %H:%M");
        format!("{},Deal {},Closed Won,{won},Riley Ross,100.00,USD,true,{kind}\n", deal.id, deal.id)
    };
    let rows: String = deals.iter().map(row).collect();
    sandbox.write("deals.csv", format!("{HEADER}{rows}"));
    World { deals, first, last: at }
}

/// The rules of one time: in force from when, how many hours, renewals left out.
type Rules = (i64, i64, bool);

/// What git says of the ledger at a moment.
#[derive(Default)]
pub(crate) struct Story {
    /// When the first signed brief of a deal came, and its signature.
    delivered: BTreeMap<u64, (i64, i64)>,
    signed_at_tip: BTreeMap<u64, bool>,
    exempt_at_tip: BTreeMap<u64, bool>,
    rules: Vec<Rules>,
}

/// A value behind a name in a file of these worlds.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(name)?;
    rest.split(['\n', ',', '}']).next().map(str::trim)
}

pub(crate) fn tell(sandbox: &Sandbox, ledger: &str, as_of: DateTime<Utc>) -> Story {
    let log =
        sandbox.git(ledger, &["log", "--first-parent", "--reverse", "--format=%H %ct", "main"]);
    let mut blobs: BTreeMap<String, String> = BTreeMap::new();
    let mut story = Story::default();
    let mut last_settings = String::new();
    for line in log.lines() {
        let (commit, at) = line.split_once(' ').unwrap();
        let at: i64 = at.parse().unwrap();
        if at > as_of.timestamp() {
            break;
        }
        story.signed_at_tip.clear();
        story.exempt_at_tip.clear();
        for entry in sandbox.git(ledger, &["ls-tree", "-r", commit]).lines() {
            let (meta, path) = entry.split_once('\t').unwrap();
            let blob = meta.rsplit(' ').next().unwrap().to_owned();
            let read = || sandbox.git(ledger, &["cat-file", "-p", &blob]);
            let text = blobs.entry(blob.clone()).or_insert_with(read).clone();
            if path == "handoff.yaml" {
                // Settings that cannot be read did nothing.
                if blob != last_settings
                    && let Some(hours) = value(&text, "handoff_within:")
                {
                    let hours = hours.trim_end_matches('h').parse().unwrap();
                    story.rules.push((at, hours, text.contains("Renewal")));
                }
                last_settings = blob;
                continue;
            }
            // A ledger that was laid down has more beside its briefs.
            let Some((folder, name)) =
                path.rsplit_once('/').filter(|_| path.starts_with("briefs/"))
            else {
                continue;
            };
            let id: u64 = folder.rsplit_once("hubspot-").unwrap().1.parse().unwrap();
            if name == "timeline.yaml" {
                story.exempt_at_tip.insert(id, text.contains("event: exempted"));
            } else if name == "brief.yaml"
                && let Some(signed) = value(&text, "signed_at:")
            {
                let signed: DateTime<Utc> = signed.trim_matches('"').parse().unwrap();
                story.delivered.entry(id).or_insert((at, signed.timestamp()));
                story.signed_at_tip.insert(id, true);
            }
        }
    }
    story
}

pub(crate) fn class(deal: &Deal, story: &Story, as_of: DateTime<Utc>) -> &'static str {
    let won = deal.won.timestamp();
    // A deal that is older than all rules is judged by the last ones.
    let in_force = story.rules.iter().rev().find(|(from, ..)| *from <= won);
    let (_, hours, excludes) = in_force.or(story.rules.last()).unwrap();
    if *excludes && deal.is_renewal {
        return "excluded";
    }
    let limit = hours * 3_600;
    let delivered = story.delivered.get(&deal.id);
    if let (Some((at, signed)), true) = (delivered, story.signed_at_tip.contains_key(&deal.id)) {
        return if *at <= signed.min(&won) + limit { "on_time" } else { "late" };
    }
    if story.exempt_at_tip.get(&deal.id) == Some(&true) {
        return "exempt";
    }
    if delivered.is_some() {
        return "removed";
    }
    // A list that says midnight says a day (docs/audit.md): it counts from its end.
    let won = if won % 86_400 == 0 { won + 86_400 } else { won };
    if as_of.timestamp() <= won + limit { "pending" } else { "missing" }
}

#[test]
fn git_and_the_list_of_deals_alone_say_the_same_of_random_worlds() {
    let worlds = std::env::var("HANDOFF_WORLDS").ok().and_then(|it| it.parse().ok()).unwrap_or(14);
    let (mut judged, mut seen) = (0, BTreeMap::new());
    for seed in 1..=worlds {
        let sandbox = Sandbox::new();
        let world = make(&sandbox, seed);
        let mut dice = Dice(seed | 1 << 40);
        let span = u64::try_from((world.last - world.first).num_minutes()).unwrap() + 24 * 60;
        for cut in [world.first + dice.minutes(span), world.first + dice.minutes(span)] {
            let as_of = stamp(cut);
            let won: Vec<&Deal> = world.deals.iter().filter(|deal| deal.won <= cut).collect();
            // Of no deal there is nothing to say.
            if won.is_empty() {
                continue;
            }
            let audit = [
                "--now",
                "2027-01-01T00:00:00Z",
                "audit",
                "--deals",
                "../deals.csv",
                "--as-of",
                &as_of,
                "--format",
                "json",
            ];
            let ran = sandbox.handoff("l", &audit);
            assert!(ran.code <= 1, "world {seed} at {as_of}: {}{}", ran.stdout, ran.stderr);
            let report = ran.json();
            let rows = report["deals"].as_array().unwrap();
            let story = tell(&sandbox, "l", cut);
            assert_eq!(rows.len(), won.len(), "world {seed} at {as_of}");
            for deal in won {
                let key = format!("hubspot-{}", deal.id);
                let row = rows.iter().find(|row| row["key"] == *key).unwrap();
                let expected = class(deal, &story, cut);
                assert_eq!(
                    row["class"], expected,
                    "world {seed} at {as_of}: {row}\n{:?}",
                    story.rules
                );
                *seen.entry(expected).or_insert(0) += 1;
                judged += 1;
            }
        }
    }
    // Who compares nothing agrees with everybody.
    assert!(judged > worlds * 4, "{judged} classes of {worlds} worlds");
    if worlds >= 50 {
        assert_eq!(seen.len(), 7, "each class is met: {seen:?}");
    }
}
