//! What one peer has yet to be given: whole messages as chunks, counted in bytes, written many at a time.
//!
//! Filled by the patterns and by the peer's own task (PONG), emptied by that task alone, so messages never mix.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::stream::Stream;

/// Bytes counted for a chunk beside its content.
const OVERHEAD: usize = 64;
/// Chunks and bytes of one write. More at once gains nothing, and other peers want their turn.
const CHUNKS_AT_ONCE: usize = 512;
const BYTES_AT_ONCE: usize = 256 << 10;
/// Writes before other peers have theirs.
const WRITES_PER_TURN: usize = 4;

#[derive(Debug)]
pub(super) struct Outbox {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    budget: usize,
    /// Bytes that were put although it was full, since it is full.
    beyond: usize,
    /// When the peer last took something, or had nothing left to take.
    progress: Instant,
    /// Bytes that the peer has taken in its life.
    taken: u64,
}

impl Outbox {
    pub(super) fn new(budget: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            budget,
            beyond: 0,
            progress: Instant::now(),
            taken: 0,
        }
    }

    pub(super) fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.budget
    }

    /// Whether so many bytes may be put, of which `beyond` may come on top of a full queue.
    pub(super) fn has_room_for(&self, bytes: usize, beyond: usize) -> bool {
        !self.is_full() || self.beyond + bytes <= beyond
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn progress(&self) -> Instant {
        self.progress
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn put(&mut self, chunks: impl IntoIterator<Item = Bytes>) {
        if self.is_empty() {
            self.progress = Instant::now();
        }
        let (before, was_full) = (self.bytes, self.is_full());
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            self.bytes += chunk.len() + OVERHEAD;
            self.chunks.push_back(chunk);
        }
        if was_full {
            self.beyond += self.bytes - before;
        }
    }

    /// Writes what the socket takes, up to this peer's turn. `WouldBlock` is no error: the rest stays.
    pub(super) fn write(&mut self, stream: &Stream) -> io::Result<()> {
        for _ in 0..WRITES_PER_TURN {
            if self.is_empty() {
                break;
            }
            let mut slices = [IoSlice::new(&[]); CHUNKS_AT_ONCE];
            let (mut count, mut size) = (0, 0);
            for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                if size >= BYTES_AT_ONCE {
                    break;
                }
                *slice = IoSlice::new(chunk);
                count += 1;
                size += chunk.len();
            }
            match stream.try_write(slices.get(..count).unwrap_or(&slices)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut written: usize) {
        self.progress = Instant::now();
        self.taken += written as u64;
        while written > 0 {
            let Some(chunk) = self.chunks.front_mut() else {
                break;
            };
            if chunk.len() > written {
                chunk.advance(written);
                self.bytes = self.bytes.saturating_sub(written);
                break;
            }
            written -= chunk.len();
            self.bytes = self.bytes.saturating_sub(chunk.len() + OVERHEAD);
            self.chunks.pop_front();
        }
        if !self.is_full() {
            self.beyond = 0;
        }
        if self.is_empty() && self.chunks.capacity() > CHUNKS_AT_ONCE {
            self.chunks = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_out_even_however_the_writes_fall() {
        for step in 1..9 {
            let mut outbox = Outbox::new(100);
            outbox.put([
                Bytes::from_static(b"abc"),
                Bytes::new(),
                Bytes::from_static(b"defgh"),
            ]);
            assert!(outbox.is_full());
            let mut left = 8;
            while left > 0 {
                let written = step.min(left);
                outbox.advance(written);
                left -= written;
            }
            assert!(outbox.is_empty());
            assert_eq!(outbox.bytes, 0);
            assert_eq!(outbox.taken(), 8);
        }
    }

    #[test]
    fn on_top_of_a_full_queue_room_is_counted_by_itself() {
        let mut outbox = Outbox::new(1000);
        assert!(outbox.has_room_for(1 << 30, 0));
        outbox.put([Bytes::from(vec![0; 5000])]);
        assert!(outbox.is_full());
        for _ in 0..2 {
            assert!(outbox.has_room_for(400 + OVERHEAD, 1000));
            outbox.put([Bytes::from(vec![0; 400])]);
        }
        assert!(!outbox.has_room_for(400 + OVERHEAD, 1000));
        outbox.advance(5000);
        assert!(!outbox.is_full() && outbox.has_room_for(1 << 30, 0));
    }
}
