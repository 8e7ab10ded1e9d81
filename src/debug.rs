//! The debug adapter: what stands between a front-end's `debug_request`s and pydevd, the half of debugpy that lives in
//! the debugged process.
//!
//! The kernel's io loop feeds a [`Session`] with requests, with what [`peer`] has read from pydevd, with what a helper thread
//! has found out in Python and with timers, and does what comes back, in order. What is to be done is decided by a pure
//! [`machine`], which a search plays through. Nothing here waits, enters Python or knows Jupyter's sockets: what is answered
//! without Python is answered at once, and whatever needs Python has a deadline and an answer for the time when it passes.

pub mod cells;
mod commands;
mod machine;
pub mod peer;
mod protocol;
mod session;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use session::{Helper, Output, Session};
pub use vocabulary::{Key, State};
