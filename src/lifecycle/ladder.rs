//! The rungs of the exit ladder, and [`Turn`], the one type in which a rung is handed over and answered for.
//! Plain data for the machine, the budgets, the io loop, Python's side and the record of ends; it decides nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A rung of the exit ladder, in the order of descent. Each ends when its work ends, or when its time
/// ([`super::Budgets::end_of`]) has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rung {
    /// The io loop interrupts what the main thread runs; `input()` gets its end of file. Left out when the
    /// main thread runs nothing. Ends by itself when the last such request has `Finished`.
    Interrupt,
    /// A fresh helper thread attaches to Python, because whoever carried out the teardown so far is stuck.
    Attach,
    /// Python, on the main thread alone, whose event loop it is: cancel asyncio's tasks and run them until they have
    /// ended.
    Tasks,
    /// Python: executors finish, non-daemon threads are joined, children of the process group are reaped.
    Threads,
    /// Python: atexit functions; a stuck one is interrupted and the rest still run.
    AtExit,
    /// Python: flush files, Python's streams, C's streams, and drain the pipes of fd 1 and 2.
    Flush,
    /// The io loop closes the gate. Done when nobody is inside.
    Gate,
    /// The io loop: the replies are out, the sockets are taking them.
    Reply,
}

impl Rung {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Interrupt,
        Self::Attach,
        Self::Tasks,
        Self::Threads,
        Self::AtExit,
        Self::Flush,
        Self::Gate,
        Self::Reply,
    ];

    /// Those that Python's side carries out, in order.
    pub const IN_PYTHON: [Self; 4] = [Self::Tasks, Self::Threads, Self::AtExit, Self::Flush];

    /// The name in `_drupe.begin_rung` and in the record of ends.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Attach => "attach",
            Self::Tasks => "tasks",
            Self::Threads => "threads",
            Self::AtExit => "atexit",
            Self::Flush => "flush",
            Self::Gate => "gate",
            Self::Reply => "reply",
        }
    }

    /// The rung of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rung| rung.name() == name)
    }

    /// Whether the rung is carried out in Python, by the main thread or by a helper.
    pub fn in_python(self) -> bool {
        Self::IN_PYTHON.contains(&self)
    }

    /// The rung after this one. Not for [`Rung::Attach`], which goes on where its turn says.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Interrupt | Self::Attach => Self::Tasks,
            Self::Tasks => Self::Threads,
            Self::Threads => Self::AtExit,
            Self::AtExit => Self::Flush,
            Self::Flush => Self::Gate,
            Self::Gate | Self::Reply => Self::Reply,
        }
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a rung ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its work was done.
    Done,
    /// Its own time had passed.
    Over,
    /// The whole time had passed before its own had.
    CutShort,
    /// It had not ended when the record was written.
    Unfinished,
}

/// One rung as carried out by one attempt at the teardown.
///
/// The machine hands it to whoever carries it out, that one answers with it, and the timers carry it. Who is stuck is
/// left behind: the next attempt, a fresh helper thread, goes on behind the rung that it is stuck in, and nothing that
/// the one before says or asks counts any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Turn {
    /// The rung.
    pub rung: Rung,
    /// Who carries out Python's rungs: 0 is the main thread, n the nth helper thread.
    pub attempt: u8,
    /// The first of Python's rungs that is this attempt's; those before it are over.
    pub resume: Rung,
}

impl Turn {
    /// A rung while the teardown is the main thread's, or needs nobody in Python yet.
    pub fn main(rung: Rung) -> Self {
        Self {
            rung,
            attempt: 0,
            resume: Rung::Tasks,
        }
    }

    /// The same attempt on another rung.
    pub fn at(self, rung: Rung) -> Self {
        Self { rung, ..self }
    }

    /// The next attempt's first turn: to attach, and to go on at `resume`.
    pub(super) fn taken_over(self, resume: Rung) -> Self {
        Self {
            rung: Rung::Attach,
            attempt: self.attempt.saturating_add(1),
            resume,
        }
    }
}
