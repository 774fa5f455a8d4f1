//! People: who has a role, who signed.

use minijinja::value::Rest;
use minijinja::{Error, Value};

use super::filters::{is_absent, text_of};

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
    let ours = owner.as_ref().and_then(email);
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
