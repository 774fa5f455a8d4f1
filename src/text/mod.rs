//! Text from outside made harmless for where it goes, one file for each medium,
//! and the nearest known word for a misspelt one.

mod line;
mod markdown;
mod nearest;
mod rendered;

pub use line::{is_address, one_line, quoted, shorten, slug, terminal};
pub use markdown::{code, markdown, markdown_block};
pub use nearest::{did_you_mean, nearest};
pub use rendered::{Look, html, markdown_to_html, markdown_to_plain};
