//! What the records have that expressions read. `tests/suite/expressions.rs`
//! compares the table with the types in `model`.

use crate::model::RecordKind;

/// What a name or an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A text; a day or a time is one, too.
    Text,
    /// A number, or a decimal text such as an amount.
    Number,
    /// True or false.
    Flag,
    /// Named parts and nothing else.
    Record(&'static [(&'static str, Holds)]),
    /// The same of a record that a CRM keeps, with `properties` of its own.
    Crm(RecordKind, &'static [(&'static str, Holds)]),
    /// `{amount, currency}`.
    Money,
    /// A list of such.
    List(&'static Holds),
    /// What a CRM or a sender adds, by names of their own.
    Open,
}

/// The parts of money.
pub(super) const MONEY: &[(&str, Holds)] = &[("amount", Holds::Number), ("currency", Holds::Text)];

const PERSON: Holds = Holds::Record(&[("name", Holds::Text), ("email", Holds::Text)]);

const COMPANY: Holds = Holds::Crm(
    RecordKind::Company,
    &[
        ("id", Holds::Text),
        ("name", Holds::Text),
        ("website", Holds::Text),
        ("industry", Holds::Text),
        ("employees", Holds::Number),
        ("properties", Holds::Open),
    ],
);

const CONTACTS: Holds = Holds::List(&Holds::Crm(
    RecordKind::Contact,
    &[
        ("id", Holds::Text),
        ("name", Holds::Text),
        ("email", Holds::Text),
        ("title", Holds::Text),
        ("phone", Holds::Text),
        ("roles", Holds::List(&Holds::Text)),
        ("properties", Holds::Open),
    ],
));

const LINE_ITEMS: Holds = Holds::List(&Holds::Crm(
    RecordKind::LineItem,
    &[
        ("name", Holds::Text),
        ("sku", Holds::Text),
        ("quantity", Holds::Number),
        ("price", Holds::Number),
        ("properties", Holds::Open),
    ],
));

const DEAL: Holds = Holds::Crm(
    RecordKind::Deal,
    &[
        ("crm", Holds::Text),
        ("id", Holds::Text),
        ("name", Holds::Text),
        ("url", Holds::Text),
        ("owner", PERSON),
        ("amount", Holds::Money),
        ("stage", Holds::Text),
        ("pipeline", Holds::Text),
        ("outcome", Holds::Text),
        ("closed_won_at", Holds::Text),
        ("closed_won_evidence", Holds::Text),
        ("merged_ids", Holds::List(&Holds::Text)),
        ("company", COMPANY),
        ("contacts", CONTACTS),
        ("line_items", LINE_ITEMS),
        ("locale", Holds::Open),
        ("properties", Holds::Open),
    ],
);

const SIGNATURE: Holds = Holds::Record(&[
    ("provider", Holds::Text),
    ("document_id", Holds::Text),
    ("document_name", Holds::Text),
    ("signed_at", Holds::Text),
    ("url", Holds::Text),
    (
        "signers",
        Holds::List(&Holds::Record(&[
            ("name", Holds::Text),
            ("email", Holds::Text),
            ("role", Holds::Text),
            ("signed_at", Holds::Text),
            ("signed", Holds::Flag),
        ])),
    ),
    ("deal_refs", Holds::List(&Holds::Record(&[("crm", Holds::Text), ("id", Holds::Text)]))),
    ("total", Holds::Money),
    ("template", Holds::Text),
    ("template_id", Holds::Text),
    ("folder", Holds::Text),
    ("tags", Holds::List(&Holds::Text)),
    ("sender", PERSON),
    ("customer", Holds::Text),
    ("test", Holds::Flag),
    ("metadata", Holds::Open),
    ("remarks", Holds::List(&Holds::Text)),
]);

const FIRST_TOUCH: Holds =
    Holds::Record(&[("by", Holds::Text), ("due", Holds::Text), ("within", Holds::Text)]);

/// The records that expressions read, by name.
pub const RECORDS: [(&str, Holds); 7] = [
    ("signature", SIGNATURE),
    ("deal", DEAL),
    ("company", COMPANY),
    ("contacts", CONTACTS),
    ("line_items", LINE_ITEMS),
    ("brief", Holds::Open),
    ("first_touch", FIRST_TOUCH),
];

pub(super) fn record(name: &str) -> Option<Holds> {
    RECORDS.iter().find(|(known, _)| *known == name).map(|(_, holds)| *holds)
}
