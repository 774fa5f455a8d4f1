//! Progress bars on a terminal, for anything past a second; silent elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::invocation::Invocation;
use crate::crm::Progress;

/// How long something may take before it is worth a bar.
const SOON: Duration = Duration::from_millis(900);

fn bar(what: &str, invocation: &Invocation) -> ProgressBar {
    let bar = ProgressBar::no_length();
    let target = if invocation.environment.stderr_is_terminal && !invocation.quiet {
        ProgressDrawTarget::stderr_with_hz(8)
    } else {
        ProgressDrawTarget::hidden()
    };
    bar.set_draw_target(target);
    if let Ok(style) = ProgressStyle::with_template("{msg}: {human_pos} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

/// Counts something that is read.
pub(super) struct Counting(ProgressBar);

impl Counting {
    pub(super) fn start(what: &str, invocation: &Invocation) -> Self {
        Self(bar(what, invocation))
    }

    pub(super) fn at(&self, count: usize) {
        if self.0.elapsed() > SOON {
            self.0.set_position(count as u64);
        }
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Counts the deals that come in.
pub(super) struct DealsProgress(ProgressBar);

impl DealsProgress {
    pub(super) fn start(invocation: &Invocation) -> Self {
        Self(bar("reading deals", invocation))
    }

    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for DealsProgress {
    fn read(&self, deals: usize, of: Option<usize>) {
        if self.0.elapsed() > SOON {
            if let Some(of) = of {
                self.0.set_length(of as u64);
            }
            self.0.set_position(deals as u64);
        }
    }
}
