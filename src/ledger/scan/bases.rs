//! A bounded memory of decoded objects: what was used lately stays.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

/// Hashes keys that are already evenly spread (object ids) or nearly unique
/// (pack offsets) with one multiplication a word.
#[derive(Default)]
pub(super) struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// Two generations: what is found in the old one moves to the young one, and
/// when the young one is full it becomes the old one. Close to "least recently
/// used goes first", without a list to keep in order.
pub(super) struct Bases<K, V> {
    young: QuickMap<K, (Arc<Vec<u8>>, V)>,
    old: QuickMap<K, (Arc<Vec<u8>>, V)>,
    young_bytes: usize,
    half: usize,
}

impl<K: Hash + Eq + Copy, V: Copy> Bases<K, V> {
    /// A memory that holds about this many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            young: QuickMap::default(),
            old: QuickMap::default(),
            young_bytes: 0,
            half: bytes / 2,
        }
    }

    /// What is remembered under this key.
    pub(super) fn get(&mut self, key: &K) -> Option<(Arc<Vec<u8>>, V)> {
        if let Some((data, more)) = self.young.get(key) {
            return Some((Arc::clone(data), *more));
        }
        let (data, more) = self.old.remove(key)?;
        self.put(*key, Arc::clone(&data), more);
        Some((data, more))
    }

    /// Remembers an object.
    pub(super) fn put(&mut self, key: K, data: Arc<Vec<u8>>, more: V) {
        // Beside the bytes themselves: the vector, the counts, the map's slot.
        let cost = data.len() + 96;
        if cost > self.half {
            return;
        }
        if self.young_bytes + cost > self.half {
            // With the room it has, which it needs again.
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
            self.young_bytes = 0;
        }
        if self.young.insert(key, (data, more)).is_none() {
            self.young_bytes += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut bases = Bases::new(10_000);
        bases.put(0u64, Arc::new(vec![0; 500]), ());
        for key in 1..100u64 {
            bases.put(key, Arc::new(vec![1; 500]), ());
            assert!(bases.get(&0).is_some(), "used after each insertion, lost at {key}");
        }
        assert!(bases.get(&1).is_none());
        assert!(bases.young.len() + bases.old.len() <= 20);
    }

    #[test]
    fn an_object_larger_than_the_memory_is_not_kept() {
        let mut bases = Bases::new(1_000);
        bases.put(1u64, Arc::new(vec![0; 5_000]), ());
        assert!(bases.get(&1).is_none());
    }
}
