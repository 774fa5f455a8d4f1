//! Durations as people write them, business calendars, and the moments of the
//! command line. Pure and on the lowest floor; the clock comes in as a value.

mod calendar;
mod duration;
mod moment;

pub use calendar::{Calendar, CalendarConfig, CalendarProblem, ZoneName, deadline};
pub use duration::{DurationError, HumanDuration, describe_seconds};
pub use moment::{Edge, MomentError, parse_moment, parse_window, read_moment};

/// The clock as a value.
pub type Clock = std::sync::Arc<dyn Fn() -> chrono::DateTime<chrono::Utc> + Send + Sync>;
