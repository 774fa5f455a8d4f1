//! How long to wait: HubSpot names the limit that was reached in the body of
//! its 429, not in `Retry-After`.

use std::time::Duration;

use serde_json::Value;

use crate::http::Response;

/// Waits and tries as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// How often a request is sent at most.
    pub tries: u32,
    /// The wait for the limit of one second, times the try.
    pub secondly: Duration,
    /// The wait for the limit of ten seconds, times the try.
    pub ten_secondly: Duration,
    /// The wait after an error of the server, times the try.
    pub server: Duration,
    /// The least wait for a record that another change holds.
    pub locked: Duration,
    /// The longest wait the server may ask for.
    pub longest: Duration,
    /// The least time between two searches: an account has five a second.
    pub between_searches: Duration,
}

impl Default for Pace {
    /// As HubSpot's own SDK waits.
    fn default() -> Self {
        Self {
            tries: 5,
            secondly: Duration::from_secs(1),
            ten_secondly: Duration::from_secs(10),
            server: Duration::from_millis(400),
            locked: Duration::from_secs(2),
            longest: Duration::from_secs(60),
            between_searches: Duration::from_millis(220),
        }
    }
}

impl Pace {
    /// The same tries without any wait, for tests.
    #[must_use]
    pub fn without_waits() -> Self {
        let none = Duration::ZERO;
        Self {
            secondly: none,
            ten_secondly: none,
            server: none,
            locked: none,
            between_searches: none,
            ..Self::default()
        }
    }

    /// How long to wait before trying again after this answer; `None` where
    /// that is no use or may act twice.
    pub(super) fn wait(
        &self,
        attempt: u32,
        answer: &Response,
        repeatable: bool,
    ) -> Option<Duration> {
        if attempt >= self.tries {
            return None;
        }
        let own = match answer.status.as_u16() {
            429 => match limit(answer).as_deref() {
                Some("DAILY") => return None,
                Some("SECONDLY") => self.secondly * attempt,
                _ => self.ten_secondly * attempt,
            },
            423 if repeatable => self.locked * attempt,
            477 | 500 | 502 | 503 | 504 | 524 if repeatable => self.server * attempt,
            _ => return None,
        };
        match answer.retry_after() {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked.max(own)),
            None => Some(own),
        }
    }
}

/// The name of the limit that a 429 speaks of.
pub(super) fn limit(answer: &Response) -> Option<String> {
    let body: Value = answer.json().ok()?;
    body.get("policyName")?.as_str().map(str::to_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str, retry_after: Option<&str>) -> Response {
        let mut headers = http::HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.parse().expect("header"));
        }
        let status = http::StatusCode::from_u16(status).expect("status");
        Response { status, headers, body: body.to_owned().into() }
    }

    #[test]
    fn each_limit_has_its_wait() {
        let pace = Pace::default();
        let seconds = |attempt, answer: &Response, repeatable| {
            pace.wait(attempt, answer, repeatable).map(|wait| wait.as_secs_f64())
        };
        let ten = answer(429, r#"{"policyName": "TEN_SECONDLY_ROLLING"}"#, None);
        assert_eq!(seconds(1, &ten, false), Some(10.0));
        assert_eq!(seconds(2, &ten, false), Some(20.0));
        assert_eq!(seconds(5, &ten, false), None, "the tries are used up");
        let one = answer(429, r#"{"policyName": "SECONDLY"}"#, None);
        assert_eq!(seconds(1, &one, false), Some(1.0));
        let day = answer(429, r#"{"policyName": "DAILY"}"#, Some("1"));
        assert_eq!(seconds(1, &day, true), None, "today it will not get better");
        assert_eq!(seconds(1, &answer(429, "", Some("30")), false), Some(30.0));
        assert_eq!(seconds(1, &answer(429, "", Some("3600")), false), None);
        assert_eq!(seconds(1, &answer(502, "", None), true), Some(0.4));
        assert_eq!(seconds(2, &answer(423, "", None), true), Some(4.0), "locked");
        assert_eq!(seconds(1, &answer(502, "", None), false), None, "it may have acted");
        assert_eq!(seconds(1, &answer(400, "", None), true), None);
    }
}
