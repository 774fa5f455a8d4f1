//! Writes a ledger of N handoffs and the export of the deals behind it:
//! `generate_ledger FOLDER N [YEARS]`. The same numbers give the same bytes.
//!
//! `FOLDER/ledger.git` is a bare repository with a branch `main` of some 3 N
//! commits over three years, or as many as are asked for; `FOLDER/deals.csv` is a HubSpot export of the won
//! deals, in which a few have no handoff (missed), some need none (renewals),
//! and a few handoffs have no deal.

mod content;
mod export;
mod repository;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Write as _;
use std::path::Path;

use content::Deal;
use handoff::brief::{Event, EventKind, Timeline};
use handoff::ledger::blob_id;
use repository::Repository;

/// 2026-11-20T00:00:00Z, when the last is signed.
const LAST: i64 = 1_795_132_800;
const DAY: i64 = 86_400;

/// What happens to a handoff, each at its time: commits of several handoffs
/// stand between one another as they do in a real ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Sign,
    Deliver,
    Touch,
    Edit,
    Remove,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, count, years) = match &arguments[..] {
        [folder, count] => (folder, count, 3),
        [folder, count, years] => (folder, count, years.parse()?),
        _ => return Err("usage: generate_ledger FOLDER N [YEARS]".into()),
    };
    let count: usize = count.parse()?;
    let span = (years * 365 - 10) * DAY;
    let first = LAST - span;
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    let mut random = fastrand::Rng::with_seed(20_261_122);
    let mut repository = Repository::start(&folder.join("ledger.git"))?;
    let mut export = export::Export::create(&folder.join("deals.csv"))?;

    repository.commit(first, "Set up the ledger")?;
    repository.file("schema/brief.schema.json", schema().as_bytes())?;
    repository.file("handoff.yaml", content::CONFIGURATION.as_bytes())?;

    let mut waiting: BinaryHeap<Reverse<(i64, Step, usize)>> = BinaryHeap::new();
    // What is still to happen to: its deal and its timeline so far.
    let mut open: Vec<Option<(Deal, Timeline)>> = Vec::new();
    let total = i64::try_from(count)?;
    for number in 0..total {
        let signed_at = first + 3_600 + number * span / total;
        run_until(signed_at, &mut waiting, &mut open, &mut repository)?;
        let deal = Deal::invent(&mut random, number, signed_at);
        // One handoff in a thousand belongs to no won deal.
        if random.u32(..1_000) != 0 {
            export.row(&deal, "New Business")?;
        }
        if random.u32(..100) == 0 {
            export
                .row(&Deal::invent(&mut random, number + 10_000_000, signed_at), "New Business")?;
        }
        if random.u32(..100) < 5 {
            export.row(
                &Deal::invent(&mut random, number + 20_000_000, signed_at),
                "Existing Business",
            )?;
        }
        let wait =
            if random.u32(..100) < 4 { random.i64(7_200..172_800) } else { random.i64(20..90) };
        let mut timeline = Timeline::new(deal.key());
        timeline.events.push(event(signed_at + 9, EventKind::Received, "pandadoc"));
        timeline.events.push(event(signed_at + wait, EventKind::Signed, "pandadoc"));
        let place = open.len();
        open.push(Some((deal, timeline)));
        let mut then =
            |after: i64, step| waiting.push(Reverse((signed_at + wait + after, step, place)));
        then(0, Step::Sign);
        then(random.i64(5..60), Step::Deliver);
        // One CSM in twenty is later than the 24 hours they have.
        let touched = if random.u32(..20) == 0 {
            random.i64(90_000..200_000)
        } else {
            random.i64(3_600..80_000)
        };
        then(touched, Step::Touch);
        match random.u32(..1_000) {
            0..20 => then(random.i64(4_000..150_000), Step::Edit),
            20 => then(touched + 86_400, Step::Remove),
            _ => {}
        }
    }
    run_until(i64::MAX, &mut waiting, &mut open, &mut repository)?;
    let commits = repository.finish()?;
    let rows = export.finish()?;
    writeln!(std::io::stderr(), "{count} handoffs, {commits} commits, {rows} deals")?;
    Ok(())
}

/// Commits what was to happen before this moment.
fn run_until(
    now: i64,
    waiting: &mut BinaryHeap<Reverse<(i64, Step, usize)>>,
    open: &mut [Option<(Deal, Timeline)>],
    repository: &mut Repository,
) -> std::io::Result<()> {
    while let Some(Reverse((at, step, place))) = waiting.peek().copied()
        && at < now
    {
        waiting.pop();
        let Some((deal, timeline)) = &mut open[place] else { continue };
        match step {
            Step::Sign => {
                repository.commit(at, &deal.subject("signed"))?;
                let brief = deal.brief();
                let sources = deal.sources(blob_id(brief.as_bytes()).to_string());
                if let Some(signed) = timeline.events.last_mut() {
                    signed.reference = Some(deal.document.clone());
                    signed.brief = Some(blob_id(brief.as_bytes()).to_string());
                    signed.sources = Some(blob_id(sources.as_bytes()).to_string());
                }
                repository.file(&deal.path("README.md"), deal.readme().as_bytes())?;
                repository.file(&deal.path("brief.yaml"), brief.as_bytes())?;
                repository.file(&deal.path("sources.yaml"), sources.as_bytes())?;
            }
            Step::Deliver => {
                let done = [
                    (EventKind::TaskOpened, "github"),
                    (EventKind::Notified, "slack"),
                    (EventKind::Emailed, "email"),
                    (EventKind::ProjectStarted, "asana"),
                    (EventKind::Welcomed, "welcome"),
                    (EventKind::CrmUpdated, "hubspot"),
                ];
                for (number, (kind, via)) in done.into_iter().enumerate() {
                    let mut event = event(at - 3, kind, via);
                    event.reference = Some(format!("https://{via}.example/{}/{number}", deal.id));
                    timeline.events.push(event);
                }
                repository.commit(at, &deal.subject("delivered"))?;
            }
            Step::Touch => {
                for kind in [EventKind::Accepted, EventKind::Touched] {
                    let mut event = event(at - 60, kind, "github");
                    event.by = Some("samlee".to_owned());
                    timeline.events.push(event);
                }
                repository.commit(at, &deal.subject("touched"))?;
            }
            Step::Edit => {
                deal.goal.push_str(", and in every plant they run");
                repository.commit(at, "Correct the goal after the call")?;
                repository.file(&deal.path("README.md"), deal.readme().as_bytes())?;
                repository.file(&deal.path("brief.yaml"), deal.brief().as_bytes())?;
                continue;
            }
            Step::Remove => {
                repository.commit(at, "Remove a handoff")?;
                repository.delete(&deal.folder());
                open[place] = None;
                continue;
            }
        }
        repository.file(&deal.path("timeline.yaml"), timeline.to_yaml().as_bytes())?;
    }
    Ok(())
}

fn event(at: i64, kind: EventKind, via: &str) -> Event {
    Event::new(content::time(at), kind, via)
}

/// The shipped schema, or where it is not there yet one that takes anything.
fn schema() -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/brief.schema.json");
    std::fs::read_to_string(shipped).unwrap_or_else(|_| "{\"type\": \"object\"}\n".to_owned())
}
