//! A mail server on a thread; it keeps what it takes, and may pass it on.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::killer::{Killer, When};

/// Where mails go that were taken.
pub(crate) type Take = Arc<dyn Fn(&str) + Send + Sync>;

/// Serves on a free port until the test ends; gives `SMTP_URL`.
pub(crate) fn serve(killer: Killer, take: Take) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (killer, take) = (killer.clone(), take.clone());
            // A client that is killed ends the conversation, and that is no fault.
            std::thread::spawn(move || talk(&stream, &killer, &take).ok());
        }
    });
    url
}

fn talk(stream: &TcpStream, killer: &Killer, take: &Take) -> std::io::Result<()> {
    let mut read = BufReader::new(stream);
    let mut write = stream;
    write.write_all(b"220 test\r\n")?;
    loop {
        let mut line = String::new();
        if read.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "DATA" => {
                write.write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if read.read_line(&mut mail)? == 0 {
                        return Ok(());
                    }
                }
                if !killer.pass(When::Received, "SMTP DATA") {
                    return Ok(());
                }
                take(&mail);
                killer.pass(When::Done, "SMTP DATA");
                "250 taken"
            }
            "QUIT" => return write.write_all(b"221 bye\r\n"),
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes())?;
    }
}

/// Kept in memory.
#[derive(Clone, Default)]
pub(crate) struct Mails(Arc<Mutex<Vec<String>>>);

impl Mails {
    pub(crate) fn take(&self) -> Take {
        let kept = self.0.clone();
        Arc::new(move |mail| kept.lock().unwrap().push(mail.to_owned()))
    }

    /// Each mail as it came.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The `Message-ID` of each mail.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mails = self.0.lock().unwrap();
        let id = |mail: &String| {
            let line = mail.lines().find_map(|line| line.strip_prefix("Message-ID: "));
            line.expect("a mail has an id").trim().to_owned()
        };
        mails.iter().map(id).collect()
    }
}
