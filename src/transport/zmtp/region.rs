//! Memory for one big part of a message, straight from the system.
//!
//! Used by [`Connection`](super::Connection) for parts of [`BIG`] bytes and more. What a peer sends is its own, so such a
//! part has a mapping of its own: it grows with what arrives without being copied, and goes back to the system the moment
//! that its last reader lets go of it, whatever the allocator makes of the holes that big blocks leave.
//!
//! Here is the only `unsafe` of the codec: three system calls.

use std::io;
use std::ptr::NonNull;

use bytes::Bytes;

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
        self.region.len
    }

    /// The next piece to be read into, never empty before the part is whole. The mapping doubles when it is full, so it
    /// follows what has arrived and not what was announced.
    pub(super) fn room(&mut self) -> io::Result<&mut [u8]> {
        if self.filled == self.region.len {
            self.region.grow(self.length.min(2 * self.region.len))?;
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

/// An anonymous private mapping; its pages cost nothing until they are written.
#[derive(Debug)]
struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone and has no tie to a thread.
unsafe impl Send for Region {}
// SAFETY: shared access only reads.
unsafe impl Sync for Region {}

impl Region {
    fn new(len: usize) -> io::Result<Self> {
        // SAFETY: asks for fresh memory wherever the system likes; nothing that exists is touched.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len.max(1),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        Self::mapped(start, len.max(1))
    }

    fn mapped(start: *mut libc::c_void, len: usize) -> io::Result<Self> {
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// Moves pages, copies nothing.
    #[cfg(target_os = "linux")]
    fn grow(&mut self, len: usize) -> io::Result<()> {
        // SAFETY: start and length are those of this mapping, and `&mut self` says that nobody looks into it. Where the
        // call fails it stays as it was.
        let start = unsafe { libc::mremap(self.start.as_ptr().cast(), self.len, len, libc::MREMAP_MAYMOVE) };
        let moved = Self::mapped(start, len)?;
        // The old place is not mapped any more, or is the new one.
        std::mem::forget(std::mem::replace(self, moved));
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn grow(&mut self, len: usize) -> io::Result<()> {
        let mut larger = Self::new(len)?;
        if let Some(front) = larger.as_mut().get_mut(..self.len) {
            front.copy_from_slice(self.as_ref());
        }
        *self = larger;
        Ok(())
    }
}

impl AsRef<[u8]> for Region {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping is readable, zeroed by the system, and lives as long as this value.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl AsMut<[u8]> for Region {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; the mapping is writable, and `&mut self` is the only way to it.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: start and length are those of this mapping, which nobody uses any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
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
