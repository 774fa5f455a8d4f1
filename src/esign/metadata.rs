//! What senders put on a document: what can be read from it, and what must not be
//! kept.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{folded, folds_to};
use crate::model::{Money, Person, Signature};
use crate::webhook::json;

// Bodies without what must not lie on a disk: signing links, access codes,
// network addresses, the documents' own bytes, secrets.

/// Ends of names (without case and punctuation) whose values open something,
/// say where somebody was, or are whole files. No provider reads them.
const NEVER_KEPT: &[&str] = &[
    "accesscode",
    "accesstoken",
    "apikey",
    "downloadurl",
    "embedurl",
    "eventhash",
    "filesurl",
    "finalcopyuri",
    "ipaddress",
    "passcode",
    "password",
    "pdfbytes",
    "sharedlink",
    "signinglink",
    "signingtoken",
    "signingurl",
    "signurl",
    "smscode",
    "useragent",
];

/// Whole names of the same kind, which would be too short as ends.
const NEVER_KEPT_WHOLE: &[&str] = &["clientip", "ip", "remoteip", "signerip"];

/// Names under which lists of name and value keep the name.
const NAMES: &[&str] = &["name", "tabLabel", "field_id", "api_id", "groupName", "field", "key"];

/// Whether a value of this name must not be kept.
pub(super) fn is_private(name: &str) -> bool {
    let folded = folded(name);
    NEVER_KEPT.iter().any(|end| folded.ends_with(end)) || NEVER_KEPT_WHOLE.contains(&&*folded)
}

/// A JSON body without private values, at any depth, and without the values at
/// these dotted paths. What is no JSON is given back as it is.
pub(super) fn redacted(body: &[u8], paths: &[&str]) -> Vec<u8> {
    let Ok(mut value) = json::read(body) else { return body.to_vec() };
    for path in paths {
        let (parent, last) =
            path.rsplit_once('.').map_or(("", *path), |(parent, last)| (parent, last));
        let mut keys = parent.split('.').filter(|key| !key.is_empty());
        let parent = keys.try_fold(&mut value, |value, key| value.get_mut(key));
        if let Some(members) = parent.and_then(Value::as_object_mut) {
            members.remove(last);
        }
    }
    strip(&mut value);
    serde_json::to_vec(&value).unwrap_or_else(|_| body.to_vec())
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                if has_private_name(item) {
                    item.as_object_mut().map(|members| members.remove("value"));
                }
                strip(item);
            }
        }
        Value::Object(members) => {
            members.retain(|name, _| !is_private(name));
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// Whether an item of a list of names and values has a private name.
pub(super) fn has_private_name(item: &Value) -> bool {
    NAMES.iter().filter_map(|key| item.get(key).and_then(Value::as_str)).any(is_private)
}

// What senders put on a document, flattened to name and value, and what can
// be read from it in every provider's words: total, customer, name.

/// Adds a value under a name unless the name is taken, blank or one that must
/// not be kept. Texts, numbers, flags and lists of them are kept; other values
/// are not.
pub(super) fn add(metadata: &mut Map<String, Value>, name: &str, value: &Value) {
    let name = name.trim();
    if name.is_empty() || metadata.contains_key(name) || is_private(name) {
        return;
    }
    if let Some(value) = plain(value) {
        metadata.insert(name.to_owned(), value);
    }
}

/// Adds a text, when there is one.
pub(super) fn add_text(metadata: &mut Map<String, Value>, name: &str, text: Option<&str>) {
    if let Some(text) = text {
        add(metadata, name, &Value::from(text));
    }
}

/// Adds all members of an object.
pub(super) fn add_object(metadata: &mut Map<String, Value>, object: Option<&Value>) {
    for (name, value) in object.and_then(Value::as_object).into_iter().flatten() {
        add(metadata, name, value);
    }
}

/// Adds the values of a list of `{name, value}`, under whichever of the keys
/// gives a name.
pub(super) fn add_named(metadata: &mut Map<String, Value>, items: &[Value], keys: &[&str]) {
    for item in items.iter().filter(|item| !has_private_name(item)) {
        let Some(value) = item.get("value") else { continue };
        for key in keys {
            if let Some(name) = json::text(item, &[key]) {
                add(metadata, name, value);
            }
        }
    }
}

fn plain(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| Value::from(text))
        }
        Value::Number(_) | Value::Bool(_) => Some(value.clone()),
        Value::Array(values) => {
            let values: Vec<Value> = values.iter().filter_map(plain).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// An amount with its currency. `Ok(None)` when there is none or it is zero:
/// a document without prices has the total 0.00 and is not worth nothing.
///
/// # Errors
/// With a remark for people when it is no amount.
pub(super) fn total(
    amount: Option<&Value>,
    currency: Option<&str>,
) -> Result<Option<Money>, String> {
    let text = match amount {
        Some(Value::Number(number)) => number.to_string(),
        Some(value) => match json::scalar(value) {
            Some(text) => text,
            None => return Ok(None),
        },
        None => return Ok(None),
    };
    match Money::parse(&text, currency) {
        Ok(money) if money.amount == Decimal::ZERO => Ok(None),
        Ok(money) => Ok(Some(money)),
        Err(error) => Err(format!("the document's total was left out: {error}")),
    }
}

/// Names under which senders keep the customer's company, compared without case
/// and punctuation, the clearest first.
const CUSTOMER_NAMES: &[&str] = &[
    "customercompany",
    "customercompanyname",
    "customername",
    "clientcompany",
    "clientcompanyname",
    "clientname",
    "accountname",
    "companyname",
    "account",
    "company",
    "organisation",
    "organization",
];

/// The customer's company: the one that the signers name, else the one that the
/// sender put on the document. Companies of the sender's own people do not
/// count, and two different ones are no answer.
pub(super) fn customer(
    signature: &Signature,
    companies: &[(Option<&str>, &str)],
) -> Option<String> {
    let domain =
        |email: &str| email.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
    let own = signature.sender.as_ref().and_then(|sender| sender.email.as_deref()).and_then(domain);
    let is_own = |email: Option<&str>| own.is_some() && email.and_then(domain) == own;
    let own_companies: Vec<String> = companies
        .iter()
        .filter(|(email, _)| is_own(*email))
        .map(|(_, company)| company.trim().to_lowercase())
        .collect();
    let mut named: Vec<&str> = companies
        .iter()
        .filter(|(email, _)| !is_own(*email))
        .map(|(_, company)| company.trim())
        .filter(|company| !company.is_empty() && !own_companies.contains(&company.to_lowercase()))
        .collect();
    named.dedup_by_key(|company| company.to_lowercase());
    if let [company] = named[..] {
        return Some(company.to_owned());
    }
    if !named.is_empty() {
        return None;
    }
    CUSTOMER_NAMES.iter().find_map(|known| {
        let (_, value) = signature.metadata.iter().find(|(name, _)| folds_to(name, known))?;
        // A bare number is a record's id and no name.
        value.as_str().filter(|text| text.chars().any(char::is_alphabetic)).map(str::to_owned)
    })
}

/// A document's name without what a provider puts before it in its mails'
/// subjects, in whatever language: everything up to a colon behind the
/// provider's own name, as in "Complete with Docusign: Order form".
fn document_name(name: &str) -> Option<&str> {
    const BRANDS: &[&str] =
        &["docusign", "adobe sign", "acrobat sign", "dropbox sign", "hellosign", "pandadoc"];
    let name = name.trim();
    let cleaned = match name.char_indices().find(|(_, c)| matches!(c, ':' | '\u{ff1a}')) {
        Some((at, colon)) if at < 100 => {
            let subject = name[..at].to_lowercase();
            let is_prefix = BRANDS.iter().any(|brand| subject.contains(brand));
            if is_prefix { name[at + colon.len_utf8()..].trim() } else { name }
        }
        _ => name,
    };
    (!cleaned.is_empty()).then_some(cleaned)
}

/// Words in brackets before the names of test and sandbox documents, such as the
/// `[DEV]` of PandaDoc's sandbox.
const TEST_PREFIXES: &[&str] = &["dev", "test", "demo", "sandbox", "staging"];
/// Members that are set for a test or sandbox document, folded.
const TEST_FLAGS: &[&str] = &[
    "demo",
    "demomode",
    "isdemo",
    "issandbox",
    "istest",
    "istestmode",
    "sandbox",
    "sandboxmode",
    "test",
    "testmode",
];
/// Members that are not set for one, folded.
const LIVE_FLAGS: &[&str] = &["islive", "livemode", "production", "isproduction"];
/// Members that name the environment, folded.
const ENVIRONMENTS: &[&str] = &["env", "environment", "mode"];
/// What they name for one.
const TEST_WORDS: &[&str] =
    &["test", "testing", "sandbox", "demo", "dev", "development", "staging", "stage"];

/// Sets the document's name, without what a provider puts before it. A prefix that
/// says so makes it a test.
pub(super) fn set_name(signature: &mut Signature, name: &str) {
    let mut name = name.trim();
    let bracketed = name.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((word, rest)) = bracketed
        && TEST_PREFIXES.iter().any(|known| word.trim().eq_ignore_ascii_case(known))
    {
        let why = format!("its name begins with [{}], as those of a sandbox do", word.trim());
        mark_test(signature, why);
        name = rest;
    }
    signature.document_name = document_name(name).map(str::to_owned);
}

/// Marks a document as a test, for this reason, unless it is one already.
pub(super) fn mark_test(signature: &mut Signature, why: String) {
    if !signature.test {
        signature.test = true;
        signature.remarks.push(why);
    }
}

/// Marks a document as a test where one of these objects of the sender's says so in the
/// words that senders use for it.
pub(super) fn read_test_words(signature: &mut Signature, objects: &[&Value]) {
    let members = objects.iter().filter_map(|object| object.as_object()).flatten();
    for (name, value) in members {
        let folded = folded(name);
        let is_among = |names: &[&str]| names.contains(&&*folded);
        let word = value.as_str().map(str::trim).unwrap_or_default();
        let is_unset = matches!(value, Value::Bool(false))
            || value.as_f64() == Some(0.0)
            || ["false", "0", "no", "n", "off"].iter().any(|no| word.eq_ignore_ascii_case(no));
        let is_test = (is_among(TEST_FLAGS) && is_set(Some(value)))
            || (is_among(LIVE_FLAGS) && is_unset)
            || (is_among(ENVIRONMENTS)
                && TEST_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known)));
        if is_test {
            let name = crate::text::quoted(name);
            let value =
                crate::text::quoted(&json::scalar(value).unwrap_or_else(|| value.to_string()));
            mark_test(signature, format!("its {name} is {value}: it is a test"));
        }
    }
}

/// A person, when there is anything to say of one.
pub(super) fn person(name: Option<&str>, email: Option<&str>) -> Option<Person> {
    let person = Person { name: name.map(str::to_owned), email: email.map(str::to_owned) };
    (person != Person::default()).then_some(person)
}

/// Whether a flag is set: `true`, `1`, either as text, or `yes`. Vendors write them all.
pub(super) fn is_set(flag: Option<&Value>) -> bool {
    match flag {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64() == Some(1.0),
        Some(Value::String(text)) => {
            matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "y" | "on")
        }
        _ => false,
    }
}

/// Whether an API's root is a sandbox's or a demo's.
pub(super) fn is_test_host(base: Option<&crate::http::BaseUrl>, hosts: &[&str]) -> bool {
    let host = base.map(|base| {
        let rest = base.as_str().split("://").nth(1).unwrap_or_default();
        rest.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase()
    });
    host.is_some_and(|host| {
        hosts.iter().any(|known| host == *known || host.ends_with(&format!(".{known}")))
    })
}
