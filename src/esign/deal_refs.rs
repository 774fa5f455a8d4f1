//! References to deals, found in what senders put on a document.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{folded, folds_to};
use crate::brief::{Expression, ExpressionError};
use crate::model::{
    CrmName, DealId, DealRef, ReferenceRule, Signature, UnreadFact, is_rounded, normalise_deal_id,
};
use crate::text;
use crate::webhook::json;

/// Names under which the integrations of CRMs that have no row here keep a
/// deal's id, compared without case and punctuation.
const OTHER_CRMS: &[(&str, &str)] =
    &[("freshsalesdealid", "freshsales"), ("msdynamicsopportunityid", "ms-dynamics")];

/// Names that hold a deal's id and leave its CRM to another field or rule.
const PLAIN_NAMES: &[&str] = &[
    "crmdealid",
    "deal",
    "dealid",
    "dealids",
    "dealrecordid",
    "deals",
    "handoffdealid",
    "opportunities",
    "opportunity",
    "opportunityid",
    "opportunityids",
    "opportunityrecordid",
    "recordid",
];

/// Those of them under which a deal's name is as likely as its id.
const NAMES_OF_EITHER: &[&str] = &["deal", "deals", "opportunities", "opportunity"];

/// Names that say which CRM a plain id belongs to.
const CRM_NAMES: &[&str] = &["crm", "crmname", "crmprovider", "dealcrm"];

/// How much of a text is searched for pasted addresses.
const MOST_TEXT: usize = 4_000;

/// Where the deal's id is, when the provider has no link of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DealSettings {
    /// The CRM the ids below belong to; leave it out when there is only one.
    pub crm: Option<CrmWord>,
    /// Names of metadata, custom fields or tokens that hold the deal's id.
    pub fields: Vec<String>,
    /// An expression over `signature` that gives the deal's id, such as
    /// `signature.document_name | split('#') | last`.
    pub id: Option<DealIdExpression>,
}

impl DealSettings {
    /// The CRM that plain ids belong to.
    pub(super) fn crm(&self) -> Option<&str> {
        self.crm.as_ref().map(|word| word.0.as_str())
    }
}

/// A CRM's name in settings: one that people may have of their own, and no known one
/// misspelt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct CrmWord(CrmName);

impl TryFrom<String> for CrmWord {
    type Error = String;
    fn try_from(word: String) -> Result<Self, String> {
        // The long ones: of short names nearly every other is near.
        const KNOWN: [&str; 7] = [
            "hubspot",
            "salesforce",
            "pipedrive",
            "dynamics",
            "freshsales",
            "insightly",
            "bitrix24",
        ];
        let name = crm_name(&word);
        let meant =
            KNOWN.into_iter().find(|known| strsim::damerau_levenshtein(known, name.as_str()) <= 2);
        match meant.filter(|known| *known != name.as_str()) {
            Some(known) => {
                Err(format!("no CRM is called {}; did you mean `{known}`?", text::quoted(&word)))
            }
            None if name.as_str().is_empty() => {
                Err("the CRM's name is empty; leave `crm` out".to_owned())
            }
            None => Ok(Self(name)),
        }
    }
}

/// An expression over `signature` that gives a deal's id.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct DealIdExpression(Arc<Expression>);

impl PartialEq for DealIdExpression {
    fn eq(&self, other: &Self) -> bool {
        self.0.source() == other.0.source()
    }
}

impl Eq for DealIdExpression {}

impl TryFrom<String> for DealIdExpression {
    type Error = String;
    fn try_from(source: String) -> Result<Self, String> {
        let told = |error: ExpressionError| match error.help {
            Some(help) => format!("{}; {help}", error.message),
            None => error.message,
        };
        let expression = Expression::compile(&source).map_err(told)?;
        match expression.problems(&["signature"]).into_iter().next() {
            Some(problem) => Err(told(problem)),
            None => Ok(Self(Arc::new(expression))),
        }
    }
}

/// A reference with the CRM's name brought to this product's form; nothing when
/// the text cannot be an id: a placeholder that nobody filled in, a number that a
/// spreadsheet has rounded.
pub(super) fn reference(crm: Option<&str>, id: &str) -> Option<DealRef> {
    const NOTHING: &[&str] = &["null", "none", "n/a", "na", "nil", "undefined", "nan", "tbd", "0"];
    let id = id.trim().trim_start_matches('#');
    let whole = id.strip_suffix(".0").filter(|whole| is_digits(whole)).unwrap_or(id);
    let groups: Vec<&str> = whole.split(',').collect();
    let id =
        if groups.len() > 2 && is_grouped(&groups) { groups.concat() } else { whole.to_owned() };
    let plain = id.chars().count() <= 100
        && id.chars().any(char::is_alphanumeric)
        && !id.chars().any(|c| c.is_control() || c.is_whitespace() || "{}[]<>,/|".contains(c))
        && !NOTHING.contains(&id.to_lowercase().as_str())
        && !is_rounded(&id);
    let crm = crm.map(crm_name).filter(|name| !name.as_str().is_empty());
    plain.then(|| DealRef { crm, id: DealId::new(id) })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether digits are grouped by threes, as spreadsheets show numbers.
fn is_grouped(groups: &[&str]) -> bool {
    let mut groups = groups.iter();
    groups.next().is_some_and(|first| first.len() <= 3 && is_digits(first))
        && groups.all(|group| group.len() == 3 && is_digits(group))
}

/// The ids in a text, whatever stands between them. `101,102` may be one number
/// with a sign in it: it is two ids where several are asked for, and else none.
fn parts(text: &str, several: bool) -> Vec<String> {
    if text.contains("://") {
        let words = text.split([';', '\n', ' ']).map(str::trim);
        return words.filter(|word| !word.is_empty()).map(str::to_owned).collect();
    }
    let text = [" and ", " und ", " et ", " y ", " & ", " + ", ", "]
        .iter()
        .fold(text.to_owned(), |text, word| text.replace(word, ";"));
    let lines = text.split([';', '\n', '\r', '|']).map(str::trim).filter(|part| !part.is_empty());
    lines
        .flat_map(|part| {
            let slashed: Vec<&str> = part.split('/').map(str::trim).collect();
            let commas: Vec<&str> = part.split(',').map(str::trim).collect();
            let list = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect();
            if slashed.len() > 1 && slashed.iter().all(|it| is_digits(it)) {
                list(slashed)
            } else if commas.len() > 1 && (!is_grouped(&commas) || several && commas.len() == 2) {
                list(commas)
            } else {
                vec![part.to_owned()]
            }
        })
        .collect()
}

/// Whether a record is a deal, in the words of CRMs and their integrations.
pub(super) fn is_deal(kind: &str) -> bool {
    ["deal", "deals", "opportunity", "opportunities"]
        .iter()
        .any(|known| kind.trim().eq_ignore_ascii_case(known))
}

/// The product's name for a CRM, whatever a vendor calls it.
pub(super) fn crm_name(vendors: &str) -> CrmName {
    let name = vendors.trim().to_ascii_lowercase().replace([' ', '_'], "-");
    let name = match name.as_str() {
        "salesforce-oauth2" | "salesforce-oauth2-sandbox" | "salesforce-sandbox" | "sfdc" => {
            "salesforce"
        }
        "hub-spot" => "hubspot",
        "pipe-drive" => "pipedrive",
        other => other,
    };
    CrmName::new(name)
}

/// Adds a reference unless the same deal is there; one that names its CRM
/// takes the place of one that does not.
pub(super) fn add(references: &mut Vec<DealRef>, new: DealRef) {
    for old in references.iter_mut() {
        match (&old.crm, &new.crm) {
            (Some(a), Some(b))
                if a == b && normalise_deal_id(a, &old.id) == normalise_deal_id(b, &new.id) =>
            {
                return;
            }
            (Some(_), Some(_)) => {}
            (None, Some(_)) if old.id == new.id => {
                old.crm = new.crm;
                return;
            }
            _ if old.id == new.id => return,
            _ => {}
        }
    }
    references.push(new);
}

/// Finds deals by the settings of one provider and the CRMs' rules.
#[derive(Debug, Clone, Default)]
pub(super) struct DealFinder {
    settings: DealSettings,
    rules: Arc<[ReferenceRule]>,
}

/// A reference and where it was read, for remarks.
type ReadReference = (DealRef, String);

impl DealFinder {
    pub(super) fn new(settings: DealSettings, rules: &[ReferenceRule]) -> Self {
        Self { settings, rules: rules.into() }
    }

    /// The reference that a text makes: a pasted address of a record,
    /// `hubspot:deal:1864`, `hubspot:1864` or an id alone.
    pub(super) fn in_text(&self, text: &str, crm: Option<&str>) -> Option<DealRef> {
        if text.contains("://") {
            return self.in_address(text);
        }
        let parts: Vec<&str> = text.split(':').map(str::trim).collect();
        match parts.as_slice() {
            [id] => reference(crm, id),
            [named, id] => reference(Some(named), id),
            [named, kind, id] if is_deal(kind) => reference(Some(named), id),
            _ => None,
        }
    }

    fn in_address(&self, text: &str) -> Option<DealRef> {
        self.rules.iter().find_map(|rule| {
            let id = (rule.of_address)(text.trim())?;
            Some(DealRef { crm: Some(CrmName::new(rule.crm)), id })
        })
    }

    /// Adds what the settings, the known names and pasted addresses point to
    /// behind what the provider's own links gave. A deal that better evidence
    /// does not name is added and remarked.
    pub(super) fn find(&self, signature: &mut Signature) {
        let mut levels: Vec<Vec<ReadReference>> = Vec::new();
        let linked = std::mem::take(&mut signature.deal_refs);
        levels.push(linked.into_iter().map(|r| (r, "its link to the CRM".to_owned())).collect());
        levels.push(self.configured(signature));
        let mut unread = Vec::new();
        levels.push(self.named(&signature.metadata, &mut unread));
        for (why, is_unclear) in unread {
            if is_unclear {
                let fact = "deal_refs";
                signature.unread.push(UnreadFact { fact, why: why.clone(), may_pass: false });
            }
            signature.remarks.push(why);
        }
        levels.push(self.pasted(&signature.metadata));
        let mut best: Vec<ReadReference> = Vec::new();
        for level in levels {
            let before = best.len();
            for (reference, source) in level {
                let known = signature.deal_refs.len();
                add(&mut signature.deal_refs, reference.clone());
                if signature.deal_refs.len() == known {
                    continue;
                }
                let same_crm = |other: &&ReadReference| match (&other.0.crm, &reference.crm) {
                    (Some(a), Some(b)) => a == b,
                    _ => true,
                };
                if let Some((first, first_source)) = best[..before].iter().find(same_crm) {
                    signature.remarks.push(format!(
                        "the document names two deals: {first_source} names {}, and {source} names {}",
                        shown(first),
                        shown(&reference)
                    ));
                }
                best.push((reference, source));
            }
        }
    }

    fn configured(&self, signature: &mut Signature) -> Vec<ReadReference> {
        let crm = self.settings.crm();
        let mut found = Vec::new();
        for field in &self.settings.fields {
            for (name, value) in &signature.metadata {
                if folded(name) == folded(field) || name == field {
                    self.add_value(name, value, crm, &mut found);
                }
            }
        }
        if let Some(expression) = &self.settings.id {
            match expression.0.value(json!({ "signature": signature })) {
                Ok(Some(value)) => {
                    for reference in self.in_value(&value, crm) {
                        found.push((reference, "the expression `deal.id`".to_owned()));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    let remark =
                        format!("the expression for the deal's id failed: {}", error.message);
                    signature.remarks.push(remark);
                }
            }
        }
        found
    }

    /// What fields with known names point to; one that points to nothing is remarked.
    fn named(
        &self,
        metadata: &Map<String, Value>,
        unread: &mut Vec<(String, bool)>,
    ) -> Vec<ReadReference> {
        let mut found = Vec::new();
        let is_plain = |name: &str| PLAIN_NAMES.contains(&name);
        let rule_of = |name: &str| {
            let names =
                |rule: &&ReferenceRule| rule.names.iter().any(|known| folds_to(known, name));
            self.rules.iter().find(names).map(|rule| rule.crm)
        };
        for (name, value) in metadata {
            let key = folded(name);
            let other = OTHER_CRMS.iter().find(|(known, _)| *known == key).map(|(_, crm)| *crm);
            if let Some(crm) = rule_of(&key).filter(|_| !is_plain(&key)).or(other) {
                let before = found.len();
                self.add_value(name, value, Some(crm), &mut found);
                if found.len() == before {
                    unread.push(unread_field(name, value));
                }
            }
        }
        let crm = metadata
            .iter()
            .find(|(name, _)| CRM_NAMES.contains(&folded(name).as_str()))
            .and_then(|(_, value)| json::scalar(value));
        for (name, value) in metadata {
            let key = folded(name);
            if !is_plain(&key) {
                continue;
            }
            let crm = crm.as_deref().or(self.settings.crm()).or_else(|| rule_of(&key));
            let mut here = Vec::new();
            self.add_value(name, value, crm, &mut here);
            let may_be_name = NAMES_OF_EITHER.contains(&key.as_str());
            if here.is_empty() && !may_be_name {
                unread.push(unread_field(name, value));
            }
            here.retain(|(reference, _)| {
                !may_be_name || reference.id.as_str().chars().any(|c| c.is_ascii_digit())
            });
            found.extend(here);
        }
        found
    }

    /// Addresses of deals that somebody pasted into any text.
    fn pasted(&self, metadata: &Map<String, Value>) -> Vec<ReadReference> {
        let mut found = Vec::new();
        for (name, value) in metadata {
            let texts: Vec<&str> = match value {
                Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
                value => value.as_str().into_iter().collect(),
            };
            for text in texts {
                let end = text.char_indices().nth(MOST_TEXT).map_or(text.len(), |(at, _)| at);
                let words = text[..end].split(|c: char| c.is_whitespace() || "<>()\"'".contains(c));
                // People leave the scheme out; whose host it is, the CRM's rule looks at.
                for word in words.filter(|word| word.contains(".") && word.contains("/")) {
                    let word = word.trim_end_matches(['.', ',', ';']);
                    let scheme = if word.contains("://") { "" } else { "https://" };
                    let reference = self.in_address(&format!("{scheme}{word}"));
                    found.extend(
                        reference.map(|r| (r, format!("the address in {}", text::quoted(name)))),
                    );
                }
            }
        }
        found
    }

    fn add_value(
        &self,
        name: &str,
        value: &Value,
        crm: Option<&str>,
        into: &mut Vec<ReadReference>,
    ) {
        let several = folded(name).ends_with('s');
        for reference in self.in_values(value, crm, several) {
            into.push((reference, format!("its field {}", text::quoted(name))));
        }
    }

    /// Ids come as texts, as numbers and as lists of either; several may stand in
    /// one text.
    pub(super) fn in_value(&self, value: &Value, crm: Option<&str>) -> Vec<DealRef> {
        self.in_values(value, crm, false)
    }

    fn in_values(&self, value: &Value, crm: Option<&str>, several: bool) -> Vec<DealRef> {
        match value {
            Value::Array(values) => {
                values.iter().flat_map(|value| self.in_values(value, crm, several)).collect()
            }
            value => id_text(value)
                .iter()
                .flat_map(|text| parts(text, several))
                .filter_map(|text| self.in_text(&text, crm))
                .collect(),
        }
    }
}

/// What is said of a field that names no deal, and whether it may name several:
/// `101,102` is two ids, or one number with a sign in it.
fn unread_field(name: &str, value: &Value) -> (String, bool) {
    let value = id_text(value).unwrap_or_else(|| value.to_string());
    let groups: Vec<&str> = value.trim().split(',').map(str::trim).collect();
    let is_unclear = groups.len() == 2 && groups.iter().all(|group| is_digits(group));
    let name = text::quoted(name);
    let shown = text::quoted(&text::shorten(&value, 60));
    let why = match is_unclear {
        true => format!("its field {name} holds {shown}, which may be one deal or two"),
        false => format!("its field {name} holds {shown}, which names no deal"),
    };
    (why, is_unclear)
}

/// An id as a text: also of a number that a program wrote with a point.
fn id_text(value: &Value) -> Option<String> {
    let whole = value.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 1e15);
    json::scalar(value).or_else(|| whole.map(|it| format!("{it:.0}")))
}

fn shown(reference: &DealRef) -> String {
    match &reference.crm {
        Some(crm) => format!("{crm} deal {}", reference.id),
        None => format!("deal {}", reference.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &[ReferenceRule] = &[
        ReferenceRule {
            crm: "hubspot",
            names: &["hubspot.deal_id"],
            of_address: |text| {
                let (_, id) = text.split_once("hubspot.example/record/0-3/")?;
                Some(DealId::new(id))
            },
        },
        ReferenceRule {
            crm: "salesforce",
            names: &["salesforce_opportunity_id", "OpportunityId"],
            of_address: |_| None,
        },
    ];

    fn refs(metadata: &Value, settings: &str) -> Vec<String> {
        let settings: DealSettings =
            crate::yaml::from_node(&crate::yaml::read(settings.as_bytes()).expect("yaml"))
                .expect("settings");
        let mut signature = super::super::blank("pandadoc", "doc-1");
        signature.document_name = Some("Order #77".to_owned());
        signature.metadata = metadata.as_object().expect("an object").clone();
        DealFinder::new(settings, RULES).find(&mut signature);
        signature
            .deal_refs
            .iter()
            .map(|r| format!("{}:{}", r.crm.as_ref().map_or("?", |crm| crm.as_str()), r.id))
            .collect()
    }

    #[test]
    fn ids_are_found_as_texts_numbers_and_lists_without_doubles() {
        let found = refs(
            &serde_json::json!({
                "HubSpot.Deal_ID": 18_640_329_741_i64,
                "hubspot.deal_id": ["18640329741", 2],
                "salesforce_opportunity_id": "0065g00000XyZ12",
                "Salesforce.Opportunity_Id": "0065g00000XyZ12AAF",
                "deal_id": "2", "crm": "HubSpot"
            }),
            "{}",
        );
        assert_eq!(
            found,
            ["hubspot:18640329741", "hubspot:2", "salesforce:0065g00000XyZ12"],
            "one reference for each deal"
        );
    }

    #[test]
    fn several_ids_in_one_text_and_ids_that_programs_changed() {
        for (value, expected) in [
            (serde_json::json!({"deals": "42,43"}), vec!["?:42", "?:43"]),
            (serde_json::json!({"deals": "101,102"}), vec!["?:101", "?:102"]),
            (serde_json::json!({"deals": "42\n43"}), vec!["?:42", "?:43"]),
            (serde_json::json!({"deals": "42 and 43"}), vec!["?:42", "?:43"]),
            (serde_json::json!({"deals": "42/43|44"}), vec!["?:42", "?:43", "?:44"]),
            (serde_json::json!({"deals": "42|43"}), vec!["?:42", "?:43"]),
            (serde_json::json!({"deal_id": "42/43"}), vec!["?:42", "?:43"]),
            (serde_json::json!({"deal_id": "#42"}), vec!["?:42"]),
            (serde_json::json!({"deal_id": 42.0}), vec!["?:42"]),
            (serde_json::json!({"hubspot.deal_id": "31,874,500,101"}), vec!["hubspot:31874500101"]),
            (serde_json::json!({"deal_id": "101,102"}), vec![]),
            (serde_json::json!({"deal_id": "3.18E+10"}), vec![]),
            (serde_json::json!({"deal_id": "N/A"}), vec![]),
            (serde_json::json!({"deal_id": "{{deal.id}}"}), vec![]),
            (serde_json::json!({"link": "hubspot.example/record/0-3/42"}), vec!["hubspot:42"]),
        ] {
            assert_eq!(refs(&value, "{}"), expected, "{value}");
        }
    }

    #[test]
    fn configured_fields_and_expressions_come_first() {
        let settings = "{crm: pipedrive, fields: [Order No], id: \"signature.document_name | split('#') | last\"}";
        let found = refs(
            &serde_json::json!({"order_no": "12", "deal_id": "9", "hubspot_deal_id": "5"}),
            settings,
        );
        assert_eq!(found, ["pipedrive:12", "pipedrive:77", "hubspot:5", "pipedrive:9"]);
    }

    #[test]
    fn what_is_no_id_is_left_out() {
        let found = refs(
            &serde_json::json!({"deal_id": "a b", "hubspot_deal_id": 1.5, "pipedrive_deal_id": {}}),
            "{id: signature.metadata.nothing.there}",
        );
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_bad_expression_is_refused_when_the_settings_are_read() {
        let node = crate::yaml::read(b"{id: 'signature..x'}").expect("yaml");
        let error = crate::yaml::from_node::<DealSettings>(&node).expect_err("must be refused");
        assert!(error.to_string().contains("unexpected `.`"), "{error}");
    }
}
