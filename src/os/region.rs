//! Memory straight from the system: it grows without being copied, and all of it goes back when it is dropped.
//!
//! For what is big and comes from outside, such as a message of a hundred megabytes. The allocator keeps much of what such a
//! block leaves behind, for as long as the process lives.

use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags};

/// An anonymous private mapping; its pages cost nothing until they are written.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone and has no tie to a thread.
unsafe impl Send for Region {}
// SAFETY: shared access only reads.
unsafe impl Sync for Region {}

impl Region {
    /// At least one byte.
    ///
    /// # Errors
    /// Where the system has no memory left.
    pub fn new(len: usize) -> io::Result<Self> {
        let len = len.max(1);
        // SAFETY: asks for fresh memory wherever the system likes; nothing that exists is touched.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )
        }?;
        Self::mapped(start, len)
    }

    fn mapped(start: *mut std::ffi::c_void, len: usize) -> io::Result<Self> {
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    /// Makes it longer; what is in it stays. Where the system can, pages are moved and nothing is copied.
    ///
    /// # Errors
    /// Where the system has no memory left; then it is as it was.
    #[cfg(target_os = "linux")]
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        // SAFETY: start and length are those of this mapping, and `&mut self` says that nobody looks into it.
        let start = unsafe {
            rustix::mm::mremap(
                self.start.as_ptr().cast(),
                self.len,
                len.max(self.len),
                rustix::mm::MremapFlags::MAYMOVE,
            )
        }?;
        let moved = Self::mapped(start, len.max(self.len))?;
        // The old place is not mapped any more, or is the new one.
        std::mem::forget(std::mem::replace(self, moved));
        Ok(())
    }

    /// Makes it longer; what is in it stays.
    ///
    /// # Errors
    /// Where the system has no memory left; then it is as it was.
    #[cfg(not(target_os = "linux"))]
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        let mut longer = Self::new(len.max(self.len))?;
        if let Some(front) = longer.as_mut().get_mut(..self.len) {
            front.copy_from_slice(self.as_ref());
        }
        *self = longer;
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
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
