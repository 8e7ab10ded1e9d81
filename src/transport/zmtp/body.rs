//! A big part on its way in, in memory of its own.
//!
//! Used by [`Connection`](super::Connection) for parts of [`BIG`] bytes and more. Such a part grows with what arrives without
//! being copied, and its memory goes back to the system the moment that its last reader lets go of it, whatever the
//! allocator makes of the holes that big blocks leave.

use std::io;

use bytes::Bytes;

use crate::os::Region;

/// Bytes from which on a part has a mapping of its own. Below it a copy costs less than the system's page faults.
pub(super) const BIG: usize = 256 << 10;

/// A part on its way in: `filled` of its `length` bytes are here.
#[derive(Debug)]
pub(super) struct Body {
    region: Region,
    filled: usize,
    length: usize,
}

impl Body {
    /// Begins with what has been read already, which is less than `length`.
    pub(super) fn new(length: usize, begun: &[u8]) -> io::Result<Self> {
        let mut region = Region::new(length.min(BIG.max(begun.len())))?;
        let filled = begun.len();
        if let Some(front) = region.as_mut().get_mut(..filled) {
            front.copy_from_slice(begun);
        }
        Ok(Self {
            region,
            filled,
            length,
        })
    }

    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    pub(super) fn is_whole(&self) -> bool {
        self.filled >= self.length
    }

    /// Bytes that are taken from the system, though maybe not touched yet.
    pub(super) fn held(&self) -> usize {
        self.region.as_ref().len()
    }

    /// The next piece to be read into, never empty before the part is whole. The mapping doubles when it is full, so it
    /// follows what has arrived and not what was announced.
    pub(super) fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.filled == self.held() {
            self.region.grow(self.length.min(2 * self.filled))?;
        }
        Ok(self.region.as_mut().get_mut(self.filled..).unwrap_or_default())
    }

    /// `count` more bytes are here.
    pub(super) fn read(&mut self, count: usize) {
        self.filled = self.length.min(self.filled + count);
    }

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.region.as_ref().get(..self.filled).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_grows_with_what_arrives_and_keeps_it() {
        let length = 5 * BIG + 17;
        let mut body = Body::new(length, b"begun").expect("memory");
        let mut next = 5_usize;
        while !body.is_whole() {
            assert!(body.held() <= BIG.max(2 * body.filled()), "a length was believed");
            let room = body.room().expect("memory");
            let count = room.len().min(70_001);
            assert!(count > 0);
            for byte in &mut room[..count] {
                *byte = next as u8;
                next += 1;
            }
            body.read(count);
        }
        let bytes = body.into_bytes();
        assert_eq!(bytes.len(), length);
        assert_eq!(&bytes[..5], b"begun");
        assert!(
            bytes
                .iter()
                .enumerate()
                .skip(5)
                .all(|(at, byte)| *byte == at as u8)
        );
    }

    #[test]
    fn a_body_shorter_than_a_mapping_is_no_longer_than_it_said() {
        let mut body = Body::new(10, b"123").expect("memory");
        assert_eq!(body.room().expect("memory").len(), 7);
        body.read(7);
        assert!(body.is_whole());
        assert_eq!(body.into_bytes().len(), 10);
    }
}
