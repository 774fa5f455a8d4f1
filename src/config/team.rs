//! Who takes handoffs, and who gets which.

use serde::Deserialize;

use super::Problem;
use crate::brief::Expression;
use crate::yaml::{Node, Value, from_node};

/// One customer success manager.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csm {
    /// The full name.
    pub name: String,
    /// The e-mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// The GitHub login.
    #[serde(default)]
    pub github: Option<String>,
    /// The Slack member id, `U012…`.
    #[serde(default)]
    pub slack: Option<String>,
}

impl Csm {
    /// Whether a word of the configuration means this person: the login, the
    /// e-mail address or the full name.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        let same = |text: &String| text.eq_ignore_ascii_case(word);
        self.github.as_ref().is_some_and(same)
            || self.email.as_ref().is_some_and(same)
            || same(&self.name)
    }
}

/// Who gets a handoff that a rule has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// Whoever of the whole team has the fewest open handoffs.
    LeastOpen,
    /// Whoever of these has the fewest open handoffs; indices into the team.
    Among(Vec<usize>),
}

/// One routing rule; the first that applies decides.
#[derive(Debug)]
pub struct Assign {
    /// When it applies, over the brief's sections; always, if absent.
    pub when: Option<Expression>,
    /// Who gets it.
    pub to: Routing,
}

/// The team and its routing.
#[derive(Debug, Default)]
pub struct Team {
    /// The people, in the order of the file.
    pub csms: Vec<Csm>,
    /// The rules, in the order of the file.
    pub assign: Vec<Assign>,
    /// Who gets what no rule takes: an index into the team.
    pub fallback: Option<usize>,
    /// Who may approve exemptions: logins, e-mail addresses or names; anybody
    /// but the deal's rep while it is empty.
    pub approvers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAssign {
    #[serde(default)]
    when: Option<String>,
    to: To,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum To {
    Word(String),
    Several(Vec<String>),
}

impl Team {
    /// Reads the `team:` section; problems are added to the list.
    pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Self {
        let mut team = Self::default();
        let Some(entries) = node.as_map() else {
            problems.push(Problem::at(
                node.span,
                "`team` is a mapping with `csms`, `assign` and `fallback`",
            ));
            return team;
        };
        if let Some(csms) = node.get("csms") {
            for item in csms.as_list().unwrap_or_default() {
                match from_node::<Csm>(item) {
                    Ok(csm) => team.csms.push(csm),
                    Err(error) => problems.push(error.into()),
                }
            }
            if csms.as_list().is_none() {
                problems.push(Problem::at(
                    csms.span,
                    "`csms` is a list of people: name, email, github, slack",
                ));
            }
        }
        for entry in entries {
            match entry.key.as_str() {
                "csms" => {}
                "assign" => match entry.node.as_list() {
                    Some(rules) => {
                        team.assign =
                            rules.iter().filter_map(|rule| team.rule(rule, problems)).collect()
                    }
                    None => problems.push(Problem::at(
                        entry.node.span,
                        "`assign` is a list of rules `{when: …, to: …}`",
                    )),
                },
                "fallback" => match entry.node.as_str().and_then(|word| team.find(word)) {
                    Some(index) => team.fallback = Some(index),
                    None => problems.push(team.nobody(&entry.node)),
                },
                "approvers" => match from_node(&entry.node) {
                    Ok(approvers) => team.approvers = approvers,
                    Err(error) => problems.push(error.into()),
                },
                other => problems.push(
                    Problem::at(entry.key_span, format!("`team` has no key `{other}`"))
                        .help("its keys are csms, assign, fallback and approvers"),
                ),
            }
        }
        for (index, rule) in team.assign.iter().enumerate() {
            if rule.when.is_none() && index + 1 < team.assign.len() {
                let place = node
                    .get("assign")
                    .and_then(Node::as_list)
                    .map_or(node.span, |rules| rules[index + 1].span);
                problems.push(
                    Problem::at(
                        place,
                        "this rule is never reached: the one before it takes every handoff",
                    )
                    .help("move the rule without `when` to the end"),
                );
                break;
            }
        }
        team
    }

    fn rule(&self, node: &Node, problems: &mut Vec<Problem>) -> Option<Assign> {
        let raw: RawAssign = match from_node(node) {
            Ok(raw) => raw,
            Err(error) => {
                problems.push(error.into());
                return None;
            }
        };
        let when = match raw.when.as_deref().map(Expression::compile).transpose() {
            Ok(when) => when,
            Err(error) => {
                let span = node.get("when").map_or(node.span, |when| when.span);
                problems
                    .push(Problem::at(span, format!("`when` is not a valid expression: {error}")));
                return None;
            }
        };
        let to = match raw.to {
            To::Word(word) if word == "least_open" => Routing::LeastOpen,
            To::Word(word) => Routing::Among(self.indices(&[word], node, problems)?),
            To::Several(words) => Routing::Among(self.indices(&words, node, problems)?),
        };
        Some(Assign { when, to })
    }

    fn indices(
        &self,
        words: &[String],
        node: &Node,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<usize>> {
        let to = node.get("to").unwrap_or(node);
        let mut found = Vec::new();
        for (index, word) in words.iter().enumerate() {
            match self.find(word) {
                Some(csm) => found.push(csm),
                None => {
                    let item = match &to.value {
                        Value::List(items) => items.get(index).unwrap_or(to),
                        _ => to,
                    };
                    problems.push(self.nobody(item));
                }
            }
        }
        (!found.is_empty()).then_some(found)
    }

    /// Who is meant by a login, an e-mail address or a full name.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<usize> {
        self.csms.iter().position(|csm| csm.is(word))
    }

    fn nobody(&self, node: &Node) -> Problem {
        let known: Vec<&str> =
            self.csms.iter().map(|csm| csm.github.as_deref().unwrap_or(&csm.name)).collect();
        let who = node.as_str().unwrap_or("this");
        Problem::at(node.span, format!("`{who}` is nobody under `csms`")).help(format!(
            "name a login, an e-mail address or a full name of: {}",
            known.join(", ")
        ))
    }
}
