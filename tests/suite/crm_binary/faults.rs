//! Each CRM with each fault on pages of an audit, through the real binary:
//! the audit ends with 3 and says what could not be read.

use super::{CRMS, Fake, World};
use crate::crm_faults::{Plan, faults, servers};

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
                let answers = vec![(fault.0, fault.1.clone()); fault.2];
                world.fake.plan(&Plan { part: "", pass: at, answers: &answers });
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
fn crm_binary_an_audit_of_each_server_ends_with_three_or_is_whole() {
    for crm in CRMS {
        let world = World::of(crm, "");
        if let Fake::HubSpot(fake) = &world.fake {
            fake.state().search_page = Some(3);
        }
        let whole = world.run(&["audit", "--format", "json"]).exits(1).json();
        for server in servers().iter().filter(|it| it.source == crm && it.is_final()) {
            if let Fake::Salesforce(fake) = &world.fake {
                // The numbers of the queries start again.
                fake.state().cursors.clear();
            }
            let plan = Plan { part: server.part, pass: server.pass, answers: &server.answers };
            world.fake.plan(&plan);
            let ran = world.run(&["audit", "--format", "json"]);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            if server.says.is_empty() {
                assert_eq!(ran.exits(1).json()["deals"], whole["deals"], "{crm} {}", server.name);
                continue;
            }
            assert_eq!(ran.code, 3, "{crm} {}: {said}", server.name);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            for words in server.says {
                assert!(said.contains(words), "{crm} {}: {words}\n{said}", server.name);
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
