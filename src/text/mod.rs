//! Text from outside made harmless for where it goes, one file for each medium,
//! and the nearest known word for a misspelt one.

mod line;
mod markdown;
mod nearest;

pub use line::{one_line, quoted, shorten, slug, terminal};
pub use markdown::{code, markdown, markdown_block};
pub use nearest::{did_you_mean, nearest};
