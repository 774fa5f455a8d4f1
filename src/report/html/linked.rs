//! A name with a number that links to its deals, and the bar beside it.

use serde::Serialize;

use crate::report::thousands;
use crate::text;

/// A name with a number that links to its deals.
#[derive(Serialize)]
pub(super) struct Linked {
    name: String,
    reason: String,
    count: String,
    link: String,
}

/// A bar's length in percent; what is there at all is seen.
pub(super) fn width(number: usize, most: usize) -> String {
    if number == 0 || most == 0 {
        return "0".to_owned();
    }
    format!("{:.2}", (number as f64 * 100.0 / most as f64).max(1.0))
}

pub(super) fn linked(name: &str, number: usize, link: String) -> Linked {
    let name = text::one_line(name);
    Linked { reason: name.clone(), name, count: thousands(number), link }
}
