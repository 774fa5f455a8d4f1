//! A brief as people read it: README.md, a pure function of brief, schema and
//! template.

mod filters;
mod page;
mod show;

use minijinja::Environment;

use super::{Brief, Completeness, Schema};
use crate::text::quoted;

/// The template that is compiled in; `handoff init` lays it down, and a
/// ledger's own copy wins.
pub const DEFAULT_TEMPLATE: &str = include_str!("../../../templates/brief.md.j2");

/// Instructions that one page may take; a brief with 500 promises takes under a tenth.
const FUEL: u64 = 2_000_000;

/// The longest page: GitHub stops rendering Markdown at 512 KiB.
const LONGEST: usize = 500 * 1024;

/// What a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct RenderInput<'a> {
    /// The brief.
    pub brief: &'a Brief,
    /// The ledger's schema.
    pub schema: &'a Schema,
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
        let mut environment = filters::environment();
        environment.set_fuel(Some(FUEL));
        let source = template.unwrap_or(DEFAULT_TEMPLATE).to_owned();
        environment.add_template_owned(NAME, source).map_err(|error| RenderError::Template {
            line: error.line().unwrap_or(1),
            message: in_words(&error),
        })?;
        let renderer = Self { environment };
        // A misspelt filter shows only when it is used: a page of nothing finds most of them.
        let empty = Brief::from_json(serde_json::json!({}));
        let trial = RenderInput { brief: &empty, schema: Schema::shipped() };
        match renderer.readme(&trial) {
            Err(RenderError::Failed { line, message }) => {
                Err(RenderError::Template { line, message })
            }
            _ => Ok(renderer),
        }
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
        let failed = |error: &minijinja::Error| RenderError::Failed {
            line: error.line().unwrap_or(1),
            message: in_words(error),
        };
        let template = self.environment.get_template(NAME).map_err(|error| failed(&error))?;
        let page =
            template.render(page::context(input, completeness)).map_err(|error| failed(&error))?;
        let page = page::tidy(&page);
        if page.len() > LONGEST {
            return Err(RenderError::TooLong(page.len()));
        }
        Ok(page)
    }
}

fn in_words(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => crate::text::shorten(detail, 200),
        None => quoted(&error.kind().to_string()),
    }
}
