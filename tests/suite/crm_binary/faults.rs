//! Each CRM with each fault on pages of an audit, through the real binary:
//! the audit ends with 3 and says what could not be read.

use serde_json::Value;

use super::{CRMS, Fake, World};
use crate::crm_faults::faults;
use crate::hubspot;

/// Plans a fault for the answer number `at` from now on.
fn plan(world: &World, at: usize, (status, body, times): &(u16, Value, usize)) {
    match &world.fake {
        Fake::HubSpot(fake) => {
            let answer = hubspot::fake::Planned::Answer(*status, vec![], body.clone());
            let pass = std::iter::repeat_n(hubspot::fake::Planned::Pass, at);
            fake.state().planned.clear();
            fake.plan("", pass.chain(std::iter::repeat_n(answer, *times)));
        }
        Fake::Salesforce(fake) => {
            let pass = std::iter::repeat_n((0, Value::Null), at);
            fake.state().planned.clear();
            fake.plan("", pass.chain(std::iter::repeat_n((*status, body.clone()), *times)));
        }
        Fake::Pipedrive(fake) => {
            let answer = Some((*status, vec![], body.clone()));
            fake.state().planned.clear();
            fake.plan("", std::iter::repeat_n(None, at).chain(std::iter::repeat_n(answer, *times)));
        }
    }
}

/// The requests so far that read deals: their number and what they were.
fn requests_for_deals(world: &World) -> Vec<usize> {
    let reads: Vec<bool> = match &world.fake {
        Fake::HubSpot(fake) => {
            let state = fake.state();
            state.calls.iter().map(|call| call.path.contains("/deals")).collect()
        }
        Fake::Salesforce(fake) => {
            let state = fake.state();
            state.calls.iter().map(|(_, told, _)| told.contains("query")).collect()
        }
        Fake::Pipedrive(fake) => {
            let state = fake.state();
            state.calls.iter().map(|(_, told, _)| told.contains("/deals")).collect()
        }
    };
    reads.iter().enumerate().filter(|(_, read)| **read).map(|(at, _)| at).collect()
}

#[test]
fn crm_binary_each_fault_on_a_page_of_deals_ends_with_three_and_is_named() {
    // What is asked again by itself costs seconds of waiting here; those
    // faults are in `crm_faults`, without the waits.
    let faults: Vec<_> = faults().into_iter().filter(|(_, _, times)| *times == 1).collect();
    for crm in CRMS {
        let world = World::of(crm, "");
        world.run(&["audit"]);
        let pages = requests_for_deals(&world);
        assert!(pages.len() >= 4, "{crm}: {pages:?}");
        // The first page, each in the middle by turns, and the last.
        let (first, last) = (pages[0], pages[pages.len() - 1]);
        for (number, fault) in faults.iter().enumerate() {
            let middle = pages[1 + number % (pages.len() - 2)];
            for at in [first, middle, last] {
                plan(&world, at, fault);
                let ran = world.run(&["audit"]).exits(3);
                let said = format!("{}{}", ran.stdout, ran.stderr);
                let named = said.contains("Could not read") || said.contains("error: ");
                assert!(named, "{crm}: request {at}: {fault:?}\n{said}");
                assert!(!said.contains("panicked"), "{crm}: request {at}: {fault:?}\n{said}");
            }
        }
    }
}

#[test]
fn crm_binary_a_run_that_takes_longer_than_it_may_ends_with_three_and_names_the_setting() {
    // It takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", silent.local_addr().unwrap());
    for crm in CRMS {
        let world = World::of(crm, "");
        world.edit(world.base(), &base);
        world.edit("\ncrm:\n", "\nlimits: {run: 1s}\ncrm:\n");
        let ran = world.run(&["audit"]).exits(3);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("longer than `limits.run` in handoff.yaml allows"), "{crm}: {said}");
    }
}
