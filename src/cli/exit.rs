//! Exit codes, the same for every command.

/// How a command ended. `--format` never changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done and clean.
    Clean,
    /// Findings at or above `--fail-level`.
    Findings,
    /// Wrong usage or configuration.
    Usage,
    /// Could not do it, or could not check all of it.
    CouldNot,
    /// Nothing matched.
    Nothing,
}

impl Exit {
    /// The number the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::CouldNot => 3,
            Self::Nothing => 4,
        }
    }
}
