//! Retries as data.

use std::time::Duration;

/// How often and how far apart something is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The waits between tries; as many retries as there are waits.
    pub waits: Vec<Duration>,
    /// The longest wait a server may ask for with `Retry-After`; a longer one
    /// ends the tries.
    pub longest: Duration,
}

impl Schedule {
    /// For a person or a job that waits: three retries within a few seconds.
    #[must_use]
    pub fn interactive() -> Self {
        Self {
            waits: [250, 1_000, 4_000].map(Duration::from_millis).to_vec(),
            longest: Duration::from_secs(60),
        }
    }

    /// No retry at all.
    #[must_use]
    pub fn once() -> Self {
        Self { waits: Vec::new(), longest: Duration::ZERO }
    }

    /// The wait before retry number `retry` (from 0), with what the server
    /// asked for; `None` when no more tries are due.
    #[must_use]
    pub fn wait(&self, retry: usize, asked: Option<Duration>) -> Option<Duration> {
        let own = *self.waits.get(retry)?;
        match asked {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }
}
