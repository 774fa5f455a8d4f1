//! Values to YAML that every reader, of YAML 1.1 or 1.2, takes for the same.

use serde_json::Value;

/// Writes a value as block YAML, ending with a line feed. Texts that some
/// reader would take for something else (`no`, `1e3`, `0123`, `2026-11-20`)
/// are quoted; the tests hold the traps.
///
/// # Panics
/// Never for a JSON value: it has no anchors, tags or foreign types, which are
/// all that the writer can refuse.
#[must_use]
pub fn write(value: &Value) -> String {
    let options = serde_saphyr::ser_options! {
        compact_list_indent: false,
        prefer_block_scalars: false,
    };
    let mut text = serde_saphyr::to_string_with_options(value, options)
        .expect("a JSON value can always be written as YAML");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::read;

    #[test]
    fn what_is_written_is_read_back_unchanged() {
        let value = json!({
            "traps": ["no", "1e3", "0123", "2026-11-20", "", "~", "null", " a", "a ", "a: b", "a #b", "- x", "{{7*7}}",
                      "0x1F", ".5", "on", "2026-11-20T15:02:11Z", "12:30", "=", "<<", "*a", "&a", "!t", "%", "@x", "`",
                      "\u{0}\u{7f}\u{85}\u{2028}", "line\nbreak\r\n\ttab", "\u{202E}rtl", "emoji 🎉", "株式会社", "'", "\"", "\\", "---", "key:"],
            "no": true, "nested": {"list": [[1, [2]], {"a": {}, "b": []}], "x": null}, "n": -3.25, "big": 18446744073709551615u64,
        });
        let text = write(&value);
        assert_eq!(read(text.as_bytes()).expect("valid").to_json(), value, "{text}");
    }
}
