//! One page with everything in it: no network, charts as inline SVG, a table
//! to filter and sort. Markup, style and script are in `templates/report/`.

mod audit;
mod chart;
mod deals;
mod findings;
mod groups;
mod linked;
mod measured;
mod standing;
mod wrong;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub(super) use audit::audit;
pub(super) use findings::findings;

const STYLE: &str = include_str!("../../../templates/report/page.css");

/// What every page needs.
#[derive(Serialize)]
struct Shell {
    policy: String,
    generator: &'static str,
    style: &'static str,
    script: &'static str,
}

impl Shell {
    fn new(script: &'static str) -> Self {
        // Should some text ever escape its place, the browser still runs no
        // script but ours and fetches nothing.
        let hash = STANDARD.encode(Sha256::digest(script));
        Self {
            policy: format!(
                "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
                 base-uri 'none'; form-action 'none'"
            ),
            generator: concat!("handoff ", env!("CARGO_PKG_VERSION")),
            style: STYLE,
            script,
        }
    }
}

/// Fills in a template of ours; every value is escaped.
fn render(template: &'static str, values: &impl Serialize) -> Vec<u8> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::SemiStrict);
    environment
        .render_str(template, minijinja::value::Serde(values))
        .expect("the templates are compiled in, and tests render each of their parts")
        .into_bytes()
}
