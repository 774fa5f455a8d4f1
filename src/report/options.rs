//! What the command line knows about where a result is printed.

/// What the command line knows about where a result is printed. Formats for
/// programs pay no attention to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// The terminal's columns; `None` when the result does not go to a terminal.
    pub width: Option<usize>,
}
