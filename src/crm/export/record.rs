//! Ids, companies, people and products out of a record's properties.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::crm::record::{add_role, role_word, website};
use crate::model::{Company, Contact, LineItem, Locale, Money, is_rounded};

// Deal ids as spreadsheets leave them: repaired where the id is certain.

/// Why an id cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFault {
    /// Its last digits are lost.
    Rounded,
    /// A formula stands there, and the id in it is not certain.
    Formula,
}

impl IdFault {
    /// What is wrong, and what to do.
    pub(super) fn words(self, id: &str) -> (String, &'static str) {
        match self {
            Self::Rounded => (
                format!("A spreadsheet has rounded the id to {id}"),
                "Export again and do not save the file from a spreadsheet; its digits are lost.",
            ),
            Self::Formula => (
                format!("The cell holds a formula, not an id: {id}"),
                "Export the ids as text; a formula such as =\"00123\" or a link to the record with its id is read.",
            ),
        }
    }
}

/// The id in a cell, `None` where it stands as it is.
pub(super) fn repaired(cell: &str) -> Option<String> {
    read_id(cell).ok().flatten()
}

/// The id in a cell; `Ok(None)` where it stands as it is, which most do.
pub(super) fn read_id(cell: &str) -> Result<Option<String>, IdFault> {
    if cell.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let visible =
        |c: char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}');
    let mut id: String = cell.chars().filter(|c| visible(*c)).collect();
    id = id.trim().to_owned();
    if let Some(inner) = id.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        id = inner.trim().to_owned();
    } else if id.starts_with('=') {
        id = linked(&id).ok_or(IdFault::Formula)?;
    } else if let Some(rest) =
        id.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    {
        // What makes a text of a number in a spreadsheet.
        id = rest.to_owned();
    }
    if is_rounded(&id) {
        return Err(IdFault::Rounded);
    }
    let whole = id
        .strip_suffix(".0")
        .filter(|whole| !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit()));
    if let Some(whole) = whole {
        id = whole.to_owned();
    }
    for sign in [',', ' ', '\u{a0}', '\u{202f}', '\''] {
        let mut groups = id.split(sign);
        let first = groups.next().unwrap_or_default();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if id.contains(sign)
            && is_digits(first)
            && first.len() <= 3
            && groups.all(|group| group.len() == 3 && is_digits(group))
        {
            id = id.replace(sign, "");
            break;
        }
    }
    Ok((id != cell).then_some(id))
}

/// The label of `=HYPERLINK("https://…/deal/101","101")`, where the address has it too.
fn linked(formula: &str) -> Option<String> {
    let inner = formula.get(..11)?.eq_ignore_ascii_case("=HYPERLINK(").then(|| &formula[11..])?;
    let mut texts = inner.strip_suffix(')')?.split('"').skip(1).step_by(2);
    let (address, label) = (texts.next()?, texts.next()?.trim());
    let named = address.split(['/', '=', '?', '&', '#']).any(|part| part == label);
    (texts.next().is_none() && named && !label.is_empty()).then(|| label.to_owned())
}

// Company, person and product out of a record's properties, by the names that
// exports give them.

/// The first property with one of these names, as text. Names are compared as
/// words joined by `_`.
fn text(properties: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let (_, value) = properties.iter().find(|(key, value)| {
            !value.is_null() && (key.as_str() == *name || role_word(key) == *name)
        })?;
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty()).then_some(text)
    })
}

/// Fills a company from a record; what it has already stays.
pub(super) fn fill_company(company: &mut Company, properties: Map<String, Value>) {
    let get = |names: &[&str]| text(&properties, names);
    let id = get(&["id", "record_id", "company_id", "account_id", "hs_object_id"]);
    let name = get(&[
        "name",
        "company_name",
        "account_name",
        "company",
        "account",
        "organization",
        "organization_name",
    ]);
    let site = get(&["website", "website_url", "company_domain_name", "domain", "url"]);
    let industry = get(&["industry"]);
    let employees = get(&[
        "numberofemployees",
        "number_of_employees",
        "employees",
        "employee_count",
        "size",
        "company_size",
    ]);
    company.id = company.id.take().or(id);
    company.name = company.name.take().or(name);
    company.website = company.website.take().or(site.map(|site| website(&site)));
    company.industry = company.industry.take().or(industry);
    company.employees = company.employees.or(employees.and_then(|text| count(&text)));
    for (name, value) in properties {
        company.properties.entry(name).or_insert(value);
    }
}

/// A whole number as people write it: `2,822` and `2822.0` are one.
pub(super) fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    let text = text.strip_suffix(".0").unwrap_or(text);
    let digits: String =
        text.chars().filter(|c| !matches!(c, ',' | ' ' | '\u{a0}' | '.')).collect();
    digits.parse().ok()
}

/// A person from a record.
pub(super) fn contact(properties: Map<String, Value>) -> Contact {
    let get = |names: &[&str]| text(&properties, names);
    let whole = get(&["name", "full_name", "contact_name", "contact", "person_name"]);
    let parts = [
        get(&["first_name", "firstname", "contact_first_name"]),
        get(&["last_name", "lastname", "contact_last_name"]),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut contact = Contact {
        id: get(&["id", "record_id", "contact_id", "contactid", "hs_object_id"]),
        name: whole.or_else(|| (!parts.is_empty()).then(|| parts.join(" "))),
        email: get(&["email", "e_mail", "contact_email", "email_address"]),
        title: get(&["title", "job_title", "jobtitle", "contact_title"]),
        phone: get(&["phone", "phone_number", "contact_phone"]),
        roles: Vec::new(),
        properties: Map::new(),
    };
    let roles = get(&["role", "roles", "buying_role", "hs_buying_role", "contact_role"])
        .unwrap_or_default();
    for role in roles.split(';') {
        add_role(&mut contact, role_word(role));
    }
    contact.properties = properties;
    contact
}

/// Adds a person, or completes one that is there: by id, by e-mail, else by
/// name where one of the two has no e-mail.
pub(super) fn merge_contact(contacts: &mut Vec<Contact>, new: Contact) {
    let same = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b));
    let known = contacts.iter_mut().find(|old| {
        same(&old.id, &new.id)
            || same(&old.email, &new.email)
            || ((old.email.is_none() || new.email.is_none()) && same(&old.name, &new.name))
    });
    let Some(old) = known else {
        contacts.push(new);
        return;
    };
    old.id = old.id.take().or(new.id);
    old.name = old.name.take().or(new.name);
    old.email = old.email.take().or(new.email);
    old.title = old.title.take().or(new.title);
    old.phone = old.phone.take().or(new.phone);
    for role in new.roles {
        add_role(old, role);
    }
    for (name, value) in new.properties {
        old.properties.entry(name).or_insert(value);
    }
}

/// What was bought, from a record.
pub(super) fn line_item(properties: Map<String, Value>, locale: Locale) -> LineItem {
    let get = |names: &[&str]| text(&properties, names);
    LineItem {
        name: get(&["product2_name", "product_name", "product", "name", "line_item_name"]),
        sku: get(&["sku", "hs_sku", "product_code", "productcode", "code"]),
        quantity: get(&["quantity", "qty"]).map(|text| plain(&text, locale, |n| n.normalize())),
        price: get(&["unitprice", "unit_price", "price", "sales_price", "item_price"])
            .map(|text| plain(&text, locale, |n| Money::settled(n, None).amount)),
        properties,
    }
}

/// A number as a plain decimal text; what cannot be read for certain stays as
/// it is written.
fn plain(text: &str, locale: Locale, form: impl Fn(Decimal) -> Decimal) -> String {
    match locale.amount(text) {
        Ok((number, _)) => form(number).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// People as HubSpot writes them in one cell: `Dana Okafor (dana@…);Luis …`,
/// with their ids in another cell in the same order.
pub(super) fn contacts_in_cell(names: &str, ids: &str) -> Vec<Contact> {
    let ids: Vec<&str> = ids.split(';').map(str::trim).filter(|id| !id.is_empty()).collect();
    let people: Vec<&str> = names.split(';').map(str::trim).filter(|p| !p.is_empty()).collect();
    let with_ids = ids.len() == people.len();
    people
        .iter()
        .enumerate()
        .map(|(at, person)| {
            let (name, email) = match person.strip_suffix(')').and_then(|p| p.rsplit_once('(')) {
                Some((name, email)) if email.contains('@') => (name.trim(), Some(email.trim())),
                _ if person.contains('@') && !person.contains(' ') => ("", Some(*person)),
                _ => (*person, None),
            };
            Contact {
                id: with_ids.then(|| ids[at].to_owned()),
                name: (!name.is_empty()).then(|| name.to_owned()),
                email: email.map(str::to_owned),
                ..Contact::default()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_repaired_where_they_are_certain() {
        for (cell, wanted) in [
            ("101", Ok(None)),
            ("006Hs00000aB1cD", Ok(None)),
            ("\u{200b}101", Ok(Some("101"))),
            ("'00101", Ok(Some("00101"))),
            ("=\"00123\"", Ok(Some("00123"))),
            ("31,874,500,101", Ok(Some("31874500101"))),
            ("31 874 500 101", Ok(Some("31874500101"))),
            ("31874500101.0", Ok(Some("31874500101"))),
            ("1.234", Ok(None)),
            ("=HYPERLINK(\"https://app.example/deal/101\",\"101\")", Ok(Some("101"))),
            ("=HYPERLINK(\"https://app.example/deal/101\",\"Acme\")", Err(IdFault::Formula)),
            ("=A1&B1", Err(IdFault::Formula)),
            ("3E+10", Err(IdFault::Rounded)),
            ("3.18745E+10", Err(IdFault::Rounded)),
        ] {
            assert_eq!(
                read_id(cell),
                wanted.map(|id: Option<&str>| id.map(str::to_owned)),
                "{cell}"
            );
        }
    }

    #[test]
    fn people_in_one_cell() {
        let told: Vec<_> =
            contacts_in_cell("Dana Okafor (dana@n.example);Luis (ops) ; x@y.example", "1;2;3")
                .into_iter()
                .map(|c| (c.id, c.name, c.email))
                .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                (some("1"), some("Dana Okafor"), some("dana@n.example")),
                (some("2"), some("Luis (ops)"), None),
                (some("3"), None, some("x@y.example")),
            ]
        );
        assert_eq!(
            contacts_in_cell("A;B", "1")[0].id,
            None,
            "ids that do not pair are not guessed"
        );
    }
}
