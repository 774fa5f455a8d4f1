//! An object as a file of its own, in git's format: a zlib stream of header
//! and content. The stream is stored and not deflated: a file smaller than a
//! block of the disk takes a block either way, and `git gc` deflates it later.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use git2::ObjectType;

const LARGEST_BLOCK: usize = 0xFFFF;

/// Writes an object's file; it is not synced.
pub(super) fn write(path: &Path, kind: ObjectType, content: &[u8]) -> io::Result<()> {
    let mut object = format!("{} {}\0", kind.str(), content.len()).into_bytes();
    object.extend_from_slice(content);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o444);
    options.open(path)?.write_all(&stored(&object))
}

/// A zlib stream without compression (RFC 1950, RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 16);
    out.extend_from_slice(&[0x78, 0x01]);
    let mut blocks = bytes.chunks(LARGEST_BLOCK).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a block is at most 65,535 bytes");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(bytes).to_be_bytes());
    out
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // So many additions cannot overflow 32 bits (RFC 1950, section 9).
    for part in bytes.chunks(5_552) {
        for byte in part {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    (b << 16) | a
}
