//! Which handoffs are of one customer, who has them, and how many open ones each
//! CSM has.

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, Days, SecondsFormat, Utc};
use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::folder_facts::{FactKind, FolderFacts, facts, select};
use super::promises::open_promises;
use super::store::{Stored, stored_at};
use super::{Context, WorkflowError, pending_pull_request};
use crate::brief::{Brief, Timeline, View};
use crate::ledger::{Folder, HandoffFiles, Snapshot, month_for, month_of};
use crate::model::{Key, ObjectId};
use crate::text::shorten;

/// So many earlier handoffs stand in a brief, the newest ones.
const SHOWN: usize = 10;

/// Words at the end of a company's name that say what kind of company it is.
const LEGAL: &str = "inc incorporated corp corporation co company llc llp lp ltd limited plc gmbh ag \
    kg sa sas sarl bv nv ab kk";
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
struct CustomerIdentity {
    /// CRM and id of the company.
    company: Option<(String, String)>,
    domain: Option<String>,
    name: Option<String>,
}

impl CustomerIdentity {
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
pub(super) struct CustomerHandoff {
    key: Option<String>,
    customer: CustomerIdentity,
    /// All that the CSM is known by.
    csm: Vec<String>,
    /// Seconds since 1970, of one that is signed.
    signed_at: Option<i64>,
    /// Whether there was a first touch, and one that the CRM shows.
    touched: (bool, bool),
    exempted: bool,
}

impl CustomerHandoff {
    pub(super) fn of(brief: &Brief, timeline: Option<&Timeline>) -> Self {
        let view = brief.view();
        let touch = |needs_evidence| {
            timeline.is_some_and(|timeline| timeline.first_touch(needs_evidence).is_some())
        };
        Self {
            key: view.key().map(|key| key.as_str().to_owned()),
            customer: CustomerIdentity::of(brief.json()),
            csm: view.csm_words().into_iter().map(str::to_owned).collect(),
            signed_at: view.signed_at().filter(|_| view.is_signed()).map(|at| at.timestamp()),
            touched: (touch(false), touch(true)),
            exempted: timeline.is_some_and(|it| it.is_exempt(view.is_signed())),
        }
    }

    /// Of a folder's files; nothing where there is no brief. A timeline that
    /// cannot be read settles nothing: validate and audit report it.
    fn read(_: &Folder, files: &HandoffFiles) -> Result<Option<Self>, String> {
        let Some(brief) = &files.brief else { return Ok(None) };
        let brief = Brief::parse(brief).map_err(|error| error.to_string())?;
        let timeline = files.timeline.as_deref().and_then(|bytes| Timeline::parse(bytes).ok());
        Ok(Some(Self::of(&brief, timeline.as_ref())))
    }

    /// The place in the team of the CSM who still has to make the first touch.
    pub(super) fn awaits(&self, context: &Context) -> Option<usize> {
        let (claimed, evidenced) = self.touched;
        let needs_evidence = context.config.first_touch.needs_evidence();
        let is_settled = self.exempted || if needs_evidence { evidenced } else { claimed };
        self.csm.iter().filter(|_| !is_settled).find_map(|word| context.config.team.find(word))
    }

    /// The key and the time of one that is signed.
    fn signed(&self) -> Option<(Key, i64)> {
        Some((Key::parse(self.key.as_ref()?).ok()?, self.signed_at?))
    }
}

const KIND: FactKind<'static, Option<CustomerHandoff>> =
    FactKind { name: "customers", basis: b"", read: &CustomerHandoff::read };

/// What is known of the handoffs of one month.
pub(super) fn entries(context: &Context, snapshot: &Snapshot, month: &str) -> Vec<CustomerHandoff> {
    let FolderFacts { rows, .. } =
        select(context, snapshot, Some(month), &KIND, |_| true, |_, entry| entry.ok()?);
    rows
}

/// The handoffs at the tip of the ledger by folder.
#[derive(Debug, Default)]
struct CustomerIndex {
    tree: Option<ObjectId>,
    entries: BTreeMap<String, CustomerHandoff>,
    /// How a brief shows those that were asked for, by folder.
    shown: BTreeMap<String, Map<String, Value>>,
}

/// One earlier handoff of the same customer.
#[derive(Debug, Clone)]
pub(super) struct EarlierHandoff {
    key: Key,
    /// Where it is at the tip; `None` for one that waits in a pull request.
    folder: Option<String>,
    by: MatchedBy,
    csm: Vec<String>,
    signed_at: DateTime<Utc>,
}

/// The customers of a ledger. The first time that they are asked for, what is
/// kept is looked through; a run that asks again holds all of it.
#[derive(Debug, Default)]
pub(super) struct Customers(RefCell<Option<CustomerIndex>>);

/// A handoff that was written in a batch: its folder, what is known of it, and
/// the ledger's tree before and after.
pub(super) struct WrittenHandoff<'a> {
    pub(super) folder: &'a str,
    pub(super) entry: CustomerHandoff,
    pub(super) before: Option<ObjectId>,
    pub(super) after: Option<ObjectId>,
}

impl Customers {
    /// The earlier handoffs of a brief's customer, the newest first. A brief
    /// that cannot be read is not there: validate and audit report it.
    ///
    /// # Errors
    /// When the ledger cannot be read at all.
    pub(super) fn earlier(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        key: &Key,
        brief: &Value,
    ) -> Result<Vec<EarlierHandoff>, WorkflowError> {
        let customer = CustomerIdentity::of(brief);
        let matches = |folder: &dyn Fn() -> Option<String>, entry: &CustomerHandoff| {
            let by = customer.same(&entry.customer)?;
            let (other, signed_at) = entry.signed().filter(|(other, _)| other != key)?;
            let signed_at = DateTime::from_timestamp(signed_at, 0).unwrap_or_default();
            Some(EarlierHandoff {
                key: other,
                folder: folder(),
                by,
                csm: entry.csm.clone(),
                signed_at,
            })
        };
        let mut held = self.0.borrow_mut();
        let mut found = match &mut *held {
            None => {
                *held = Some(CustomerIndex::default());
                let matches =
                    |folder: &dyn Fn() -> Folder,
                     entry: Result<Option<CustomerHandoff>, String>| {
                        matches(&|| Some(folder().path), entry.ok()?.as_ref()?)
                    };
                let may_be = mentions([
                    customer.company.as_ref().map(|(_, id)| id.as_str()),
                    customer.domain.as_deref(),
                    customer.name.as_deref(),
                ]);
                select(context, snapshot, None, &KIND, may_be, matches).rows
            }
            Some(index) => {
                index.follow(context, snapshot)?;
                let all = index.entries.iter();
                all.filter_map(|(folder, it)| matches(&|| Some(folder.clone()), it)).collect()
            }
        };
        for (_, stored) in pending_pull_request::all(context, snapshot)?.0 {
            let entry = stored.brief.as_ref().map(|brief| CustomerHandoff::of(brief, None));
            found.extend(entry.and_then(|entry| matches(&|| None, &entry)));
        }
        found.sort_by(|a, b| (b.signed_at, &b.key).cmp(&(a.signed_at, &a.key)));
        Ok(found)
    }

    /// Takes in what was just written, so that it need not be read again. Where
    /// other changes are unknown here, all of them are read the next time.
    pub(super) fn add(&self, written: WrittenHandoff<'_>) {
        let WrittenHandoff { folder, entry, before, after } = written;
        if let Some(index) = self.0.borrow_mut().as_mut()
            && index.tree.is_some()
            && index.tree == before
        {
            index.shown.remove(folder);
            index.entries.insert(folder.to_owned(), entry);
            index.tree = after;
        }
    }

    /// Earlier handoffs as a brief shows them; nothing where there are none.
    pub(super) fn section(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        earlier: &[EarlierHandoff],
    ) -> Option<Value> {
        let mut held = self.0.borrow_mut();
        let shown = held.as_mut().filter(|index| index.tree == snapshot.tree());
        let mut shown = shown.map(|index| &mut index.shown);
        let row = |it: &EarlierHandoff| {
            let known = it.folder.as_ref().zip(shown.as_deref());
            let known = known.and_then(|(folder, shown)| shown.get(folder)).cloned();
            let mut row = known.unwrap_or_else(|| {
                let row = shown_in_brief(context, snapshot, it);
                if let Some((folder, shown)) = it.folder.as_ref().zip(shown.as_deref_mut()) {
                    shown.insert(folder.clone(), row.clone());
                }
                row
            });
            row.insert("matched_by".to_owned(), json!(it.by.words()));
            Value::Object(row)
        };
        let list: Vec<Value> = earlier.iter().take(SHOWN).map(row).collect();
        (!list.is_empty()).then_some(Value::Array(list))
    }
}

impl CustomerIndex {
    /// Reads what has changed.
    fn follow(&mut self, context: &Context, snapshot: &Snapshot) -> Result<(), WorkflowError> {
        if self.tree.is_some() && self.tree == snapshot.tree() {
            return Ok(());
        }
        let changed = self.tree.map(|tree| snapshot.changed_folders(tree)).transpose()?.flatten();
        match changed {
            None => {
                let all = facts(context, snapshot, None, &KIND).rows.into_iter();
                let all = all.filter_map(|(folder, entry)| Some((folder.path, entry.ok()??)));
                self.entries = all.collect();
                self.shown.clear();
            }
            Some(changed) => {
                for path in changed {
                    self.shown.remove(&path);
                    let folder = Folder { path, key: None };
                    let files = snapshot.handoff(&folder);
                    let entry =
                        files.ok().and_then(|files| CustomerHandoff::read(&folder, &files).ok()?);
                    match entry {
                        Some(entry) => drop(self.entries.insert(folder.path, entry)),
                        None => drop(self.entries.remove(&folder.path)),
                    }
                }
            }
        }
        self.tree = snapshot.tree();
        Ok(())
    }
}

/// The CSM of the newest earlier handoff who is still in the team.
pub(super) fn same_csm(context: &Context, earlier: &[EarlierHandoff]) -> Option<usize> {
    let find = |it: &EarlierHandoff| it.csm.iter().find_map(|word| context.config.team.find(word));
    earlier.iter().find_map(find)
}

/// One earlier handoff as a brief shows it, but for what it was matched by.
fn shown_in_brief(
    context: &Context,
    snapshot: &Snapshot,
    it: &EarlierHandoff,
) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("key".to_owned(), json!(it.key));
    let at = it.signed_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    row.insert("signed_at".to_owned(), json!(at));
    let stored = it.folder.clone().and_then(|path| {
        let folder = Folder { path, key: Some(it.key.clone()) };
        stored_at(snapshot, &folder, &it.key).ok()
    });
    let brief = stored.as_ref().and_then(|stored| stored.brief.as_ref());
    if let Some(csm) = brief.and_then(|brief| brief.view().csm_name()) {
        row.insert("csm".to_owned(), json!(csm));
    }
    if let Some((stored, brief)) = stored.as_ref().zip(brief) {
        row.extend(promises(brief, stored));
        if let Some(url) = context.ledger.web_url(&stored.folder) {
            row.insert("url".to_owned(), json!(url));
        }
    }
    row
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
    let is_meant = |customer: &CustomerIdentity| {
        let named = customer.name.as_deref().is_some_and(|own| {
            !name.is_empty() && (own == name || format!(" {own} ").contains(&format!(" {name} ")))
        });
        named
            || (site.is_some() && customer.domain == site)
            || customer.company.as_ref().is_some_and(|(_, id)| id == word.trim())
    };
    let is_theirs = |_: &dyn Fn() -> Folder, entry: Result<Option<CustomerHandoff>, String>| {
        let entry = entry.ok()?.filter(|entry| is_meant(&entry.customer))?;
        entry.signed().map(|(key, at)| (at, key))
    };
    let may_be = mentions([Some(name.as_str()), site.as_deref(), Some(word.trim())]);
    let mut found = select(context, &snapshot, None, &KIND, may_be, is_theirs).rows;
    for (key, stored) in pending_pull_request::all(context, &snapshot)?.0 {
        let brief = stored.brief.as_ref().map(Brief::json);
        if brief.is_some_and(|brief| is_meant(&CustomerIdentity::of(brief))) {
            let at = brief.and_then(|brief| View::of(brief).signed_at());
            found.push((at.map_or(0, |at| at.timestamp()), key));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, key)| key).collect())
}

/// Whether what is kept of a handoff holds one of these texts: a ledger of many
/// years is looked through without unpacking every handoff in it.
fn mentions<const N: usize>(texts: [Option<&str>; N]) -> impl Fn(&[u8]) -> bool + Sync {
    let texts = texts.map(|text| text.filter(|text| !text.is_empty()).map(Finder::new));
    move |kept| texts.iter().flatten().any(|text| text.find(kept).is_some())
}

/// A company's name without case, punctuation and legal form.
fn normalised(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.collect();
    while words.len() > 1 && words.last().is_some_and(|word| LEGAL.split(' ').any(|it| it == *word))
    {
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

// How many open handoffs each CSM has, for the rule that gives the next one
// to whoever has the fewest.

/// Open handoffs by the CSM's place in the team.
type OpenByCsm = BTreeMap<usize, usize>;

/// The counts of the months that were asked for. Each month is read once;
/// what is made of it afterwards is added.
#[derive(Debug, Default)]
pub(super) struct OpenHandoffs {
    months: RefCell<BTreeMap<String, OpenByCsm>>,
    /// The customers, which the same run asks for.
    pub(super) customers: Customers,
}

impl OpenHandoffs {
    /// Over this month and the one before, and those that wait for their
    /// merge: signed, and not touched yet.
    pub(super) fn count(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        signed_at: DateTime<Utc>,
    ) -> OpenByCsm {
        let layout = context.config.layout.as_str();
        let mut months: Vec<String> = [signed_at, signed_at - Days::new(28)]
            .into_iter()
            .filter_map(|when| month_for(layout, when).ok())
            .collect();
        months.dedup();
        let (mut known, mut open) = (self.months.borrow_mut(), OpenByCsm::new());
        for month in months {
            let counts =
                known.entry(month).or_insert_with_key(|month| read(context, snapshot, month));
            for (csm, count) in counts {
                *open.entry(*csm).or_insert(0) += *count;
            }
        }
        for (_, stored) in
            pending_pull_request::all(context, snapshot).map(|(all, _)| all).unwrap_or_default()
        {
            let csm = stored.brief.as_ref().and_then(|brief| csm(context, brief));
            let is_signed = stored.brief.as_ref().is_some_and(|brief| brief.view().is_signed());
            let is_settled = is_settled(context, &stored.timeline, is_signed);
            if let Some(csm) = csm.filter(|_| !is_settled) {
                *open.entry(csm).or_insert(0) += 1;
            }
        }
        open
    }

    /// A handoff that was just made in this folder.
    pub(super) fn add(&self, context: &Context, folder: &str, brief: &Brief) {
        // A month that was not read yet is read with this one in it.
        if let Some(counts) = self.months.borrow_mut().get_mut(month_of(folder))
            && let Some(csm) = csm(context, brief)
        {
            *counts.entry(csm).or_insert(0) += 1;
        }
    }
}

fn read(context: &Context, snapshot: &Snapshot, month: &str) -> OpenByCsm {
    let mut open = OpenByCsm::new();
    // What cannot be read here only makes the counts less even; validate and audit report it.
    for csm in entries(context, snapshot, month).iter().filter_map(|entry| entry.awaits(context)) {
        *open.entry(csm).or_insert(0) += 1;
    }
    open
}

fn is_settled(context: &Context, timeline: &Timeline, is_signed: bool) -> bool {
    let needs_evidence = context.config.first_touch.needs_evidence();
    timeline.first_touch(needs_evidence).is_some() || timeline.is_exempt(is_signed)
}

/// The place in the team of whoever has the first action.
fn csm(context: &Context, brief: &Brief) -> Option<usize> {
    brief.view().csm_words().into_iter().find_map(|word| context.config.team.find(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_known_by_the_first_thing_that_both_have() {
        let of = |company: &str, site: &str, name: &str| {
            CustomerIdentity::of(&json!({
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
