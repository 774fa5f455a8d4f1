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
    /// A date, which a spreadsheet may have made of it.
    Date,
    /// What spreadsheets and programs write where there is nothing.
    Nothing,
    /// An address or a piece of a web page.
    Address,
    /// Several ids.
    Several,
    /// Its last three characters are not those of the others.
    Checksum,
    /// In its capitals alone it differs from others, and they may be lost.
    Capitals,
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
            Self::Date => (
                format!("The id is a date: {id}"),
                "A spreadsheet makes dates of ids such as 10-1: export again, and format the column as text.",
            ),
            Self::Nothing => (
                format!("The cell holds {id}, which is no id"),
                "Each deal needs its id; remove rows that are not deals.",
            ),
            Self::Address => (
                format!(
                    "The cell holds an address, and which part of it is the id is not certain: {id}"
                ),
                "Export the column with the id itself.",
            ),
            Self::Several => (
                format!("The cell holds several ids: {id}"),
                "Each deal stands in one row, with its own id.",
            ),
            Self::Checksum => (
                format!(
                    "The id {id} cannot be one of Salesforce: its last three characters do not fit the others"
                ),
                "Export the id again; somebody may have typed it, or changed its capitals.",
            ),
            Self::Capitals => (
                format!(
                    "The id {id} may have lost its capitals, by which Salesforce tells records with 15 characters apart"
                ),
                "Export the id of 18 characters (CASESAFEID(Id) in a report's formula), or do not let a program change capitals.",
            ),
        }
    }
}

/// The id in a cell, `None` where it stands as it is.
pub(super) fn repaired(cell: &str) -> Option<String> {
    read_id(cell).ok().flatten()
}

/// Whether a cell holds what nearly every vendor writes: letters and digits, at
/// least one digit.
pub(super) fn is_plain_id(cell: &str) -> bool {
    cell.bytes().all(|b| b.is_ascii_alphanumeric()) && cell.bytes().any(|b| b.is_ascii_digit())
}

/// The id in a cell; `Ok(None)` where it stands as it is, which most do.
pub(super) fn read_id(cell: &str) -> Result<Option<String>, IdFault> {
    if is_plain_id(cell) || cell.is_empty() {
        return Ok(None);
    }
    let visible = |c: char| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}');
    // Digits and letters as wide as Chinese ones, of an input method.
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    let mut id: String = cell.chars().filter(|c| visible(*c)).map(narrow).collect();
    id = id.trim().to_owned();
    if let Some(inner) = id.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        id = inner.trim().to_owned();
    } else if id.starts_with('=') {
        id = linked(&id).ok_or(IdFault::Formula)?;
    } else if id.contains("://") || id.starts_with('<') {
        id = linked(&id).ok_or(IdFault::Address)?;
    } else if let Some(record) = record_of_address(&id) {
        id = record;
    } else if let Some(rest) =
        id.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    {
        // What makes a text of a number in a spreadsheet.
        id = rest.to_owned();
    }
    let upper = id.to_ascii_uppercase();
    if is_rounded(&id) || is_scientific(&upper) {
        return Err(IdFault::Rounded);
    }
    const NOTHING: &[&str] = &["TRUE", "FALSE", "INF", "INFINITY", "[OBJECT OBJECT]"];
    if super::cell::is_placeholder(&id)
        || NOTHING.contains(&upper.as_str())
        || id.starts_with('#')
            && id.bytes().all(|b| b"#/!?".contains(&b) || b.is_ascii_uppercase() || b == b'0')
    {
        return Err(IdFault::Nothing);
    }
    // A point and zeros make a number of it.
    let whole = id.split_once('.').filter(|(whole, zeros)| {
        is_digits(whole) && zeros.len() < 3 && zeros.bytes().all(|b| b == b'0')
    });
    if let Some((whole, _)) = whole {
        id = whole.to_owned();
    }
    for sign in [',', ' ', '\u{a0}', '\u{202f}', '\'', '.'] {
        let mut groups = id.split(sign);
        let first = groups.next().unwrap_or_default();
        // One point may stand in an id.
        let least = if sign == '.' { 2 } else { 1 };
        if id.matches(sign).count() >= least
            && is_digits(first)
            && first.len() <= 3
            && groups.all(|group| group.len() == 3 && is_digits(group))
        {
            id = id.replace(sign, "");
            break;
        }
    }
    if id.split([';', '|', ',']).filter(|part| !part.trim().is_empty()).count() > 1 {
        return Err(IdFault::Several);
    }
    if is_date(&id) {
        return Err(IdFault::Date);
    }
    Ok((id != cell).then_some(id))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `3.18745E10`, as programs write large numbers.
fn is_scientific(upper: &str) -> bool {
    upper.split_once('E').is_some_and(|(number, power)| {
        number.contains(['.', ',']) && number.split(['.', ',']).all(is_digits) && is_digits(power)
    })
}

/// Whether a spreadsheet shows a date so: `11/10/2026`, `1-Oct`, `Oct-26`.
fn is_date(id: &str) -> bool {
    let may_be = id.len() <= 30
        && id.contains(['/', '-', ' ', '.'])
        && id.contains(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = id.split('-').collect();
    let short = match parts.as_slice() {
        [a, b] => {
            is_digits(a) && a.len() <= 2 && is_month(b)
                || is_month(a) && is_digits(b) && b.len() <= 2
        }
        _ => false,
    };
    // A day alone may be an id of somebody's own: 2026-11-10 is left to the rest.
    short || may_be && id.contains('/') && crate::model::read_date(id).is_ok()
}

fn is_month(text: &str) -> bool {
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
        .contains(&text.to_ascii_lowercase().as_str())
}

/// The label of a link whose address has it too: `=HYPERLINK("https://…/deal/101","101")`,
/// `[101](https://…/deal/101)`, `<a href="https://…/deal/101">101</a>`; of a bare
/// address of a record the id where the three CRMs have it.
fn linked(cell: &str) -> Option<String> {
    let (address, label) = if cell.starts_with('=') {
        let inner = cell.get(..11)?.eq_ignore_ascii_case("=HYPERLINK(").then(|| &cell[11..])?;
        let mut texts = inner.strip_suffix(')')?.split('"').skip(1).step_by(2);
        let found = (texts.next()?, texts.next()?);
        texts.next().is_none().then_some(found)?
    } else if let Some(rest) = cell.strip_prefix('[') {
        let (label, address) = rest.strip_suffix(')')?.split_once("](")?;
        (address, label)
    } else if cell.starts_with('<') {
        let (tag, rest) = cell.split_once('>')?;
        (tag.split('"').nth(1)?, rest.split_once('<')?.0)
    } else {
        return record_of_address(cell);
    };
    let label = label.trim();
    let named = address.split(['/', '=', '?', '&', '#']).any(|part| part == label);
    (named && !label.is_empty()).then(|| label.to_owned())
}

/// What stands before a record's id in the addresses of CRMs.
const KINDS: [&str; 8] = [
    "deal",
    "deals",
    "0-3",
    "opportunity",
    "opportunities",
    "potential",
    "potentials",
    "opportunityid",
];

/// The id in the address of a deal's record, with a scheme or without; `None` where
/// this is no address, or which part of it is the id is not certain.
pub(super) fn record_of_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (host, path) = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => text.split_once('/')?,
    };
    let is_host = host.contains('.')
        && !host.contains(|c: char| c.is_whitespace() || c == '@')
        && host.rsplit('.').next().is_some_and(|it| it.starts_with(|c: char| c.is_alphabetic()));
    is_host.then(|| address_id(path)).flatten().map(str::to_owned)
}

/// The id in the path of a record: what stands behind `deal`, `0-3` or `Opportunity`,
/// and what only Salesforce's opportunities begin with.
fn address_id(path: &str) -> Option<&str> {
    let is_word =
        |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let is_opportunity =
        |part: &&&str| matches!(part.len(), 15 | 18) && part.starts_with("006") && is_word(part);
    let parts: Vec<&str> = path.split(['/', '#', '?', '&', '=']).collect();
    let behind = || {
        let at = parts.iter().position(|part| KINDS.contains(&part.to_lowercase().as_str()))?;
        let id = parts.get(at + 1)?;
        (is_word(id) && id.bytes().any(|b| b.is_ascii_digit())).then_some(*id)
    };
    parts.iter().find(is_opportunity).copied().or_else(behind)
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

/// A person's name, which may be empty, and e-mail: `Dana Okafor (dana@…)`,
/// `Dana Okafor <dana@…>`, or an address alone.
pub(super) fn name_and_email(person: &str) -> (&str, Option<&str>) {
    let within = |open: char, close: char| person.strip_suffix(close)?.rsplit_once(open);
    match within('(', ')').or_else(|| within('<', '>')) {
        Some((name, email)) if email.contains('@') => (name.trim(), Some(email.trim())),
        _ if person.contains('@') && !person.contains(' ') => ("", Some(person)),
        _ => (person, None),
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
            let (name, email) = name_and_email(person);
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
            ("３１８７", Ok(Some("3187"))),
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
            ("3.18745E10", Err(IdFault::Rounded)),
            ("0065E00000AbCdE", Ok(None)),
            ("31.874.500.101", Ok(Some("31874500101"))),
            ("101.00", Ok(Some("101"))),
            ("11/10/2026", Err(IdFault::Date)),
            ("1-Oct", Err(IdFault::Date)),
            ("2026-11", Ok(None)),
            ("D-1", Ok(None)),
            ("#REF!", Err(IdFault::Nothing)),
            ("########", Err(IdFault::Nothing)),
            ("nan", Err(IdFault::Nothing)),
            ("101;102", Err(IdFault::Several)),
            ("\u{202a}101\u{202c}", Ok(Some("101"))),
            ("[101](https://app.example/deal/101)", Ok(Some("101"))),
            ("<a href=\"https://app.example/deal/101\">101</a>", Ok(Some("101"))),
            ("https://app-eu1.hubspot.com/contacts/1/record/0-3/101/", Ok(Some("101"))),
            (
                "https://x.lightning.force.com/lightning/r/Opportunity/0065e00000AbCdEAAV/view",
                Ok(Some("0065e00000AbCdEAAV")),
            ),
            ("https://app.example/board/7", Err(IdFault::Address)),
            ("https://app.hubspot.com/contacts/1/record/0-3/101/view/1?a=b", Ok(Some("101"))),
            ("https://app.hubspot.com/contacts/1/objects/0-3/views/all", Err(IdFault::Address)),
            ("acme.pipedrive.com/deal/101", Ok(Some("101"))),
            (
                "https://x.lightning.force.com/lightning/r/0065e00000AbCdEAAV/view",
                Ok(Some("0065e00000AbCdEAAV")),
            ),
            ("https://x.my.salesforce.com/0065e00000AbCdE", Ok(Some("0065e00000AbCdE"))),
            ("https://crm.zoho.example/crm/org7/tab/Potentials/48768", Ok(Some("48768"))),
            ("https://app.example/opportunity/oppo_7aB", Ok(Some("oppo_7aB"))),
            ("2026/deal/7", Ok(None)),
            ("v1.2/deal/7", Ok(None)),
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
        let ana = ("Ana Ruiz", Some("ana@n.example"));
        assert_eq!(name_and_email("Ana Ruiz <ana@n.example>"), ana);
        assert_eq!(name_and_email("Ana (Madrid)"), ("Ana (Madrid)", None));
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
