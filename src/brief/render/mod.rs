//! A brief as people read it: README.md, a pure function of brief, schema,
//! template, and of which answers people confirmed.

mod page;
mod show;

use chrono_tz::Tz;
use minijinja::Environment;
use sha2::{Digest as _, Sha256};

use super::expression::{Template, TemplateFault};
use super::{Brief, Completeness, ConfirmedAnswers, Schema};

/// The template that is compiled in; `handoff init` lays it down, and a
/// ledger's own copy wins.
pub const DEFAULT_TEMPLATE: &str = include_str!("../../../templates/brief.md.j2");

/// What the page says to those who see it in the ledger's folder.
const EDIT_HINT: &str = "Something wrong or missing? Edit brief.yaml in this folder.";

/// The page without the word that only helps in the ledger's folder: in a mail
/// and behind a link there is none.
#[must_use]
pub fn without_edit_hint(page: &str) -> String {
    page.replace(EDIT_HINT, "")
}

/// The longest page: GitHub stops rendering Markdown at 512 KiB.
const LONGEST: usize = 500 * 1024;

/// What a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// The brief.
    pub brief: &'a Brief,
    /// The ledger's schema.
    pub schema: &'a Schema,
    /// What people gave or confirmed, which the page marks.
    pub confirmed: &'a ConfirmedAnswers,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template is not valid.
    #[error("templates/brief.md.j2 line {line}: {message}")]
    Template {
        /// The line of the template.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The template is valid and fails with this brief.
    #[error("templates/brief.md.j2 line {line} fails with this brief: {message}")]
    Failed {
        /// The line of the template.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The page is longer than GitHub renders.
    #[error("the page would have {0} bytes; GitHub renders at most {LONGEST}")]
    TooLong(usize),
}

/// A template, ready to render with; shared freely between threads.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
    template: Template,
    /// The template's checksum.
    sum: [u8; 32],
    zone: Tz,
}

const NAME: &str = "brief.md.j2";

impl Renderer {
    /// Compiles a ledger's own template, or the one that is compiled in.
    /// Whatever a template prints of a brief is made harmless Markdown; a
    /// template has no way to turn that off.
    ///
    /// # Errors
    /// When the template is not valid, or uses a filter that is not there.
    pub fn new(template: Option<&str>) -> Result<Self, RenderError> {
        let zone = Tz::UTC;
        let environment = show::environment(zone);
        let source = template.unwrap_or(DEFAULT_TEMPLATE);
        let template = Template::compile(NAME, source, show::syntax(), &environment)
            .map_err(|TemplateFault { line, message }| RenderError::Template { line, message })?;
        let sum = Sha256::digest(source).into();
        let renderer = Self { environment, template, sum, zone };
        // What fails on every page is the template's fault, and said before any brief comes.
        let empty = Brief::from_json(serde_json::json!({}));
        let confirmed = &ConfirmedAnswers::default();
        let trial = RenderInput { brief: &empty, schema: Schema::shipped(), confirmed };
        match renderer.readme(&trial) {
            Err(RenderError::Failed { line, message }) => {
                Err(RenderError::Template { line, message })
            }
            _ => Ok(renderer),
        }
    }

    /// The same, with times on the clock of a zone instead of UTC.
    #[must_use]
    pub fn in_zone(self, zone: Tz) -> Self {
        Self { environment: show::environment(zone), zone, ..self }
    }

    /// What template and zone are known by: the same brief and schema give the same page.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::new().chain_update(self.sum).chain_update(self.zone.name()).finalize().into()
    }

    /// The bytes of a handoff's README.md.
    ///
    /// # Errors
    /// When a ledger's own template fails with this brief, takes too long or
    /// gives too much.
    pub fn readme(&self, input: &RenderInput<'_>) -> Result<String, RenderError> {
        let completeness = Completeness::of(input.schema, input.brief.json());
        self.readme_with(input, &completeness)
    }

    /// The same for a caller that has judged the brief already.
    pub(super) fn readme_with(
        &self,
        input: &RenderInput<'_>,
        completeness: &Completeness,
    ) -> Result<String, RenderError> {
        let context = page::context(input, completeness, self.zone);
        let page = self
            .template
            .render(&self.environment, context, &show::harmless)
            .map_err(|TemplateFault { line, message }| RenderError::Failed { line, message })?;
        let page = page::tidy(&page);
        if page.len() > LONGEST {
            return Err(RenderError::TooLong(page.len()));
        }
        Ok(page)
    }
}
