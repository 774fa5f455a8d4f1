//! A small world: deals in a CRM, and a ledger's history with its blobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use handoff::audit::{
    AuditInput, AuditReport, BlobSource, BriefFacts, CheckpointReport, Class, DealAsWritten,
    DealRow, Digester, FolderDigest, HandoffFacts, LedgerInput, Policies, Policy, PolicyVersion,
    ReadError, Scope, SettingsRemoval, SignatureAsWritten, SignaturesInput, TimelineFacts, combine,
};
use handoff::brief::{Event, EventKind, Timeline};
use handoff::model::{
    CommitInfo, CrmName, Deal, DealId, DocumentId, Evidence, FolderHistory, Gap, History, Key,
    Money, ObjectId, Outcome, Person, Population, ProviderName, Remarks, Source, Version, Window,
};
use handoff::time::HumanDuration;

/// When the deals of these worlds are signed and won.
pub(super) const SIGNED: &str = "2026-11-20T15:00:00Z";
/// Ten minutes later.
pub(super) const DELIVERED: &str = "2026-11-20T15:10:00Z";
/// When these worlds are audited: three days later.
pub(super) const NOW: &str = "2026-11-23T15:00:00Z";

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a test's time is RFC 3339")
}

pub(super) fn usd(amount: &str) -> Money {
    Money::parse(amount, Some("USD")).expect("a test's amount is a decimal")
}

pub(super) fn event(kind: EventKind, time: &str) -> Event {
    Event::new(at(time), kind, "github")
}

pub(super) fn folder(id: &str) -> String {
    format!("briefs/2026/11/acme--hubspot-{id}")
}

/// A deal that is won, as the brief of [`signed_brief`] says.
pub(super) fn won_deal(id: &str) -> Deal {
    let mut deal = Deal::new(CrmName::new("hubspot"), DealId::new(id));
    deal.name = Some(format!("Acme {id}"));
    deal.owner = Some(Person {
        name: Some("Riley Ross".to_owned()),
        email: Some("riley@example.com".to_owned()),
    });
    deal.amount = Some(usd("48000.00"));
    deal.outcome = Outcome::Won;
    deal.closed_won_at = Some(at(SIGNED));
    deal.closed_won_evidence = Some("stage history".to_owned());
    deal
}

/// A complete brief that was signed at [`SIGNED`].
pub(super) fn signed_brief(id: &str) -> BriefFacts {
    BriefFacts {
        key: Some(Key::parse(&format!("hubspot-{id}")).expect("a test's key")),
        deal: Some(DealAsWritten {
            crm: CrmName::new("hubspot"),
            id: DealId::new(id),
            name: Some(format!("Acme {id}")),
            owner: Some(Person {
                name: Some("Riley Ross".to_owned()),
                email: Some("riley@example.com".to_owned()),
            }),
            closed_won_at: Some(at(SIGNED)),
        }),
        signature: Some(SignatureAsWritten {
            provider: ProviderName::new("pandadoc"),
            document_id: Some(DocumentId::new(format!("document-{id}"))),
            signed_at: Some(at(SIGNED)),
        }),
        customer: Some(format!("Acme {id}")),
        tier: Some("enterprise".to_owned()),
        csm: Some("Sam Lee".to_owned()),
        total: None,
        value: Some(usd("48000.00")),
        due: None,
        complete: true,
        unanswered: Vec::new(),
    }
}

/// What a handoff's timeline holds when all went well.
pub(super) fn all_done() -> Vec<Event> {
    vec![
        event(EventKind::Received, "2026-11-20T15:00:05Z"),
        event(EventKind::Signed, DELIVERED),
        event(EventKind::TaskOpened, "2026-11-20T15:11:00Z"),
        event(EventKind::Touched, "2026-11-21T09:00:00Z"),
        event(EventKind::Accepted, "2026-11-21T09:05:00Z"),
    ]
}

/// What a blob holds.
#[derive(Clone)]
pub(super) enum Blob {
    Brief(Box<BriefFacts>),
    Timeline(Timeline),
    Broken(ReadError),
}

fn timeline(path: &str, events: Vec<Event>) -> Blob {
    let (_, key) = path.rsplit_once("--").expect("a test's folder names its key");
    let mut timeline = Timeline::new(Key::parse(key).expect("a test's key"));
    timeline.events = events;
    Blob::Timeline(timeline)
}

pub(super) struct World {
    pub(super) deals: Vec<Deal>,
    pub(super) population_gaps: Vec<Gap>,
    pub(super) policy: Policy,
    pub(super) as_of: DateTime<Utc>,
    pub(super) exported_at: DateTime<Utc>,
    pub(super) window: Window,
    pub(super) checkpoints: Vec<CheckpointReport>,
    pub(super) history: History,
    pub(super) blobs: BTreeMap<ObjectId, Blob>,
    pub(super) signatures: Option<SignaturesInput>,
    /// Deals with these ids are outside the scope.
    pub(super) excluded: BTreeMap<String, String>,
    /// Rules of the scope that cannot be decided for any deal.
    pub(super) undecided: Vec<String>,
    /// The rules of each time, where they change.
    pub(super) rules: Vec<PolicyVersion>,
    /// Who took the settings off the branch.
    pub(super) removals: Vec<SettingsRemoval>,
    /// By folder, what a `signed` event says that handoff itself writes:
    /// provider, document, brief.
    written: BTreeMap<String, (String, Option<String>, String)>,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            deals: Vec::new(),
            population_gaps: Vec::new(),
            // The events of a handoff come in one commit here, whenever they happened.
            policy: Policy { clock_skew: HumanDuration::days(365), ..Policy::default() },
            as_of: at(NOW),
            exported_at: DateTime::<Utc>::MAX_UTC,
            window: Window::default(),
            checkpoints: Vec::new(),
            history: History {
                head: ObjectId([9; 20]),
                branch: "main".to_owned(),
                walked: 0,
                commits: Vec::new(),
                folders: Vec::new(),
                schemas: Vec::new(),
                settings: Vec::new(),
            },
            blobs: BTreeMap::new(),
            signatures: None,
            excluded: BTreeMap::new(),
            undecided: Vec::new(),
            rules: Vec::new(),
            removals: Vec::new(),
            written: BTreeMap::new(),
        }
    }

    /// One deal that was handed over in time, with all that should follow.
    pub(super) fn handed_over() -> Self {
        let mut world = Self::new();
        world.deals.push(won_deal("1"));
        world.put(&folder("1"), DELIVERED, Some(signed_brief("1")), all_done());
        world
    }

    pub(super) fn commit(&mut self, time: &str) -> u32 {
        self.commit_at(at(time).timestamp())
    }

    pub(super) fn commit_at(&mut self, committed_at: i64) -> u32 {
        let number = u32::try_from(self.history.commits.len()).expect("few commits");
        let mut id = [7; 20];
        id[..4].copy_from_slice(&number.to_be_bytes());
        self.history.commits.push(CommitInfo {
            id: ObjectId(id),
            committed_at,
            parent_committed_at: self.history.commits.last().map(|parent| parent.committed_at),
        });
        self.history.walked += 1;
        number
    }

    pub(super) fn blob(&mut self, blob: Blob) -> ObjectId {
        let mut id = [1; 20];
        id[..8].copy_from_slice(&(self.blobs.len() as u64).to_be_bytes());
        self.blobs.insert(ObjectId(id), blob);
        ObjectId(id)
    }

    /// Sets what a folder holds from a commit on.
    pub(super) fn version(
        &mut self,
        path: &str,
        commit: u32,
        brief: Option<ObjectId>,
        timeline: Option<ObjectId>,
    ) {
        let version = Version { commit, brief, timeline, sources: None };
        if let Some(folder) = self.history.folders.iter_mut().find(|folder| folder.path == path) {
            folder.versions.push(version);
        } else {
            let key_text = path.rsplit_once("--").map(|(_, key)| key.to_owned());
            self.history.folders.push(FolderHistory {
                path: path.to_owned(),
                key_text,
                versions: vec![version],
            });
            self.history.folders.sort_by(|a, b| a.path.cmp(&b.path));
        }
    }

    /// Commits a brief and a timeline into a folder.
    pub(super) fn put(
        &mut self,
        path: &str,
        time: &str,
        brief: Option<BriefFacts>,
        events: Vec<Event>,
    ) -> u32 {
        let commit = self.commit(time);
        let signature = brief.as_ref().and_then(|brief| brief.signature.clone());
        let brief = brief.map(|brief| self.blob(Blob::Brief(Box::new(brief))));
        if let (Some(signature), Some(blob)) = (signature, brief) {
            let document = signature.document_id.map(|id| id.as_str().to_owned());
            let written = (signature.provider.as_str().to_owned(), document, blob.to_string());
            self.written.entry(path.to_owned()).or_insert(written);
        }
        let events = self.as_handoff_writes(path, events);
        let timeline = self.blob(timeline(path, events));
        self.version(path, commit, brief, Some(timeline));
        commit
    }

    /// Commits another timeline beside the same brief.
    pub(super) fn put_events(&mut self, path: &str, time: &str, events: Vec<Event>) {
        let commit = self.commit(time);
        let brief = self.last(path).brief;
        let events = self.as_handoff_writes(path, events);
        let timeline = self.blob(timeline(path, events));
        self.version(path, commit, brief, Some(timeline));
    }

    /// Events as handoff writes them: a signature names its document and brief.
    fn as_handoff_writes(&self, path: &str, mut events: Vec<Event>) -> Vec<Event> {
        let Some((provider, document, brief)) = self.written.get(path) else { return events };
        for event in &mut events {
            let signs = matches!(event.event, EventKind::Signed | EventKind::Backfilled);
            if signs && event.brief.is_none() && event.reference.is_none() {
                event.via.clone_from(provider);
                event.reference.clone_from(document);
                event.brief = Some(brief.clone());
            }
        }
        events
    }

    fn policies(&self) -> Policies {
        Policies::new(self.rules.clone())
            .unwrap_or_else(|| Policies::unchanged(self.policy.clone()))
            .with_removals(self.removals.clone())
    }

    pub(super) fn last(&self, path: &str) -> Version {
        let folder = self.history.folders.iter().find(|folder| folder.path == path);
        *folder.and_then(|folder| folder.versions.last()).expect("the folder is there")
    }

    /// Removes a folder.
    pub(super) fn remove(&mut self, path: &str, time: &str) -> u32 {
        let commit = self.commit(time);
        self.version(path, commit, None, None);
        commit
    }

    /// Moves a folder in one commit.
    pub(super) fn rename(&mut self, from: &str, to: &str, time: &str) {
        let Version { brief, timeline, .. } = self.last(from);
        if let Some(written) = self.written.get(from).cloned() {
            self.written.insert(to.to_owned(), written);
        }
        let commit = self.remove(from, time);
        self.version(to, commit, brief, timeline);
    }

    pub(super) fn digests(&self) -> Vec<FolderDigest> {
        let digester = Digester::new(&self.history);
        let folders = self.history.folders.iter();
        folders.map(|folder| digester.digest(folder, &mut Reader(&self.blobs))).collect()
    }

    pub(super) fn handoffs(&self) -> Vec<HandoffFacts> {
        combine(self.digests(), self.as_of, None)
    }

    /// The ledger under a name, as a caller would hand it over.
    pub(super) fn ledger(&self, name: Option<&str>) -> LedgerInput {
        let mut ledger =
            LedgerInput::new(self.history.clone(), self.digests(), vec![], self.as_of, name);
        ledger.checkpoints.clone_from(&self.checkpoints);
        ledger
    }

    pub(super) fn audit(&self) -> AuditReport {
        self.audit_ledger(&self.ledger(None))
    }

    pub(super) fn audit_with(&self, handoffs: Vec<HandoffFacts>) -> AuditReport {
        self.audit_ledger(&LedgerInput { handoffs, ..self.ledger(None) })
    }

    fn audit_ledger(&self, ledger: &LedgerInput) -> AuditReport {
        let population = Population {
            source: Source {
                kind: "file".to_owned(),
                location: "deals.csv".to_owned(),
                query: None,
                rows: self.deals.len(),
                sha256: "00".repeat(32),
                remarks: Remarks::default(),
                undated_help: None,
            },
            deals: Evidence::new(self.deals.clone(), self.population_gaps.clone()),
        };
        handoff::audit::audit(&AuditInput {
            population: &population,
            signatures: self.signatures.as_ref(),
            window: self.window,
            as_of: self.as_of,
            exported_at: self.exported_at,
            ledger,
            more_ledgers: &[],
            policies: &self.policies(),
            differences: &handoff::audit::Differences::new(),
            exclude: &|deal| {
                let excluded = self.excluded.get(deal.id.as_str()).cloned();
                Ok(Scope { excluded, undecided: self.undecided.clone() })
            },
            generated_by: "handoff 0.0.0",
            command: "handoff audit --deals deals.csv",
        })
    }

    /// The row of a deal, by its id.
    pub(super) fn row(&self, id: &str) -> DealRow {
        let report = self.audit();
        let row = report.deals.iter().find(|row| row.deal_id.as_str() == id);
        row.unwrap_or_else(|| panic!("no row for deal {id}")).clone()
    }

    pub(super) fn class(&self, id: &str) -> Class {
        self.row(id).class
    }
}

/// Reads the world's blobs.
pub(super) struct Reader<'a>(pub(super) &'a BTreeMap<ObjectId, Blob>);

impl BlobSource for Reader<'_> {
    fn brief(
        &mut self,
        blob: ObjectId,
        schema: Option<ObjectId>,
    ) -> Result<Arc<BriefFacts>, ReadError> {
        match self.0.get(&blob) {
            // Another schema than the shipped one asks for one field more.
            Some(Blob::Brief(brief)) if schema.is_some() => {
                let mut brief = (**brief).clone();
                brief.complete = false;
                Ok(Arc::new(brief))
            }
            Some(Blob::Brief(brief)) => Ok(Arc::new((**brief).clone())),
            Some(Blob::Broken(error)) => Err(error.clone()),
            Some(Blob::Timeline(_)) => Err(ReadError::Content("this is a timeline".to_owned())),
            None => Err(ReadError::Object("object not found".to_owned())),
        }
    }

    fn timeline(&mut self, blob: ObjectId) -> Result<TimelineFacts, ReadError> {
        match self.0.get(&blob) {
            Some(Blob::Timeline(timeline)) => Ok(TimelineFacts::from(timeline)),
            Some(Blob::Broken(error)) => Err(error.clone()),
            Some(Blob::Brief(_)) => Err(ReadError::Content("this is a brief".to_owned())),
            None => Err(ReadError::Object("object not found".to_owned())),
        }
    }
}
