//! The note on a deal that leads to its brief.

/// The note in HTML, as CRMs keep notes.
pub(super) fn text(url: &str) -> String {
    let url = html(url);
    format!("<p>Handoff to customer success: <a href=\"{url}\">{url}</a></p>")
}

/// Whether a note leads to this brief.
pub(super) fn leads_to(note: &str, url: &str) -> bool {
    note.contains(&html(url)) || note.contains(url)
}

/// A text inside HTML.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
