//! What the world sends, given to the public API that reads it. The fuzz
//! targets run these, and tests/suite/fuzzed.rs runs them on fixtures and
//! seeded damage of them. Nothing here may panic, and what is claimed holds
//! for any input.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use futures_util::FutureExt as _;
use handoff::audit::Digester;
use handoff::brief::{
    Brief, Completeness, ConfirmedAnswers, Expression, RenderInput, Renderer, Schema, Timeline,
    asked_answers, read_answer, read_form,
};
use handoff::config::Config;
use handoff::crm::Crm;
use handoff::crm::export::{FileCrm, FileSettings};
use handoff::crm::hubspot::{HubSpot, HubSpotSettings, Pace};
use handoff::crm::pipedrive::{Pipedrive, PipedriveSettings};
use handoff::crm::salesforce::{BulkPace, Salesforce, SalesforceSettings};
use handoff::esign::{EsignConfig, Providers, Request};
use handoff::http::{BaseUrl, Schedule};
use handoff::ledger::{FolderGroup, FolderGroups, KeptDigests, Ledger, ScanAt, scan, scan_cold};
use handoff::model::{Secrets, Window};
use http::{HeaderMap, Method, Uri};
use serde_json::json;

/// A brief: read, judged by the shipped schema, rendered.
pub(crate) fn brief(input: &[u8]) {
    let Ok(brief) = Brief::parse(input) else { return };
    let schema = Schema::shipped();
    let valid = schema.is_valid(&brief);
    assert_eq!(valid, schema.check(&brief).is_empty(), "both answers are one");
    let _ = Completeness::of(schema, brief.json());
    let view = brief.view();
    let _ = (view.key(), view.deal(), view.contract_value(), view.signed_at());
    let page = Renderer::new(None).expect("the shipped template is one");
    let confirmed = &ConfirmedAnswers::written(&String::from_utf8_lossy(input));
    let _ = page.readme(&RenderInput { brief: &brief, schema, confirmed });
}

/// A timeline, which is read again as it is written.
pub(crate) fn timeline(input: &[u8]) {
    let Ok(timeline) = Timeline::parse(input) else { return };
    let _ = (timeline.is_voided(), timeline.first_touch(true), timeline.first_touch(false));
    Timeline::parse(timeline.to_yaml().as_bytes()).expect("what was written can be read");
}

/// handoff.yaml, and a ledger's own schema.
pub(crate) fn settings(input: &[u8]) {
    if let Ok(config) = Config::parse(input) {
        let _ = config.check(Schema::shipped());
    }
    let _ = Schema::compile(input);
}

/// An export of deals: CSV, JSON, JSON lines or a workbook, told by its content.
pub(crate) fn export(input: &[u8]) {
    for name in ["deals.csv", "deals.json", "deals.xlsx"] {
        let Ok(crm) = FileCrm::open_given(FileSettings::of(name), ".", None, Some(input)) else {
            continue;
        };
        let population = crm.population(Window::default(), &()).now_or_never();
        let Some(Ok(population)) = population else { continue };
        let (deals, _) = population.deals.parts();
        if let Some(deal) = deals.first() {
            let _ = crm.deal(&deal.id, None).now_or_never();
        }
    }
}

/// The body of a webhook, given to each provider.
pub(crate) fn webhook(input: &[u8]) {
    let none = handoff::yaml::read(b"{}").expect("YAML");
    let config = EsignConfig::read(&none).expect("no settings are valid");
    let providers = Providers::new(&config, &handoff::crm::reference_rules());
    let headers = HeaderMap::new();
    let now = chrono::DateTime::UNIX_EPOCH;
    for provider in providers.iter() {
        let _ = provider.recognises(input);
        if let Ok(events) = provider.parse(input, None) {
            let kept = provider.redact(input);
            assert_eq!(provider.parse(&kept, None).as_ref(), Ok(&events), "{}", provider.name());
        }
        let names = provider.secret_names().iter();
        let secrets = Secrets::new(names.map(|name| ((*name).to_owned(), "a2V5".into())));
        let request =
            Request { method: &Method::POST, headers: &headers, query: None, body: input };
        let _ = provider.receive(&request, &secrets, now);
    }
}

/// The body of a GitHub issue made from the form, and one typed answer.
pub(crate) fn form(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let schema = Schema::shipped();
    let _ = read_form(schema, &text);
    for asked in asked_answers(schema, &json!({})) {
        let _ = read_answer(schema, &asked.pointer, &text);
    }
}

/// An expression of the settings, and a template of the ledger.
pub(crate) fn expression(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let brief = json!({
        "key": "csv-1",
        "customer": {"name": "Acme", "tier": "gold"},
        "deal": {"crm": "csv", "id": "1", "amount": {"amount": "48000.00", "currency": "USD"}},
        "commitments": [{"promise": "SSO", "due": "2026-12-01"}],
    });
    if let Ok(expression) = Expression::compile(&text) {
        let _ = expression.problems(&["deal", "customer"]);
        let _ = expression.value(&brief);
        let _ = expression.decide(&brief);
    }
    if let Ok(renderer) = Renderer::new(Some(&text)) {
        let brief = Brief::from_json(brief);
        let confirmed = &ConfirmedAnswers::default();
        let input = RenderInput { brief: &brief, schema: Schema::shipped(), confirmed };
        let _ = renderer.readme(&input);
    }
}

/// The caches of a ledger with a branch `main`: a foreign file is ignored, and
/// one whose checksum is right, but whose content is not, is no more than that.
pub(crate) fn caches(git_dir: &Path, input: &[u8]) {
    let at = ScanAt::Branch("main".to_owned());
    let cold = scan_cold(git_dir, &at, &|_| ()).expect("the ledger can be read");
    let folder = git_dir.join("handoff");
    let history = folder.join("history");
    let _ = std::fs::remove_file(&history);
    let _ = scan(git_dir, &at, &|_| ()).expect("the ledger can be read");
    let own = std::fs::read(&history).expect("the first scan leaves its record");
    let format = u32::from_le_bytes(own[16..20].try_into().expect("four bytes"));
    std::fs::write(&history, input).expect("written");
    let warm = scan(git_dir, &at, &|_| ()).expect("the ledger can be read");
    assert_eq!(warm, cold, "a foreign cache changes nothing");
    std::fs::write(&history, framed(b"handoff history\n", format, input)).expect("written");
    let _ = scan(git_dir, &at, &|_| ());
    let _ = std::fs::remove_file(&history);

    let digests = folder.join("fuzz.digests");
    for file in [input.to_vec(), framed(b"handoff digests\n", 1, input)] {
        std::fs::write(&digests, file).expect("written");
        let kept = KeptDigests::open(git_dir, "fuzz", 1).expect("the ledger can be opened");
        let digester = Digester::new(&cold.history);
        for folder in &cold.history.folders {
            let _ = kept.get(digester.fingerprint(folder));
            let _ = digester.unpack(folder, input);
        }
    }
    let _ = std::fs::remove_file(&digests);

    // What is kept of a month: its file names what it depends on, and the rest is the input's.
    let names = || Ledger::open(git_dir).and_then(|it| Ok(it.snapshot()?.folder_names()));
    let months = folder.join("folders");
    let _ = std::fs::remove_dir_all(&months);
    let own = names().expect("the ledger can be read");
    let shown = |names: &FolderGroups<FolderGroup>| -> Vec<String> {
        let groups = names.groups.iter();
        groups.flat_map(|(_, group)| (0..group.len()).map(|at| group.folder(at).path)).collect()
    };
    for file in std::fs::read_dir(&months).into_iter().flatten().flatten() {
        let whole = std::fs::read(file.path()).expect("just written");
        std::fs::write(file.path(), input).expect("written");
        assert_eq!(shown(&names().expect("read")), shown(&own), "a foreign file changes nothing");
        // Magic, format, basis and tree stay.
        let body = [&whole[20..72], input].concat();
        std::fs::write(file.path(), framed(b"handoff folders\n", 1, &body)).expect("written");
        let _ = names().map(|names| shown(&names));
        std::fs::write(file.path(), whole).expect("written");
    }
}

/// A body in a whole cache file.
fn framed(magic: &[u8; 16], format: u32, body: &[u8]) -> Vec<u8> {
    let mut file = [magic.as_slice(), &format.to_le_bytes(), body].concat();
    let sum = crc32fast::hash(&file).to_le_bytes();
    file.extend_from_slice(&sum);
    file
}

/// What the CRMs' APIs answer wherever deals are asked for, read by the real
/// connectors over HTTP on loopback. What they ask of the account has a sound answer.
pub(crate) struct Pages {
    runtime: tokio::runtime::Runtime,
    vendors: [Box<dyn Crm>; 3],
    answers: Arc<Answers>,
}

struct Answers {
    input: Mutex<Vec<u8>>,
    asked: AtomicUsize,
    base: String,
}

/// One answer to everything must not be asked for without end.
const MOST_ASKED: usize = 2_000;

/// Sound answers, by what stands in the request.
const SOUND: [(&str, &str); 11] = [
    ("/account-info/", include_str!("../tests/fixtures/hubspot/account-info-details.json")),
    ("/crm/pipelines/", include_str!("../tests/fixtures/hubspot/pipelines-deals.json")),
    ("/crm/properties/", include_str!("../tests/fixtures/hubspot/properties-deals-trimmed.json")),
    ("/crm/owners/", include_str!("../tests/fixtures/hubspot/owners-list.json")),
    ("/users/me", include_str!("../tests/fixtures/pipedrive/users-me-v1.json")),
    ("/users", include_str!("../tests/fixtures/pipedrive/users-v1.json")),
    ("/dealFields", include_str!("../tests/fixtures/pipedrive/dealFields.json")),
    ("/pipelines", include_str!("../tests/fixtures/pipedrive/pipelines.json")),
    ("/stages", include_str!("../tests/fixtures/pipedrive/stages.json")),
    ("/describe", include_str!("../tests/fixtures/salesforce/describe-opportunity-trimmed.json")),
    (
        "OpportunityStage",
        include_str!("../tests/fixtures/salesforce/query-opportunity-stages.json"),
    ),
];

impl Pages {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let url = BaseUrl::parse(&base).expect("loopback");
        let (input, asked) = (Mutex::default(), AtomicUsize::new(0));
        let answers = Arc::new(Answers { input, asked, base });
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&answers));
        runtime.spawn(async move { axum::serve(listener, app).await.expect("serving") });

        let names = [
            "HUBSPOT_TOKEN",
            "PIPEDRIVE_TOKEN",
            "SALESFORCE_CLIENT_ID",
            "SALESFORCE_CLIENT_SECRET",
        ];
        let secrets = &Secrets::new(names.map(|name| (name.to_owned(), "a-token".into())));
        let hubspot = HubSpotSettings { base_url: url.clone(), ..HubSpotSettings::default() };
        let hubspot = HubSpot::new(hubspot, secrets).expect("a connector");
        let pipedrive = PipedriveSettings { base_url: url.clone(), ..PipedriveSettings::default() };
        let pipedrive = Pipedrive::new(pipedrive, secrets);
        let pipedrive = pipedrive.and_then(|it| it.with_schedule(Schedule::once()));
        let salesforce = SalesforceSettings { login_url: url, ..SalesforceSettings::default() };
        let salesforce = Salesforce::new(salesforce, secrets).expect("a connector");
        let none = Duration::ZERO;
        let bulk = BulkPace { first: none, longest: none, limit: none };
        let vendors: [Box<dyn Crm>; 3] = [
            Box::new(hubspot.with_pace(Pace::without_waits())),
            Box::new(pipedrive.expect("a connector")),
            Box::new(salesforce.with_schedule(Schedule::once()).with_bulk_pace(bulk)),
        ];
        Self { runtime, vendors, answers }
    }

    /// Gives how many deals each vendor's connector reads.
    pub(crate) fn read(&self, input: &[u8]) -> [usize; 3] {
        *self.answers.input.lock().expect("whole") = input.to_vec();
        self.vendors.each_ref().map(|crm| {
            self.answers.asked.store(0, Ordering::Relaxed);
            let population = self.runtime.block_on(crm.population(Window::default(), &()));
            let deals = population.map_or_else(|_| Vec::new(), |it| it.deals.into_parts().0);
            if let Some(deal) = deals.first() {
                let _ = self.runtime.block_on(crm.deal(&deal.id, None));
            }
            let asked = self.answers.asked.load(Ordering::Relaxed);
            assert!(asked < MOST_ASKED, "{} is asked without end", crm.name());
            deals.len()
        })
    }
}

async fn answer(State(answers): State<Arc<Answers>>, uri: Uri) -> (http::StatusCode, Vec<u8>) {
    if answers.asked.fetch_add(1, Ordering::Relaxed) >= MOST_ASKED {
        return (http::StatusCode::NOT_FOUND, Vec::new());
    }
    let uri = uri.to_string();
    let body = if uri.contains("/oauth2/token") {
        let base = &answers.base;
        json!({"access_token": "t", "token_type": "Bearer", "instance_url": base})
            .to_string()
            .into()
    } else {
        let sound = SOUND.iter().find(|(part, _)| uri.contains(part));
        let input = || answers.input.lock().expect("whole").clone();
        sound.map_or_else(input, |(_, body)| body.as_bytes().to_vec())
    };
    (http::StatusCode::OK, body)
}

/// Whose packs hold an object as the input has it: its packed bytes, a tree's
/// content, or what a delta does to a sound tree. The index fits each; ids are
/// not what the objects' content makes them, which a scan does not look at.
/// Gives of each of the three whether the history could be read whole.
pub(crate) fn packs(folder: &Path, input: &[u8]) -> [bool; 3] {
    const FOLDERS: [&str; 4] = ["2026", "11", "acme--csv-1", "brief.yaml"];
    let hex = |id: u8| format!("{id:02x}").repeat(20);
    let entry = |mode: &str, name: &str, id: u8| {
        [format!("{mode} {name}\0").as_bytes(), &[id; 20]].concat()
    };
    let commit = |tree: u8, parent: Option<u8>| {
        let parent = parent.map_or_else(String::new, |it| format!("parent {}\n", hex(it)));
        let by = "Fuzz <fuzz@example.com> 1794304800 +0000";
        format!("tree {}\n{parent}author {by}\ncommitter {by}\n\nx\n", hex(tree)).into_bytes()
    };
    // A commit, one behind it, their trees, and what is below the first: ids 1 to 8.
    let mut sound = vec![
        packed(1, None, &commit(3, None)),
        packed(1, None, &commit(4, Some(1))),
        packed(2, None, &entry("40000", "briefs", 5)),
        packed(2, None, &entry("40000", "briefs", 10)),
    ];
    for (id, name) in (6..).zip(FOLDERS) {
        let mode = if id == 9 { "100644" } else { "40000" };
        sound.push(packed(2, None, &entry(mode, name, id)));
    }
    sound.push(packed(3, None, b"key: csv-1\n"));

    std::fs::create_dir_all(folder.join("refs/heads")).expect("made");
    std::fs::create_dir_all(folder.join("objects/pack")).expect("made");
    std::fs::write(folder.join("HEAD"), "ref: refs/heads/main\n").expect("written");
    std::fs::write(folder.join("config"), "[core]\n\tbare = true\n").expect("written");
    std::fs::write(folder.join("refs/heads/main"), hex(2)).expect("written");
    [input.to_vec(), packed(2, None, input), packed(7, Some(5), input)].map(|object| {
        let objects = [sound.as_slice(), &[object]].concat();
        write_pack(&folder.join("objects/pack"), &objects);
        let scanned = scan_cold(folder, &ScanAt::Branch("main".to_owned()), &|_| ());
        scanned.is_ok_and(|scanned| scanned.gaps.is_empty())
    })
}

/// An object as a pack holds it; a delta with the object it is made from.
fn packed(kind: u8, base: Option<u8>, content: &[u8]) -> Vec<u8> {
    let mut size = content.len();
    let mut bytes = vec![(kind << 4) | (size & 15) as u8];
    size >>= 4;
    while size > 0 {
        *bytes.last_mut().expect("one") |= 128;
        bytes.push((size & 127) as u8);
        size >>= 7;
    }
    bytes.extend(base.into_iter().flat_map(|base| [base; 20]));
    let mut encoder = ZlibEncoder::new(bytes, Compression::fast());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

/// A pack of these objects, whose ids are their numbers from 1, with its index.
fn write_pack(folder: &Path, objects: &[Vec<u8>]) {
    let count = u32::try_from(objects.len()).expect("few");
    let number = |number: u32| number.to_be_bytes();
    let mut pack = [b"PACK".as_slice(), &number(2), &number(count)].concat();
    let mut index = [b"\xfftOc".as_slice(), &number(2)].concat();
    (0..256).for_each(|first| index.extend(number(count.min(first))));
    (1..=objects.len()).for_each(|id| index.extend([id as u8; 20]));
    objects.iter().for_each(|object| index.extend(number(crc32fast::hash(object))));
    for object in objects {
        index.extend(number(u32::try_from(pack.len()).expect("small")));
        pack.extend(object);
    }
    // The checksums of the whole files, which nothing that reads objects looks at.
    pack.extend([0; 20]);
    index.extend([0; 40]);
    std::fs::write(folder.join("pack-fuzz.pack"), pack).expect("written");
    std::fs::write(folder.join("pack-fuzz.idx"), index).expect("written");
}
