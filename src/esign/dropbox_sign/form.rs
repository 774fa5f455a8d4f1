//! The form around Dropbox Sign's JSON: `multipart/form-data` as it is sent,
//! `application/x-www-form-urlencoded` as one of its pages may be read, and
//! nothing else.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::stream;

use crate::webhook::{Malformed, essence};

const FIELD: &str = "json";
/// More parts than a notification ever has.
const MOST_PARTS: usize = 16;

/// The JSON in the form, when the content type is one that Dropbox Sign sends.
pub(super) fn json_of(body: &[u8], content_type: &str) -> Option<Result<Vec<u8>, Malformed>> {
    match essence(content_type).as_str() {
        "multipart/form-data" => Some(match multer::parse_boundary(content_type) {
            Ok(boundary) => multipart(body, boundary),
            Err(error) => Err(bad(error.to_string())),
        }),
        "application/x-www-form-urlencoded" => Some(urlencoded(body)),
        _ => None,
    }
}

/// The JSON in a body whose content type nobody kept: a multipart form begins
/// with its boundary, an urlencoded one with a name.
pub(super) fn json_of_file(body: &[u8]) -> Option<Result<Vec<u8>, Malformed>> {
    if let Some(rest) = body.strip_prefix(b"--") {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        let boundary = std::str::from_utf8(&rest[..end]).ok()?.trim_end().to_owned();
        let plausible = (1..=70).contains(&boundary.len());
        return plausible.then(|| multipart(body, boundary));
    }
    body.starts_with(b"json=").then(|| urlencoded(body))
}

fn urlencoded(body: &[u8]) -> Result<Vec<u8>, Malformed> {
    url::form_urlencoded::parse(body)
        .find(|(name, _)| name == FIELD)
        .map(|(_, value)| value.into_owned().into_bytes())
        .ok_or_else(|| bad("there is no such field".to_owned()))
}

fn multipart(body: &[u8], boundary: String) -> Result<Vec<u8>, Malformed> {
    let whole = stream::once(std::future::ready(Ok::<_, Infallible>(Bytes::copy_from_slice(body))));
    let mut form = multer::Multipart::new(whole, boundary);
    let read = async {
        for _ in 0..MOST_PARTS {
            let Some(field) = form.next_field().await? else { break };
            if field.name() == Some(FIELD) {
                return field.bytes().await.map(Some);
            }
        }
        Ok(None)
    };
    // All bytes are here, so there is nothing the future could wait for.
    match read.now_or_never() {
        Some(Ok(Some(json))) => Ok(json.to_vec()),
        Some(Ok(None)) => Err(bad("there is no such field".to_owned())),
        Some(Err(error)) => Err(bad(crate::text::shorten(&error.to_string(), 120))),
        None => Err(bad("it ends in the middle of a part".to_owned())),
    }
}

fn bad(why: String) -> Malformed {
    Malformed::BadForm { provider: super::TITLE, why }
}
