//! The words in which the [`Machine`](super::machine::Machine) and those who feed it speak: what may happen ([`Event`]), what is to be
//! done about it ([`Action`]), and what both are about. No more than data.

/// A client's request, by the number that the kernel has given it.
pub type Key = u64;
/// A request to pydevd, by its `seq`. Unique for the life of the process.
pub type Seq = u64;
/// A thread, by pydevd's number for it.
pub type Thread = i64;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// There is none. pydevd may be connected, from the one before.
    Off,
    /// debugpy is being imported and pydevd is to connect, or `initialize` is under way.
    Starting,
    /// `initialize` is answered.
    Ready,
    /// Breakpoints are of effect.
    Attached,
    /// A thread waits at a breakpoint.
    Stopped,
    /// It is being ended.
    Draining,
    /// The connection to pydevd is lost, for good.
    Broken,
}

/// What a client asks for, as far as the state matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    Initialize,
    Attach,
    ConfigurationDone,
    Disconnect,
    Continue,
    /// `next`, `stepIn`, `stepOut`, and what else a thread that runs cannot do.
    Step,
    /// What pydevd has the stopped thread itself work out, which may run code of the user's.
    Frame,
    /// Everything else that pydevd answers.
    Ask,
}

/// Why a request to pydevd was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// A client's, and of which kind.
    Client(Command),
    /// Which threads are stopped.
    Threads,
    /// Behind `attach`, where the client need not say so.
    ConfigurationDone,
    /// The threads are to go on, for an interrupt. The breakpoints are taken away before it.
    Resume,
    /// The session is to end with the kernel.
    Disconnect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    Request {
        key: Key,
        command: Command,
    },
    /// pydevd is connected and has shown who it is.
    Connected,
    /// It could not be started; another attempt may succeed.
    Failed,
    /// The start takes too long.
    StartLate,
    /// pydevd has answered.
    Reply {
        seq: Seq,
        success: bool,
    },
    /// It has not, in time.
    Late {
        seq: Seq,
    },
    Stopped {
        thread: Thread,
    },
    Continued {
        thread: Option<Thread>,
    },
    /// pydevd's list of threads, all of which are stopped.
    AllStopped {
        thread: Thread,
    },
    /// The connection is lost.
    Gone,
    /// The main thread is to be interrupted. `runs`: it runs a cell.
    Interrupt {
        runs: bool,
    },
    /// What an interrupt waits for has not come in time.
    InterruptLate,
    /// The cell has ended.
    CellEnded,
    /// The interrupted cell has had its time.
    CellLate,
    /// The kernel ends.
    End,
}

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// There is no session.
    NotStarted,
    NotAttached,
    NotStopped,
    /// The helper has said why.
    NoDebugger,
    /// The helper did not get into Python in time.
    StartTooLong,
    TooLong,
    /// pydevd's connection is lost.
    Broken,
    /// The session ended first.
    Ended,
    /// The kernel ends.
    KernelEnds,
    TooMany,
}

/// What a client's request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// pydevd's own answer, which is at hand.
    Pydevds,
    /// The capabilities that the session has told before.
    Capabilities,
    /// Success, without pydevd.
    Done,
    Refused(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Have debugpy imported and pydevd connect.
    Start,
    /// Send to pydevd. Of a client's request, the arguments are the client's.
    Send {
        seq: Seq,
        purpose: Purpose,
        key: Option<Key>,
    },
    Answer {
        key: Key,
        answer: Answer,
    },
    /// Events are kept back until [`Action::Release`], so that what they tell of is known when a client asks.
    Hold,
    Release,
    /// Take all breakpoints away, until [`Action::Restore`].
    ClearBreakpoints,
    Restore,
    /// SIGINT to the main thread.
    Signal,
    /// Tell [`Event::InterruptLate`] when it has been waited for long enough.
    AwaitInterrupt,
    /// Tell [`Event::CellLate`] when the cell has had its time.
    AwaitCell,
    /// Threads are stopped and nobody can say that they may go on: have a helper do so.
    Free,
    /// The session is over; what was said of it is forgotten.
    Forget,
}
