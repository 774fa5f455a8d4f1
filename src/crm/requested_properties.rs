//! Which properties a CRM is asked for, and what it says of them: one that
//! somebody named and that is not there any more is an error that names it,
//! never an empty answer.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::failure::Failure;
use super::{Check, CrmError};
use crate::brief::fold_property;
use crate::model::{Properties, RecordKind};

/// What the configuration reads of deals and of the records beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedProperties {
    /// What the company's own lines of the mapping name: must be there.
    pub own: Properties,
    /// What the mapping reads in all; what only the shipped one suggests is
    /// read where it is there.
    pub mapping: Properties,
    /// What `scope` names: must be there, and comes with each deal of an audit.
    pub scope: Properties,
    /// What an audit compares with briefs: comes with each deal, where it is there.
    pub compared: BTreeSet<String>,
}

impl RequestedProperties {
    /// Everything that somebody named.
    #[must_use]
    pub fn named(&self) -> Properties {
        let mut named = self.own.clone();
        named.extend(&self.scope);
        named
    }

    /// What one deal is read with: all that a brief asks.
    pub(super) fn of_deal(&self) -> PropertySelection {
        PropertySelection { named: self.own.clone(), if_there: self.mapping.clone() }
    }

    /// What each deal of a population is read with: what `scope` asks, and the
    /// deal's own properties that the company named, since one of them may hold
    /// the signed document's id. Companies, people and products cost requests
    /// for each hundred deals, and an audit does without them where it can.
    pub(super) fn of_population(&self) -> PropertySelection {
        let mut named = self.scope.clone();
        named.deal.extend(self.own.deal.iter().cloned());
        let if_there = Properties { deal: self.compared.clone(), ..Properties::default() };
        PropertySelection { named, if_there }
    }
}

/// What to read: by force, and where it is there.
#[derive(Debug, Clone)]
pub(super) struct PropertySelection {
    named: Properties,
    if_there: Properties,
}

/// Who knows which properties a CRM has.
#[async_trait]
pub(super) trait KnownProperties: Sync {
    /// The CRM and its records for people: `HubSpot`, `companies`.
    fn called(&self, kind: RecordKind) -> (&'static str, &'static str);

    /// All properties of a kind of record; `None` where the CRM does not say.
    async fn names(&self, kind: RecordKind) -> Result<Option<BTreeSet<String>>, Failure>;
}

impl PropertySelection {
    /// The same, for a CRM that gives these kinds of records whole anyway:
    /// only what somebody named is looked for.
    pub(super) fn whole(mut self, kinds: &[RecordKind]) -> Self {
        kinds.iter().for_each(|kind| self.if_there.forget(*kind));
        self
    }

    /// The properties to ask for, as the CRM writes them. It is asked only for
    /// the kinds of records of which something is wanted.
    ///
    /// # Errors
    /// When the CRM cannot be asked, or does not have what was named.
    pub(super) async fn resolve(
        &self,
        known: &dyn KnownProperties,
    ) -> Result<Properties, CrmError> {
        let mut found = Properties::default();
        for kind in RecordKind::ALL {
            let none = BTreeSet::new();
            let (named, if_there) = (self.named.of(kind), self.if_there.of(kind));
            if named.is_none() && if_there.is_none() {
                continue;
            }
            let (named, if_there) = (named.unwrap_or(&none), if_there.unwrap_or(&none));
            let into = found.of_mut(kind);
            if named.is_empty() && if_there.is_empty() {
                continue;
            }
            let Some(names) = known.names(kind).await? else {
                into.extend(named.union(if_there).cloned());
                continue;
            };
            let names = PropertyNames::of(&names);
            let missing: Vec<&str> =
                named.iter().filter(|n| names.spelled(n).is_empty()).map(String::as_str).collect();
            if let Some(first) = missing.first() {
                let (crm, records) = known.called(kind);
                return Err(CrmError::Settings {
                    message: format!(
                        "handoff.yaml reads properties that {crm}'s {records} do not have: {}.",
                        missing.join(", ")
                    ),
                    help: names.near(crm, first),
                });
            }
            let all = named.union(if_there).flat_map(|name| names.spelled(name));
            into.extend(all.into_iter().cloned());
        }
        Ok(found)
    }
}

/// The names that a CRM has, also as a mapping's `property()` compares them.
pub(super) struct PropertyNames<'a> {
    all: &'a BTreeSet<String>,
    folded: BTreeMap<String, Vec<&'a String>>,
}

impl<'a> PropertyNames<'a> {
    pub(super) fn of(all: &'a BTreeSet<String>) -> Self {
        let mut folded: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for name in all {
            folded.entry(fold_property(name)).or_default().push(name);
        }
        Self { all, folded }
    }

    /// The CRM's names for what a mapping calls so: this one, else those that
    /// differ from it in case and punctuation only.
    pub(super) fn spelled(&self, name: &str) -> Vec<&'a String> {
        match self.all.get(name) {
            Some(exact) => vec![exact],
            None => self.folded.get(&fold_property(name)).cloned().unwrap_or_default(),
        }
    }

    /// What was meant, for a property that is not there.
    pub(super) fn near(&self, crm: &str, name: &str) -> String {
        let best = self
            .all
            .iter()
            .map(|known| (strsim::jaro_winkler(name, known), known))
            .filter(|(score, _)| *score > 0.85)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((_, known)) => format!("Did you mean {known}?"),
            None => format!("Create the property in {crm}, or take it out of handoff.yaml."),
        }
    }
}

/// An error with its remedy.
pub(super) fn failed(what: &str, error: &CrmError) -> Check {
    let remedy = error.help().map(str::to_owned);
    Check { remedy, ..Check::failed(what, error.to_string(), "") }
}

/// Whether a kind of record may be read.
pub(super) fn may_read(what: String, read: Result<(), CrmError>) -> Check {
    match read {
        Ok(()) => Check::ok(what, "allowed"),
        Err(error) => failed(&what, &error),
    }
}

/// The properties that the configuration names, against those that are there:
/// of the deal, and of the records beside it where any of them is read.
pub(super) async fn check_properties(
    known: &dyn KnownProperties,
    named: &Properties,
) -> Vec<Check> {
    let mut checks = Vec::new();
    for kind in RecordKind::ALL {
        let Some(requested) = named.of(kind) else { continue };
        if kind != RecordKind::Deal && requested.is_empty() {
            continue;
        }
        let (crm, records) = known.called(kind);
        let what = format!("{}: properties of {records}", crm.to_lowercase());
        let names = match known.names(kind).await {
            Ok(Some(names)) => names,
            Ok(None) => {
                let detail = format!("{crm} does not say which ones it has");
                checks.push(Check::ok(what, detail));
                continue;
            }
            Err(failure) => {
                checks.push(failed(&what, &failure.error));
                continue;
            }
        };
        let names = PropertyNames::of(&names);
        let missing: Vec<&String> =
            requested.iter().filter(|name| names.spelled(name).is_empty()).collect();
        if missing.is_empty() {
            let detail = format!("all {} that handoff.yaml names are there", requested.len());
            checks.push(Check::ok(what.as_str(), detail));
        }
        checks.extend(missing.into_iter().map(|name| {
            Check::failed(
                what.as_str(),
                format!(
                    "handoff.yaml reads the {} property {name}, which {crm} does not have",
                    kind.word()
                ),
                names.near(crm, name),
            )
        }));
    }
    checks
}
