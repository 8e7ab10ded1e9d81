//! What is written to fd 1 and 2, by C code and by child processes, becomes stream output like any other.
//!
//! Both descriptors are replaced by pipes; the thread `drupe-stdio` reads them. It needs no GIL, so C code that fills a
//! pipe with the GIL held waits for nobody who waits for it. It is a daemon that nobody joins: a child that lives on
//! keeps its end of the pipe open for ever.
//!
//! At the end of a cell [`drain`] reads what is left, so that it comes before the cell's `idle`.

use std::fs::File;
use std::io::{self, ErrorKind, Read, stderr, stdout};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use drupe::kernel::Handle;
use drupe::kernel::decoder::Decoder;
use drupe::kernel::out::StreamName;
use drupe::os::descriptor::{self, Ready};

use crate::parent;

/// Read at a time; the capacity of a pipe by default.
const CHUNK: usize = 64 << 10;

struct Pipe {
    name: StreamName,
    end: File,
    decoder: Decoder,
}

struct Pipes {
    pipes: [Pipe; 2],
    /// What is read into.
    chunk: Vec<u8>,
}

struct Capture {
    pipes: Mutex<Pipes>,
    /// The ends that are read, for a look at them without the lock.
    ends: [File; 2],
    handle: Arc<Handle>,
}

static CAPTURE: OnceLock<Capture> = OnceLock::new();
/// Copies of the descriptors that the process was started with; of nothing where it was started without.
static REAL: OnceLock<[Option<OwnedFd>; 2]> = OnceLock::new();

/// Keep the descriptors that the process was started with; before anything else writes a log line.
pub fn keep_real() -> [RawFd; 2] {
    let real = REAL.get_or_init(|| [keep(stdout().as_fd()), keep(stderr().as_fd())]);
    // Without a descriptor left there will be no capture either: it stays what it is.
    [(&real[0], 1), (&real[1], 2)].map(|(copy, itself)| copy.as_ref().map_or(itself, AsRawFd::as_raw_fd))
}

fn keep(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let nowhere = || descriptor::copy(File::options().write(true).open("/dev/null")?.as_fd());
    descriptor::copy(fd).or_else(|_| nowhere()).ok()
}

impl Pipe {
    /// Puts a pipe in the place of the descriptor that `replace` stands for.
    fn new(name: StreamName, replace: fn(BorrowedFd<'_>) -> io::Result<()>) -> io::Result<Self> {
        let (end, write) = descriptor::pipe()?;
        replace(write.as_fd())?;
        Ok(Self {
            name,
            end,
            decoder: Decoder::default(),
        })
    }
}

/// Begin to capture. Once; later calls do nothing.
///
/// # Errors
/// Where the system has no pipe or thread left.
pub fn start(handle: &Arc<Handle>) -> io::Result<()> {
    if CAPTURE.get().is_some() {
        return Ok(());
    }
    flush_c();
    let pipes = [
        Pipe::new(StreamName::Stdout, descriptor::become_stdout)?,
        Pipe::new(StreamName::Stderr, descriptor::become_stderr)?,
    ];
    let ends = [pipes[0].end.try_clone()?, pipes[1].end.try_clone()?];
    line_buffer_c();
    let capture = Capture {
        pipes: Mutex::new(Pipes {
            pipes,
            chunk: vec![0; CHUNK],
        }),
        ends,
        handle: Arc::clone(handle),
    };
    if CAPTURE.set(capture).is_ok() {
        boot_thread()?;
    }
    Ok(())
}

fn boot_thread() -> io::Result<()> {
    std::thread::Builder::new()
        .name("drupe-stdio".into())
        .stack_size(128 << 10)
        .spawn(move || {
            drupe::os::signal::block_all();
            let Some(capture) = CAPTURE.get() else { return };
            let mut waited = capture.ends.each_ref().map(|end| Some(end.as_fd()));
            loop {
                let ready = descriptor::wait(waited, None);
                capture.read_all();
                // Whoever has closed the descriptor, and has no child that holds it, writes there no more.
                for (end, ready) in waited.iter_mut().zip(ready) {
                    if ready == Ready::Gone {
                        *end = None;
                    }
                }
                // A client that reads slowly slows the writers down, through the pipe.
                while !capture.handle.outbox.wait_for_room(Duration::from_secs(1)) {}
            }
        })
        .map(drop)
}

impl Capture {
    fn lock(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody holds what he has read: asked after a look at pipes that are empty, this leaves nothing in between.
    fn is_being_read(&self) -> bool {
        matches!(self.pipes.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Read what is in the pipes now.
    fn read_all(&self) {
        let mut pipes = self.lock();
        let Pipes { pipes, chunk } = &mut *pipes;
        for pipe in pipes.iter_mut() {
            // A writer that never stops must not keep this one from returning.
            for _ in 0..16 {
                match pipe.end.read(chunk) {
                    Ok(count) if count > 0 => {
                        let bytes = chunk.get(..count).unwrap_or_default();
                        let text = pipe.decoder.decode(bytes);
                        self.handle
                            .outbox
                            .write(pipe.name, parent::of_descriptors(), &text);
                        if count < CHUNK {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => break,
                }
            }
        }
    }
}

/// Whether C code or a child has written something that is not in the outbox yet. Never waits.
pub fn pending() -> bool {
    let Some(capture) = CAPTURE.get() else {
        return false;
    };
    let ends = capture.ends.each_ref().map(|end| Some(end.as_fd()));
    descriptor::wait(ends, Some(Duration::ZERO)).contains(&Ready::Data) || capture.is_being_read()
}

/// Send what is in the pipes now. Call with the GIL released.
pub fn drain() {
    if let Some(capture) = CAPTURE.get() {
        capture.read_all();
    }
}

unsafe extern "C" {
    #[cfg_attr(not(target_os = "macos"), link_name = "stdout")]
    #[cfg_attr(target_os = "macos", link_name = "__stdoutp")]
    static C_STDOUT: *mut libc::FILE;
    #[cfg_attr(not(target_os = "macos"), link_name = "stderr")]
    #[cfg_attr(target_os = "macos", link_name = "__stderrp")]
    static C_STDERR: *mut libc::FILE;
}

/// `fflush` of C's stdout and stderr, and of nothing else: a flush of all files waits for ever when one of them
/// is being read.
pub fn flush_c() {
    // SAFETY: the two streams live as long as the process.
    unsafe {
        libc::fflush(C_STDOUT);
        libc::fflush(C_STDERR);
    }
}

/// C code that prints a line should be seen to do so, though its output goes to a pipe.
fn line_buffer_c() {
    // SAFETY: the stream lives as long as the process, and the buffer is the library's own.
    unsafe { libc::setvbuf(C_STDOUT, std::ptr::null_mut(), libc::_IOLBF, 0) };
}
