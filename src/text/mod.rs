//! Customer text made harmless for where it goes. One file for each medium:
//! the text comes from outside and must never act there.

mod line;
mod markdown;
mod terminal;

pub use line::{one_line, quoted, shorten, slug};
pub use markdown::{code, markdown, markdown_block};
pub use terminal::terminal;
