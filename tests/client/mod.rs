//! A scripted Jupyter client that starts a real kernel process and talks to it over real sockets.
//!
//! Called by every test of `tests/blackbox`. It shares no code with the kernel: signatures, frames and
//! connection files are made here a second time, so that a mistake in `drupe::wire` cannot hide behind itself,
//! and the sockets are those of the published `zeromq` crate.
//!
//! Three rules make a sloppy kernel fail tests that were not written against it: a receiver fails at the
//! caller's line after [`TIMEOUT`], dropping a [`Kernel`] fails when messages were left unread, and it fails
//! when the process does not end with status 0 after a `shutdown_request`.
//!
//! Environment: `DRUPE_TEST_PYTHON` names the interpreter (default: the workspace's `.venv/bin/python`);
//! `DRUPE_TEST_KERNEL_ARGV` names another kernel to run the same tests against, as a command line in which
//! `{connection_file}` stands for the path (`DRUPE_TEST_KERNEL_ARGV="python -m ipykernel -f {connection_file}"`).

pub mod connection;
pub mod fixtures;
pub mod kernel;
pub mod message;
pub mod raw;
pub mod session;
pub mod sockets;

pub use connection::Connection;
pub use kernel::Kernel;
pub use message::{Message, Outgoing, RequestId};
pub use session::{Client, Outcome};
pub use sockets::Channel;

/// How long a receiver waits before it fails its test: long enough for a loaded machine, short enough that a
/// dead kernel does not look like a hanging test.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);
