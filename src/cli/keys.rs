//! A handoff as people name it: its key or the beginning of it, the deal's id,
//! the customer, the folder, or the address of the task.

use std::collections::BTreeSet;

use super::error::CliError;
use super::exit::Exit;
use crate::ledger::{BRIEFS, LONGEST_SLUG, key_of};
use crate::model::Key;
use crate::text::{nearest, quoted, shorten, slug};
use crate::workflow::{self, Context, Horizon};

/// How many readings mean a whole name, and not the beginning of one.
const WHOLE: usize = 2;

/// How many candidates a message lists.
const SHOWN: usize = 5;

/// One way to understand the text: whether a key and its customer fit it.
type Fits<'a> = &'a dyn Fn(&Key, &str) -> bool;

/// The handoff that is meant. A key that the ledger does not have is given
/// back where nothing is near it: it may be on its way.
///
/// # Errors
/// When nothing or more than one handoff fits.
pub(super) fn find_key(text: &str, context: &Context) -> Result<Key, CliError> {
    find(text, context, true)
}

/// The same for a command that records something: the beginning of a key or a
/// name is not enough, as `hubspot-1` may be meant and `hubspot-12` be there.
///
/// # Errors
/// As for [`find_key`].
pub(super) fn find_whole_key(text: &str, context: &Context) -> Result<Key, CliError> {
    find(text, context, false)
}

/// The same for what can be said of a signed handoff only.
///
/// # Errors
/// As for [`find_key`], and for a draft.
pub(super) fn find_signed_key(text: &str, context: &Context) -> Result<Key, CliError> {
    let key = find_whole_key(text, context)?;
    refuse_draft(&key, context)?;
    Ok(key)
}

/// The handoffs of several names, none of them a draft.
///
/// # Errors
/// As for [`find_signed_key`].
pub(super) fn find_signed_keys(texts: &[String], context: &Context) -> Result<Vec<Key>, CliError> {
    let find = |text: &String| {
        let key = find_key(text, context)?;
        refuse_draft(&key, context).map(|()| key)
    };
    texts.iter().map(find).collect()
}

/// Refuses a draft where the ledger's branch has nothing of its key.
fn refuse_draft(key: &Key, context: &Context) -> Result<(), CliError> {
    if context.stored(key, None)?.is_some() || workflow::stored_anywhere(context, key)?.is_none() {
        return Ok(());
    }
    Err(CliError::could_not(format!("{key} is a draft: nobody has signed it yet")).help(format!(
        "`handoff status {key}` shows what it lacks; this can be done once it is signed"
    )))
}

fn find(text: &str, context: &Context, beginnings: bool) -> Result<Key, CliError> {
    let text = text.trim();
    let parsed = Key::parse(text);
    let unusable = |why: String| {
        CliError::usage(why).help(format!(
            "name a handoff by its key (hubspot-9876543210) or the beginning of it, the deal's id, \
             the customer, its folder below {BRIEFS}/, or the task's address; `handoff status --all` lists every one"
        ))
    };
    // Every key begins with nothing.
    if text.is_empty() {
        return Err(unusable("the name of a handoff is empty".to_owned()));
    }
    if let Ok(key) = &parsed
        && workflow::stored_anywhere(context, key)?.is_some()
    {
        return Ok(key.clone());
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return of_address(text, context);
    }
    // A folder or a file in it, as a shell completes it.
    let of_path = text.split(['/', '\\']).rev().filter(|part| part.contains("--")).find_map(key_of);
    if let (true, Some(key)) = (text.contains("--"), of_path) {
        return Ok(key);
    }
    let (folders, _) = context.ledger.folders(None)?.into_parts();
    let customer_in = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once("--").map_or("", |(customer, _)| customer).to_owned()
    };
    let mut known: BTreeSet<(Key, String)> = folders
        .into_iter()
        .filter_map(|folder| Some((folder.key?, customer_in(&folder.path))))
        .collect();
    for key in context.ledger.draft_keys()? {
        if let Some(draft) = workflow::stored_anywhere(context, &key)? {
            known.insert((key, customer_in(&draft.folder)));
        }
    }
    let lower = text.to_lowercase();
    let wanted = slug(text, LONGEST_SLUG);
    // The surest reading that fits anything decides.
    let readings: [Fits<'_>; 4] = [
        &|key, _| key.as_str().split_once('-').is_some_and(|(_, id)| id == lower),
        &|_, customer| customer == wanted,
        &|key, _| key.as_str().starts_with(&lower),
        &|_, customer| customer.starts_with(&wanted),
    ];
    for (at, fits) in readings.iter().enumerate() {
        let found: Vec<&(Key, String)> =
            known.iter().filter(|(key, customer)| fits(key, customer)).collect();
        match found.as_slice() {
            [] => {}
            [(key, _)] if beginnings || at < WHOLE => return Ok(key.clone()),
            [(key, customer)] => {
                return Err(CliError::nothing(format!(
                    "{} is only the beginning of a handoff's name",
                    quoted(text)
                ))
                .help(format!("write all of it, as this is recorded: `{key}` or `{customer}`")));
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .take(SHOWN)
                    .map(|(key, customer)| format!("{key} ({customer})"))
                    .collect();
                let more = several.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                return Err(CliError::usage(format!(
                    "{} may be {} handoffs: {}{more}",
                    quoted(text),
                    several.len(),
                    names.join(", ")
                ))
                .help("write more of the key"));
            }
        }
    }
    // `nortwind` is near the first word of `northwind-robotics`.
    let first = |customer: &'_ str| customer.split('-').next().unwrap_or_default().len();
    let words = known.iter().flat_map(|(key, customer)| {
        [key.as_str(), customer.as_str(), &customer[..first(customer)]]
    });
    match (nearest(&lower, words), parsed) {
        (Some(near), _) => {
            let whole = known.iter().map(|(_, customer)| customer.as_str());
            let near = whole.clone().find(|it| *it == near).unwrap_or_else(|| {
                let mut of_first = whole.filter(|it| &it[..first(it)] == near);
                of_first.next().unwrap_or(near)
            });
            Err(CliError::nothing(format!("the ledger has no handoff {}", shorten(text, 60)))
                .help(format!("did you mean `{near}`? `handoff status --all` lists every one")))
        }
        (None, Ok(key)) => Ok(key),
        (None, Err(error)) => Err(unusable(error.to_string())),
    }
}

/// The same for a deal that need not have a handoff: a whole key that the ledger
/// does not have is that key, and never the beginning of another.
///
/// # Errors
/// As for [`find_key`].
pub(super) fn find_or_new_key(text: &str, context: &Context) -> Result<Key, CliError> {
    match (find_whole_key(text, context), Key::parse(text.trim())) {
        (Err(error), Ok(key)) if error.exit == Exit::Nothing && key.as_str().contains('-') => {
            Ok(key)
        }
        (found, _) => found,
    }
}

/// The handoff in whose timeline an address stands: its task, its pull request.
fn of_address(address: &str, context: &Context) -> Result<Key, CliError> {
    let wanted = address.trim_end_matches('/');
    let since = chrono::DateTime::UNIX_EPOCH;
    let (keys, _) = workflow::keys_within(context, Horizon { since })?;
    for key in keys.into_iter().rev() {
        let Some(stored) = context.stored(&key, None)? else { continue };
        let names_it = stored.timeline.events.iter().any(|event| {
            event.reference.as_deref().is_some_and(|it| it.trim_end_matches('/') == wanted)
        });
        if names_it {
            return Ok(key);
        }
    }
    // A link to the folder or the page on a forge.
    address.split('/').rev().find_map(key_of).ok_or_else(|| {
        CliError::nothing(format!("no handoff has a task at {}", quoted(address)))
            .help("name it by its key; `handoff status --all` lists every one")
    })
}
