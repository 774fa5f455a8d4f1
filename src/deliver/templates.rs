//! The texts that leave, as minijinja templates: compiled in, and a ledger's
//! own copy wins. What a template prints is made harmless for its medium
//! unless the template itself says `| safe`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::brief::{Template, TemplateFault};
use crate::text;

/// The shipped texts by file name, as `init` lays them down.
pub const SHIPPED: &[(&str, &str)] = &[
    ("task.md.j2", include_str!("../../templates/task.md.j2")),
    ("draft.md.j2", include_str!("../../templates/draft.md.j2")),
    ("asked.md.j2", include_str!("../../templates/asked.md.j2")),
    ("notice.slack.j2", include_str!("../../templates/notice.slack.j2")),
    ("mail.md.j2", include_str!("../../templates/mail.md.j2")),
    ("returned.md.j2", include_str!("../../templates/returned.md.j2")),
    ("resubmitted.md.j2", include_str!("../../templates/resubmitted.md.j2")),
    ("changed.md.j2", include_str!("../../templates/changed.md.j2")),
    ("reminder.md.j2", include_str!("../../templates/reminder.md.j2")),
    ("project.md.j2", include_str!("../../templates/project.md.j2")),
    ("tasks.yaml", include_str!("../../templates/tasks.yaml")),
];

/// What a text is written for, which decides how customer text is made harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// One plain line that a forge shows as a title.
    Title,
    /// GitHub-flavoured Markdown.
    Markdown,
    /// Slack's mrkdwn.
    Slack,
    /// Plain text.
    Plain,
}

/// A text with its first line apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// One line without markup.
    pub title: String,
    /// The rest, in the medium's markup.
    pub body: String,
}

/// Why a text cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is no text of this name.
    #[error("templates/{name}: handoff sends no text of this name; the names are {}", names())]
    Unknown {
        /// The name.
        name: String,
    },
    /// The template is not valid, or fails on this handoff.
    #[error("templates/{name}:{line}: {message}")]
    Template {
        /// The name.
        name: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

fn names() -> String {
    SHIPPED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The texts in force.
#[derive(Debug, Clone)]
pub struct Templates(Arc<BTreeMap<&'static str, Cow<'static, str>>>);

impl Default for Templates {
    fn default() -> Self {
        Self::shipped()
    }
}

impl Templates {
    /// The shipped texts.
    #[must_use]
    pub fn shipped() -> Self {
        let texts = SHIPPED.iter().map(|(name, text)| (*name, Cow::Borrowed(*text)));
        Self(Arc::new(texts.collect()))
    }

    /// The same with a ledger's own copy of one text.
    ///
    /// # Errors
    /// When no text has this name, or the copy is not a valid template.
    pub fn with(mut self, name: &str, own: String) -> Result<Self, TemplateError> {
        let known = SHIPPED.iter().find(|(known, _)| *known == name);
        let Some((known, _)) = known else {
            return Err(TemplateError::Unknown { name: name.to_owned() });
        };
        if name.ends_with(".j2") {
            Template::compile(name, &own, syntax(), &environment(Medium::Plain))
                .map_err(|fault| template_error(name, fault))?;
        }
        Arc::make_mut(&mut self.0).insert(known, Cow::Owned(own));
        Ok(self)
    }

    /// A text as it stands.
    #[must_use]
    pub fn source(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.as_ref())
    }

    /// Fills a text in: its first line as a title, the rest for the medium.
    ///
    /// # Errors
    /// When the template fails.
    pub fn message(
        &self,
        name: &str,
        medium: Medium,
        context: impl Into<Value>,
    ) -> Result<Message, TemplateError> {
        let context = context.into();
        let source = self.source(name);
        let titled = fill(name, source, Medium::Title, &context)?;
        let filled = fill(name, source, medium, &context)?;
        let title = titled.trim_start().lines().next().unwrap_or_default();
        let body = filled.trim_start().split_once('\n').map_or("", |(_, rest)| rest);
        Ok(Message { title: text::shorten(title.trim(), 200), body: body.trim().to_owned() })
    }

    /// Fills in one line that stands in another file, such as a task's name.
    ///
    /// # Errors
    /// When the template fails.
    pub fn line(
        &self,
        name: &str,
        source: &str,
        context: &serde_json::Value,
    ) -> Result<String, TemplateError> {
        let filled = fill(name, source, Medium::Plain, &Value::from(Serde(context)))?;
        Ok(text::one_line(&filled))
    }
}

fn fill(
    name: &str,
    source: &str,
    medium: Medium,
    context: &Value,
) -> Result<String, TemplateError> {
    let environment = environment(medium);
    let print = move |value: &Value| medium.harmless(&value.to_string());
    Template::compile(name, source, syntax(), &environment)
        .and_then(|template| template.render(&environment, context.clone(), &print))
        .map_err(|fault| template_error(name, fault))
}

fn template_error(name: &str, TemplateFault { line, message }: TemplateFault) -> TemplateError {
    TemplateError::Template { name: name.to_owned(), line, message }
}

fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the usual delimiters are valid")
}

fn environment(medium: Medium) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.add_function("link", move |label: String, url: String| {
        Value::from_safe_string(medium.link(&label, &url))
    });
    environment.add_function("code", move |line: String| {
        Value::from_safe_string(match medium {
            Medium::Markdown => text::code(&line),
            _ => medium.harmless(&line),
        })
    });
    environment.add_function("email", move |address: String| {
        Value::from_safe_string(medium.email(&address))
    });
    environment
}

impl Medium {
    /// An address that can be clicked and copied; what is no plain address is
    /// customer text.
    #[must_use]
    pub fn email(self, address: &str) -> String {
        let address = address.trim();
        match self {
            _ if !text::is_address(address) => self.harmless(address),
            Self::Markdown => {
                format!("[{}](mailto:{address})", address.replace('_', "\\_"))
            }
            Self::Slack => format!("<mailto:{address}|{address}>"),
            Self::Title => self.harmless(address),
            Self::Plain => address.to_owned(),
        }
    }

    /// Customer text as one harmless line of this medium.
    #[must_use]
    pub fn harmless(self, customer_text: &str) -> String {
        match self {
            Self::Title => title(customer_text),
            Self::Markdown => text::markdown(customer_text),
            Self::Slack => slack(customer_text),
            Self::Plain => text::one_line(customer_text),
        }
    }

    /// A link, or the harmless label where the target is no web address.
    #[must_use]
    pub fn link(self, label: &str, target: &str) -> String {
        let label = self.harmless(label);
        let Some(target) = web_address(target) else { return label };
        match self {
            Self::Title => label,
            Self::Markdown => format!("[{label}](<{target}>)"),
            Self::Slack => format!("<{}|{label}>", target.replace('&', "&amp;")),
            Self::Plain => format!("{label}: {target}"),
        }
    }
}

/// An `http` or `https` address with every character encoded that could end a
/// link in some medium; `None` for anything else, such as `javascript:`.
pub(super) fn web_address(text: &str) -> Option<String> {
    let url = url::Url::parse(text.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let mut safe = String::new();
    for c in url.as_str().chars() {
        match c {
            '|' => safe.push_str("%7C"),
            '<' => safe.push_str("%3C"),
            '>' => safe.push_str("%3E"),
            '"' => safe.push_str("%22"),
            '\\' => safe.push_str("%5C"),
            '`' => safe.push_str("%60"),
            c => safe.push(c),
        }
    }
    Some(safe)
}

/// A title is plain text, but ends up in squash commits and mails, where
/// `fixes #1` and `@team` would act; a zero-width space keeps them from it.
fn title(customer_text: &str) -> String {
    let mut out = String::new();
    for c in text::one_line(customer_text).chars() {
        out.push(c);
        if matches!(c, '@' | '#') {
            out.push('\u{200B}');
        }
    }
    out
}

/// `&`, `<` and `>` are all that Slack lets one escape; marks of emphasis are
/// kept from working by zero-width spaces beside them.
fn slack(customer_text: &str) -> String {
    let mut out = String::new();
    for c in text::one_line(customer_text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200B}"),
            '*' | '_' | '~' | '`' => {
                out.push('\u{200B}');
                out.push(c);
                out.push('\u{200B}');
            }
            c => out.push(c),
        }
    }
    out
}
