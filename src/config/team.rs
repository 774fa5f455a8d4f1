//! `team:`: who takes handoffs, who gets which, and who may approve.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Deserializer;

use super::ConfigProblem;
use super::reminders::is_address;
use crate::brief::Expression;
use crate::model::is_same_person;
use crate::settings::{WordOrList, word_or_list};
use crate::text::{did_you_mean, nearest, quoted};
use crate::yaml::{Located, Span};

/// One customer success manager.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "name": "Sam Lee", "email": "sam@example.com", "github": "samlee", "slack": "U012"
}))]
pub struct Csm {
    /// The full name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// The GitHub login.
    pub github: Option<String>,
    /// The Slack member id, `U012…`.
    pub slack: Option<String>,
    /// Whom reminders call the lead: an e-mail address, or the login or full
    /// name of somebody under `csms`.
    pub lead: Option<String>,
}

impl Csm {
    /// Whether a word of the configuration means this person: the login, the
    /// e-mail address or the full name.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.words().any(|own| is_same_person(own, word))
    }

    /// The person as a brief names its owner.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let more = [("email", &self.email), ("github", &self.github), ("slack", &self.slack)];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let all = std::iter::once(("name", &self.name)).chain(more);
        all.map(|(name, value)| (name.to_owned(), serde_json::Value::from(value.as_str())))
            .collect()
    }

    /// The login, e-mail address and full name, as far as they are known.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [self.github.as_deref(), self.email.as_deref(), Some(self.name.as_str())]
            .into_iter()
            .flatten()
    }
}

/// Who gets a handoff that a rule has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    /// Whoever of the whole team has the fewest open handoffs.
    LeastOpen,
    /// Whoever has the customer's earlier handoffs; where there is none, the
    /// rule does not apply and the next one is asked.
    SameCustomer,
    /// Whoever of these has the fewest open handoffs; indices into the team.
    Among(Vec<usize>),
}

/// One routing rule; the first that applies decides.
#[derive(Debug)]
pub struct Assign {
    /// When it applies, over the brief's sections; always, if absent.
    pub when: Option<Expression>,
    /// Where `when` stands, else the rule.
    pub span: Span,
    /// Who gets it.
    pub to: Routing,
}

/// The lead of a CSM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead<'a> {
    /// Somebody of the team.
    Csm(&'a Csm),
    /// Somebody else, by e-mail address.
    Address(&'a str),
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
    /// Who may approve exemptions and acceptances: GitHub logins, e-mail
    /// addresses or words for people of the team. Ask [`Team::is_approver`].
    pub approvers: Vec<String>,
}

impl Team {
    /// Who is meant by a login, an e-mail address or a full name.
    #[must_use]
    pub fn find(&self, word: &str) -> Option<usize> {
        self.csms.iter().position(|csm| csm.is(word))
    }

    /// The lead of a CSM, if one is named.
    #[must_use]
    pub fn lead(&self, csm: &Csm) -> Option<Lead<'_>> {
        let word = csm.lead.as_deref()?;
        let own = self.csms.iter().find(|csm| csm.lead.as_deref() == Some(word))?;
        match self.find(word).and_then(|index| self.csms.get(index)) {
            Some(lead) => Some(Lead::Csm(lead)),
            None => own.lead.as_deref().map(Lead::Address),
        }
    }

    /// Whether somebody, known by a login, an e-mail address or a name, is
    /// among the approvers, under whichever of their words they are named.
    #[must_use]
    pub fn is_approver(&self, word: &str) -> bool {
        let person = self.find(word).and_then(|index| self.csms.get(index));
        self.approvers.iter().any(|approver| {
            is_same_person(approver, word) || person.is_some_and(|person| person.is(approver))
        })
    }
}

/// Who takes handoffs, who gets which, and who may approve.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTeam {
    /// The customer success managers.
    #[serde(default)]
    csms: Vec<Located<Csm>>,
    /// Rules that say who gets a handoff; the first that applies decides.
    #[serde(default)]
    assign: Vec<Located<WrittenAssign>>,
    /// Who gets what no rule takes: the login, e-mail address or full name of
    /// somebody under `csms`.
    fallback: Option<Located<String>>,
    /// Who may approve an exemption: logins, e-mail addresses or full names of
    /// people under `csms`, and GitHub logins or e-mail addresses of others.
    #[serde(default)]
    approvers: Vec<Located<String>>,
}

/// One rule that says who gets a handoff.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({
    "when": "customer.tier == 'enterprise'", "to": ["samlee"]
}))]
struct WrittenAssign {
    /// When it applies: an expression over the brief, such as
    /// `customer.tier == 'enterprise'`. Absent: always.
    when: Option<Located<String>>,
    /// Who gets it: `same_customer` (whoever has the customer's newest
    /// earlier handoff; where there is none, the next rule decides), `least_open` (whoever has the fewest open ones), or one or
    /// several people under `csms`.
    to: Located<To>,
}

#[derive(Debug)]
struct To(WordOrList<Located<String>>);

impl<'de> Deserialize<'de> for To {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "`same_customer`, `least_open`, a person or a list of people";
        word_or_list(deserializer, expected).map(Self)
    }
}

impl JsonSchema for To {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AssignTo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"type": "string"},
            {"type": "array", "minItems": 1, "items": {"type": "string"}},
        ]})
    }
}

impl WrittenTeam {
    /// What is meant; problems are added to the list.
    pub(super) fn check(self, problems: &mut Vec<ConfigProblem>) -> Team {
        let mut team = Team {
            csms: self.csms.iter().map(|csm| csm.value.clone()).collect(),
            ..Team::default()
        };
        for (index, csm) in self.csms.iter().enumerate() {
            let earlier = &team.csms[..index];
            let twice = csm.value.words().find(|word| earlier.iter().any(|other| other.is(word)));
            if let Some(word) = twice {
                problems.push(
                    ConfigProblem::at(
                        csm.span,
                        format!("`{word}` means two people under team.csms"),
                    )
                    .help("give each person names of their own, or remove one entry"),
                );
            }
            if let Some(lead) = &csm.value.lead
                && !is_address(lead)
                && team.find(lead).is_none()
            {
                problems.push(team.not_listed(lead, csm.span).help(
                    "name the lead by e-mail address, or somebody under team.csms by login or full name",
                ));
            }
        }
        let last = self.assign.len().saturating_sub(1);
        for (index, rule) in self.assign.into_iter().enumerate() {
            let always = rule.value.when.is_none()
                && !matches!(&rule.value.to.value, To(WordOrList::Word(word)) if word == "same_customer");
            if always && index < last {
                problems.push(
                    ConfigProblem::at(
                        rule.span,
                        "the rules after this one are never reached: it takes every handoff",
                    )
                    .help("move the rule without `when` to the end"),
                );
            }
            team.assign.extend(team.rule(rule, problems));
        }
        if let Some(word) = self.fallback {
            team.fallback = team.index_of(&word.value, word.span, problems);
        }
        for word in self.approvers {
            if team.find(&word.value).is_none()
                && !is_address(&word.value)
                && !is_login(&word.value)
            {
                problems.push(
                    ConfigProblem::at(
                        word.span,
                        format!(
                            "{} is neither a GitHub login nor an e-mail address",
                            quoted(&word.value)
                        ),
                    )
                    .help(
                        "name an approver by login or e-mail address, or somebody under team.csms",
                    ),
                );
            }
            team.approvers.push(word.value);
        }
        team
    }
}

impl Team {
    fn rule(
        &self,
        written: Located<WrittenAssign>,
        problems: &mut Vec<ConfigProblem>,
    ) -> Option<Assign> {
        let Located { value: written, span } = written;
        let span = written.when.as_ref().map_or(span, |when| when.span);
        let when = match written.when {
            None => None,
            Some(when) => Some(super::compile(&when, None, problems)?),
        };
        let to = match written.to.value {
            To(WordOrList::Word(word)) if word == "least_open" => Routing::LeastOpen,
            To(WordOrList::Word(word)) if word == "same_customer" => Routing::SameCustomer,
            To(WordOrList::Word(word)) => match self.find(&word) {
                Some(index) => Routing::Among(vec![index]),
                None => {
                    let ways = ["least_open", "same_customer"];
                    let mut problem = self.not_listed(&word, written.to.span);
                    if let Some(way) = nearest(&word, ways) {
                        problem.help = Some(format!("did you mean `{way}`?"));
                    }
                    problems.push(problem);
                    return None;
                }
            },
            To(WordOrList::List(words)) => Routing::Among(
                words
                    .iter()
                    .filter_map(|word| self.index_of(&word.value, word.span, problems))
                    .collect(),
            ),
        };
        Some(Assign { when, span, to })
    }

    fn index_of(&self, word: &str, span: Span, problems: &mut Vec<ConfigProblem>) -> Option<usize> {
        let index = self.find(word);
        if index.is_none() {
            problems.push(self.not_listed(word, span));
        }
        index
    }

    fn not_listed(&self, word: &str, span: Span) -> ConfigProblem {
        let problem =
            ConfigProblem::at(span, format!("{} is not listed under team.csms", quoted(word)));
        if self.csms.is_empty() {
            return problem.help("list the people under `team: {csms: […]}` first");
        }
        let words: Vec<&str> = self.csms.iter().flat_map(Csm::words).collect();
        problem.help(did_you_mean(word, words))
    }
}

/// Whether a text can be a GitHub login.
fn is_login(text: &str) -> bool {
    (1..=39).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
