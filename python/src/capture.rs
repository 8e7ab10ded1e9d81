//! What is written to fd 1 and 2, by C code and by child processes, becomes stream output like any other.
//!
//! Both descriptors are replaced by pipes; the thread `drupe-stdio` reads them. It needs no GIL, so C code that fills a
//! pipe with the GIL held waits for nobody who waits for it. It is a daemon that nobody joins: a child that lives on
//! keeps its end of the pipe open for ever.
//!
//! At the end of a cell [`drain`] reads what is left, so that it comes before the cell's `idle`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use drupe::kernel::Handle;
use drupe::kernel::decoder::Decoder;
use drupe::kernel::out::StreamName;

use crate::parent;

/// Read at a time; the capacity of a pipe by default.
const CHUNK: usize = 64 << 10;

struct Pipe {
    name: StreamName,
    end: File,
    decoder: Decoder,
}

struct Capture {
    pipes: Mutex<[Pipe; 2]>,
    /// The ends that are read, for a look at them without the lock.
    ends: [RawFd; 2],
    handle: Arc<Handle>,
}

static CAPTURE: OnceLock<Capture> = OnceLock::new();
/// Duplicates of the descriptors that the process was started with.
static REAL: OnceLock<[OwnedFd; 2]> = OnceLock::new();

/// Descriptors of the kernel's own begin here, so that they never take the small numbers that C code expects.
const FIRST_OWN_FD: i32 = 64;

/// Keep the descriptors that the process was started with; before anything else writes a log line.
pub fn keep_real() -> [RawFd; 2] {
    let real = REAL.get_or_init(|| [duplicate(1), duplicate(2)]);
    [real[0].as_raw_fd(), real[1].as_raw_fd()]
}

fn duplicate(fd: i32) -> OwnedFd {
    // SAFETY: F_DUPFD_CLOEXEC makes a new descriptor that nobody else owns; so does open.
    unsafe {
        let mut copy = libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, FIRST_OWN_FD);
        if copy < 0 {
            copy = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        }
        OwnedFd::from_raw_fd(copy.max(0))
    }
}

fn pipe(target: i32) -> std::io::Result<File> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for the two descriptors that pipe2 writes; each is owned once, and dup2 leaves
    // the target open.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        let read = libc::fcntl(ends[0], libc::F_DUPFD_CLOEXEC, FIRST_OWN_FD);
        libc::close(ends[0]);
        let write = OwnedFd::from_raw_fd(ends[1]);
        if read < 0 || libc::dup2(write.as_raw_fd(), target) < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let flags = libc::fcntl(read, libc::F_GETFL);
        libc::fcntl(read, libc::F_SETFL, flags | libc::O_NONBLOCK);
        Ok(File::from_raw_fd(read))
    }
}

/// Begin to capture. Once; later calls do nothing.
///
/// # Errors
/// Where the system has no pipe or thread left.
pub fn start(handle: &Arc<Handle>) -> std::io::Result<()> {
    if CAPTURE.get().is_some() {
        return Ok(());
    }
    flush_c();
    let pipes = [
        Pipe {
            name: StreamName::Stdout,
            end: pipe(1)?,
            decoder: Decoder::default(),
        },
        Pipe {
            name: StreamName::Stderr,
            end: pipe(2)?,
            decoder: Decoder::default(),
        },
    ];
    let ends = [pipes[0].end.as_raw_fd(), pipes[1].end.as_raw_fd()];
    line_buffer_c();
    let capture = Capture {
        pipes: Mutex::new(pipes),
        ends,
        handle: Arc::clone(handle),
    };
    if CAPTURE.set(capture).is_ok() {
        boot_thread(ends)?;
    }
    Ok(())
}

fn boot_thread(ends: [RawFd; 2]) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("drupe-stdio".into())
        .stack_size(128 << 10)
        .spawn(move || {
            drupe::kernel::block_signals();
            let mut polled = ends.map(pollfd);
            while let Some(capture) = CAPTURE.get() {
                // SAFETY: the array is live and its length is given.
                unsafe { libc::poll(polled.as_mut_ptr(), 2, -1) };
                capture.read_all();
                // Whoever has closed the descriptor, and has no child that holds it, writes there no more.
                for pipe in &mut polled {
                    if pipe.revents != 0 && pipe.revents & libc::POLLIN == 0 {
                        pipe.fd = -1;
                    }
                }
                // A client that reads slowly slows the writers down, through the pipe.
                while !capture.handle.outbox.wait_for_room(Duration::from_secs(1)) {}
            }
        })
        .map(drop)
}

impl Capture {
    fn lock(&self) -> MutexGuard<'_, [Pipe; 2]> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read what is in the pipes now.
    fn read_all(&self) {
        let mut chunk = vec![0; CHUNK];
        let mut pipes = self.lock();
        for pipe in pipes.iter_mut() {
            // A writer that never stops must not keep this one from returning.
            for _ in 0..16 {
                match pipe.end.read(&mut chunk) {
                    Ok(count) if count > 0 => {
                        let bytes = chunk.get(..count).unwrap_or_default();
                        let text = pipe.decoder.decode(bytes);
                        self.handle.outbox.write(pipe.name, parent::fallback(), &text);
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

/// Whether C code or a child has written something that nobody has read yet. Never waits.
pub fn pending() -> bool {
    let Some(capture) = CAPTURE.get() else {
        return false;
    };
    let mut polled = capture.ends.map(pollfd);
    // SAFETY: the array is live and its length is given.
    unsafe { libc::poll(polled.as_mut_ptr(), 2, 0) };
    polled.iter().any(|pipe| pipe.revents & libc::POLLIN != 0)
}

fn pollfd(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Send what is in the pipes now. Call with the GIL released.
pub fn drain() {
    if let Some(capture) = CAPTURE.get() {
        capture.read_all();
    }
}

unsafe extern "C" {
    #[cfg_attr(target_os = "macos", link_name = "__stdoutp")]
    static stdout: *mut libc::FILE;
    #[cfg_attr(target_os = "macos", link_name = "__stderrp")]
    static stderr: *mut libc::FILE;
}

/// `fflush` of C's stdout and stderr, and of nothing else: a flush of all files waits for ever when one of them
/// is being read.
pub fn flush_c() {
    // SAFETY: the two streams live as long as the process.
    unsafe {
        libc::fflush(stdout);
        libc::fflush(stderr);
    }
}

/// C code that prints a line should be seen to do so, though its output goes to a pipe.
fn line_buffer_c() {
    // SAFETY: the stream lives as long as the process, and the buffer is the library's own.
    unsafe { libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IOLBF, 0) };
}
