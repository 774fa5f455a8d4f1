//! When an event is tried again.

use std::time::Duration;

/// How far apart an event is tried again; as many retries as there are waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    waits: Vec<Duration>,
}

/// Each wait is made shorter or longer by at most this part of it, so that
/// events which failed together do not come back together.
const JITTER: f64 = 0.1;

impl Default for Backoff {
    /// A minute at first, a day at last: a CRM that is down for a weekend is outlived.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let waits =
            [MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 24 * HOUR, 24 * HOUR];
        Self { waits: waits.map(Duration::from_secs).to_vec() }
    }
}

impl Backoff {
    /// A schedule of these waits.
    #[must_use]
    pub fn new(waits: Vec<Duration>) -> Self {
        Self { waits }
    }

    /// The wait after so many failed attempts (from 1); `None` when no more
    /// are due. `chance` is a random number from 0 to 1.
    #[must_use]
    pub fn wait(&self, attempts: u32, chance: f64) -> Option<Duration> {
        let wait = *self.waits.get(usize::try_from(attempts).ok()?.checked_sub(1)?)?;
        Some(wait.mul_f64(1.0 + JITTER * (2.0 * chance.clamp(0.0, 1.0) - 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_spread_and_end() {
        let backoff = Backoff::default();
        let waits: Vec<Duration> = (1..).map_while(|attempt| backoff.wait(attempt, 0.5)).collect();
        assert_eq!(waits.first(), Some(&Duration::from_secs(60)));
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
        assert!(
            waits.iter().sum::<Duration>() > Duration::from_secs(60 * 60 * 60),
            "a weekend is outlived: {waits:?}"
        );
        assert_eq!(backoff.wait(1, 0.0), Some(Duration::from_secs(54)));
        assert_eq!(backoff.wait(1, 1.0), Some(Duration::from_secs(66)));
        assert_eq!(backoff.wait(0, 0.5), None);
    }
}
