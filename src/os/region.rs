//! Memory straight from the system: it grows without being copied, and all of it goes back when it is dropped.
//!
//! For what is big and comes from outside, such as a message of a hundred megabytes. The allocator keeps much of what such a
//! block leaves behind, for as long as the process lives.

use std::io;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags};

/// Bytes from which on large pages are asked for. A block of 128 MiB is 32,768 usual pages, each of which the system brings by
/// itself when it is touched first: that is more work than copying what goes into it.
const LARGE: usize = 4 << 20;
/// A large page of the systems that have them of one size.
const LARGE_PAGE: usize = 2 << 20;

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
        Self::mapped(start, len).map(Self::with_large_pages)
    }

    fn with_large_pages(self) -> Self {
        // SAFETY: the mapping is this value's, and nothing has been written to what is not part of it.
        unsafe { prefer_large_pages(self.start.as_ptr(), self.len) };
        self
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
        let moved = Self::mapped(start, len.max(self.len))?.with_large_pages();
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

/// Asks for large pages in a block that is about to be filled, where it is long enough for them. Only a wish: nothing changes but
/// the time that it takes.
///
/// # Safety
/// The block must be mapped memory of the caller's own.
pub unsafe fn prefer_large_pages(start: *mut u8, len: usize) {
    #[cfg(target_os = "linux")]
    if len >= LARGE {
        let before = start.align_offset(LARGE_PAGE).min(len);
        let whole = (len - before) / LARGE_PAGE * LARGE_PAGE;
        // SAFETY: whole pages inside the block; the advice changes nothing that is in them.
        let _ = unsafe {
            rustix::mm::madvise(start.add(before).cast(), whole, rustix::mm::Advice::LinuxHugepage)
        };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len, LARGE, LARGE_PAGE);
}

/// A copy in a mapping of its own.
///
/// # Errors
/// Where the system has no memory left.
pub fn copy_of(bytes: &[u8]) -> io::Result<Region> {
    let mut region = Region::new(bytes.len())?;
    region.as_mut().copy_from_slice(bytes);
    Ok(region)
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
