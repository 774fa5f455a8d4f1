//! Whatever bytes come from a sender that proved itself, nothing panics.

use proptest::prelude::*;

use super::samples::{Sample, all};

/// Sends a body with a proof that fits it.
fn send(sample: &Sample, body: Vec<u8>) {
    let sample = sample.clone().with_body(body);
    let sample = if sample.crm == "hubspot" { sample.signed() } else { sample };
    if let Err(rejection) = sample.send() {
        sample.told(&rejection);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for sample in all() {
            send(&sample, body.clone());
        }
    }

    #[test]
    fn no_damage_to_a_real_body_makes_a_reader_panic(
        which in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let sample = which.get(&all()).clone();
        let mut body = sample.body.clone();
        for (place, byte) in places {
            let at = place.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len()) + 1);
        send(&sample, body);
    }

    #[test]
    fn no_header_or_query_makes_a_reader_panic(text in "[ -~]{0,60}") {
        for mut sample in all() {
            sample.query = Some(text.clone());
            for name in ["authorization", "x-hubspot-signature-v3", "x-hubspot-request-timestamp"] {
                sample = sample.with_header(name, &text);
            }
            // It cannot be right by chance.
            prop_assert!(sample.send().is_err());
        }
    }
}
