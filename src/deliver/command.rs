//! `/accept` and `/return <reason>`: what a CSM can write below a task.

/// What a comment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// The handoff is accepted.
    Accept,
    /// It goes back to the rep, with the reason where one is given.
    Return(Option<String>),
}

impl Command {
    /// Reads the first line of a comment. Whoever gives the reason of a
    /// return on the lines below is understood, too. A quotation or a code
    /// block is no command.
    pub(super) fn read(comment: &str) -> Option<Self> {
        let comment = comment.trim_start_matches(['\u{FEFF}', '\n', '\r']);
        let (first, below) = comment.split_once('\n').unwrap_or((comment, ""));
        // Four blanks begin a code block.
        if first.starts_with("    ") || first.starts_with('\t') {
            return None;
        }
        let (word, rest) = match first.trim().split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (first.trim(), ""),
        };
        let word = word.trim_end_matches(['.', ':', '!', ',']).to_ascii_lowercase();
        match word.as_str() {
            "/accept" => Some(Self::Accept),
            "/return" => {
                let reason = if rest.is_empty() { below.trim() } else { rest };
                let reason = crate::text::shorten(&crate::text::one_line(reason), 1_000);
                Some(Self::Return((!reason.is_empty()).then_some(reason)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_of_a_comment_commands() {
        let returned = |reason: &str| Some(Command::Return(Some(reason.to_owned())));
        let cases = [
            ("/accept", Some(Command::Accept)),
            ("\r\n /Accept.\r\nThank you", Some(Command::Accept)),
            ("/accept, all clear", Some(Command::Accept)),
            ("/return wrong customer\nmore", returned("wrong customer")),
            ("/return: `rm -rf`\u{202E} @team <b>", returned("`rm -rf` @team <b>")),
            ("/return\n\nthe metric has\nno target\n", returned("the metric has no target")),
            ("/return", Some(Command::Return(None))),
            ("/accepted", None),
            ("/returning soon", None),
            ("please /accept", None),
            ("> /accept", None),
            ("    /accept", None),
            ("```\n/accept\n```", None),
            ("Hello\n/accept", None),
            ("", None),
        ];
        for (comment, command) in cases {
            assert_eq!(Command::read(comment), command, "{comment:?}");
        }
    }
}
