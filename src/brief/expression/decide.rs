//! Rules, which may be undecided.

use minijinja::value::ValueKind;

use super::compare::{Undecided, compared, flag_of};
use super::error::ExpressionError;
use super::evaluate::Run;
use super::filters::is_absent;
use super::tree::{Comparison, Node};

/// What a rule says about one deal or brief.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It holds.
    Holds,
    /// It does not hold.
    DoesNot,
    /// What it asks about is not there or cannot be compared.
    Undecided {
        /// Why, for people: "`deal.pipeline` has no value".
        why: String,
    },
}

impl Run<'_> {
    /// Three answers, after Kleene: what is undecided stays undecided unless
    /// the other side decides alone.
    pub(super) fn decide(&mut self, node: &Node) -> Result<Decision, ExpressionError> {
        self.step()?;
        self.deeper(|run| run.decide_node(node))
    }

    fn decide_node(&mut self, node: &Node) -> Result<Decision, ExpressionError> {
        Ok(match node {
            Node::Not(of) => match self.decide(of)? {
                Decision::Holds => Decision::DoesNot,
                Decision::DoesNot => Decision::Holds,
                undecided @ Decision::Undecided { .. } => undecided,
            },
            Node::And(left, right) => match self.decide(left)? {
                Decision::DoesNot => Decision::DoesNot,
                Decision::Holds => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::DoesNot => Decision::DoesNot,
                    _ => undecided,
                },
            },
            Node::Or(left, right) => match self.decide(left)? {
                Decision::Holds => Decision::Holds,
                Decision::DoesNot => self.decide(right)?,
                undecided @ Decision::Undecided { .. } => match self.decide(right)? {
                    Decision::Holds => Decision::Holds,
                    _ => undecided,
                },
            },
            Node::Choice { test, yes, no } => {
                let otherwise = |run: &mut Self| match no {
                    Some(no) => run.decide(no),
                    None => Ok(Decision::DoesNot),
                };
                match self.decide(test)? {
                    Decision::Holds => self.decide(yes)?,
                    Decision::DoesNot => otherwise(self)?,
                    undecided @ Decision::Undecided { .. } => {
                        let (yes, no) = (self.decide(yes)?, otherwise(self)?);
                        if yes == no { yes } else { undecided }
                    }
                }
            }
            Node::Compared { first, rest } => self.decide_comparison(first, rest)?,
            Node::Test { name, of, .. }
                if !matches!(name.as_str(), "defined" | "undefined" | "none") =>
            {
                let of_value = self.eval(of)?;
                if is_absent(&of_value) {
                    return Ok(absent(of));
                }
                truth(self.eval(node)?.is_true())
            }
            Node::Test { .. } => truth(self.eval(node)?.is_true()),
            _ => {
                let value = self.eval(node)?;
                if is_absent(&value) && !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
                    return Ok(absent(node));
                }
                // HubSpot writes its check boxes as texts.
                truth(value.as_str().and_then(flag_of).unwrap_or_else(|| value.is_true()))
            }
        })
    }

    fn decide_comparison(
        &mut self,
        first: &Node,
        rest: &[(Comparison, Node)],
    ) -> Result<Decision, ExpressionError> {
        let mut decision = Decision::Holds;
        let mut left_node = first;
        let mut left = self.eval(first)?;
        for (comparison, right_node) in rest {
            let right = self.eval(right_node)?;
            match compared(*comparison, &left, &right) {
                Ok(true) => {}
                Ok(false) => return Ok(Decision::DoesNot),
                Err(Undecided::Absent) => {
                    decision = absent(if is_absent(&left) { left_node } else { right_node });
                }
                Err(Undecided::Because(error)) => {
                    decision = Decision::Undecided { why: error.sentence() };
                }
            }
            left_node = right_node;
            left = right;
        }
        Ok(decision)
    }
}

fn truth(holds: bool) -> Decision {
    if holds { Decision::Holds } else { Decision::DoesNot }
}

fn absent(node: &Node) -> Decision {
    Decision::Undecided { why: format!("{} has no value", told(node)) }
}

/// What an expression names, as it is written.
fn told(node: &Node) -> String {
    fn path(node: &Node) -> Option<String> {
        match node {
            Node::Name(name) => Some(name.clone()),
            Node::Attribute { of, name } => Some(format!("{}.{name}", path(of)?)),
            Node::Item { of, key } => match &**key {
                Node::Constant(key) => Some(match key.as_str() {
                    Some(key) => format!("{}['{key}']", path(of)?),
                    None => format!("{}[{key}]", path(of)?),
                }),
                _ => None,
            },
            Node::Filter { name, of: Some(of), arguments } if name == "property" => {
                let named = arguments.iter().find_map(|argument| match &argument.value {
                    Node::Constant(name) => name.as_str().map(str::to_owned),
                    _ => None,
                });
                Some(format!("{} | property('{}')", path(of)?, named?))
            }
            Node::Filter { of: Some(of), .. } => path(of),
            Node::Or(left, right) => Some(format!("{} or {}", path(left)?, path(right)?)),
            _ => None,
        }
    }
    path(node).map_or_else(|| "something it reads".to_owned(), |path| format!("`{path}`"))
}
