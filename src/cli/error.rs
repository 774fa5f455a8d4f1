//! Every error becomes words here: what happened, why, what to do next, and
//! the exit code.

use super::exit::Exit;
use crate::text::terminal;

/// What went wrong, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What happened and where; a full sentence without a final stop.
    pub message: String,
    /// Further lines: each problem of several, or the causes.
    pub details: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

impl CliError {
    /// Wrong usage or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), help: None, exit: Exit::Usage }
    }

    /// It could not be done, or not be checked.
    pub fn could_not(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), help: None, exit: Exit::CouldNot }
    }

    /// Nothing matched.
    pub fn nothing(message: impl Into<String>) -> Self {
        Self { message: message.into(), details: Vec::new(), help: None, exit: Exit::Nothing }
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a line below the message.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// The text for standard error.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let (red, cyan, bold, reset) = if color {
            ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[1m", "\u{1b}[0m")
        } else {
            ("", "", "", "")
        };
        let mut text = format!("{red}error:{reset} {bold}{}{reset}\n", terminal(&self.message));
        for detail in &self.details {
            text.push_str(&format!("  {}\n", terminal(detail).replace('\n', "\n  ")));
        }
        if let Some(help) = &self.help {
            text.push_str(&format!(
                "{cyan}help:{reset} {}\n",
                terminal(help).replace('\n', "\n      ")
            ));
        }
        text
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::could_not(format!("reading or writing failed: {error}"))
    }
}
