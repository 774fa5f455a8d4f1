//! Messages that are too long to be read: each is replaced by a short request
//! with the same id, so that the client gets an error and does not wait for ever.

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader, DuplexStream, duplex,
};

use crate::model::read_json;

/// The method of the request in the place of one that was too long.
pub(super) const METHOD: &str = "handoff/message_too_long";

/// An id may have so many bytes.
const LONGEST_ID: usize = 256;

/// The same input, without lines of more than so many bytes.
pub(super) fn answered(
    input: impl AsyncRead + Unpin + Send + 'static,
    longest: usize,
) -> DuplexStream {
    let (reader, mut writer) = duplex(1 << 16);
    tokio::spawn(async move {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        let mut too_long: Option<IdReader> = None;
        // Whoever does not read any more has all that it wanted.
        while let Ok(bytes) = input.fill_buf().await {
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(bytes.len());
            let is_over = bytes.is_empty();
            match &mut too_long {
                Some(reader) => bytes[..taken].iter().for_each(|byte| reader.read(*byte)),
                None => line.extend_from_slice(&bytes[..taken]),
            }
            input.consume(taken);
            if line.len() > longest {
                let mut reader = IdReader::default();
                line.iter().for_each(|byte| reader.read(*byte));
                line.clear();
                too_long = Some(reader);
            }
            if end.is_some() || is_over {
                let whole = match too_long.take() {
                    None => std::mem::take(&mut line),
                    Some(reader) => reader.request(),
                };
                if writer.write_all(&whole).await.is_err() {
                    return;
                }
            }
            if is_over {
                return;
            }
        }
    });
    reader
}

/// Reads the `id` of a JSON object byte by byte, and keeps nothing else.
#[derive(Default)]
struct IdReader {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The last string or bare word at the top, and whether more of it came than is kept.
    word: Vec<u8>,
    is_key: bool,
    is_id: bool,
    id: Option<Vec<u8>>,
}

impl IdReader {
    fn read(&mut self, byte: u8) {
        let at_top = self.depth == 1;
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            if at_top {
                self.keep(byte);
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if at_top {
                    self.word.clear();
                    self.keep(byte);
                }
            }
            b':' if at_top => {
                self.is_id = self.is_key && self.word == b"\"id\"";
                self.is_key = false;
                self.word.clear();
            }
            b',' | b'}' if at_top => {
                self.end_value();
                self.is_key = true;
                self.depth -= usize::from(byte == b'}');
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.is_key = self.depth == 1 && byte == b'{';
                self.is_id = false;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            byte if at_top && !byte.is_ascii_whitespace() => self.keep(byte),
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.word.len() < LONGEST_ID {
            self.word.push(byte);
        }
    }

    fn end_value(&mut self) {
        let word = std::mem::take(&mut self.word);
        if std::mem::take(&mut self.is_id) && word.len() < LONGEST_ID {
            self.id = Some(word);
        }
    }

    /// The request in its place; nothing where it has no id, and so nobody waits.
    fn request(self) -> Vec<u8> {
        let id = self.id.and_then(|id| read_json(&id).ok());
        let Some(id) = id.filter(|id| id.is_number() || id.is_string()) else { return Vec::new() };
        let request = serde_json::json!({"jsonrpc": "2.0", "id": id, "method": METHOD});
        format!("{request}\n").into_bytes()
    }
}
