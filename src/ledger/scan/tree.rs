//! A directory as git stores it, compared without unpacking what is equal.

use std::cmp::Ordering;

use gix::bstr::ByteSlice as _;

use super::Id;

/// What kind of thing an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Directory,
    File,
    /// A symbolic link or a submodule.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DirectoryEntry<'a> {
    pub(super) form: Form,
    pub(super) name: &'a [u8],
    pub(super) id: Id,
}

/// A directory's bytes make no sense at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedTree;

/// Takes the first entry off a directory's bytes.
pub(super) fn take<'a>(bytes: &mut &'a [u8]) -> Result<Option<DirectoryEntry<'a>>, MalformedTree> {
    let all = *bytes;
    if all.is_empty() {
        return Ok(None);
    }
    let space = all.iter().take(8).position(|byte| *byte == b' ').ok_or(MalformedTree)?;
    let mut mode = 0u32;
    for digit in &all[..space] {
        if !(b'0'..=b'7').contains(digit) {
            return Err(MalformedTree);
        }
        mode = mode * 8 + u32::from(digit - b'0');
    }
    let end = space + 1 + all[space + 1..].find_byte(0).ok_or(MalformedTree)?;
    let name = &all[space + 1..end];
    let id: Id = *all[end + 1..].first_chunk().ok_or(MalformedTree)?;
    if name.is_empty() {
        return Err(MalformedTree);
    }
    *bytes = &all[end + 21..];
    let form = match mode & 0o170_000 {
        0o040_000 => Form::Directory,
        0o100_000 => Form::File,
        _ => Form::Other,
    };
    Ok(Some(DirectoryEntry { form, name, id }))
}

/// The entry of this name, looked for from the start.
pub(super) fn find<'a>(
    mut bytes: &'a [u8],
    name: &[u8],
) -> Result<Option<DirectoryEntry<'a>>, MalformedTree> {
    while let Some(entry) = take(&mut bytes)? {
        if entry.name == name {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Git's order: a directory sorts as if its name ended in `/`.
fn order(a: &DirectoryEntry<'_>, b: &DirectoryEntry<'_>) -> Ordering {
    let end = |entry: &DirectoryEntry<'_>| (entry.form == Form::Directory).then_some(b'/');
    let shared = a.name.len().min(b.name.len());
    a.name[..shared].cmp(&b.name[..shared]).then_with(|| {
        let rest = |entry: &DirectoryEntry<'_>| {
            entry.name.get(shared).copied().or(end(entry)).unwrap_or_default()
        };
        // Equal so far and one ends here: what follows decides, then length.
        rest(a).cmp(&rest(b)).then_with(|| a.name.len().cmp(&b.name.len()))
    })
}

/// Calls `differs(old, new)` for each entry that is in one directory only or
/// is not the same in both, in order.
pub(super) fn compare<'a>(
    old: &'a [u8],
    new: &'a [u8],
    mut differs: impl FnMut(Option<DirectoryEntry<'a>>, Option<DirectoryEntry<'a>>),
) -> Result<(), MalformedTree> {
    let (mut old, mut new) = skip_equal_start(old, new)?;
    let tail = equal_tail(old, new);
    let (mut left, mut right) = (None, None);
    loop {
        // Nothing is held and the rest is byte for byte the same: done.
        if left.is_none() && right.is_none() && old.len() == new.len() && old.len() <= tail {
            return Ok(());
        }
        if left.is_none() {
            left = take(&mut old)?;
        }
        if right.is_none() {
            right = take(&mut new)?;
        }
        let which = match (&left, &right) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order(a, b),
        };
        match which {
            Ordering::Less => differs(left.take(), None),
            Ordering::Greater => differs(None, right.take()),
            Ordering::Equal => {
                if left != right {
                    differs(left, right);
                }
                (left, right) = (None, None);
            }
        }
    }
}

/// Both without the entries that are the same at their start.
fn skip_equal_start<'a>(
    old: &'a [u8],
    new: &'a [u8],
) -> Result<(&'a [u8], &'a [u8]), MalformedTree> {
    let same = equal_head(old, new);
    let mut rest = old;
    loop {
        let here = old.len() - rest.len();
        let before = rest;
        // The entry after this one begins where both are still the same.
        match take(&mut rest)? {
            Some(_) if old.len() - rest.len() <= same => {}
            _ => return Ok((before, &new[here..])),
        }
    }
}

const BLOCK: usize = 1024;

/// How many bytes are the same from the start.
fn equal_head(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().min(b.len());
    let mut at = 0;
    while at + BLOCK <= length && a[at..at + BLOCK] == b[at..at + BLOCK] {
        at += BLOCK;
    }
    at + a[at..length].iter().zip(&b[at..length]).take_while(|(x, y)| x == y).count()
}

/// How many bytes are the same from the end.
fn equal_tail(a: &[u8], b: &[u8]) -> usize {
    let length = a.len().min(b.len());
    let (a, b) = (&a[a.len() - length..], &b[b.len() - length..]);
    let mut left = length;
    while left >= BLOCK && a[left - BLOCK..left] == b[left - BLOCK..left] {
        left -= BLOCK;
    }
    let more =
        a[..left].iter().rev().zip(b[..left].iter().rev()).take_while(|(x, y)| x == y).count();
    length - left + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(entries: &[(&str, &str, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            bytes.extend_from_slice(&[*id; 20]);
        }
        bytes
    }

    fn differences(old: &[u8], new: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let show = |e: Option<DirectoryEntry<'_>>| {
            e.map_or("-".to_owned(), |e| format!("{}{}", String::from_utf8_lossy(e.name), e.id[0]))
        };
        compare(old, new, |a, b| found.push(format!("{}>{}", show(a), show(b)))).expect("sound");
        found
    }

    #[test]
    fn only_what_differs_is_told() {
        let old = directory(&[("40000", "a", 1), ("100644", "b", 2), ("40000", "d", 4)]);
        let new = directory(&[
            ("40000", "a", 1),
            ("100644", "b", 3),
            ("40000", "c", 5),
            ("40000", "d", 4),
        ]);
        assert_eq!(differences(&old, &new), ["b2>b3", "->c5"]);
        assert_eq!(differences(&new, &old), ["b3>b2", "c5>-"]);
        assert_eq!(differences(&old, &old), [""; 0]);
        assert_eq!(differences(b"", &old).len(), 3);
    }

    #[test]
    fn a_file_that_became_a_directory_is_gone_and_come() {
        // "x.y" sorts between the file "x" and the directory "x/".
        let old = directory(&[("100644", "x", 1), ("100644", "x.y", 2)]);
        let new = directory(&[("100644", "x.y", 2), ("40000", "x", 3)]);
        assert_eq!(differences(&old, &new), ["x1>-", "->x3"]);
    }

    #[test]
    fn ids_that_end_alike_do_not_hide_a_difference() {
        let (mut old, new) = (directory(&[("40000", "k", 7)]), directory(&[("40000", "k", 7)]));
        let middle = old.len() - 10;
        old[middle] = 9;
        assert_eq!(differences(&old, &new).len(), 1);
    }

    #[test]
    fn every_cut_of_a_directory_is_refused_or_shorter() {
        let whole = directory(&[("40000", "a", 1), ("100644", "b", 2)]);
        for cut in 1..whole.len() {
            let mut rest = &whole[..cut];
            let mut count = 0;
            let end = loop {
                match take(&mut rest) {
                    Ok(Some(_)) => count += 1,
                    other => break other,
                }
            };
            assert!(end == Err(MalformedTree) || (end == Ok(None) && count == 1), "cut at {cut}");
        }
    }
}
