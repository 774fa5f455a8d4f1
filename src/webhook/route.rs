//! What every sender of webhooks has in common.

use super::answer::Answer;
use super::rejection::Rejection;
use super::request::Request;

/// The route of one sender: its names, what it needs, how it is answered. What
/// it tells of is the matter of the room that makes the route.
pub trait Route: Send + Sync {
    /// The name in URLs and metrics.
    fn name(&self) -> &'static str;

    /// The name people know it by, for messages.
    fn title(&self) -> &'static str;

    /// Other names it answers to in URLs and on the command line.
    fn aliases(&self) -> &'static [&'static str] {
        &[]
    }

    /// The secrets that verify its requests, the needed one first. Without it
    /// every request is refused.
    fn secret_names(&self) -> &'static [&'static str];

    /// The setting of `handoff.yaml`, such as `crm.hubspot.webhook.url`, that
    /// is needed and not there. Without it every request is refused.
    fn missing_setting(&self) -> Option<&'static str> {
        None
    }

    /// The answer that tells this sender it was heard.
    fn accepted(&self, request: &Request<'_>) -> Answer {
        let _ = request;
        Answer::ok()
    }

    /// The answer that tells this sender it was not; never 410, which some
    /// take as "unsubscribe".
    fn rejected(&self, rejection: &Rejection) -> Answer {
        Answer::refusal(rejection)
    }
}
