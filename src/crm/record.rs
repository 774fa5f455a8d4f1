//! What every CRM's records have: amounts, people with their roles, websites.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::{Contact, Deal, Money, Person, Signature};

/// A field's text that is not blank.
pub(super) fn text(record: &Value, name: &str) -> Option<String> {
    let text = record[name].as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A person by the names that a CRM has for name and address.
pub(super) fn person(record: &Value, name: &str, email: &str) -> Person {
    Person { name: text(record, name), email: text(record, email) }
}

/// Sets when the deal was won, and how that is known.
pub(super) fn won_at(deal: &mut Deal, at: DateTime<Utc>, evidence: &str) {
    deal.closed_won_at = Some(at);
    deal.closed_won_evidence = Some(evidence.to_owned());
}

/// How many of a line item, and for how much each.
pub(super) fn figures(
    quantity: Option<Decimal>,
    price: Option<Decimal>,
) -> (Option<String>, Option<String>) {
    let price = price.map(|price| Money::settled(price, None).amount.to_string());
    (quantity.map(|quantity| quantity.normalize().to_string()), price)
}

/// A number in JSON, or in a text, with all its digits.
pub(super) fn number(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

// People on a deal: roles in one vocabulary, and the signer told apart.

/// A role's name in the one vocabulary: lower-case words joined by `_`
/// (`Economic Buyer` and `ECONOMIC_BUYER` are `economic_buyer`).
pub(super) fn role_word(label: &str) -> String {
    let mut word = String::with_capacity(label.len());
    for c in label.trim().chars() {
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !word.is_empty() && !word.ends_with('_') {
            word.push('_');
        }
    }
    word.truncate(word.trim_end_matches('_').len());
    word
}

/// What accounts call the three people that a brief asks for, and the one word
/// for each of them.
const SAME: [(&str, &str); 18] = [
    ("contract_signer", "signer"),
    ("signatory", "signer"),
    ("authorized_signatory", "signer"),
    ("authorised_signatory", "signer"),
    ("authorized_signer", "signer"),
    ("contract_signatory", "signer"),
    ("economic_decision_maker", "economic_buyer"),
    ("budget_holder", "economic_buyer"),
    ("budget_owner", "economic_buyer"),
    ("day_to_day_contact", "day_to_day"),
    ("daily_contact", "day_to_day"),
    ("main_contact", "day_to_day"),
    ("main_point_of_contact", "day_to_day"),
    ("point_of_contact", "day_to_day"),
    ("implementation_contact", "day_to_day"),
    ("implementation_lead", "day_to_day"),
    ("project_lead", "day_to_day"),
    ("project_manager", "day_to_day"),
];

/// Adds a role that is not there yet, and the one word for it.
pub(super) fn add_role(contact: &mut Contact, role: String) {
    let same = SAME.iter().find(|(name, _)| *name == role).map(|(_, word)| (*word).to_owned());
    for role in [Some(role), same].into_iter().flatten() {
        if !role.is_empty() && !contact.roles.contains(&role) {
            contact.roles.push(role);
        }
    }
}

/// Gives the role `signer` to each contact whose e-mail signed the document.
/// A signer without an e-mail is matched by the full name.
pub(super) fn mark_signers(contacts: &mut [Contact], signature: Option<&Signature>) {
    let Some(signature) = signature else { return };
    for contact in contacts {
        let signed = signature.signers.iter().any(|signer| {
            let same = |a: &Option<String>, b: &Option<String>| {
                matches!((a, b), (Some(a), Some(b)) if a.trim().eq_ignore_ascii_case(b.trim()))
            };
            signer.signed != Some(false)
                && match (&signer.email, &contact.email) {
                    (Some(_), Some(_)) => same(&signer.email, &contact.email),
                    _ => same(&signer.name, &contact.name),
                }
        });
        if signed {
            add_role(contact, "signer".to_owned());
        }
    }
}

/// A website with its scheme; CRMs often hold the bare domain.
pub(super) fn website(text: &str) -> String {
    let text = text.trim();
    if text.contains("://") { text.to_owned() } else { format!("https://{text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_in_one_vocabulary() {
        for (labels, requested) in [
            (["Economic Buyer", "ECONOMIC_BUYER"], vec!["economic_buyer"]),
            (["Contract signer", ""], vec!["contract_signer", "signer"]),
            (["BUDGET_HOLDER", "Economic buyer"], vec!["budget_holder", "economic_buyer"]),
            (["Day-to-day contact", " "], vec!["day_to_day_contact", "day_to_day"]),
            (["Décideur", "決裁者"], vec!["décideur", "決裁者"]),
        ] {
            let mut contact = Contact::default();
            for label in labels {
                add_role(&mut contact, role_word(label));
            }
            assert_eq!(contact.roles, requested, "{labels:?}");
        }
    }

    #[test]
    fn a_domain_gets_its_scheme() {
        assert_eq!(website(" acme.example "), "https://acme.example");
        assert_eq!(website("http://acme.example"), "http://acme.example");
    }
}
