//! Why an expression cannot be used, in words.

/// Why an expression cannot be used, or gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// What is wrong, without the data.
    pub message: String,
    /// A way out, such as `did you mean …?`.
    pub help: Option<String>,
}

impl ExpressionError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(super) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }

    /// What is wrong and the way out, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What minijinja says.
pub(super) fn in_words(error: &minijinja::Error) -> String {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match std::error::Error::source(error) {
        Some(cause) if error.detail().is_none() => format!("{detail}: {cause}"),
        _ => crate::text::shorten(&detail, 300),
    }
}
