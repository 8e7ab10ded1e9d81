//! What the kernel asks of the interpreter: the border that `python/` implements and tests mock.
//!
//! The io thread calls these, but for [`Interpreter::ask`]. None of them may wait, attach to Python or take a lock that a thread inside Python may
//! hold: the interpreter may be in C code that keeps the GIL for ever, and the io thread has to answer all the same.
//! Everything else passes the border as data, through [`crate::kernel::Handle`].

use bytes::Bytes;

use crate::lifecycle::{Shell, Turn};

/// See the module.
pub trait Interpreter: Send + Sync + 'static {
    /// Interrupt what runs: SIGINT to the main thread, and to the processes that the cell has started.
    fn interrupt(&self);

    /// Wake the main thread out of a wait that it may have begun after an interrupt had come and before it could know: it
    /// looks, and goes on waiting where there is nothing.
    fn wake_main(&self);

    /// Start a thread of Python's that takes this subshell's requests. What becomes of it comes by
    /// [`crate::kernel::Handle::subshell_news`].
    fn start_subshell(&self, subshell: Shell);

    /// Interrupt what these subshells do now, where that still runs when Python is entered.
    fn interrupt_subshells(&self, subshells: Vec<Shell>);

    /// SIGINT to the main thread alone: what it waits for is over its time.
    fn interrupt_main(&self);

    /// Start a thread that tries to get into Python and, where it does, carries the teardown on in the place of whoever
    /// is stuck. `turn` is its [`crate::lifecycle::Rung::Attach`]: once inside it takes that up, reports it done, and
    /// goes through Python's rungs from the turn's `resume` on.
    fn teardown_from_helper(&self, turn: Turn);

    /// Ask for the Python stacks of all threads without the GIL. They come a moment later, in
    /// [`Interpreter::stacks`].
    fn request_stacks(&self);

    /// What the last [`Interpreter::request_stacks`] has written so far. Waits 0.05 s for it, at most.
    fn stacks(&self) -> String;

    /// Have a thread of its own ask `drupe.debugger`, in JSON. Whatever comes of it, a moment or an hour later, comes by
    /// [`crate::kernel::Handle::debugged`] with the number.
    fn debug(&self, question: u64, text: Bytes);

    /// Ask what the language server wants to know of the session: JSON both ways, see `drupe/inspection.py`. Waits for
    /// the GIL, so it is called on a thread of the language server's that nobody waits for without a deadline. `None`
    /// where Python cannot be entered.
    fn ask(&self, question: &[u8]) -> Option<Vec<u8>>;
}
