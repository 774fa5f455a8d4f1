//! One run of one sink, as `handoff deliver` would make it.

use std::time::Duration;

use handoff::deliver::{Circumstances, DeliveryResult, Handoff, Sink, WantedDelivery, plan, run};
use handoff::http::Schedule;

use super::sample::now;

pub(crate) async fn deliver(sinks: &[Box<dyn Sink>], handoff: &Handoff) -> DeliveryResult {
    let wanted: Vec<WantedDelivery> =
        sinks.iter().map(|s| WantedDelivery::from_sink(s.as_ref())).collect();
    let circumstances = Circumstances { at_once: true, ..Circumstances::at(now()) };
    let plan = plan(&wanted, &handoff.timeline, &circumstances);
    let waits = vec![Duration::ZERO; 2];
    let schedule = Schedule { waits, longest: Duration::from_secs(60) };
    let mut results = run(&plan, sinks, handoff, now(), &schedule, &()).await;
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}
