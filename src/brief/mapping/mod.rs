//! From deal and signature to brief: where each answer comes from, as
//! expressions.

mod apply;
mod propose;
mod trace;

use std::collections::BTreeSet;

use super::expression::{Expression, ExpressionError};
use super::schema::{Schema, Shape};
use crate::model::Properties;
use crate::text::{did_you_mean, nearest, quoted};
use crate::yaml;
use crate::yaml::Span;

pub use apply::{FirstTouch, GivenAnswers, MappedBrief, MappingInput, MappingRemark};
pub use propose::{Proposal, propose};
pub use trace::TracedAnswer;

/// A default mapping that is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BaseMapping {
    /// The word in `map:`.
    pub name: &'static str,
    /// Its file, with comments for whoever writes their own.
    pub source: &'static str,
}

impl BaseMapping {
    /// The one that reads the signed document alone; a CRM's own stands in its row.
    pub const DOCUMENT: Self =
        Self { name: "none", source: include_str!("../../../templates/mapping/none.yaml") };
}

// A default mapping and a company's changes to it, compiled; every problem
// reported at once.

/// What an expression can read.
const NAMES: [&str; 7] =
    ["signature", "deal", "company", "contacts", "line_items", "brief", "first_touch"];

/// What handoff itself writes into a brief.
const RESERVED: [&str; 4] = ["schema", "key", "deal", "signature"];

/// One thing that is wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MappingProblem {
    /// The field, dotted; `None` when it is about `map:` itself.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// Where the expression stands; `None` for `map:`.
    pub span: Option<Span>,
}

/// Where each answer of a brief comes from.
#[derive(Debug)]
pub struct Mapping {
    leaves: Vec<Leaf>,
}

/// One field and its expression.
#[derive(Debug)]
struct Leaf {
    pub path: Vec<String>,
    pub expression: Expression,
    /// Whether it reads answers that other leaves give, and so comes after them.
    pub reads_brief: bool,
    /// Where the company's own configuration names it.
    pub own: Option<Span>,
    /// The default mapping that it is of.
    pub base: Option<&'static str>,
    /// What the signed document says, where a default mapping gives nothing.
    pub of_document: Option<Expression>,
}

impl Leaf {
    fn field(&self) -> String {
        self.path.join(".")
    }

    /// Whether it fills one of these fields, or something inside of one.
    fn is_below(&self, fields: &[&str]) -> bool {
        let is_in = |field: &str| {
            let mut path = self.path.iter();
            field.split('.').all(|part| path.next().is_some_and(|it| it == part))
        };
        fields.iter().any(|field| is_in(field))
    }
}

impl Mapping {
    /// Compiles a default and what differs from it: dotted field, expression,
    /// and where the expression stands in the configuration. Without a default
    /// only the given fields are mapped.
    ///
    /// # Errors
    /// Every problem there is, with its place.
    pub fn compile(
        base: Option<&BaseMapping>,
        overrides: &[(String, String, Span)],
    ) -> Result<Self, Vec<MappingProblem>> {
        let mut problems = Vec::new();
        let leaves = base.map(base_leaves).unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut own = Vec::new();
        for (field, source, span) in overrides {
            let mut problem = |message: String, help: Option<String>| {
                let field = Some(field.clone());
                problems.push(MappingProblem { field, message, help, span: Some(*span) });
            };
            if let Err((message, help)) = check_field(field) {
                problem(message, Some(help));
                continue;
            }
            if !seen.insert(field.as_str()) {
                problem(format!("`{field}` is mapped twice"), Some("keep one".to_owned()));
                continue;
            }
            match leaf(field, source) {
                Ok(leaf) => own.push(Leaf { own: Some(*span), ..leaf }),
                Err(faults) => {
                    for fault in faults {
                        problem(format!("`{field}`: {}", fault.message), fault.help);
                    }
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self::of_leaves(leaves, own))
    }

    fn of_leaves(mut leaves: Vec<Leaf>, own: Vec<Leaf>) -> Self {
        // A field takes the place of the default's, and of everything the default has inside it.
        leaves.retain(|leaf| !own.iter().any(|own| leaf.path.starts_with(&own.path)));
        leaves.extend(own);
        // Whole answers first, then what is set inside of them; what reads the brief comes last.
        leaves.sort_by_key(|leaf| (leaf.reads_brief, leaf.path.len()));
        Self { leaves }
    }

    /// The company's own lines on another default, such as that of an export
    /// file beside a CRM.
    #[must_use]
    pub fn on_base(self, base: &BaseMapping) -> Self {
        let leaves = base_leaves(base);
        Self::of_leaves(leaves, self.leaves.into_iter().filter(|leaf| leaf.own.is_some()).collect())
    }

    /// The expression that fills a field, and what it reads.
    pub(super) fn line(&self, field: &str) -> Option<(&str, Properties)> {
        let leaf = self.leaves.iter().find(|leaf| leaf.field() == field)?;
        Some((leaf.expression.source(), leaf.expression.properties().clone()))
    }

    /// The properties that the mapping reads, by kind of record: to fetch them.
    #[must_use]
    pub fn properties(&self) -> Properties {
        properties_of(self.leaves.iter())
    }

    /// Those that the lines of these fields, and of what is inside of them, read.
    #[must_use]
    pub fn properties_below(&self, fields: &[&str]) -> Properties {
        properties_of(self.leaves.iter().filter(|leaf| leaf.is_below(fields)))
    }

    /// Those of them that the company's own lines read, without the default's:
    /// what a CRM must have, because somebody named it.
    #[must_use]
    pub fn own_properties(&self) -> Properties {
        properties_of(self.leaves.iter().filter(|leaf| leaf.own.is_some()))
    }

    /// What each of the company's own lines reads, and where it stands.
    pub fn own_lines(&self) -> impl Iterator<Item = (Properties, Span)> {
        self.leaves
            .iter()
            .filter_map(|leaf| Some((leaf.expression.properties().clone(), leaf.own?)))
    }

    /// What the company's own lines fill or read that the ledger's schema does
    /// not have: a misspelt field would go into every signed brief.
    #[must_use]
    pub fn check(&self, schema: &Schema) -> Vec<MappingProblem> {
        let mut problems = Vec::new();
        for leaf in &self.leaves {
            let Some(span) = leaf.own else { continue };
            let mut problem = |message: String, help: String| {
                let field = Some(leaf.field());
                problems.push(MappingProblem {
                    field,
                    message,
                    help: Some(help),
                    span: Some(span),
                });
            };
            if let Some((message, help)) = absent_from(schema, &leaf.path) {
                problem(message, help);
            }
            for fault in leaf.expression.problems_in_brief(schema.outline(), Some("brief")) {
                let help = fault.help.unwrap_or_default();
                problem(format!("`{}`: {}", leaf.field(), fault.message), help);
            }
        }
        problems
    }

    /// The fields it fills, dotted, sorted.
    #[must_use]
    pub fn fields(&self) -> Vec<String> {
        let mut fields: Vec<_> = self.leaves.iter().map(Leaf::field).collect();
        fields.sort();
        fields
    }
}

fn properties_of<'a>(leaves: impl Iterator<Item = &'a Leaf>) -> Properties {
    let mut read = Properties::default();
    leaves.for_each(|leaf| read.extend(leaf.expression.properties()));
    read
}

fn base_leaves(base: &BaseMapping) -> Vec<Leaf> {
    let mut leaves = shipped_leaves(base);
    for of_document in shipped_leaves(&BaseMapping::DOCUMENT) {
        let same = leaves.iter_mut().find(|leaf| leaf.path == of_document.path);
        match same {
            // What reads the same of the document already has weighed it against the deal.
            Some(leaf) if !of_document.reads_brief && !reads_the_same(leaf, &of_document) => {
                leaf.of_document = Some(of_document.expression);
            }
            Some(_) => {}
            None => leaves.push(of_document),
        }
    }
    leaves
}

/// Whether a line reads all of the signature that the document's own line reads.
fn reads_the_same(leaf: &Leaf, of_document: &Leaf) -> bool {
    let paths = of_document.expression.paths().iter();
    let mut of_signature = paths.filter(|path| path.first().is_some_and(|it| it == "signature"));
    of_signature.all(|path| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        leaf.expression.reads_path(&path)
    })
}

fn shipped_leaves(base: &BaseMapping) -> Vec<Leaf> {
    let node = yaml::read(base.source.as_bytes()).expect("the default mappings are tested");
    let entries = node.as_map().expect("a default mapping is a mapping");
    entries
        .iter()
        .map(|entry| {
            let source = entry.node.as_str().expect("each expression is a text");
            let leaf = leaf(&entry.key, source);
            Leaf {
                base: Some(base.name),
                ..leaf.expect("the default mappings are tested to compile")
            }
        })
        .collect()
}

fn leaf(field: &str, source: &str) -> Result<Leaf, Vec<ExpressionError>> {
    let expression = Expression::compile(source).map_err(|error| vec![error])?;
    let problems = expression.problems(&NAMES);
    if !problems.is_empty() {
        return Err(problems);
    }
    let reads_brief = expression.reads("brief");
    Ok(Leaf {
        path: field.split('.').map(str::to_owned).collect(),
        expression,
        reads_brief,
        own: None,
        base: None,
        of_document: None,
    })
}

/// Where a path leaves the schema, and what was meant.
fn absent_from(schema: &Schema, path: &[String]) -> Option<(String, String)> {
    let mut fields = schema.outline().fields();
    let mut other = None;
    for (at, name) in path.iter().enumerate() {
        let above = path[..at].join(".");
        let Some(field) = fields.iter().find(|field| field.name == *name).or(other) else {
            let names = fields.iter().map(|field| field.name.as_str());
            let help = match nearest(name, names.clone()) {
                Some(near) if above.is_empty() => format!("did you mean `{near}`?"),
                Some(near) => format!("did you mean `{above}.{near}`?"),
                None => format!(
                    "{}; a field of your own goes into schema/brief.schema.json first",
                    did_you_mean(name, names)
                ),
            };
            let mut message = format!("the ledger's schema has no field `{}`", path.join("."));
            if !above.is_empty() {
                message.push_str(&format!(": `{above}` has no `{name}`"));
            }
            return Some((message, help));
        };
        match &field.shape {
            Shape::Mapping { fields: inside, other: further, closed } => {
                if !closed && further.is_none() {
                    return None;
                }
                fields = inside;
                other = further.as_deref();
            }
            Shape::Value | Shape::List(_) if at + 1 < path.len() => {
                let whole = path[..=at].join(".");
                let inside = &path[at + 1];
                let message = format!("`{whole}` has no fields inside: there is no `{inside}`");
                return Some((message, format!("map `{whole}` as a whole")));
            }
            Shape::Value | Shape::List(_) => {}
        }
    }
    None
}

fn check_field(field: &str) -> Result<(), (String, String)> {
    let well_formed = field.split('.').all(|part| {
        !part.is_empty()
            && part.len() <= 64
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    });
    if !well_formed || field.split('.').count() > 8 {
        return Err((
            format!("{} is not the path of a field", quoted(field)),
            "write the keys of the brief with points between them: `success.primary_goal`"
                .to_owned(),
        ));
    }
    let top = field.split('.').next().unwrap_or_default();
    if RESERVED.contains(&top) {
        return Err((
            format!("`{field}` is written by handoff and cannot be mapped"),
            "map it to a field of your own".to_owned(),
        ));
    }
    Ok(())
}
