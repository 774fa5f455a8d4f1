//! Git's delta format: an object as copies from a base and inserted bytes.
//! See `gitformat-pack(5)`, "Deltified representation".

/// The two sizes a delta begins with, those of the base and of the result,
/// and how many bytes they take.
pub(super) fn sizes(delta: &[u8]) -> Option<(u64, u64, usize)> {
    let (base, first) = size(delta)?;
    let (result, second) = size(&delta[first..])?;
    Some((base, result, first + second))
}

fn size(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        size |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((size, at + 1));
        }
    }
    None
}

/// The result of the instructions (a delta without its two sizes) on a base;
/// `None` when they reach outside the base or do not give `length` bytes.
pub(super) fn apply(base: &[u8], instructions: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut result = Vec::with_capacity(length);
    let mut rest = instructions;
    while let Some((&command, after)) = rest.split_first() {
        rest = after;
        let piece = if command & 0x80 == 0 {
            if command == 0 {
                return None;
            }
            let (insert, after) = rest.split_at_checked(usize::from(command))?;
            rest = after;
            insert
        } else {
            let mut number = |bits: u8, flags: u8| -> Option<usize> {
                let mut value = 0usize;
                for bit in 0..bits {
                    if flags & (1 << bit) != 0 {
                        let (&byte, after) = rest.split_first()?;
                        rest = after;
                        value |= usize::from(byte) << (8 * bit);
                    }
                }
                Some(value)
            };
            let from = number(4, command)?;
            let count = match number(3, command >> 4)? {
                0 => 0x10000,
                count => count,
            };
            base.get(from..from.checked_add(count)?)?
        };
        if result.len() + piece.len() > length {
            return None;
        }
        result.extend_from_slice(piece);
    }
    (result.len() == length).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_inserts_make_the_result() {
        // Copy 3 from offset 2, insert "xy", copy 2 from offset 0.
        let instructions = [0x91, 2, 3, 2, b'x', b'y', 0x90, 2];
        assert_eq!(apply(b"abcdef", &instructions, 7).as_deref(), Some(&b"cdexyab"[..]));
    }

    #[test]
    fn a_delta_that_reaches_outside_or_lies_about_its_length_is_refused() {
        for (instructions, length) in [
            (&[0x91, 5, 3][..], 3), // outside the base
            (&[0x90, 2][..], 3),    // fewer bytes than promised
            (&[0x90, 4][..], 3),    // more
            (&[0][..], 0),          // the reserved command
            (&[5, b'a'][..], 5),    // a cut insert
            (&[0x9f, 1][..], 1),    // a cut copy
        ] {
            assert_eq!(apply(b"abcdef", instructions, length), None, "{instructions:?}");
        }
        assert_eq!(sizes(&[0x80]), None);
        assert_eq!(sizes(&[0x81, 0x01, 0x05, 9]), Some((129, 5, 3)));
    }
}
