//! `reminders:`: who is reminded of what is due, and when.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

use crate::settings::{WordOrList, word_or_list};
use crate::text::quoted;
use crate::time::HumanDuration;

/// One step of the ladder. Each is sent once for each thing that is due.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Reminder", example = serde_json::json!({
    "for": "first_touch", "at": "-4h", "to": "csm", "by": "slack"
}))]
pub struct ReminderRule {
    /// What is due.
    #[serde(rename = "for")]
    pub due: Due,
    /// When, relative to the deadline: `-4h` before it, `+1d` after it, in the
    /// hours of the calendar.
    pub at: Offset,
    /// Who is reminded.
    pub to: Recipient,
    /// How. Absent: by Slack where it is connected, else by e-mail.
    pub by: Option<Channel>,
}

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// The first touch, by its deadline.
    FirstTouch,
    /// Accepting or returning the handoff, by the deadline of the first touch.
    Acceptance,
    /// Answers that the brief lacks, by the deadline of the first touch.
    MissingAnswers,
    /// A promise of the rep, by its `due` day.
    Promise,
    /// An `unknown` answer, by its `resolve_by` day.
    Unknown,
    /// A task of the onboarding project, by its due day.
    Onboarding,
}

impl Due {
    /// The word of the settings for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstTouch => "first_touch",
            Self::Acceptance => "acceptance",
            Self::MissingAnswers => "missing_answers",
            Self::Promise => "promise",
            Self::Unknown => "unknown",
            Self::Onboarding => "onboarding",
        }
    }
}

/// Who is reminded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// The CSM of the handoff.
    Csm,
    /// The rep who owns the deal.
    Rep,
    /// The CSM's lead, `lead` under `team.csms`.
    Lead,
    /// These e-mail addresses.
    Addresses(Vec<String>),
}

/// How somebody is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By a Slack message.
    Slack,
    /// By e-mail.
    Email,
}

/// A time before or after a deadline: `-4h`, `+1d`, `0h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Offset {
    /// Whether it is before the deadline.
    pub before: bool,
    /// How far from it, in business time where there is a calendar.
    pub distance: HumanDuration,
}

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'));
        let distance: HumanDuration = text
            .strip_prefix(['+', '-'])
            .unwrap_or(text)
            .parse()
            .map_err(|error: crate::time::DurationError| error.to_string())?;
        if sign.is_none() && !distance.is_zero() {
            return Err(format!(
                "{} is neither before nor after the deadline; write -{text} or +{text}",
                quoted(text)
            ));
        }
        Ok(Self { before: sign == Some('-'), distance })
    }
}

impl TryFrom<String> for Offset {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.before { '-' } else { '+' }, self.distance)
    }
}

impl JsonSchema for Offset {
    fn schema_name() -> Cow<'static, str> {
        "Offset".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a time before or after the deadline such as -4h or +1d",
            "description": "A time before (`-4h`) or after (`+1d`) the deadline.",
            "pattern": "^\\s*[+-]?[0-9]+\\s*[A-Za-z]",
        })
    }
}

impl<'de> Deserialize<'de> for Recipient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "`csm`, `rep`, `lead` or a list of e-mail addresses";
        match word_or_list::<_, Address>(deserializer, expected)? {
            WordOrList::Word(word) => match word.as_str() {
                "csm" => Ok(Self::Csm),
                "rep" => Ok(Self::Rep),
                "lead" => Ok(Self::Lead),
                _ => Err(D::Error::invalid_value(Unexpected::Str(&word), &expected)),
            },
            WordOrList::List(list) if list.is_empty() => {
                Err(D::Error::custom("the list of e-mail addresses is empty"))
            }
            WordOrList::List(list) => {
                Ok(Self::Addresses(list.into_iter().map(|it| it.0).collect()))
            }
        }
    }
}

impl JsonSchema for Recipient {
    fn schema_name() -> Cow<'static, str> {
        "Recipient".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Who is reminded: the CSM of the handoff, the rep who owns the deal, the CSM's lead, or a list of e-mail addresses.",
            "anyOf": [
                {"type": "string", "enum": ["csm", "rep", "lead"]},
                {"type": "array", "minItems": 1, "items": Address::json_schema(&mut SchemaGenerator::default())},
            ],
        })
    }
}

/// One e-mail address.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) String);

impl JsonSchema for Address {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "@"})
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if is_address(&text) {
            Ok(Self(text))
        } else {
            Err(format!("{} is not an e-mail address", quoted(&text)))
        }
    }
}

/// Whether a text looks like one e-mail address.
pub(super) fn is_address(text: &str) -> bool {
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || ",;<>".contains(c));
    let parts = text.split_once('@');
    plain && parts.is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// `reminders:` as it is written.
#[derive(Debug)]
pub(super) enum WrittenReminders {
    /// `off`.
    Off,
    /// The list.
    Ladder(Vec<ReminderRule>),
}

impl<'de> Deserialize<'de> for WrittenReminders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "`off` or a list of reminders";
        match word_or_list(deserializer, expected)? {
            WordOrList::Word(word) if word == "off" => Ok(Self::Off),
            WordOrList::Word(word) => {
                Err(D::Error::invalid_value(Unexpected::Str(&word), &expected))
            }
            WordOrList::List(ladder) => Ok(Self::Ladder(ladder)),
        }
    }
}

impl JsonSchema for WrittenReminders {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Reminders".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reminder = generator.subschema_for::<ReminderRule>();
        json_schema!({
            "anyOf": [{"type": "string", "enum": ["off"]}, {"type": "array", "items": reminder}],
        })
    }
}

impl WrittenReminders {
    /// The ladder; without the setting the shipped one.
    pub(super) fn ladder(written: Option<Self>) -> Vec<ReminderRule> {
        match written {
            Some(Self::Off) => Vec::new(),
            Some(Self::Ladder(ladder)) => ladder,
            None => shipped(),
        }
    }
}

/// The reminders of a ledger whose settings say nothing: the CSM shortly
/// before and the lead after a deadline, the rep while answers are missing.
fn shipped() -> Vec<ReminderRule> {
    let step = |due, before, distance, to| ReminderRule {
        due,
        at: Offset { before, distance },
        to,
        by: None,
    };
    let (hours, days) = (HumanDuration::hours, HumanDuration::days);
    vec![
        step(Due::FirstTouch, true, hours(4), Recipient::Csm),
        step(Due::FirstTouch, false, hours(1), Recipient::Lead),
        step(Due::Acceptance, false, hours(4), Recipient::Csm),
        step(Due::Acceptance, false, days(2), Recipient::Lead),
        step(Due::MissingAnswers, true, hours(4), Recipient::Rep),
        step(Due::Promise, true, days(2), Recipient::Csm),
        step(Due::Promise, false, days(1), Recipient::Lead),
        step(Due::Unknown, true, days(1), Recipient::Csm),
        step(Due::Onboarding, false, days(1), Recipient::Csm),
        step(Due::Onboarding, false, days(3), Recipient::Lead),
    ]
}
