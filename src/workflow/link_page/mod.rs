//! The page behind a link: what a CSM or a rep sees of one handoff, and what
//! they do there. Seeing changes nothing. What they do is recorded with the
//! link's person, and never with more than the brief gives that person now.

mod answers;
mod html;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::answers::Answered;
use self::html::{LinkView, PageNotice, message};
use super::pending_pull_request::stored_draft;
use super::people::{Assignment, PersonEvent, assign, record};
use super::promises::{KeptPromise, keep_promise, promises_of};
use super::store::{LOCK_WAIT, Stored, commit};
use super::{Context, WorkflowError};
use crate::brief::{Brief, EventKind, in_words};
use crate::deliver::person;
use crate::ledger::{Change, Snapshot};
use crate::link::{Grant, LinkFault, LinkKeys, LinkRole};
use crate::model::{Key, Remarks};
use crate::text::{one_line, quoted, shorten};
use crate::yaml;

pub use self::html::STYLE as LINK_PAGE_STYLE;

/// What happened through a link, in timelines.
pub(super) const VIA: &str = "link";

/// The fields of a form, in their order.
pub type FormFields = [(String, String)];

/// The page that answers a request.
#[derive(Debug, Clone)]
pub struct LinkReply {
    /// The HTTP status.
    pub status: u16,
    /// The page.
    pub html: String,
    /// The handoff that was changed, if one was.
    pub changed: Option<Key>,
}

/// Answers a request: without a form it shows, with one it acts.
#[must_use]
pub fn link_page(
    context: &Context,
    keys: &LinkKeys,
    token: &str,
    form: Option<&FormFields>,
) -> LinkReply {
    let found = open(context, keys, token);
    let (grant, stored) = match found {
        Ok(found) => found,
        Err(reply) => return reply,
    };
    let Some(form) = form else { return shown(context, keys, &grant, &stored, 200, None, None) };
    if !is_theirs(&grant, &stored) {
        let words = "Nothing was changed: this handoff is assigned to somebody else now.";
        return shown(context, keys, &grant, &stored, 403, Some(PageNotice::error(words)), None);
    }
    let mut remarks = Remarks::default();
    let done = match grant.role {
        LinkRole::Csm => csm(context, keys, &grant, &stored, form, &mut remarks),
        LinkRole::Rep => rep(context, keys, &grant, form, &mut remarks),
    };
    for remark in &remarks {
        tracing::info!(key = grant.key.as_str(), "note: {}", crate::text::terminal(remark));
    }
    match done {
        Ok(Done { notice, status, answered, changed }) => {
            let now = stored_anywhere(context, &grant.key).ok().flatten();
            let stored = now.unwrap_or(stored);
            let reply =
                shown(context, keys, &grant, &stored, status, Some(notice), answered.as_ref());
            LinkReply { changed: changed.then(|| grant.key.clone()), ..reply }
        }
        Err(error) => {
            let (status, words) = fault(&grant.key, &error);
            // What they wrote is not lost with it.
            let kept = Answered::refused(form);
            shown(
                context,
                keys,
                &grant,
                &stored,
                status,
                Some(PageNotice::error(&words)),
                Some(&kept),
            )
        }
    }
}

/// What came of a form.
struct Done {
    status: u16,
    notice: PageNotice,
    /// What a rep wrote that was not taken over.
    answered: Option<Answered>,
    changed: bool,
}

impl Done {
    fn well(words: &str) -> Self {
        Self { status: 200, notice: PageNotice::done(words), answered: None, changed: true }
    }

    fn nothing(words: &str) -> Self {
        Self { changed: false, ..Self::well(words) }
    }

    fn refused(status: u16, words: &str) -> Self {
        let notice = PageNotice::error(words);
        Self { status, notice, answered: None, changed: false }
    }
}

/// The grant of a token and its handoff. Every answer before that is the same
/// whether the handoff exists or not.
fn open(context: &Context, keys: &LinkKeys, token: &str) -> Result<(Grant, Stored), LinkReply> {
    const INVALID: &str = "This link is not valid. Open it again from the message it came in, whole; or ask for a new one.";
    let grant = keys.read(token, context.now).map_err(|fault| match fault {
        LinkFault::Invalid => message(403, "This link is not valid", INVALID),
        LinkFault::Expired => {
            message(403, "This link has expired", "It is no longer valid. Ask for a new one.")
        }
    })?;
    let unavailable = |error: &WorkflowError| {
        tracing::error!(%error, "a page behind a link cannot be shown");
        message(503, "Not now", "The handoff cannot be read at the moment. Try again in a minute.")
    };
    if is_revoked(context, &grant).map_err(|error| unavailable(&error))? {
        let words = "Somebody withdrew it. Ask for a new one.";
        return Err(message(403, "This link was withdrawn", words));
    }
    let stored = stored_anywhere(context, &grant.key).map_err(|error| unavailable(&error))?;
    match stored.filter(|stored| stored.brief.is_some()) {
        Some(stored) => Ok((grant, stored)),
        None => Err(message(403, "This link is not valid", INVALID)),
    }
}

/// The handoff: signed, or a draft on its branch.
///
/// # Errors
/// When the ledger or one of the two files cannot be read.
pub fn stored_anywhere(context: &Context, key: &Key) -> Result<Option<Stored>, WorkflowError> {
    match context.stored(key, None)? {
        Some(stored) => Ok(Some(stored)),
        None => Ok(stored_draft(context, key)?.map(|(_, stored)| stored)),
    }
}

/// Whether the brief still names the link's person in its role.
fn is_theirs(grant: &Grant, stored: &Stored) -> bool {
    let brief = stored.brief.as_ref().map(Brief::json);
    brief.and_then(|brief| person(brief, grant.role)).is_some_and(|it| it == grant.person)
}

fn shown(
    context: &Context,
    keys: &LinkKeys,
    grant: &Grant,
    stored: &Stored,
    status: u16,
    notice: Option<PageNotice>,
    answered: Option<&Answered>,
) -> LinkReply {
    let is_theirs = is_theirs(grant, stored);
    let view = LinkView::of(context, keys, grant, stored, is_theirs, notice, answered);
    match view {
        Ok(view) => LinkReply { status, html: view.page(), changed: None },
        Err(error) => {
            tracing::error!(%error, "a page behind a link cannot be shown");
            let words = "The handoff cannot be shown at the moment. Try again in a minute.";
            message(503, "Not now", words)
        }
    }
}

/// What an error says to a person who has no shell.
fn fault(key: &Key, error: &WorkflowError) -> (u16, String) {
    match error {
        WorkflowError::DoesNotFit { message, .. } => {
            (409, format!("Nothing was changed: {message}."))
        }
        WorkflowError::NoPromise { there, .. } => {
            (409, format!("Nothing was changed: there is no such promise any more; {there}."))
        }
        error => {
            tracing::error!(key = key.as_str(), %error, "what was sent through a link was not recorded");
            let words = "It could not be recorded at the moment. What you wrote is still below; send it again in a minute.";
            (503, words.to_owned())
        }
    }
}

pub(super) fn field<'a>(form: &'a FormFields, name: &str) -> &'a str {
    let found = form.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| value.trim()).unwrap_or_default()
}

/// Whether the brief is the one that the page showed.
fn is_as_seen(keys: &LinkKeys, form: &FormFields, stored: &Stored) -> bool {
    let (seen, _) = keys.unseal(&stored.timeline.key, field(form, "seen"));
    seen.is_empty() || stored.brief_blob.as_deref() == Some(seen)
}

/// What the link's person has done, as it is recorded.
fn told(grant: &Grant, kind: EventKind, reason: Option<String>) -> PersonEvent {
    PersonEvent {
        proven: Vec::new(),
        kind,
        by: grant.person.clone(),
        reason,
        at: None,
        via: VIA.to_owned(),
        reference: None,
        customer: None,
    }
}

fn csm(
    context: &Context,
    keys: &LinkKeys,
    grant: &Grant,
    stored: &Stored,
    form: &FormFields,
    remarks: &mut Remarks,
) -> Result<Done, WorkflowError> {
    let mut put = |event: &PersonEvent, done: &str, again: &str| {
        let recorded = record(context, &grant.key, event, remarks)?;
        Ok(if recorded.is_some() { Done::well(done) } else { Done::nothing(again) })
    };
    match field(form, "do") {
        "accept" if !is_as_seen(keys, form, stored) => Ok(Done::refused(
            409,
            "The brief has changed since you opened this page. Nothing was accepted: read it again below, then accept.",
        )),
        "accept" => put(
            &told(grant, EventKind::Accepted, None),
            "You have accepted the handoff.",
            "You had accepted it already; nothing new.",
        ),
        "return" => {
            let reason = field(form, "reason");
            if reason.is_empty() {
                let words = "Say what is missing or wrong: the rep is told in your words.";
                return Ok(Done::refused(422, words));
            }
            let done = "You have returned the handoff. The rep is told, in your words.";
            let again = "You had returned it with these words already; nothing new.";
            put(&told(grant, EventKind::Returned, Some(reason.to_owned())), done, again)
        }
        "touch" => {
            let (how, whom) = (field(form, "how"), field(form, "whom"));
            if how.is_empty() || whom.is_empty() {
                return Ok(Done::refused(422, "Say how you were in touch, and with whom."));
            }
            let reason = one_line(&format!("{how} with {whom}"));
            let done = "Your first touch is recorded.";
            let again = "Your first touch was recorded before; a later one is not added to it.";
            put(&told(grant, EventKind::Touched, Some(reason)), done, again)
        }
        "assign" => {
            let assignment = Assignment {
                to: field(form, "to").to_owned(),
                by: Some(grant.person.clone()),
                at: None,
                via: VIA.to_owned(),
                reason: Some(field(form, "reason").to_owned()).filter(|it| !it.is_empty()),
            };
            let given = assign(context, &grant.key, &assignment, remarks)?;
            Ok(match given {
                Some(_) => {
                    Done::well("You have given the handoff to somebody else; both of you are told.")
                }
                None => Done::nothing("They have it already; nothing new."),
            })
        }
        "keep" => {
            let number = field(form, "number").parse::<usize>().unwrap_or_default();
            // The list may have been reordered since the page was opened.
            let words = field(form, "promise");
            let is_meant = promises_of(context, stored)
                .iter()
                .any(|it| it.number == number && (words.is_empty() || it.promise == words));
            if !is_meant {
                let words = "The promises have changed since you opened this page. Nothing was recorded: look again below.";
                return Ok(Done::refused(409, words));
            }
            let kept = KeptPromise { at: context.now, by: Some(grant.person.clone()) };
            let reason = Some(field(form, "reason")).filter(|it| !it.is_empty());
            let recorded = keep_promise(context, &grant.key, number, &kept, reason, VIA, remarks)?;
            Ok(match recorded {
                Some(promise) => Done::well(&format!("Kept: {}", quoted(&promise.promise))),
                None => Done::nothing("It was recorded as kept already."),
            })
        }
        _ => Ok(Done::refused(400, "Nothing was changed: the form was empty.")),
    }
}

fn rep(
    context: &Context,
    keys: &LinkKeys,
    grant: &Grant,
    form: &FormFields,
    remarks: &mut Remarks,
) -> Result<Done, WorkflowError> {
    match field(form, "do") {
        "answer" => {
            let answered = answers::take(context, keys, grant, form, remarks)?;
            let (status, words) = answered.words();
            let notice =
                if status == 200 { PageNotice::done(&words) } else { PageNotice::error(&words) };
            let changed = answered.saved > 0;
            Ok(Done { status, notice, answered: Some(answered), changed })
        }
        "resubmit" => {
            let reason = Some(field(form, "reason").to_owned()).filter(|it| !it.is_empty());
            let event = told(grant, EventKind::Resubmitted, reason);
            Ok(match record(context, &grant.key, &event, remarks)? {
                Some(_) => Done::well("The CSM is told that the handoff was resubmitted."),
                None => Done::nothing("The CSM was told already."),
            })
        }
        _ => Ok(Done::refused(400, "Nothing was changed: the form was empty.")),
    }
}

/// The answer that a brief gives at a pointer now, for people.
pub(super) fn answer_in_words(brief: &Value, pointer: &str) -> Option<String> {
    let value = brief.pointer(pointer)?;
    Some(match value {
        Value::Null => return None,
        other => one_line(&in_words(other)),
    })
    .filter(|text| !text.is_empty())
}

// Links that were withdrawn: a file in the ledger, where every server and
// every clone sees it.

/// The file, in the ledger's root.
const FILE: &str = "revoked-links.yaml";

/// That links made up to a moment do not count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Links that were made up to then.
    pub at: DateTime<Utc>,
    /// Of which handoff (its key) or person (their address).
    pub of: String,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in their words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocations {
    revoked: Vec<Revocation>,
}

/// Withdraws every link of a handoff or person that was made so far.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn revoke_links(
    context: &Context,
    of: &str,
    by: Option<&str>,
    reason: Option<&str>,
    remarks: &mut Remarks,
) -> Result<(), WorkflowError> {
    let mut writer = context.ledger.lock(LOCK_WAIT)?;
    let mut all = read(&writer.snapshot()?)?;
    let word = |text: Option<&str>| text.map(|text| shorten(&one_line(text), 500));
    let of = one_line(of).to_lowercase();
    all.revoked.push(Revocation { at: context.now, of, by: word(by), reason: word(reason) });
    let change = Change::new("", "handoff: links are withdrawn", context.moment())
        .put(FILE, yaml::write(&json!({"revoked": all.revoked})));
    commit(&mut writer, None, &change, remarks).map(drop)
}

/// Whether the link of a grant was withdrawn after it was made.
///
/// # Errors
/// When the file cannot be read; then no link counts.
pub(super) fn is_revoked(context: &Context, grant: &Grant) -> Result<bool, WorkflowError> {
    let all = read(&context.ledger.snapshot()?)?;
    Ok(all
        .revoked
        .iter()
        .any(|it| grant.issued <= it.at && (it.of == grant.key.as_str() || it.of == grant.person)))
}

fn read(snapshot: &Snapshot) -> Result<Revocations, WorkflowError> {
    let Some(bytes) = snapshot.read(FILE)? else { return Ok(Revocations::default()) };
    yaml::read(&bytes)
        .and_then(|node| yaml::from_node(&node))
        .map_err(|error| WorkflowError::File { file: FILE.to_owned(), error })
}
