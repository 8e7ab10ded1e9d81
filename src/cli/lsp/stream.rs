//! The two halves of a connection of the router's: a thread that writes and one that reads, both detached.
//!
//! The router itself never waits for a peer. What it sends is queued; a reader stops reading while what its messages cause
//! is not taken, so that no queue grows without bound.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::message::Message;
use crate::lsp::framing::{self, FrameError};

/// Nothing more is read for a peer that has this many bytes to take.
pub(super) const MOST_WAITING: usize = 32 << 20;
/// How long a reader waits for that: the peer is gone, or never takes anything again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(5);

/// The bytes that a peer has to take.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until no more than `most` are left. False when that takes longer than `patience`.
    pub(super) fn falls_to(&self, most: usize, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.bytes() > most {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

/// The writing half.
#[derive(Debug)]
pub(super) struct Outgoing {
    frames: mpsc::Sender<Vec<u8>>,
    /// What was sent and is not written.
    pub(super) waiting: Waiting,
}

impl Outgoing {
    /// # Errors
    /// No thread can be started.
    pub(super) fn new(mut output: impl Write + Send + 'static) -> io::Result<Self> {
        let (frames, queue) = mpsc::channel::<Vec<u8>>();
        let waiting = Waiting::default();
        let taken = waiting.clone();
        std::thread::Builder::new()
            .name("drupe-lsp-write".into())
            .spawn(move || {
                let mut lost = false;
                // Who is gone takes all that is left, so that nobody waits for it.
                for frame in queue {
                    lost = lost || output.write_all(&frame).and_then(|()| output.flush()).is_err();
                    taken.0.fetch_sub(frame.len(), Ordering::Relaxed);
                }
            })?;
        Ok(Self { frames, waiting })
    }

    /// Queues a message; never waits.
    pub(super) fn send(&self, message: &Message) {
        let Ok(frame) = framing::frame(message) else {
            return;
        };
        self.waiting.0.fetch_add(frame.len(), Ordering::Relaxed);
        // Its thread ends with this half alone.
        let _ = self.frames.send(frame);
    }
}

/// What comes out of a connection.
#[derive(Debug)]
pub(super) enum Said {
    Message(Message),
    /// A frame without a message in it, and why.
    Nonsense(String),
    /// The last.
    End,
}

/// Reads messages on a thread of its own and hands them to `hear`, until either has enough. It reads on while `behind` takes
/// what the messages come to.
///
/// # Errors
/// No thread can be started.
pub(super) fn listen(
    input: impl Read + Send + 'static,
    behind: Waiting,
    hear: impl Fn(Said) -> bool + Send + 'static,
) -> io::Result<()> {
    std::thread::Builder::new()
        .name("drupe-lsp-read".into())
        .spawn(move || {
            let mut input = BufReader::new(input);
            while behind.falls_to(MOST_WAITING, PATIENCE) {
                let goes_on = match framing::read_json(&mut input) {
                    Ok(Some((message, _))) => hear(Said::Message(message)),
                    Err(FrameError::Body(reason)) => hear(Said::Nonsense(reason)),
                    Ok(None) | Err(_) => break,
                };
                if !goes_on {
                    return;
                }
            }
            hear(Said::End);
        })?;
    Ok(())
}
