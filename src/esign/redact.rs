//! Bodies without what must not lie on a disk: signing links, access codes,
//! network addresses, the documents' own bytes, secrets.

use serde_json::Value;

use super::folded;
use crate::webhook::json;

/// Ends of names (without case and punctuation) whose values open something,
/// say where somebody was, or are whole files. No provider reads them.
const NEVER_KEPT: &[&str] = &[
    "accesscode",
    "accesstoken",
    "apikey",
    "downloadurl",
    "embedurl",
    "eventhash",
    "filesurl",
    "finalcopyuri",
    "ipaddress",
    "passcode",
    "password",
    "pdfbytes",
    "sharedlink",
    "signinglink",
    "signingtoken",
    "signingurl",
    "signurl",
    "smscode",
    "useragent",
];

/// Whole names of the same kind, which would be too short as ends.
const NEVER_KEPT_WHOLE: &[&str] = &["clientip", "ip", "remoteip", "signerip"];

/// Names under which lists of name and value keep the name.
const NAMES: &[&str] = &["name", "tabLabel", "field_id", "api_id", "groupName", "field", "key"];

/// Whether a value of this name must not be kept.
pub(super) fn is_private(name: &str) -> bool {
    let folded = folded(name);
    NEVER_KEPT.iter().any(|end| folded.ends_with(end)) || NEVER_KEPT_WHOLE.contains(&&*folded)
}

/// A JSON body without private values, at any depth, and without the values at
/// these dotted paths. What is no JSON is given back as it is.
pub(super) fn json(body: &[u8], paths: &[&str]) -> Vec<u8> {
    let Ok(mut value) = json::read(body) else { return body.to_vec() };
    for path in paths {
        let (parent, last) =
            path.rsplit_once('.').map_or(("", *path), |(parent, last)| (parent, last));
        let mut keys = parent.split('.').filter(|key| !key.is_empty());
        let parent = keys.try_fold(&mut value, |value, key| value.get_mut(key));
        if let Some(members) = parent.and_then(Value::as_object_mut) {
            members.remove(last);
        }
    }
    strip(&mut value);
    serde_json::to_vec(&value).unwrap_or_else(|_| body.to_vec())
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => {
            for item in items {
                if has_private_name(item) {
                    item.as_object_mut().map(|members| members.remove("value"));
                }
                strip(item);
            }
        }
        Value::Object(members) => {
            members.retain(|name, _| !is_private(name));
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// Whether an item of a list of names and values has a private name.
pub(super) fn has_private_name(item: &Value) -> bool {
    NAMES.iter().filter_map(|key| item.get(key).and_then(Value::as_str)).any(is_private)
}
