//! The inbox on NATS JetStream. It needs the cargo feature `jetstream` and a
//! `nats-server`, which these tests start on a free port of loopback; so they
//! run only where `HANDOFF_NATS=1` asks for them, and say so where it does not.

#[cfg(not(feature = "jetstream"))]
mod without {
    use crate::sandbox::Sandbox;

    #[test]
    fn jetstream_a_binary_without_it_says_so_and_what_to_do() {
        eprintln!("skipped: the tests against a server need --features jetstream");
        let sandbox = Sandbox::new();
        let arguments = ["inbox", "list", "--inbox", "nats://127.0.0.1:4222"];
        let ran = sandbox.handoff(".", &arguments).exits(2);
        assert!(ran.stderr.contains("built without it"), "{}", ran.stderr);
        assert!(ran.stderr.contains("--features jetstream"), "{}", ran.stderr);
    }
}

#[cfg(feature = "jetstream")]
mod contracts;
#[cfg(feature = "jetstream")]
mod nats;
#[cfg(feature = "jetstream")]
mod served;
#[cfg(feature = "jetstream")]
mod survivors;
