//! The filters and functions that mapping expressions have besides minijinja's:
//! for people, promises and records.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, Value};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::arguments::{finish, is_absent, refuse, text_of};
use super::values;
use super::values::{money_in, quantity, read_number};
use crate::model::is_unseen;
use crate::text::one_line;

// People: who has a role, who signed.

fn attr(value: &Value, name: &str) -> Option<String> {
    value.get_attr(name).ok().as_ref().and_then(text_of)
}

/// `person`: name, email, title and phone of a contact, a signer or an owner.
pub(super) fn person(value: &Value) -> Option<Value> {
    let fields: Vec<(&str, Value)> = ["name", "email", "title", "phone"]
        .into_iter()
        .filter_map(|name| Some((name, Value::from(attr(value, name)?))))
        .collect();
    let named = fields.iter().any(|(name, _)| matches!(*name, "name" | "email"));
    named.then(|| Value::from_pairs(fields))
}

fn items(list: &Value) -> Vec<Value> {
    if is_absent(list) {
        Vec::new()
    } else {
        list.try_iter().map(Iterator::collect).unwrap_or_default()
    }
}

/// `contacts | role("economic_buyer", "decision_maker")`: the first contact
/// with the first of these roles that anybody has.
pub(super) fn role(contacts: &Value, roles: Rest<String>) -> Option<Value> {
    let contacts = items(contacts);
    roles
        .iter()
        .find_map(|role| contacts.iter().find(|contact| has_role(contact, role)).and_then(person))
}

fn has_role(contact: &Value, role: &str) -> bool {
    let roles = contact.get_attr("roles").map(|roles| items(&roles)).unwrap_or_default();
    roles.iter().any(|own| own.as_str() == Some(role))
}

/// `contacts | others(brief.contacts.signer, …)`: everybody who is not one of
/// these, with their roles in words: `Technical owner`.
pub(super) fn others(contacts: &Value, named: Rest<Value>) -> Option<Value> {
    let same = |a: &Value, b: &Value| {
        let both = |name: &str| {
            let folded = |value: &Value| attr(value, name).map(|text| text.to_lowercase());
            folded(a).zip(folded(b))
        };
        both("email").or_else(|| both("name")).is_some_and(|(a, b)| a == b)
    };
    let others: Vec<Value> = items(contacts)
        .iter()
        .filter(|contact| !named.iter().any(|named| !is_absent(named) && same(contact, named)))
        .filter_map(|contact| {
            let person = person(contact)?;
            attr(&person, "name")?;
            let roles = contact.get_attr("roles").map(|roles| items(&roles)).unwrap_or_default();
            let roles: Vec<String> = roles.iter().filter_map(text_of).collect();
            let mut fields: Vec<(&str, Value)> = ["name", "email", "title", "phone"]
                .into_iter()
                .filter_map(|name| Some((name, Value::from(attr(&person, name)?))))
                .collect();
            if !roles.is_empty() {
                let words = crate::brief::schema::humanise(&roles.join(", "));
                fields.push(("role", Value::from(words)));
            }
            Some(Value::from_pairs(fields))
        })
        .collect();
    (!others.is_empty()).then(|| Value::from(others))
}

/// `signer(signature, contacts, deal)`: who signed for the customer. Of those
/// who signed, the contact with that e-mail address; else a signer from
/// another domain than the rep's. Without a signature, the contact with the
/// role of the signer.
pub(super) fn signer(
    signature: &Value,
    contacts: Option<&Value>,
    deal: Option<&Value>,
) -> Result<Option<Value>, Error> {
    let contacts = contacts.map(items).unwrap_or_default();
    let all = signature.get_attr("signers").map(|signers| items(&signers)).unwrap_or_default();
    let signed = |signer: &&Value| {
        signer.get_attr("signed").map_or(true, |signed| is_absent(&signed) || signed.is_true())
    };
    let signers: Vec<&Value> = all.iter().filter(signed).collect();
    let email = |value: &Value| attr(value, "email").map(|email| email.to_lowercase());
    for signer in &signers {
        let Some(address) = email(signer) else { continue };
        let known = contacts.iter().find(|contact| email(contact).as_ref() == Some(&address));
        if let Some(found) = known.and_then(person) {
            return Ok(Some(found));
        }
    }
    let owner = deal.and_then(|deal| deal.get_attr("owner").ok());
    let sender = signature.get_attr("sender").ok();
    let ours = owner.as_ref().and_then(email).or_else(|| sender.as_ref().and_then(email));
    let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    let our_domain = ours.as_deref().and_then(domain);
    let theirs: Vec<&&Value> = signers
        .iter()
        .filter(|signer| {
            let address = email(signer);
            our_domain.is_none() || address.as_deref().and_then(domain) != our_domain
        })
        .collect();
    // With no rep to tell them apart, only a single signer is certain.
    if let Some(signer) = theirs.first().filter(|_| our_domain.is_some() || theirs.len() == 1) {
        return Ok(person(signer));
    }
    let by_document_role = theirs.iter().find(|signer| {
        let role = attr(signer, "role").unwrap_or_default().to_lowercase();
        ["client", "customer", "buyer", "purchaser"].iter().any(|word| role.contains(word))
    });
    if let Some(signer) = by_document_role {
        return Ok(person(signer));
    }
    let by_role = contacts
        .iter()
        .find(|contact| ["contract_signer", "signer"].iter().any(|role| has_role(contact, role)));
    Ok(by_role.and_then(person))
}

// Free text that holds a list: promises, risks, integrations.

/// The items of a text: one a line, or between semicolons. A list stays one.
fn split(value: &Value) -> Vec<String> {
    let texts: Vec<String> = if value.kind() == minijinja::value::ValueKind::Seq {
        value
            .try_iter()
            .map(|items| items.filter_map(|item| text_of(&item)).collect())
            .unwrap_or_default()
    } else {
        text_of(value).into_iter().collect()
    };
    texts
        .iter()
        .flat_map(|text| text.split(['\n', '\r', ';']))
        .map(|item| {
            let item = item.trim().trim_start_matches(['-', '*', '•', '–']).trim_start();
            // A numbered list: `1. SSO`, `2) SLA`.
            let rest = item.trim_start_matches(|c: char| c.is_ascii_digit());
            match rest.strip_prefix(['.', ')']) {
                Some(rest) if rest.len() < item.len() - 1 && rest.starts_with(' ') => {
                    one_line(rest)
                }
                _ => one_line(item),
            }
        })
        .filter(|item| !item.is_empty() && !is_blank(item))
        .collect()
}

/// Whether an item is what people and programs write where they have nothing to
/// say; that nobody asked, it says as well.
fn is_blank(item: &str) -> bool {
    const BLANK: [&str; 11] = [
        "n/a",
        "n.a",
        "#n/a",
        "not applicable",
        "null",
        "nan",
        "undefined",
        "s.o",
        "sans objet",
        "entfällt",
        "対象外",
    ];
    let item = item.to_lowercase();
    let bare = item.trim_matches(|c: char| matches!(c, '.' | '(' | ')') || c.is_whitespace());
    BLANK.contains(&bare) || matches!(bare, "blank" | "no value" | "empty") && item.starts_with('(')
}

/// Words for "asked, and there is none", in the languages of the columns that are
/// known and their neighbours.
#[rustfmt::skip]
const NONE: &[&str] = &[
    "none", "nothing", "no", "nil", "no promises", "no commitments", "no integrations",
    "no requirements", "none so far", "none yet",
    "keine", "keiner", "keines", "keinen", "kein", "nichts", "nein", "keine zusagen",
    "aucun", "aucune", "aucuns", "aucunes", "rien", "néant", "non", "pas de promesse",
    "ninguno", "ninguna", "ningunos", "ningunas", "nada", "nenhum", "nenhuma", "nenhuns",
    "não", "nao", "nessuno", "nessuna", "niente", "nulla", "geen", "niets", "nee",
    "なし", "無し", "無", "特になし", "特に無し", "ありません", "无", "没有", "沒有", "없음", "없습니다",
    "ingen", "inga", "inget", "ingenting", "nej", "nei", "intet", "ei", "ei mitään", "ei ole",
    "brak", "żadne", "żadna", "nie", "žádné", "žádný", "žádná", "nic", "ne",
    "нет", "отсутствует", "отсутствуют", "ничего", "немає", "ні", "yok", "hayır",
    "nincs", "nincsenek", "nem", "niciunul", "niciuna", "nimic", "nu", "κανένα", "καμία", "όχι",
];

/// The word `none` where that is all the text says, in whatever language.
fn says_none(items: &[String]) -> bool {
    let [only] = items else { return false };
    let folded = only.to_lowercase();
    NONE.contains(&folded.trim_matches(|c: char| matches!(c, '.' | '。' | '!' | '(' | ')')))
}

/// `lines`: a text as a list, one item a line or between semicolons.
pub(super) fn lines(value: &Value) -> Option<Value> {
    let items = split(value);
    if says_none(&items) {
        return Some(Value::from("none"));
    }
    (!items.is_empty()).then(|| Value::from(items))
}

/// `each("risk", owner="…")`: each item of a text or list as a mapping.
pub(super) fn each(value: &Value, field: &str, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let more = extras(&kwargs)?;
    let items = split(value);
    if says_none(&items) {
        return Ok(Some(Value::from("none")));
    }
    let mappings: Vec<Value> = items
        .into_iter()
        .map(|item| {
            let mut fields = vec![(field.to_owned(), Value::from(item))];
            fields.extend(more.iter().cloned());
            Value::from_pairs(fields)
        })
        .collect();
    Ok((!mappings.is_empty()).then(|| Value::from(mappings)))
}

/// `promises(made_by=deal.owner.name)`: a text as promises. A promise may end
/// with what else is known of it, in brackets:
/// `SSO before go-live [owner: Platform team, due: 2027-01-15, stretch]`.
pub(super) fn promises(value: &Value, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let more = extras(&kwargs)?;
    let items = split(value);
    if says_none(&items) {
        return Ok(Some(Value::from("none")));
    }
    let promises: Vec<Value> = items.iter().map(|item| promise(item, &more)).collect();
    Ok((!promises.is_empty()).then(|| Value::from(promises)))
}

fn promise(item: &str, more: &[(String, Value)]) -> Value {
    let (text, noted) = bracketed(item).unwrap_or((item, Vec::new()));
    let mut fields = vec![("promise".to_owned(), Value::from(text))];
    for (name, value) in more {
        if !noted.iter().any(|(own, _)| own == name) {
            fields.push((name.clone(), value.clone()));
        }
    }
    fields.extend(noted);
    Value::from_pairs(fields)
}

/// The promise and what stands in brackets behind it, if all of that is known.
fn bracketed(item: &str) -> Option<(&str, Vec<(String, Value)>)> {
    let (text, inside) = item.strip_suffix(']')?.rsplit_once('[')?;
    let mut noted = Vec::new();
    for part in inside.split(',') {
        let part = part.trim();
        if part.eq_ignore_ascii_case("stretch") {
            noted.push(("stretch".to_owned(), Value::from(true)));
            continue;
        }
        if part.eq_ignore_ascii_case("in contract") {
            noted.push(("in_contract".to_owned(), Value::from("yes")));
            continue;
        }
        let (name, value) = part.split_once(':')?;
        let name = name.trim().to_lowercase().replace(' ', "_");
        if !["owner", "due", "on", "made_by", "made_to", "in_contract"].contains(&name.as_str()) {
            return None;
        }
        if name == "in_contract" {
            let value = value.trim().to_lowercase();
            if !["yes", "no", "unknown"].contains(&value.as_str()) {
                return None;
            }
            noted.push((name, Value::from(value)));
            continue;
        }
        noted.push((name, Value::from(value.trim())));
    }
    let text = text.trim();
    (!text.is_empty()).then_some((text, noted))
}

/// The keyword arguments that say something.
fn extras(kwargs: &Kwargs) -> Result<Vec<(String, Value)>, Error> {
    let mut more = Vec::new();
    let mut names: Vec<&str> = kwargs.args().collect();
    names.sort_unstable();
    for name in names {
        let value: Value = kwargs.get(name)?;
        if !is_absent(&value) {
            more.push((name.to_owned(), value));
        }
    }
    finish(kwargs)?;
    Ok(more)
}

// Records: properties by name, products, websites.

/// `deal | property("Handoff: success metric", "Success Criteria")`: the first
/// of these properties that has a value. Where no name fits exactly, case and
/// punctuation do not count, nor does a leading `Deal` or `Opportunity` or a
/// trailing `__c`: exports write one property in several ways.
pub(super) fn property(record: &Value, names: Rest<String>) -> Option<Value> {
    // Of a signature, what the sender put on the document.
    let of = |name| record.get_attr(name).ok().filter(|value| !is_absent(value));
    let properties = of("properties").or_else(|| of("metadata"))?;
    let exact = |name: &String| properties.get_attr(name).ok().filter(|value| !is_absent(value));
    if let Some(found) = names.iter().find_map(exact) {
        return Some(found);
    }
    let keys: Vec<Value> = properties.try_iter().map(Iterator::collect).unwrap_or_default();
    let folded: Vec<(Arc<str>, &Value)> =
        keys.iter().filter_map(|key| Some((folded_property(key.as_str()?), key))).collect();
    names.iter().find_map(|name| {
        let name = folded_property(name);
        let matching = folded.iter().filter(|(key, _)| *key == name);
        matching
            .filter_map(|(_, key)| properties.get_item(key).ok())
            .find(|value| !is_absent(value))
    })
}

/// As [`fold_property`], remembered: settings and records name the same few
/// properties again and again.
pub(crate) fn folded_property(name: &str) -> Arc<str> {
    const MOST: usize = 4_096;
    const LONGEST: usize = 256;
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Arc<str>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(folded) = known.get(name) {
            return Arc::clone(folded);
        }
        let folded: Arc<str> = fold_property(name).into();
        if known.len() >= MOST {
            known.clear();
        }
        if name.len() <= LONGEST {
            known.insert(name.to_owned(), Arc::clone(&folded));
        }
        folded
    })
}

/// A property's name as [`property`] compares it.
pub(crate) fn fold_property(name: &str) -> String {
    let name = name.strip_suffix("__c").or_else(|| name.strip_suffix("__C")).unwrap_or(name);
    let folded: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let bare = folded.strip_prefix("deal").or_else(|| folded.strip_prefix("opportunity"));
    match bare {
        Some(bare) if !bare.is_empty() => bare.to_owned(),
        _ => folded,
    }
}

/// `line_items | products(billing="recurringbillingfrequency", …)`: every line
/// with name, plan, quantity, price, discount, billing period and SKU. The
/// arguments name the properties in which a CRM keeps what a line has no field
/// for: `plan`, `billing`, `discount_percent`, `discount_amount`,
/// `discount_type` (which says whether the amount is one) and `currency`, a
/// currency itself.
pub(super) fn products(line_items: &Value, kwargs: Kwargs) -> Result<Option<Value>, Error> {
    let named: Vec<(&str, Value)> =
        ["plan", "billing", "discount_percent", "discount_amount", "discount_type", "currency"]
            .into_iter()
            .map(|name| Ok((name, kwargs.get::<Option<Value>>(name)?.unwrap_or_default())))
            .collect::<Result<_, Error>>()?;
    finish(&kwargs)?;
    if is_absent(line_items) {
        return Ok(None);
    }
    let argument =
        |name: &str| named.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let currency = argument("currency").as_ref().and_then(text_of);
    let mut products = Vec::new();
    for item in line_items.try_iter()? {
        let attr = |name: &str| item.get_attr(name).ok().filter(|value| !is_absent(value));
        let held = |name: &str| {
            let names = argument(name)?;
            let names: Vec<String> = match names.as_str() {
                Some(name) => vec![name.to_owned()],
                None => names.try_iter().ok()?.filter_map(|name| text_of(&name)).collect(),
            };
            property(&item, Rest(names))
        };
        let sku = attr("sku").as_ref().and_then(text_of);
        let Some(name) = attr("name").as_ref().and_then(text_of).or_else(|| sku.clone()) else {
            continue;
        };
        let mut fields = vec![("name", Value::from(name))];
        if let Some(plan) = held("plan").as_ref().and_then(text_of) {
            fields.push(("plan", Value::from(plan)));
        }
        if let Some(quantity) = attr("quantity").map(|text| quantity(&text)).transpose()? {
            fields.push(("quantity", quantity));
        }
        // A price in no currency says too little.
        if let (Some(price), Some(currency)) = (attr("price"), &currency) {
            fields.push(("unit_price", money_in(&price, currency)?));
        }
        let discount = discount(
            held("discount_percent"),
            held("discount_amount"),
            held("discount_type").as_ref().and_then(text_of),
            currency.as_deref(),
        );
        fields.extend(discount.map(|discount| ("discount", Value::from(discount))));
        if let Some(billing) = held("billing").as_ref().and_then(text_of) {
            fields.push(("billing", Value::from(billing.replace('_', " "))));
        }
        fields.extend(sku.map(|sku| ("sku", Value::from(sku))));
        products.push(Value::from_pairs(fields));
    }
    Ok((!products.is_empty()).then(|| Value::from(products)))
}

/// `10%` or `USD 100.00`; what is no number stays as it is written.
fn discount(
    percent: Option<Value>,
    amount: Option<Value>,
    kind: Option<String>,
    currency: Option<&str>,
) -> Option<String> {
    let says_something = |value: &Value| read_number(value).is_none_or(|number| number.is_true());
    let is_amount = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("amount"));
    let (percent, amount) = match (percent, amount) {
        (Some(value), None) if is_amount => (None, Some(value)),
        other => other,
    };
    if let Some(percent) = percent.filter(says_something) {
        let text = text_of(&percent)?;
        return Some(match read_number(&percent) {
            Some(number) => format!("{number}%"),
            None => text,
        });
    }
    let amount = amount.filter(says_something)?;
    let text = text_of(&amount)?;
    Some(match currency {
        Some(currency) if read_number(&amount).is_some() => format!("{currency} {text}"),
        _ => text,
    })
}

/// `website`: a link, also from a bare domain such as `acme.example`.
pub(super) fn website(value: &Value) -> Option<String> {
    let text = text_of(value)?;
    let link = if text.starts_with("https://") || text.starts_with("http://") {
        text
    } else if text.contains('.') && !text.contains("://") {
        format!("https://{text}")
    } else {
        return None;
    };
    let parsed = url::Url::parse(&link).ok()?;
    parsed.host_str()?;
    // `Url` adds a final slash to a bare host; readers and other CRMs do not write it.
    Some(link.trim_end_matches('/').split_whitespace().collect::<String>())
}

// The filters and functions that mapping expressions have besides
// minijinja's own; `docs/brief.md` describes each.

/// The filters of [`register`], sorted.
const OWN: [&str; 19] = [
    "choice", "dated", "day", "each", "lines", "money", "months", "number", "others", "person",
    "plain", "products", "promises", "property", "role", "says", "time", "website", "words",
];

/// Filters and tests of minijinja that mappings often use.
const OFTEN_USED: [&str; 17] = [
    "default",
    "first",
    "join",
    "last",
    "list",
    "lower",
    "map",
    "replace",
    "select",
    "selectattr",
    "sort",
    "split",
    "title",
    "trim",
    "unique",
    "upper",
    "defined",
];

/// The names that a misspelt one may have meant.
pub(super) fn likely_names() -> impl Iterator<Item = &'static str> {
    OWN.into_iter().chain(OFTEN_USED)
}

/// Puts the filters and functions into the environment.
pub(super) fn register(environment: &mut Environment<'static>) {
    environment.add_filter("choice", choice);
    environment.add_filter("dated", values::dated);
    environment.add_filter("day", values::day);
    environment.add_filter("each", each);
    environment.add_filter("lines", lines);
    environment.add_filter("money", values::money);
    environment.add_filter("months", values::months);
    environment.add_filter("number", values::number);
    environment.add_filter("others", others);
    environment.add_filter("person", person);
    environment.add_filter("plain", plain);
    environment.add_filter("products", products);
    environment.add_filter("promises", promises);
    environment.add_filter("property", property);
    environment.add_filter("role", role);
    environment.add_filter("says", says);
    environment.add_filter("time", values::time);
    environment.add_filter("website", website);
    environment.add_filter("words", words);
    environment.add_function("signer", signer);
}

/// `plain`: the text of whatever the CRM gives.
fn plain(value: &Value) -> Option<String> {
    text_of(value)
}

/// `words`: `INDUSTRIAL_AUTOMATION` as people write it, `Industrial
/// automation`; text that is no such code stays as it is.
fn words(value: &Value) -> Option<String> {
    let text = text_of(value)?;
    let code = text.contains('_') && !text.contains(' ')
        || (text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase()));
    if !code {
        return Some(text);
    }
    let words = text.replace('_', " ").to_lowercase();
    let mut chars = words.trim().chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect())
}

/// `choice("low", "medium", "high")`: the one of these words that the value
/// is, whatever its case; anything else is refused.
fn choice(value: &Value, choices: Rest<String>) -> Result<Option<String>, Error> {
    let Some(text) = text_of(value) else { return Ok(None) };
    let folded = text.to_lowercase();
    match choices.iter().find(|choice| choice.to_lowercase() == folded) {
        Some(choice) => Ok(Some(choice.clone())),
        None => Err(refuse(value, &format!("none of {}", choices.join(", ")))),
    }
}

/// `says("order form", "NDA")`: whether a text has one of these as whole words.
/// Case, accents and what stands between words do not count: `MutualNDA_2026.pdf` says
/// `nda`, and `STANDARD TERMS` does not.
fn says(value: &Value, phrases: Rest<String>) -> Result<Option<bool>, Error> {
    let phrases: Vec<String> = phrases.iter().map(|phrase| bare_words(phrase)).collect();
    if phrases.is_empty() || phrases.iter().any(String::is_empty) {
        let words = "`says` needs words to look for: `says(\"order form\")`";
        return Err(Error::new(ErrorKind::InvalidOperation, words));
    }
    let Some(text) = text_of(value) else { return Ok(None) };
    // `OrderForm.pdf` is two words, and `PandaDoc` may be looked for as one.
    let readings = [bare_words(&text), bare_words(&with_gaps(&text))];
    let is_said = |phrase: &String| readings.iter().any(|text| has_words(text, phrase));
    Ok(Some(phrases.iter().any(is_said)))
}

/// A text's words in small letters and without accents, one space between two.
fn bare_words(text: &str) -> String {
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c) && !is_unseen(*c)).nfc();
    let plain: String = plain.flat_map(char::to_lowercase).collect();
    let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// A text with a space before each capital that follows a small letter.
fn with_gaps(text: &str) -> String {
    let mut gapped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if c.is_uppercase() && gapped.ends_with(char::is_lowercase) {
            gapped.push(' ');
        }
        gapped.push(c);
    }
    gapped
}

fn has_words(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let (before, behind) = (&text[..at], &text[at + phrase.len()..]);
        let (first, last) = (phrase.chars().next(), phrase.chars().next_back());
        are_apart(before.chars().next_back(), first) && are_apart(last, behind.chars().next())
    })
}

/// Whether a word ends between two neighbours: `NDA契約書`, `NDA2026`.
fn are_apart(one: Option<char>, other: Option<char>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    one == ' '
        || other == ' '
        || is_written_without_spaces(one)
        || is_written_without_spaces(other)
        || one.is_numeric() != other.is_numeric()
}

/// Han, kana, hangul, Thai, Lao, Khmer, Burmese: where a word ends is not written.
fn is_written_without_spaces(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_registered_and_has_its_line_in_the_docs() {
        let mut environment = Environment::empty();
        register(&mut environment);
        let docs = include_str!("../../../docs/brief.md");
        for name in OWN {
            let used = environment.compile_expression("x|NAME".replace("NAME", name).leak());
            let failed = used.expect("compiles").eval(()).err().map(|error| error.kind());
            assert_ne!(failed, Some(ErrorKind::UnknownFilter), "{name} is not registered");
            assert!(docs.contains(&format!("| `{name}")), "docs/brief.md lacks `{name}`");
        }
    }
}
