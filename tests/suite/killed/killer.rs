//! Counts what a program asks of the servers, and kills it at one of these points.

use std::process::Child;
use std::sync::{Arc, Mutex};

/// Before or behind what a request does at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// The request has come, and nothing was done about it.
    Received,
    /// It was done, and the answer is not on its way yet.
    Done,
}

/// One point at which a program can be killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) when: When,
    /// Such as `POST /github/repos/acme/handoffs/issues`.
    pub(crate) request: String,
}

/// Where a program is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Nowhere.
    Never,
    /// At the point of this number, from 0.
    Number(usize),
    /// Behind the first request of this name.
    Behind(&'static str),
}

struct State {
    child: Option<Child>,
    at: At,
    passed: Vec<Point>,
    /// The point was reached before the program was known.
    late: bool,
}

/// Shared by the servers of one world.
#[derive(Clone)]
pub(crate) struct Killer(Arc<Mutex<State>>);

impl std::fmt::Debug for Killer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Killer")
    }
}

impl Killer {
    pub(crate) fn new() -> Self {
        let state = State { child: None, at: At::Never, passed: Vec::new(), late: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Lets the next program live until this point.
    pub(crate) fn arm(&self, at: At) {
        *self.0.lock().unwrap() = State { child: None, at, passed: Vec::new(), late: false };
    }

    /// The program to be killed; it may have begun to ask already.
    pub(crate) fn follow(&self, mut child: Child) {
        let mut state = self.0.lock().unwrap();
        if state.late {
            child.kill().unwrap();
        }
        state.child = Some(child);
    }

    /// Waits for the program; whether it was killed, and the points it passed.
    pub(crate) fn outcome(&self) -> (bool, Vec<Point>) {
        loop {
            let mut state = self.0.lock().unwrap();
            let child = state.child.as_mut().expect("a program is followed");
            if let Some(status) = child.try_wait().unwrap() {
                assert_ne!(status.code(), Some(101), "it panicked");
                return (status.code().is_none(), state.passed.clone());
            }
            drop(state);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// A server is at this point; whether the program lives on.
    pub(crate) fn pass(&self, when: When, request: &str) -> bool {
        let mut state = self.0.lock().unwrap();
        let number = state.passed.len();
        state.passed.push(Point { when, request: request.to_owned() });
        let here = match state.at {
            At::Never => false,
            At::Number(at) => at == number,
            At::Behind(name) => when == When::Done && name == request,
        };
        if here {
            match &mut state.child {
                Some(child) => child.kill().unwrap(),
                None => state.late = true,
            }
        }
        !here
    }
}
