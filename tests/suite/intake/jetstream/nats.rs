//! A `nats-server` of a test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use handoff::intake::{Inbox, InboxError, JetStreamInbox, NatsAccess, NatsAddress};
use handoff::model::Secrets;
use secrecy::SecretString;

use crate::intake::server::eventually;

/// A running server with JetStream; ended when it is dropped.
pub(super) struct Nats {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    configuration: String,
}

/// Whether the server is asked for; says so where it is not.
pub(super) fn wanted(test: &str) -> bool {
    let wanted = std::env::var("HANDOFF_NATS").is_ok_and(|value| value == "1");
    if !wanted {
        eprintln!("skipped: {test} needs nats-server; set HANDOFF_NATS=1 to run it");
    }
    wanted
}

impl Nats {
    /// Starts one on a free port, with these lines in its configuration.
    pub(super) fn start(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut nats = Self {
            child: spawn(&folder.path().join("data"), -1, configuration),
            port: 0,
            folder,
            configuration: configuration.to_owned(),
        };
        nats.port = nats.learn_port();
        nats.wait();
        nats
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server writes the port that it was given into a file.
    fn learn_port(&self) -> u16 {
        let file = self.data().join(format!("nats-server_{}.ports", self.child.id()));
        eventually("nats-server says its port", || {
            let text = std::fs::read_to_string(&file).ok()?;
            let ports: serde_json::Value = serde_json::from_str(&text).ok()?;
            ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
        })
    }

    fn wait(&self) {
        eventually("nats-server answers", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Ends it as a power cut of the machine it runs on would end the process.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port with what it has stored.
    pub(super) fn start_again(&mut self) {
        self.child = spawn(&self.data(), i32::from(self.port), &self.configuration);
        self.wait();
    }

    /// The address of an inbox.
    pub(super) fn address(&self, name: &str) -> String {
        format!("nats://127.0.0.1:{}/{name}", self.port)
    }

    /// Opens an inbox as the program does.
    pub(super) async fn open(&self, name: &str) -> Result<Arc<dyn Inbox>, InboxError> {
        open(&self.address(name), &[]).await
    }

    /// What its operators see of its streams.
    pub(super) async fn context(&self) -> async_nats::jetstream::Context {
        let client = async_nats::connect(format!("127.0.0.1:{}", self.port)).await.unwrap();
        async_nats::jetstream::new(client)
    }
}

/// Opens the inbox at an address, signed in with these secrets.
pub(super) async fn open(
    address: &str,
    secrets: &[(&str, &str)],
) -> Result<Arc<dyn Inbox>, InboxError> {
    let address = NatsAddress::parse(address).unwrap()?;
    let secrets = secrets
        .iter()
        .map(|(name, value)| ((*name).to_owned(), SecretString::from((*value).to_owned())));
    let access = NatsAccess { secrets: Secrets::new(secrets), ..NatsAccess::default() };
    Ok(JetStreamInbox::open(&address, &access, true).await?)
}

fn spawn(data: &std::path::Path, port: i32, configuration: &str) -> Child {
    std::fs::create_dir_all(data).unwrap();
    let file = data.join("nats.conf");
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\njetstream {{store_dir: \"{0}\"}}\nports_file_dir: \"{0}\"\n{configuration}\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    let log = std::fs::File::create(data.join("log.txt")).unwrap();
    Command::new("nats-server")
        .arg("-c")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("HANDOFF_NATS=1 promises that nats-server is installed")
}

impl Drop for Nats {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
