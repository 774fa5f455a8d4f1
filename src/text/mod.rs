//! Text from outside made harmless for where it goes, one file for each medium,
//! and the nearest known word for a misspelt one.

mod line;
mod markdown;

pub use line::{
    did_you_mean, is_address, natural_order, nearest, one_line, quoted, shell_word, shorten, slug,
    terminal,
};
pub use markdown::{
    Look, code, html, markdown, markdown_block, markdown_to_html, markdown_to_plain,
};
