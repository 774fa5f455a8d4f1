//! Which properties an expression reads, from its text: `deal.properties.x`,
//! `company.properties["x"]`, `contacts|map(attribute="properties.x")`,
//! `deal | property("x", "y")`.

use crate::model::{Properties, RecordKind};

/// Words before a bracket that call nothing.
const WORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];

/// A piece of an expression's text.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Sign(char),
}

/// What the words just read stand for: records of these kinds, or their
/// `properties`.
#[derive(Debug, Clone, Default)]
struct Chain {
    kinds: Vec<RecordKind>,
    in_properties: bool,
}

/// A bracket that is open.
#[derive(Debug)]
struct Bracket {
    /// What stood before it.
    before: Chain,
    /// The name before a round one: a filter, a test or a function.
    call: Option<String>,
    filter: bool,
    /// In a group, the kinds of records that its parts stand for.
    inside: Vec<RecordKind>,
}

/// The properties that an expression reads.
pub(super) fn properties(source: &str) -> Properties {
    let mut reader = Reader::default();
    let tokens = tokens(source);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        reader.token(token, before, tokens.get(at + 1));
    }
    reader.read
}

#[derive(Debug, Default)]
struct Reader {
    read: Properties,
    chain: Chain,
    open: Vec<Bracket>,
}

impl Reader {
    fn token(&mut self, token: &Token, before: Option<&Token>, after: Option<&Token>) {
        let follows = |sign| before == Some(&Token::Sign(sign));
        match token {
            Token::Name(name) if follows('.') => self.attribute(name),
            Token::Name(_) if follows('|') => {}
            Token::Name(name) => self.begin(name),
            Token::Text(text) if follows('[') && after == Some(&Token::Sign(']')) => {
                self.chain = self.open.last().map(|open| open.before.clone()).unwrap_or_default();
                self.attribute(text);
                if let Some(open) = self.open.last_mut() {
                    open.before = std::mem::take(&mut self.chain);
                }
            }
            Token::Text(text) => self.text(text),
            Token::Sign(sign @ ('(' | '[')) => {
                let call = match before {
                    Some(Token::Name(name)) if *sign == '(' && !WORDS.contains(&name.as_str()) => {
                        Some(name.clone())
                    }
                    _ => None,
                };
                // A filter's chain goes on; a function's name began one of its own.
                let filter = !self.chain.kinds.is_empty();
                let before = std::mem::take(&mut self.chain);
                self.open.push(Bracket { before, call, filter, inside: Vec::new() });
            }
            Token::Sign(')') => self.close(true),
            Token::Sign(']') => self.close(false),
            Token::Sign('.' | '|') => {}
            Token::Sign(_) => self.end(),
        }
    }

    /// A name that stands for itself.
    fn begin(&mut self, name: &str) {
        self.end();
        let kind = match name {
            "deal" => RecordKind::Deal,
            "company" => RecordKind::Company,
            "contacts" => RecordKind::Contact,
            "line_items" => RecordKind::LineItem,
            _ => return,
        };
        self.read.of_mut(kind);
        self.chain.kinds.push(kind);
    }

    /// A name behind a point, or in quotes between square brackets.
    fn attribute(&mut self, name: &str) {
        if self.chain.in_properties {
            self.add(&self.chain.kinds.clone(), name);
            self.chain = Chain::default();
        } else if name == "properties" {
            self.chain.in_properties = true;
        } else if self.chain.kinds.contains(&RecordKind::Deal) {
            // What is beside a deal is inside of it, too.
            self.chain = Chain::default();
            self.begin(name);
        }
    }

    /// A text: in `map(attribute="properties.x")` or in `property("x")`.
    fn text(&mut self, text: &str) {
        let Some(open) = self.open.last().filter(|open| open.filter) else { return };
        let kinds = open.before.kinds.clone();
        if open.call.as_deref() == Some("property") {
            self.add(&kinds, text);
        } else if let Some(name) = text.strip_prefix("properties.") {
            self.add(&kinds, name.split('.').next().unwrap_or(name));
        }
    }

    fn add(&mut self, kinds: &[RecordKind], name: &str) {
        for kind in kinds {
            self.read.of_mut(*kind).insert(name.to_owned());
        }
    }

    /// The chain is over; a group around it may go on with what it stands for.
    fn end(&mut self) {
        let chain = std::mem::take(&mut self.chain);
        if let Some(open) = self.open.last_mut()
            && !chain.in_properties
        {
            open.inside.extend(chain.kinds);
        }
    }

    fn close(&mut self, round: bool) {
        self.end();
        let Some(open) = self.open.pop() else { return };
        self.chain = match (&open.call, round) {
            (None, true) => Chain { kinds: open.inside, in_properties: false },
            // A list that was mapped or sorted still tells of its records.
            _ => open.before,
        };
    }
}

fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            continue;
        }
        let token = if c == '"' || c == '\'' {
            let mut text = String::new();
            while let Some(inner) = chars.next() {
                match inner {
                    '\\' => text.extend(chars.next()),
                    inner if inner == c => break,
                    inner => text.push(inner),
                }
            }
            Token::Text(text)
        } else if c.is_alphanumeric() || c == '_' {
            let mut name = String::from(c);
            while let Some(more) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                name.push(more);
            }
            Token::Name(name)
        } else {
            Token::Sign(c)
        };
        tokens.push(token);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an expression reads, as `kind: names` in one line.
    fn told(source: &str) -> String {
        let read = properties(source);
        let kind = |kind: RecordKind| {
            let names = read.of(kind).filter(|n| kind != RecordKind::Deal || !n.is_empty())?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Some(format!("{}: {}", kind.word(), names.join(", ")).trim().to_owned())
        };
        RecordKind::ALL.into_iter().filter_map(kind).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_way_of_naming_a_property_is_seen() {
        for (source, wanted) in [
            ("deal.properties.a or deal.properties['b c']", "deal: a, b c"),
            ("deal.properties.a.label | words", "deal: a"),
            ("deal['properties'][\"it's\"]", "deal: it's"),
            ("deal | property(\"a\", 'b') | plain", "deal: a, b"),
            ("company.properties.tier or deal.properties.tier", "deal: tier; company: tier"),
            ("deal.company.properties.tier", "company: tier"),
            ("deal.company.name == 'deal.properties.x'", "company:"),
            ("company|property('Tier') or deal|property('Tier')", "deal: Tier; company: Tier"),
            ("true and (company or deal) | property('Tier')", "deal: Tier; company: Tier"),
            (
                "line_items|map(attribute=\"properties.start\")|select|sort|first",
                "line item: start",
            ),
            (
                "(deal.properties.x or line_items|map(attribute='properties.y'))",
                "deal: x; line item: y",
            ),
            ("contacts[0].properties.badge", "contact: badge"),
            ("contacts | role('champion') ", "contact:"),
            ("contacts|selectattr('properties.vip')|first|property('Seat')", "contact: Seat, vip"),
            ("contacts|length > 3 and deal.amount", "contact:"),
            ("deal.properties.p | promises(made_by=deal.owner.name)", "deal: p"),
            ("signer(signature, contacts, deal)", "contact:"),
            ("signature.metadata.properties.x ~ 'properties.y'", ""),
            ("brief.customer.name", ""),
        ] {
            assert_eq!(told(source), wanted, "{source}");
        }
    }

    #[test]
    fn broken_text_is_read_without_an_end() {
        for source in ["deal.properties['", "((((", "]]))", "deal.properties.", "\"\\"] {
            let _ = properties(source);
        }
    }
}
