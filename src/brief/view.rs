//! What the program itself needs of a brief. Lenient: whatever is absent,
//! unknown or of another shape is `None`, and nothing fails.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::model::{CrmName, DealId, DocumentId, Key, Money, ProviderName, normalise_deal_id};

/// A person of ours, as far as the brief names them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Colleague<'a> {
    /// The full name.
    pub name: Option<&'a str>,
    /// The e-mail address.
    pub email: Option<&'a str>,
    /// The GitHub login, without `@`.
    pub github: Option<&'a str>,
    /// The Slack member id.
    pub slack: Option<&'a str>,
}

/// One promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment<'a> {
    /// Its place in the list, from 0.
    pub index: usize,
    /// What was promised.
    pub promise: Option<&'a str>,
    /// Who promised it.
    pub made_by: Option<&'a str>,
    /// To whom.
    pub made_to: Option<&'a str>,
    /// Who keeps it.
    pub owner: Option<&'a str>,
    /// When it was made.
    pub on: Option<NaiveDate>,
    /// When it is due.
    pub due: Option<NaiveDate>,
    /// Whether it goes beyond the standard.
    pub stretch: bool,
}

/// One person at the customer and the role the brief gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CustomerContact<'a> {
    /// The role, as the brief names it: `signer`, `day_to_day`.
    pub role: &'a str,
    /// The full name.
    pub name: Option<&'a str>,
    /// The e-mail address.
    pub email: Option<&'a str>,
}

/// A brief's few fields that code reads; everything else goes through the schema.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(&'a Value);

impl<'a> View<'a> {
    /// Looks at a brief's JSON.
    #[must_use]
    pub fn of(brief: &'a Value) -> Self {
        Self(brief)
    }

    fn text(self, pointer: &str) -> Option<&'a str> {
        text(self.0.pointer(pointer)?)
    }

    /// The handoff's key.
    #[must_use]
    pub fn key(self) -> Option<Key> {
        Key::parse(self.text("/key")?).ok()
    }

    /// The CRM that holds the deal.
    #[must_use]
    pub fn deal_crm(self) -> Option<CrmName> {
        self.text("/deal/crm").map(CrmName::new)
    }

    /// The deal's id as it is written.
    #[must_use]
    pub fn deal_id(self) -> Option<DealId> {
        self.text("/deal/id").map(DealId::new)
    }

    /// The deal in its one form, to compare with others.
    #[must_use]
    pub fn deal(self) -> Option<(CrmName, DealId)> {
        let crm = self.deal_crm()?;
        let id = normalise_deal_id(&crm, &self.deal_id()?);
        Some((crm, id))
    }

    /// The deal's name.
    #[must_use]
    pub fn deal_name(self) -> Option<&'a str> {
        self.text("/deal/name")
    }

    /// A link to the deal for people.
    #[must_use]
    pub fn deal_url(self) -> Option<&'a str> {
        self.text("/deal/url")
    }

    /// The rep.
    #[must_use]
    pub fn deal_owner(self) -> Option<Colleague<'a>> {
        colleague(self.0.pointer("/deal/owner")?)
    }

    /// When the CRM says the deal was won.
    #[must_use]
    pub fn closed_won_at(self) -> Option<DateTime<Utc>> {
        time(self.text("/deal/closed_won_at")?)
    }

    /// Whether there is a signature: a brief without one is a draft.
    #[must_use]
    pub fn is_signed(self) -> bool {
        self.0.get("signature").is_some_and(Value::is_object)
    }

    /// Who says that it was signed.
    #[must_use]
    pub fn provider(self) -> Option<ProviderName> {
        self.text("/signature/provider").map(ProviderName::new)
    }

    /// The signed document.
    #[must_use]
    pub fn document_id(self) -> Option<DocumentId> {
        self.text("/signature/document_id").map(DocumentId::new)
    }

    /// When the last signature was made.
    #[must_use]
    pub fn signed_at(self) -> Option<DateTime<Utc>> {
        time(self.text("/signature/signed_at")?)
    }

    /// The customer's name.
    #[must_use]
    pub fn customer_name(self) -> Option<&'a str> {
        self.text("/customer/name")
    }

    /// The best name there is for what was handed over: the customer's, else
    /// the deal's, else the document's.
    #[must_use]
    pub fn title(self) -> Option<&'a str> {
        self.customer_name()
            .or_else(|| self.deal_name())
            .or_else(|| self.text("/signature/document_name"))
    }

    /// How this customer is served, in the company's own word.
    #[must_use]
    pub fn customer_tier(self) -> Option<&'a str> {
        self.text("/customer/tier")
    }

    /// What the contract is worth.
    #[must_use]
    pub fn contract_value(self) -> Option<Money> {
        money(self.0.pointer("/purchase/contract_value")?)
    }

    /// What the signed document adds up to.
    #[must_use]
    pub fn signed_total(self) -> Option<Money> {
        money(self.0.pointer("/signature/total")?)
    }

    /// What to do first.
    #[must_use]
    pub fn instruction(self) -> Option<&'a str> {
        self.text("/first_action/instruction")
    }

    /// Who does it: the CSM.
    #[must_use]
    pub fn first_action_owner(self) -> Option<Colleague<'a>> {
        colleague(self.0.pointer("/first_action/owner")?)
    }

    /// All that the CSM is known by: login, address, name.
    #[must_use]
    pub fn csm_words(self) -> Vec<&'a str> {
        let owner = self.first_action_owner();
        owner.into_iter().flat_map(|it| [it.github, it.email, it.name]).flatten().collect()
    }

    /// What the CSM is called.
    #[must_use]
    pub fn csm_name(self) -> Option<&'a str> {
        self.first_action_owner().and_then(|it| it.name.or(it.github).or(it.email))
    }

    /// By when.
    #[must_use]
    pub fn first_action_due(self) -> Option<DateTime<Utc>> {
        time(self.text("/first_action/due")?)
    }

    /// The people at the customer, in the order of the brief.
    #[must_use]
    pub fn contacts(self) -> Vec<CustomerContact<'a>> {
        let Some(contacts) = self.0.get("contacts").and_then(Value::as_object) else {
            return Vec::new();
        };
        contacts
            .iter()
            .map(|(role, person)| CustomerContact {
                role,
                name: person.get("name").and_then(text),
                email: person.get("email").and_then(text),
            })
            .filter(|contact| contact.name.is_some() || contact.email.is_some())
            .collect()
    }

    /// Every e-mail address of the customer's people, lower-cased and each once.
    #[must_use]
    pub fn contact_emails(self) -> Vec<String> {
        let mut emails = Vec::new();
        let others = self.0.pointer("/contacts/others").and_then(Value::as_array);
        let others = others.into_iter().flatten().filter_map(|it| it.get("email").and_then(text));
        let contacts = self.contacts();
        for email in contacts.iter().filter_map(|contact| contact.email).chain(others) {
            let email = email.to_lowercase();
            if !emails.contains(&email) {
                emails.push(email);
            }
        }
        emails
    }

    /// The promises; empty for `none`, unknown and unanswered alike.
    #[must_use]
    pub fn commitments(self) -> Vec<Commitment<'a>> {
        let items = self.0.get("commitments").and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, item)| {
                let day = |name| item.get(name).and_then(text).and_then(day);
                let text = |name| item.get(name).and_then(text);
                Commitment {
                    index,
                    promise: text("promise"),
                    made_by: text("made_by"),
                    made_to: text("made_to"),
                    owner: text("owner"),
                    on: day("on"),
                    due: day("due"),
                    stretch: item.get("stretch").and_then(Value::as_bool).unwrap_or(false),
                }
            })
            .collect()
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// The money that a value of a brief names: an amount, with its currency.
pub(super) fn money(value: &Value) -> Option<Money> {
    let text = |name| value.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty());
    Money::parse(text("amount")?, text("currency")).ok()
}

/// As [`money`], of a value that is nothing besides.
pub(super) fn money_alone(value: &Value) -> Option<Money> {
    let mut names = value.as_object()?.keys();
    if names.all(|name| name == "amount" || name == "currency") { money(value) } else { None }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

fn colleague(value: &Value) -> Option<Colleague<'_>> {
    let text = |name| value.get(name).and_then(text);
    let person = Colleague {
        name: text("name"),
        email: text("email"),
        github: text("github"),
        slack: text("slack"),
    };
    (person != Colleague::default()).then_some(person)
}
