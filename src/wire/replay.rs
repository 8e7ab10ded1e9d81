//! The memory of accepted signatures, by which a replayed message is refused.
//!
//! Only [`Session`](super::Session) uses it. Its size is bounded: whoever holds the key can send as many messages as
//! they like, and they must not be able to fill the kernel's memory by it.

use std::collections::HashSet;

use super::signature::Tag;

/// How many signatures are remembered, as in the reference client; when full, the older half is forgotten.
pub const CAPACITY: usize = 65_536;

/// Remembers the last signatures in two generations, of which the older is dropped when the younger is full.
#[derive(Debug, Default)]
pub struct Replay {
    young: HashSet<Tag>,
    old: HashSet<Tag>,
}

impl Replay {
    /// Takes note of a signature. False if it is known already.
    pub fn admit(&mut self, tag: Tag) -> bool {
        if self.old.contains(&tag) || !self.young.insert(tag) {
            return false;
        }
        if self.young.len() >= CAPACITY / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        true
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
