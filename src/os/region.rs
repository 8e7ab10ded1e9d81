//! Memory straight from the system: it grows without being copied, and goes back when it is dropped.
//!
//! For what is big and comes from outside, such as a message of a hundred megabytes. The allocator keeps much of what such a
//! block leaves behind, for as long as the process lives. Of smaller ones a few are kept for the next: to have the system bring their pages
//! anew takes longer than all that is done with what is in them.

use std::io;
use std::ptr::NonNull;
use std::sync::Mutex;

use rustix::mm::{MapFlags, ProtFlags};

/// Bytes from which on large pages are asked for. A block of 128 MiB is 32,768 usual pages, each of which the system brings by
/// itself when it is touched first: that is more work than copying what goes into it.
const LARGE: usize = 4 << 20;
/// A large page of the systems that have them of one size.
const LARGE_PAGE: usize = 2 << 20;

/// Bytes of mappings that are kept for the next, all together.
const SPARE: usize = 4 << 20;

/// Those. Nobody waits for it: who finds it taken asks the system. So a forked child, in which it may be taken for ever, goes on.
static SPARES: Mutex<Vec<Region>> = Mutex::new(Vec::new());

/// An anonymous private mapping; its pages cost nothing until they are written. What has not been written may hold anything.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    len: usize,
    /// Bytes that are mapped; of them `len` are in use.
    mapped: usize,
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
        if let Some(mut spare) = take_spare(len) {
            spare.len = len;
            return Ok(spare);
        }
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
        Ok(Self {
            start,
            len,
            mapped: len,
        })
    }

    /// Makes it longer; what is in it stays. Where the system can, pages are moved and nothing is copied.
    ///
    /// # Errors
    /// Where the system has no memory left; then it is as it was.
    #[cfg(target_os = "linux")]
    pub fn grow(&mut self, len: usize) -> io::Result<()> {
        if len <= self.mapped {
            self.len = len.max(self.len);
            return Ok(());
        }
        // SAFETY: start and length are those of this mapping, and `&mut self` says that nobody looks into it.
        let start = unsafe {
            rustix::mm::mremap(
                self.start.as_ptr().cast(),
                self.mapped,
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
        // SAFETY: the mapping is readable, of bytes that the system or an earlier user has written, and lives as long as this value.
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
        if !keep_spare(self) {
            // SAFETY: start and length are those of this mapping, which nobody uses any more.
            let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.mapped) };
        }
    }
}

/// The longest that is kept, if it is long enough: it may have to grow.
fn take_spare(len: usize) -> Option<Region> {
    if len > SPARE {
        return None;
    }
    let mut spares = SPARES.try_lock().ok()?;
    let (longest, region) = spares.iter().enumerate().max_by_key(|(_, spare)| spare.mapped)?;
    (region.mapped >= len)
        .then_some(longest)
        .map(|longest| spares.swap_remove(longest))
}

/// Whether it has been kept, which its dropper must not unmap then.
fn keep_spare(region: &Region) -> bool {
    if region.mapped > SPARE {
        return false;
    }
    let Ok(mut spares) = SPARES.try_lock() else {
        return false;
    };
    let kept: usize = spares.iter().map(|spare| spare.mapped).sum();
    let fits = kept + region.mapped <= SPARE;
    if fits {
        spares.push(Region { ..*region });
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_kept_for_the_next_within_bounds() {
        let many: Vec<Region> = (0..40).map(|_| Region::new(SPARE / 8).expect("memory")).collect();
        drop(many);
        drop(Region::new(2 * SPARE).expect("memory"));
        let spares = SPARES
            .lock()
            .expect("no panic")
            .iter()
            .map(|spare| spare.mapped)
            .sum::<usize>();
        assert!((SPARE / 8..=SPARE).contains(&spares), "{spares}");
    }

    #[test]
    fn a_kept_one_is_as_long_as_was_asked_for_and_grows() {
        drop(Region::new(1 << 20).expect("memory"));
        let mut region = Region::new(1000).expect("memory");
        assert_eq!(region.as_ref().len(), 1000);
        region.as_mut().fill(7);
        for len in [500, 5000, 2 << 20, 9 << 20] {
            region.grow(len).expect("memory");
            assert_eq!(region.as_ref().len(), len.max(1000));
            assert!(region.as_ref().iter().take(1000).all(|byte| *byte == 7));
        }
    }
}
