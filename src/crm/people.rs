//! People on a deal: roles in one vocabulary, and the signer told apart.

use crate::facts::{Contact, Signature};

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

/// Adds a role that is not there yet.
pub(super) fn add_role(contact: &mut Contact, role: String) {
    if !role.is_empty() && !contact.roles.contains(&role) {
        contact.roles.push(role);
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
