//! A large company: what is right for ten deals is right for many.

use handoff::audit::combine;

use super::world::{World, folder, signed_brief, won_deal};

#[test]
fn twenty_thousand_deals_and_handoffs_are_joined() {
    const MANY: usize = 20_000;
    let mut world = World::handed_over();
    let pattern = world.digests().remove(0);
    let digests = (0..MANY).map(|id| {
        // All of them have the events of the pattern, and so its document.
        let mut brief = signed_brief(&id.to_string());
        brief.signature = signed_brief("1").signature;
        let mut digest = pattern.clone();
        digest.path = folder(&id.to_string());
        digest.key.clone_from(&brief.key);
        digest.delivered.as_mut().expect("delivered").brief = brief.into();
        digest
    });
    let handoffs = combine(digests.collect(), world.as_of, None);
    // Half of the deals have a handoff, half of the handoffs have a deal.
    world.deals = (0..MANY).rev().map(|id| won_deal(&(id + MANY / 2).to_string())).collect();
    let report = world.audit_with(handoffs);
    assert_eq!(report.summary.on_time, MANY / 2);
    assert_eq!(report.summary.missing, MANY / 2);
    assert_eq!(report.orphans.len(), MANY / 2);
    // And one for the document that is the signature of all of them.
    assert_eq!(report.findings.len(), MANY + 1);
}
