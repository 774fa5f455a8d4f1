//! What an expression reads, found in one walk: names, paths, properties by
//! record, and what cannot be right.

use std::collections::BTreeSet;

use super::ExpressionError;
use super::shapes::{self, Holds};
use super::syntax::{Comparison, ExprNode};
use super::values::read_number;
use crate::model::{Properties, RecordKind};
use crate::text::did_you_mean;

/// What one walk has found.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Every path that is read: `["deal", "owner", "email"]`.
    pub paths: BTreeSet<Vec<String>>,
    /// The properties, by kind of record.
    pub properties: Properties,
    /// Whether it reads more than the deal's own fields and named properties.
    pub reads_more: bool,
    /// What the records of [`shapes::RECORDS`] do not have, and comparisons
    /// that can never be made.
    pub problems: Vec<ExpressionError>,
}

/// What a part of an expression stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    Is(Holds),
    /// The properties of such a record.
    Properties(RecordKind),
}

impl Analysis {
    pub(super) fn of(node: &ExprNode) -> Self {
        let mut analysis = Self::default();
        analysis.walk(node, false);
        analysis.collect_paths(node);
        analysis
    }

    fn collect_paths(&mut self, node: &ExprNode) {
        if let Some(path) = node.path() {
            self.paths.insert(path);
            return;
        }
        match node {
            // A function's name is no data.
            ExprNode::Call { what, arguments } => {
                if !matches!(&**what, ExprNode::Name(_)) {
                    self.collect_paths(what);
                }
                arguments.iter().for_each(|argument| self.collect_paths(&argument.value));
            }
            _ => node.parts().into_iter().for_each(|part| self.collect_paths(part)),
        }
    }

    /// What it may stand for; nothing where that cannot be told. `inside` is
    /// whether one attribute of it is read, not the whole.
    fn walk(&mut self, node: &ExprNode, inside: bool) -> Vec<Seen> {
        match node {
            ExprNode::Name(name) => self.name(name, inside),
            ExprNode::Constant(value) => {
                let holds = match value.kind() {
                    minijinja::value::ValueKind::String => Holds::Text,
                    minijinja::value::ValueKind::Number => Holds::Number,
                    minijinja::value::ValueKind::Bool => Holds::Flag,
                    _ => return Vec::new(),
                };
                vec![Seen::Is(holds)]
            }
            ExprNode::Attribute { of, name } => {
                let of_seen = self.walk(of, true);
                self.attribute(&of_seen, name, of, inside)
            }
            ExprNode::Item { of, key } => match key.as_text() {
                Some(name) => {
                    let of_seen = self.walk(of, true);
                    self.attribute(&of_seen, name, of, inside)
                }
                None => {
                    let of_seen = self.walk(of, false);
                    self.walk(key, false);
                    elements(&of_seen)
                }
            },
            ExprNode::And(left, right) | ExprNode::Or(left, right) => {
                let mut seen = self.walk(left, inside);
                seen.extend(self.walk(right, inside));
                seen
            }
            ExprNode::Choice { test, yes, no } => {
                self.walk(test, false);
                let mut seen = self.walk(yes, inside);
                if let Some(no) = no {
                    seen.extend(self.walk(no, inside));
                }
                seen
            }
            ExprNode::Joined(left, right) => {
                for side in [left, right] {
                    let seen = self.walk(side, false);
                    self.check_joined(side, &seen);
                }
                vec![Seen::Is(Holds::Text)]
            }
            ExprNode::Compared { first, rest } => {
                let mut left = (&**first, self.walk(first, false));
                for (comparison, right) in rest {
                    let right = (right, self.walk(right, false));
                    self.check_comparison(*comparison, &left, &right);
                    left = right;
                }
                vec![Seen::Is(Holds::Flag)]
            }
            ExprNode::Not(of) => {
                self.walk(of, false);
                vec![Seen::Is(Holds::Flag)]
            }
            ExprNode::Test { of, .. } => {
                self.walk(of, false);
                node.parts().into_iter().skip(1).for_each(|part| {
                    self.walk(part, false);
                });
                vec![Seen::Is(Holds::Flag)]
            }
            ExprNode::Filter { name, of, arguments } => {
                let of_seen = of.as_ref().map(|of| self.walk(of, false)).unwrap_or_default();
                let texts: Vec<&str> = arguments
                    .iter()
                    .filter(|argument| argument.name.is_none())
                    .filter_map(|argument| argument.value.as_text())
                    .collect();
                let attribute = arguments
                    .iter()
                    .find(|argument| argument.name.as_deref() == Some("attribute"))
                    .and_then(|argument| argument.value.as_text());
                for argument in arguments {
                    self.walk(&argument.value, false);
                    // `products(billing="…", plan=["…", "…"])` names properties of lines.
                    if name == "products" && argument.name.is_some() {
                        let value = &argument.value;
                        let names = value.parts().into_iter().chain([value]);
                        let names = names.filter_map(|part| part.as_text().map(str::to_owned));
                        self.properties.of_mut(RecordKind::LineItem).extend(names);
                    }
                }
                self.filter(name, of.as_deref(), of_seen, &texts, attribute)
            }
            ExprNode::Call { what, arguments } => {
                if !matches!(&**what, ExprNode::Name(_)) {
                    self.walk(what, false);
                }
                for argument in arguments {
                    self.walk(&argument.value, false);
                }
                Vec::new()
            }
            ExprNode::Slice { of, .. } => {
                let seen = self.walk(of, false);
                node.parts().into_iter().skip(1).for_each(|part| {
                    self.walk(part, false);
                });
                seen
            }
            ExprNode::Minus(_)
            | ExprNode::Calculated { .. }
            | ExprNode::List(_)
            | ExprNode::Map(_) => {
                node.parts().into_iter().for_each(|part| {
                    self.walk(part, false);
                });
                Vec::new()
            }
        }
    }

    fn name(&mut self, name: &str, inside: bool) -> Vec<Seen> {
        match name {
            "deal" => self.reads_more |= !inside,
            "company" => {
                self.properties.of_mut(RecordKind::Company);
                self.reads_more |= !inside;
            }
            "contacts" => self.touch(RecordKind::Contact),
            "line_items" => self.touch(RecordKind::LineItem),
            _ => {}
        }
        let record = shapes::record(name).filter(|holds| *holds != Holds::Open);
        record.map(Seen::Is).into_iter().collect()
    }

    fn touch(&mut self, kind: RecordKind) {
        self.properties.of_mut(kind);
        self.reads_more = true;
    }

    /// One attribute of what was seen.
    fn attribute(&mut self, of: &[Seen], name: &str, node: &ExprNode, inside: bool) -> Vec<Seen> {
        let told = || node.path().map_or_else(|| "this".to_owned(), |path| path.join("."));
        let mut seen = Vec::new();
        for of in of {
            let fields = match of {
                Seen::Properties(kind) => {
                    self.properties.of_mut(*kind).insert(name.to_owned());
                    continue;
                }
                Seen::Is(Holds::Open) => continue,
                Seen::Is(Holds::Record(fields) | Holds::Crm(_, fields)) => *fields,
                Seen::Is(Holds::Money) => shapes::MONEY,
                Seen::Is(Holds::List(element)) => {
                    let told = told();
                    let help = match element {
                        Holds::Record(_) | Holds::Crm(..) => format!(
                            "write `{told}[0].{name}` for the first, or `{told} | map(attribute=\"{name}\")` for all"
                        ),
                        _ => format!("write `{told} | first` or `{told} | join(\", \")`"),
                    };
                    self.problem(format!("`{told}` is a list and has no `{name}`"), help);
                    continue;
                }
                Seen::Is(Holds::Text | Holds::Number | Holds::Flag) => {
                    let told = told();
                    let message = format!("`{told}` is one value and has no `{name}`");
                    self.problem(message, format!("write `{told}` alone"));
                    continue;
                }
            };
            let found = fields.iter().find(|(known, _)| *known == name).map(|(_, holds)| *holds);
            let kind = match of {
                Seen::Is(Holds::Crm(kind, _)) => Some(*kind),
                _ => None,
            };
            match (found, kind) {
                (None, _) => {
                    let told = told();
                    let help = match (of, name) {
                        (Seen::Is(Holds::Money), "value") => {
                            format!("did you mean `{told}.amount`?")
                        }
                        _ => {
                            let names = fields.iter().map(|(known, _)| *known);
                            match crate::text::nearest(name, names.clone()) {
                                Some(near) => format!("did you mean `{told}.{near}`?"),
                                None => did_you_mean(name, names),
                            }
                        }
                    };
                    self.problem(format!("`{told}` has no `{name}`"), help);
                }
                (Some(Holds::Open), Some(kind)) if name == "properties" => {
                    self.reads_more |= !inside || kind != RecordKind::Deal;
                    self.properties.of_mut(kind);
                    seen.push(Seen::Properties(kind));
                }
                (Some(holds), _) => {
                    match (kind, name) {
                        (Some(RecordKind::Deal), "contacts") => self.touch(RecordKind::Contact),
                        (Some(RecordKind::Deal), "line_items") => self.touch(RecordKind::LineItem),
                        (Some(RecordKind::Deal), "company") => {
                            self.properties.of_mut(RecordKind::Company);
                            self.reads_more |= !inside;
                        }
                        _ => {}
                    }
                    if holds != Holds::Open {
                        seen.push(Seen::Is(holds));
                    }
                }
            }
        }
        seen
    }

    /// A dotted attribute of each item: `map(attribute="properties.start")`.
    fn of_items(&mut self, list: &[Seen], dotted: &str, node: Option<&ExprNode>) -> Vec<Seen> {
        let mut seen = elements(list);
        let mut parts = dotted.split('.').peekable();
        while let Some(part) = parts.next() {
            if part.parse::<usize>().is_ok() {
                return Vec::new();
            }
            let nothing = ExprNode::List(Vec::new());
            let inside = parts.peek().is_some();
            seen = self.attribute(&seen, part, node.unwrap_or(&nothing), inside);
        }
        seen
    }

    fn filter(
        &mut self,
        name: &str,
        of: Option<&ExprNode>,
        seen: Vec<Seen>,
        texts: &[&str],
        attribute: Option<&str>,
    ) -> Vec<Seen> {
        let text = Seen::Is(Holds::Text);
        match name {
            "property" => {
                for of in &seen {
                    if let Seen::Is(Holds::Crm(kind, _)) = of {
                        self.properties.of_mut(*kind).extend(texts.iter().map(|n| (*n).to_owned()));
                    }
                }
                Vec::new()
            }
            "map" => {
                if let Some(attribute) = attribute {
                    self.of_items(&seen, attribute, of);
                }
                Vec::new()
            }
            "attr" => match (texts.first(), of) {
                (Some(name), Some(of)) => self.attribute(&seen, name, of, true),
                _ => Vec::new(),
            },
            "selectattr" | "rejectattr" => {
                if let Some(attribute) = texts.first() {
                    self.of_items(&seen, attribute, of);
                }
                seen
            }
            "sort" | "unique" | "list" | "reverse" | "select" | "reject" => {
                if let Some(attribute) = attribute {
                    self.of_items(&seen, attribute, of);
                }
                seen
            }
            "first" | "last" | "min" | "max" => elements(&seen),
            "number" | "months" | "length" | "count" | "int" | "float" | "round" | "abs" => {
                vec![Seen::Is(Holds::Number)]
            }
            "says" => vec![Seen::Is(Holds::Flag)],
            "money" => vec![Seen::Is(Holds::Money)],
            "lower" | "upper" | "title" | "capitalize" | "trim" | "replace" | "plain" | "words"
            | "join" | "string" | "day" | "time" | "website" | "choice" => vec![text],
            _ => Vec::new(),
        }
    }

    fn problem(&mut self, message: String, help: String) {
        let problem = ExpressionError::with_help(message, help);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    fn check_joined(&mut self, node: &ExprNode, seen: &[Seen]) {
        let fields = match seen {
            [Seen::Is(Holds::Record(fields) | Holds::Crm(_, fields))] => *fields,
            [Seen::Is(Holds::Money)] => shapes::MONEY,
            _ => return,
        };
        let Some(path) = node.path().map(|path| path.join(".")) else { return };
        let first = fields.first().map_or("name", |(name, _)| *name);
        self.problem(
            format!("`~` joins texts, and `{path}` has several parts"),
            format!("write one of them: `{path}.{first}`"),
        );
    }

    fn check_comparison(
        &mut self,
        comparison: Comparison,
        left: &(&ExprNode, Vec<Seen>),
        right: &(&ExprNode, Vec<Seen>),
    ) {
        if matches!(comparison, Comparison::In | Comparison::NotIn) {
            return;
        }
        let [Seen::Is(a)] = left.1[..] else { return };
        let [Seen::Is(b)] = right.1[..] else { return };
        let is_record = |holds| matches!(holds, Holds::Record(_) | Holds::Crm(..) | Holds::List(_));
        let number = |holds| matches!(holds, Holds::Number | Holds::Money);
        let reads_as_number = |node: &ExprNode| match node {
            ExprNode::Constant(value) => read_number(value).is_some(),
            _ => false,
        };
        let sign = comparison.sign();
        let path = |node: &ExprNode| node.path().map_or_else(|| "…".to_owned(), |p| p.join("."));
        let as_number = |text: &ExprNode, other: &ExprNode| {
            let other = match other {
                ExprNode::Constant(value) => value.to_string(),
                other => path(other),
            };
            format!("compare with a number: `{} | number {sign} {other}`", path(text))
        };
        if a == b || a == Holds::Open || b == Holds::Open {
            return;
        }
        let (message, help) = if a == Holds::Text && number(b) && !reads_as_number(left.0) {
            let help = match left.0 {
                ExprNode::Constant(_) => {
                    "compare an amount with a number: `deal.amount < 60`".to_owned()
                }
                _ => as_number(left.0, right.0),
            };
            ("a text with a number", help)
        } else if b == Holds::Text && number(a) && !reads_as_number(right.0) {
            let help = match right.0 {
                ExprNode::Constant(_) => format!("write a number: `{} {sign} 60`", path(left.0)),
                _ => as_number(right.0, left.0),
            };
            ("a number with a text", help)
        } else if is_record(a) || is_record(b) {
            let node = if is_record(a) { left.0 } else { right.0 };
            let told = path(node);
            let holds = if is_record(a) { a } else { b };
            let help = match holds {
                Holds::List(_) => format!("compare how many there are: `{told} | length {sign} 1`"),
                Holds::Record(fields) | Holds::Crm(_, fields) => {
                    let first = fields.iter().find(|(name, _)| *name == "name").or(fields.first());
                    format!("compare one of its parts: `{told}.{}`", first.map_or("", |(n, _)| n))
                }
                _ => String::new(),
            };
            ("a record or a list with one value", help)
        } else if a == Holds::Flag && number(b) || b == Holds::Flag && number(a) {
            ("true or false with a number", "compare values of one kind".to_owned())
        } else {
            return;
        };
        self.problem(format!("`{sign}` would compare {message}"), help);
    }
}

/// What the items of lists are; what is no list stays what it is.
fn elements(seen: &[Seen]) -> Vec<Seen> {
    seen.iter()
        .filter_map(|seen| match seen {
            Seen::Is(Holds::List(element)) => Some(Seen::Is(**element)),
            Seen::Is(Holds::Crm(..)) => Some(*seen),
            _ => None,
        })
        .collect()
}
