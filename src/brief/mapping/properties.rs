//! Which of a deal's properties an expression reads.

use std::collections::BTreeSet;

use super::Expression;

/// What stands in the place of a quoted name.
const BY_NAME: &str = "deal.properties.by_name";

impl Expression {
    /// The properties of the deal it reads; `None` where that cannot be told,
    /// or where it reads more than the deal's own fields, its properties by
    /// name and the company's own fields: `deal` as a whole, contacts.
    #[must_use]
    pub fn deal_properties(&self) -> Option<BTreeSet<String>> {
        let (plain, mut names) = without_quoted(self.source());
        let reads = match names.is_empty() {
            true => self.reads(),
            false => Self::compile(&plain).ok()?.reads(),
        };
        for name in &reads {
            let mut parts = name.split('.');
            match (parts.next(), parts.next(), parts.next()) {
                (Some("deal"), Some("properties"), Some(_)) if name.starts_with(BY_NAME) => {}
                (Some("deal"), Some("properties"), Some(property)) => {
                    names.insert(property.to_owned());
                }
                (Some("deal"), Some("properties" | "contacts" | "line_items") | None, _)
                | (Some("deal"), Some("company"), Some("properties") | None)
                | (Some("company"), Some("properties") | None, _)
                | (Some("contacts" | "line_items"), _, _) => return None,
                _ => {}
            }
        }
        Some(names)
    }
}

/// The source with `deal.properties['name']` written as an attribute, and the names.
fn without_quoted(source: &str) -> (String, BTreeSet<String>) {
    const OPEN: &str = "deal.properties[";
    let (mut plain, mut names) = (String::with_capacity(source.len()), BTreeSet::new());
    let mut rest = source;
    while let Some(at) = rest.find(OPEN) {
        let (before, after) = (&rest[..at], rest[at + OPEN.len()..].trim_start());
        plain.push_str(before);
        let quoted = after.chars().next().filter(|c| matches!(c, '\'' | '"')).and_then(|quote| {
            let (name, behind) = after[1..].split_once(quote)?;
            let behind = behind.trim_start().strip_prefix(']')?;
            (!name.contains('\\')).then_some((name, behind))
        });
        match quoted {
            Some((name, behind)) => {
                names.insert(name.to_owned());
                plain.push_str(BY_NAME);
                rest = behind;
            }
            None => {
                plain.push_str(OPEN);
                rest = &rest[at + OPEN.len()..];
            }
        }
    }
    plain.push_str(rest);
    (plain, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Option<Vec<String>> {
        let expression = Expression::compile(source).expect("an expression");
        expression.deal_properties().map(|names| names.into_iter().collect())
    }

    #[test]
    fn names_are_told_where_they_stand_there() {
        let two = Some(vec!["Deal Type".to_owned(), "region".to_owned()]);
        assert_eq!(read("deal.properties['Deal Type'] == 'x' or deal.properties.region"), two);
        assert_eq!(read("deal.properties[ \"Deal Type\" ] and deal.properties.region.x"), two);
        assert_eq!(
            read("deal.stage == 'Won' and company.name and deal.company.name"),
            Some(vec![])
        );
    }

    #[test]
    fn whatever_reads_more_cannot_be_told() {
        for source in [
            "deal.properties[deal.name]",
            "deal.properties['a' ~ deal.name]",
            "deal.properties | length > 3",
            "deal | property('Deal Type')",
            "contacts | length > 1",
            "deal.contacts",
            "company.properties.segment",
            "deal.company",
            "deal['properties']",
        ] {
            assert_eq!(read(source), None, "{source}");
        }
    }
}
