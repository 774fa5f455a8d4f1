//! Durations as people write them, business calendars, and the moments of the
//! command line. Pure and on the lowest floor; the clock comes in as a value.

mod calendar;
mod config;
mod duration;
mod moment;
mod wall;

pub use calendar::{Calendar, deadline};
pub use config::{CalendarConfig, CalendarProblem, ZoneName};
pub use duration::{DurationError, HumanDuration, describe_seconds};
pub use moment::{Edge, MomentError, parse_moment, parse_window, read_moment};
