//! `handoff demo`: a small company end to end, through the real code.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::SecretString;
use sha2::Sha256;

use super::environment::Environment;
use super::error::CliError;
use super::exit::Exit;
use super::init::not_a_file;
use super::invocation::Invocation;
use super::open::{Ports, open};
use crate::audit::AuditReport;
use crate::brief::EventKind;
use crate::esign::{Providers, Received, Request, confirm};
use crate::ledger::{Identity, Ledger};
use crate::model::{Key, Remarks, Secrets, SignatureEvent};
use crate::report::Options;
use crate::text::shell_word;
use crate::workflow::{self, Context, DealSource, PersonEvent, SignRequest};

const FOLDER: &str = "handoff-demo";
/// The moment at which the story is told.
const AS_OF: &str = "2026-11-20T17:00:00Z";
const PANDADOC_KEY: &str = "demo-shared-key";
const STANDARD_SECRET: &str = "whsec_ZGVtby1zZWNyZXQtZm9yLXRoZS1kZW1vLTMyYg==";

const FILES: &[(&str, &str)] = &[
    ("handoff.yaml", include_str!("../../templates/demo/handoff.yaml")),
    ("deals.csv", include_str!("../../templates/demo/deals.csv")),
    ("contacts.csv", include_str!("../../templates/demo/contacts.csv")),
    ("line-items.csv", include_str!("../../templates/demo/line-items.csv")),
];

/// One webhook of the story: provider, body, and how long it took to arrive.
struct Webhook {
    provider: &'static str,
    name: &'static str,
    body: &'static str,
    arrives: &'static str,
}

const WEBHOOKS: &[Webhook] = &[
    Webhook {
        provider: "standard-webhooks",
        name: "04-ember-care.standard-webhooks.json",
        body: include_str!("../../templates/demo/events/04-ember-care.standard-webhooks.json"),
        arrives: "2026-11-13T12:20:00Z",
    },
    Webhook {
        provider: "pandadoc",
        name: "01-acme-corp.pandadoc.json",
        body: include_str!("../../templates/demo/events/01-acme-corp.pandadoc.json"),
        arrives: "2026-11-17T15:02:40Z",
    },
    Webhook {
        provider: "pandadoc",
        name: "02-northwind-robotics.pandadoc.json",
        body: include_str!("../../templates/demo/events/02-northwind-robotics.pandadoc.json"),
        arrives: "2026-11-18T16:43:05Z",
    },
    Webhook {
        provider: "pandadoc",
        name: "03-brightwater-logistics.pandadoc.json",
        body: include_str!("../../templates/demo/events/03-brightwater-logistics.pandadoc.json"),
        arrives: "2026-11-19T14:44:30Z",
    },
];

/// One act of the story.
enum Act {
    Webhook(&'static Webhook),
    Person(&'static str, PersonEvent),
}

/// The arguments of `demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder to make
    #[arg(value_name = "DIR", default_value = FOLDER)]
    dir: PathBuf,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, invocation: &Invocation) -> Result<Exit, CliError> {
    let dir = invocation.path(&arguments.dir);
    not_a_file(&dir, &arguments.dir)?;
    let occupied = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if occupied {
        return Err(CliError::usage(format!(
            "{} is there already, and the demo overwrites nothing",
            arguments.dir.display()
        ))
        // Only its own folder is the demo's to say so of.
        .help(format!(
            "{}name another folder: handoff demo {}",
            if arguments.dir == Path::new(FOLDER) { "delete it, or " } else { "" },
            shell_word(&another(&arguments.dir).display().to_string())
        )));
    }
    lay_out(&dir, invocation)?;
    let tell = |line: String| match invocation.verbose {
        0 => Ok(()),
        _ => invocation.print(line),
    };
    tell("What happened\n".to_owned())?;
    let mut acts: Vec<(DateTime<Utc>, Act)> =
        WEBHOOKS.iter().map(|w| (moment(w.arrives), Act::Webhook(w))).collect();
    acts.extend(
        people()
            .into_iter()
            .map(|(key, event)| (event.at.unwrap_or_else(as_of), Act::Person(key, event))),
    );
    acts.sort_by_key(|(at, _)| *at);
    for (at, act) in acts {
        let context = open_at(&dir, at, invocation)?;
        match act {
            Act::Webhook(webhook) => tell(sign_one(&context, webhook, at, invocation)?)?,
            Act::Person(key, event) => tell(person(&context, key, &event, at)?)?,
        }
    }
    let here = at(&dir, as_of(), invocation);
    if invocation.verbose > 0 {
        invocation.print("\nhandoff validate\n")?;
        let shown = super::validate::run_default(&here)?;
        debug_assert!(shown <= Exit::Findings, "the demo's briefs can be read");
        invocation.print("\n")?;
    }
    let report = super::audit::of_demo(&here, AS_OF)?;
    let made = files_below(&dir, &["outbox", "audit.html"])?;
    workflow::commit_files(&dir, "demo: what would have been sent, and the audit", made, as_of())?;
    // It is whole before anything is said of it.
    invocation
        .print(story(&dir)? + &found(&report, invocation) + &look(&arguments.dir, invocation))?;
    Ok(Exit::Clean)
}

/// The handoff that the story follows.
const FOLLOWED: &str = "hubspot-9876543210";

/// The contract, the brief, the task and the message of one handoff, each from
/// the file that holds it.
fn story(dir: &Path) -> Result<String, CliError> {
    let brief = "briefs/2026/11/acme-corp--hubspot-9876543210/README.md";
    let mut text =
        "Tidewater Software sells a platform. One of its contracts is signed, and this is what\n\
                    happens next, without anybody doing anything. All of it ran through the real code.\n"
            .to_owned();
    let mut part = |title: &str, file: &str, lines: Vec<String>| {
        text.push_str(&format!("\n{title}   {file}\n"));
        for line in lines {
            text.push_str(&format!("  | {line}\n"));
        }
    };
    part(
        "1. The contract",
        "events/01-acme-corp.pandadoc.json",
        vec![
            "PandaDoc says: \"Acme Corp order form\" is signed by Dana Wu, USD 48,000.00"
                .to_owned(),
        ],
    );
    let page = std::fs::read_to_string(dir.join(brief))?;
    part("2. The brief", brief, excerpt(&page, 9));
    let sent = |name: &str| -> Result<(String, String), CliError> {
        let file = format!("outbox/{FOLLOWED}/{name}");
        let text = std::fs::read_to_string(dir.join(&file))?;
        Ok((file, text))
    };
    let (file, task) = sent("01-task_opened.md")?;
    part("3. The CSM's task", &file, excerpt(&task, 5));
    let (file, message) = sent("02-notified.md")?;
    part("4. The team's message", &file, excerpt(&message, 3));
    Ok(text)
}

/// The first lines of a page, as plain text that fits a terminal.
fn excerpt(page: &str, lines: usize) -> Vec<String> {
    let plain = |line: &str| {
        let bare = line.trim_start_matches(['>', '#', ' ']);
        let bare = without_links(&bare.replace("**", ""));
        let bare = bare.replace("\\(", "(").replace("\\)", ")");
        crate::text::shorten(&bare.replace("\\_", "_").replace("&#8203;", ""), 92)
    };
    page.lines()
        .filter(|line| !line.starts_with("<!--") && !line.contains("[!"))
        .map(plain)
        .filter(|line| !line.trim().is_empty())
        .take(lines)
        .collect()
}

/// Each link's words without its address.
fn without_links(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, from)) = rest.split_once('[') {
        let Some((words, (_, after))) = from
            .split_once("](")
            .and_then(|(words, address)| Some((words, address.split_once(')')?)))
        else {
            break;
        };
        text.push_str(before);
        text.push_str(words);
        rest = after;
    }
    text + rest
}

/// What the audit found, a line each.
fn found(report: &AuditReport, invocation: &Invocation) -> String {
    let options = Options { color: invocation.color, width: None };
    let mut text = "\n5. A week later, the audit   audit.html\n".to_owned();
    for line in crate::report::audit_in_short(report, &options, 92) {
        text.push_str(&format!("  | {line}\n"));
    }
    text
}

/// The files at or below these places, as text.
fn files_below(dir: &Path, places: &[&str]) -> Result<Vec<(String, String)>, CliError> {
    let mut open: Vec<PathBuf> = places.iter().map(|place| dir.join(place)).collect();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in path.read_dir()? {
                open.push(entry?.path());
            }
        } else {
            let shown = path.strip_prefix(dir).unwrap_or(&path).display().to_string();
            files.push((shown, std::fs::read_to_string(&path)?));
        }
    }
    Ok(files)
}

fn lay_out(dir: &Path, invocation: &Invocation) -> Result<(), CliError> {
    let started = moment("2026-11-02T09:00:00Z");
    let events = WEBHOOKS.iter().map(|it| (format!("events/{}", it.name), it.body.to_owned()));
    let files = FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let files: Vec<(String, String)> = files.chain(events).collect();
    for (name, text) in &files {
        let file = dir.join(name);
        let made = std::fs::create_dir_all(file.parent().unwrap_or(dir));
        made.and_then(|()| std::fs::write(&file, text)).map_err(|error| {
            CliError::could_not(format!("{} cannot be written: {error}", file.display())).help(
                "run it in a folder that this user may write to, or name one: handoff demo DIR",
            )
        })?;
    }
    let setup = workflow::Setup {
        crm: "file".to_owned(),
        deals: "deals.csv".to_owned(),
        ..workflow::Setup::default()
    };
    // A repository of its own, wherever the folder lies.
    // Whose git signs everything, or filters files, is not asked for keys by a demo.
    Ledger::init(dir)?.make_plain()?;
    workflow::init(dir, &setup, started)?;
    workflow::commit_files(dir, "demo: the company's settings and exports", files, started)?;
    if invocation.verbose > 0 {
        invocation.say(format!("made {}", dir.display()));
    }
    Ok(())
}

/// A webhook as its provider sends it: signed, verified, confirmed, handed over.
fn sign_one(
    context: &Context,
    webhook: &Webhook,
    arrives: DateTime<Utc>,
    invocation: &Invocation,
) -> Result<String, CliError> {
    let mut told = String::new();
    let providers = Providers::new(&context.config.esign, &crate::crm::reference_rules());
    let provider = providers
        .by_name(webhook.provider)
        .ok_or_else(|| CliError::could_not("a demo provider is gone"))?;
    let (headers, query) = proof(webhook, arrives);
    let request = Request {
        method: &Method::POST,
        headers: &headers,
        query: query.as_deref(),
        body: webhook.body.as_bytes(),
    };
    let received = provider
        .receive(&request, &secrets(), arrives)
        .map_err(|rejection| CliError::could_not(format!("{}: {rejection}", webhook.name)))?;
    let Received::Notification(verified) = received else { return Ok(told) };
    let confirmed = invocation
        .block_on(confirm(verified, None))?
        .map_err(|error| CliError::could_not(format!("{}: {error}", webhook.name)))?;
    for event in confirmed.events {
        let SignatureEvent::Completed(signature) = event else { continue };
        let request = SignRequest {
            source: DealSource::Signature(Box::new(signature)),
            received_at: Some(arrives),
            backfilled: false,
        };
        let (signed, delivered) = invocation.block_on(async {
            let signed = workflow::sign(context, &request).await?;
            let delivered = workflow::deliver(context, &signed.key, false, false).await?;
            Ok::<_, workflow::WorkflowError>((signed, delivered))
        })??;
        let sent = delivered.results.iter().filter(|result| result.outcome.is_ok()).count();
        let brief = match signed.missing.len() {
            0 => "its brief is complete".to_owned(),
            some => format!("its brief lacks {}", crate::model::count(some, "answer")),
        };
        let title = provider.title();
        let outbox = crate::model::count_of(sent, "delivery", "deliveries");
        let when = arrives.format("%m-%d %H:%M");
        told.push_str(&format!(
            "  {when}  {:<20} signed ({title}); {brief}; {outbox} in the outbox\n",
            customer(&signed.path)
        ));
    }
    Ok(told)
}

/// What the provider proves its requests with.
fn proof(webhook: &Webhook, arrives: DateTime<Utc>) -> (HeaderMap, Option<String>) {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if webhook.provider == "pandadoc" {
        let mut mac = Hmac::<Sha256>::new_from_slice(PANDADOC_KEY.as_bytes())
            .expect("a key of any length is fine");
        mac.update(webhook.body.as_bytes());
        return (headers, Some(format!("signature={}", hex::encode(mac.finalize().into_bytes()))));
    }
    let signer =
        standardwebhooks::Webhook::new(STANDARD_SECRET).expect("the demo's secret is well formed");
    let id = "msg_demo";
    let signature =
        signer.sign(id, arrives.timestamp(), webhook.body.as_bytes()).expect("the body is UTF-8");
    let values = [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", arrives.timestamp().to_string()),
        ("webhook-signature", signature),
    ];
    for (name, value) in values {
        headers.insert(
            name,
            HeaderValue::from_str(&value).expect("ids, times and base64 are header text"),
        );
    }
    (headers, None)
}

/// What people add to the story.
fn people() -> Vec<(&'static str, PersonEvent)> {
    let told = |kind, by: &str, at: &str, reason: Option<&str>| PersonEvent {
        kind,
        by: by.to_owned(),
        reason: reason.map(str::to_owned),
        at: Some(moment(at)),
        via: "cli".to_owned(),
        reference: None,
        customer: None,
        proven: Vec::new(),
    };
    let exempted = PersonEvent {
        customer: Some("Hartline Media".to_owned()),
        ..told(
            EventKind::Exempted,
            "Alex Kim, RevOps",
            "2026-11-16T10:00:00Z",
            Some("a paid pilot that ended before it began"),
        )
    };
    vec![
        ("hubspot-9876543213", told(EventKind::Touched, "samlee", "2026-11-16T14:00:00Z", None)),
        ("hubspot-9876543216", exempted),
        ("hubspot-9876543210", told(EventKind::Touched, "samlee", "2026-11-18T09:30:00Z", None)),
        ("hubspot-9876543210", told(EventKind::Accepted, "samlee", "2026-11-18T09:35:00Z", None)),
        ("hubspot-9876543212", told(EventKind::Touched, "noorh", "2026-11-20T09:40:00Z", None)),
        (
            "hubspot-9876543212",
            told(
                EventKind::Returned,
                "noorh",
                "2026-11-20T10:05:00Z",
                Some("unanswered: no success metric, no promises"),
            ),
        ),
    ]
}

fn person(
    context: &Context,
    key: &str,
    event: &PersonEvent,
    at: DateTime<Utc>,
) -> Result<String, CliError> {
    let key = Key::parse(key).map_err(|error| CliError::could_not(error.to_string()))?;
    workflow::record(context, &key, event, &mut Remarks::default())?;
    let folder = context.stored(&key, None)?.map(|stored| stored.folder).unwrap_or_default();
    let reason = event.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
    let word = event.kind.words();
    Ok(format!(
        "  {}  {:<20} {word} by {}{reason}\n",
        at.format("%m-%d %H:%M"),
        customer(&folder),
        event.by
    ))
}

/// The customer's part of a folder's name.
fn customer(folder: &str) -> &str {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    name.rsplit_once("--").map_or(name, |(customer, _)| customer)
}

/// A further folder, beside that one.
fn another(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or(FOLDER.as_ref()).to_string_lossy();
    dir.with_file_name(format!("{name}-2"))
}

/// Where to look, with commands that run as they stand, from where the reader is.
fn look(dir: &Path, invocation: &Invocation) -> String {
    let handoff = invocation.environment.program_here();
    let within = invocation.environment.folder_here(dir);
    let other = invocation.environment.folder_here(&another(dir));
    format!(
        "\nWhere to look: in {within}, audit.html is the audit as a page\n\
         \x20 git -C {within} log --stat    what was written, commit by commit\n\
         \x20 {handoff} -C {within} status --all\n\
         \x20 {handoff} -C {within} status {FOLLOWED}\n\
         \x20 {handoff} -C {within} audit --deals deals.csv --as-of {AS_OF}\n\
         \x20 {handoff} -C {within} backfill --deals deals.csv --dry-run\n\
         \x20 {handoff} demo {other} --verbose    the whole story\n"
    )
}

fn open_at(dir: &Path, now: DateTime<Utc>, invocation: &Invocation) -> Result<Context, CliError> {
    let mut context =
        open(&at(dir, now, invocation), Ports { crm: true, sinks: true, push: false })?;
    // Whoever plays the demo may be called as somebody of the story.
    context.ledger = context.ledger.signed_by(Identity::default());
    Ok(context)
}

/// The same surroundings in the demo's folder, at another moment and without
/// anybody's secrets.
fn at(dir: &Path, now: DateTime<Utc>, invocation: &Invocation) -> Invocation {
    Invocation {
        environment: Environment {
            variables: std::collections::BTreeMap::new(),
            ..invocation.environment.clone()
        },
        now,
        is_now_given: true,
        folder: dir.to_path_buf(),
        color: invocation.color,
        color_stderr: invocation.color_stderr,
        quiet: invocation.quiet,
        verbose: 0,
        public_url: None,
        said: None,
    }
}

fn secrets() -> Secrets {
    Secrets::new([
        ("PANDADOC_WEBHOOK_KEY".to_owned(), SecretString::from(PANDADOC_KEY)),
        ("STANDARD_WEBHOOKS_SECRET".to_owned(), SecretString::from(STANDARD_SECRET)),
    ])
}

fn as_of() -> DateTime<Utc> {
    moment(AS_OF)
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|_| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::zero())
}
