//! Which handoffs are of one customer. What is needed of each brief is kept
//! beside the ledger's objects, with the tree that it was read from: only what
//! has changed since is read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::promises::open_promises;
use super::store::{Stored, stored_in};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{Brief, View};
use crate::disk::{self, Access};
use crate::ledger::{Folder, Snapshot};
use crate::model::{Key, ObjectId};
use crate::text::shorten;

/// The form of the file; it grows with every change of [`Entry`].
const FORMAT: u32 = 1;
/// Reading so few briefs costs less than writing the file.
const WORTH_WRITING: usize = 64;
/// So many earlier handoffs stand in a brief, the newest ones.
const SHOWN: usize = 10;

/// Words at the end of a company's name that say what kind of company it is.
const LEGAL: [&str; 22] = [
    "inc",
    "incorporated",
    "corp",
    "corporation",
    "co",
    "company",
    "llc",
    "llp",
    "lp",
    "ltd",
    "limited",
    "plc",
    "gmbh",
    "ag",
    "kg",
    "sa",
    "sas",
    "sarl",
    "bv",
    "nv",
    "ab",
    "kk",
];
/// Sites on which many companies have a page.
const SHARED_SITES: [&str; 6] =
    ["linkedin.com", "facebook.com", "instagram.com", "x.com", "twitter.com", "github.com"];

/// By what two handoffs are known to be of one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchedBy {
    CompanyId,
    Domain,
    Name,
}

impl MatchedBy {
    fn words(self) -> &'static str {
        match self {
            Self::CompanyId => "company id",
            Self::Domain => "domain",
            Self::Name => "name",
        }
    }
}

/// What a customer is known by, the surest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// CRM and id of the company.
    company: Option<(String, String)>,
    domain: Option<String>,
    name: Option<String>,
}

impl Identity {
    fn of(brief: &Value) -> Self {
        let text = |pointer: &str| {
            let text = brief.pointer(pointer).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty())
        };
        let company = text("/deal/crm").zip(text("/deal/company_id"));
        Self {
            company: company.map(|(crm, id)| (crm.to_owned(), id.to_owned())),
            domain: text("/customer/website").and_then(domain),
            name: text("/customer/name").map(normalised).filter(|name| !name.is_empty()),
        }
    }

    /// The first of the three that both have decides.
    fn same(&self, other: &Self) -> Option<MatchedBy> {
        if let (Some(one), Some(other)) = (&self.company, &other.company)
            && one.0 == other.0
        {
            return (one.1 == other.1).then_some(MatchedBy::CompanyId);
        }
        if let (Some(one), Some(other)) = (&self.domain, &other.domain) {
            return (one == other).then_some(MatchedBy::Domain);
        }
        (self.name.is_some() && self.name == other.name).then_some(MatchedBy::Name)
    }
}

/// What is kept of one handoff.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    key: String,
    customer: Identity,
    /// All that the CSM is known by.
    csm: Vec<String>,
    /// Seconds since 1970.
    signed_at: i64,
}

impl Entry {
    fn of(brief: &Brief) -> Option<Self> {
        let view = brief.view();
        let csm = view.first_action_owner();
        let csm = csm.iter().flat_map(|it| [it.github, it.email, it.name]).flatten();
        Some(Self {
            key: view.key()?.as_str().to_owned(),
            customer: Identity::of(brief.json()),
            csm: csm.map(str::to_owned).collect(),
            signed_at: view.signed_at().filter(|_| view.is_signed())?.timestamp(),
        })
    }
}

/// The handoffs at the tip of the ledger by folder.
#[derive(Debug, Default)]
struct Index {
    tree: Option<ObjectId>,
    entries: BTreeMap<String, Entry>,
    /// How many were read since the file was written.
    news: usize,
}

/// One earlier handoff of the same customer.
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    key: Key,
    by: MatchedBy,
    csm: Vec<String>,
    signed_at: DateTime<Utc>,
}

/// The customers of a ledger, read when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Customers(RefCell<Option<Index>>);

impl Customers {
    /// The earlier handoffs of a brief's customer, the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read at all.
    pub(super) fn earlier(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        key: &Key,
        brief: &Value,
    ) -> Result<Vec<Earlier>, WorkflowError> {
        let customer = Identity::of(brief);
        let mut found = Vec::new();
        let mut add = |entry: &Entry| {
            if entry.key != key.as_str()
                && let Some(by) = customer.same(&entry.customer)
                && let Ok(key) = Key::parse(&entry.key)
            {
                let signed_at = DateTime::from_timestamp(entry.signed_at, 0).unwrap_or_default();
                found.push(Earlier { key, by, csm: entry.csm.clone(), signed_at });
            }
        };
        self.with(context, snapshot, |index| index.entries.values().for_each(&mut add))?;
        for (_, stored) in pending_pull_request::all(context, snapshot)?.0 {
            if let Some(entry) = stored.brief.as_ref().and_then(Entry::of) {
                add(&entry);
            }
        }
        found.sort_by(|a, b| (b.signed_at, &b.key).cmp(&(a.signed_at, &a.key)));
        Ok(found)
    }

    fn with(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        ask: impl FnOnce(&Index),
    ) -> Result<(), WorkflowError> {
        let mut held = self.0.borrow_mut();
        let index = held.get_or_insert_with(|| Index::load(context).unwrap_or_default());
        index.follow(snapshot)?;
        if snapshot.commit().is_some() && index.news >= WORTH_WRITING && index.save(context) {
            index.news = 0;
        }
        ask(index);
        Ok(())
    }
}

impl Index {
    /// Reads what has changed. A brief that cannot be read is not there:
    /// validate and audit report it.
    fn follow(&mut self, snapshot: &Snapshot) -> Result<(), WorkflowError> {
        if self.tree.is_some() && self.tree == snapshot.tree() {
            return Ok(());
        }
        let changed = self.tree.map(|tree| snapshot.changed_folders(tree)).transpose()?.flatten();
        let changed = match changed {
            Some(changed) => changed,
            None => {
                self.entries.clear();
                let (folders, _) = snapshot.folders(None).into_parts();
                folders.into_iter().map(|folder| folder.path).collect::<BTreeSet<String>>()
            }
        };
        self.news += changed.len();
        for path in changed {
            let files = snapshot.handoff(&Folder { path: path.clone(), key: None });
            let brief = files.ok().and_then(|files| files.brief);
            let brief = brief.and_then(|bytes| Brief::parse(&bytes).ok());
            match brief.as_ref().and_then(Entry::of) {
                Some(entry) => drop(self.entries.insert(path, entry)),
                None => drop(self.entries.remove(&path)),
            }
        }
        self.tree = snapshot.tree();
        Ok(())
    }

    fn load(context: &Context) -> Option<Self> {
        let bytes = fs::read(path(context)).ok()?;
        let (format, tree, entries): (u32, String, BTreeMap<String, Entry>) =
            postcard::from_bytes(&bytes).ok()?;
        let tree = tree.parse().ok().filter(|_| format == FORMAT)?;
        Some(Self { tree: Some(tree), entries, news: 0 })
    }

    /// Whether it was written: without it the next run is only slower.
    fn save(&self, context: &Context) -> bool {
        let Some(tree) = self.tree else { return false };
        let path = path(context);
        let bytes = postcard::to_stdvec(&(FORMAT, tree.to_string(), &self.entries));
        let Ok(bytes) = bytes else { return false };
        disk::make_folder(path.parent().unwrap_or(&path), Access::Private).is_ok()
            && disk::write(&path, &bytes, Access::Private).is_ok()
    }
}

fn path(context: &Context) -> PathBuf {
    context.ledger.git_dir().join("handoff").join("customers")
}

/// The CSM of the newest earlier handoff who is still in the team.
pub(super) fn same_csm(context: &Context, earlier: &[Earlier]) -> Option<usize> {
    let find = |it: &Earlier| it.csm.iter().find_map(|word| context.config.team.find(word));
    earlier.iter().find_map(find)
}

/// Earlier handoffs as a brief tells them; nothing where there are none.
pub(super) fn section(
    context: &Context,
    snapshot: &Snapshot,
    earlier: &[Earlier],
) -> Option<Value> {
    let list: Vec<Value> = earlier
        .iter()
        .take(SHOWN)
        .map(|it| {
            let mut row = Map::new();
            row.insert("key".to_owned(), json!(it.key));
            let at = it.signed_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            row.insert("signed_at".to_owned(), json!(at));
            let stored = stored_in(snapshot, &it.key, None).ok().flatten();
            let brief = stored.as_ref().and_then(|stored| stored.brief.as_ref());
            let csm = brief.and_then(|brief| brief.view().first_action_owner());
            if let Some(csm) = csm.and_then(|csm| csm.name.or(csm.github).or(csm.email)) {
                row.insert("csm".to_owned(), json!(csm));
            }
            if let Some((stored, brief)) = stored.as_ref().zip(brief) {
                row.extend(promises(brief, stored));
                if let Some(url) = context.ledger.web_url(&stored.folder) {
                    row.insert("url".to_owned(), json!(url));
                }
            }
            row.insert("matched_by".to_owned(), json!(it.by.words()));
            Value::Object(row)
        })
        .collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

fn promises(brief: &Brief, stored: &Stored) -> Option<(String, Value)> {
    let open: Vec<String> = open_promises(brief, &stored.timeline)
        .into_iter()
        .map(|(_, words, day)| format!("{} (due {day})", shorten(&words, 120)))
        .collect();
    (!open.is_empty()).then(|| ("open_promises".to_owned(), json!(open.join("; "))))
}

/// The handoffs of a customer that somebody names: by name, domain or the
/// company's id in the CRM. The oldest first.
///
/// # Errors
/// When the ledger cannot be read at all.
pub fn handoffs_of_customer(context: &Context, word: &str) -> Result<Vec<Key>, WorkflowError> {
    let snapshot = context.ledger.snapshot()?;
    let (name, site) = (normalised(word), domain(word));
    let is_meant = |customer: &Identity| {
        let named = customer.name.as_deref().is_some_and(|own| {
            !name.is_empty() && (own == name || format!(" {own} ").contains(&format!(" {name} ")))
        });
        named
            || (site.is_some() && customer.domain == site)
            || customer.company.as_ref().is_some_and(|(_, id)| id == word.trim())
    };
    let mut found = Vec::new();
    Customers::default().with(context, &snapshot, |index| {
        let entries = index.entries.values().filter(|entry| is_meant(&entry.customer));
        found.extend(entries.map(|entry| (entry.signed_at, entry.key.clone())));
    })?;
    for (key, stored) in pending_pull_request::all(context, &snapshot)?.0 {
        let brief = stored.brief.as_ref().map(Brief::json);
        if brief.is_some_and(|brief| is_meant(&Identity::of(brief))) {
            let at = brief.and_then(|brief| View::of(brief).signed_at());
            found.push((at.map_or(0, |at| at.timestamp()), key.as_str().to_owned()));
        }
    }
    found.sort();
    Ok(found.into_iter().filter_map(|(_, key)| Key::parse(&key).ok()).collect())
}

/// A company's name without case, punctuation and legal form.
fn normalised(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.collect();
    while words.len() > 1 && words.last().is_some_and(|word| LEGAL.contains(word)) {
        words.pop();
    }
    words.join(" ")
}

/// The host of a website, without `www.`; nothing for a page on somebody else's.
fn domain(site: &str) -> Option<String> {
    let site = site.trim().to_lowercase();
    let rest = site.split_once("://").map_or(site.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host).trim_end_matches('.');
    let is_host = host.contains('.') && !host.contains(char::is_whitespace);
    (is_host && !SHARED_SITES.contains(&host)).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_known_by_the_first_thing_that_both_have() {
        let of = |company: &str, site: &str, name: &str| {
            Identity::of(&json!({
                "deal": {"crm": "hubspot", "company_id": company},
                "customer": {"name": name, "website": site},
            }))
        };
        let acme = of("1", "https://www.acme.example/de", "Acme Corp.");
        for (other, by) in [
            (of("1", "https://other.example", "Other"), Some(MatchedBy::CompanyId)),
            (of("2", "https://acme.example", "Acme Corp."), None),
            (of("", "http://ACME.example", "Renamed"), Some(MatchedBy::Domain)),
            (of("", "https://acme.org", "Acme Corp."), None),
            (of("", "", "ACME, Inc."), Some(MatchedBy::Name)),
            (of("", "https://linkedin.com/company/acme", "acme"), Some(MatchedBy::Name)),
            (of("", "", "Acme Robotics"), None),
            (of("", "", ""), None),
        ] {
            assert_eq!(acme.same(&other), by, "{other:?}");
        }
        assert_eq!(of("", "", "").same(&of("", "", "")), None);
        assert_eq!(normalised("Inc."), "inc", "a name is never empty for its legal form");
    }
}
