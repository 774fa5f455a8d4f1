//! Deliveries out: one file per sink, and the planner that decides what is
//! missing. A vendor's field names stop at the door of its own file. May use
//! floors below (`brief`, `facts`, `finding`, `time`, `text`, `yaml`, `net`).

mod port;

pub use port::{DeliveryError, Handoff, Mark, Missing, Sink};
