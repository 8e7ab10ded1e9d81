//! The rungs of the exit ladder and who climbs down them. Plain data for the machine, the budgets, the
//! io loop and the record of ends; it decides nothing.

use std::fmt;

/// A rung of the exit ladder, in the order of descent. Each ends when its work ends, or when its
/// budget ([`super::Budgets::of`]) has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rung {
    /// 1, io: interrupt what `main` runs, again and again; `input()` gets its end; a paused debugger
    /// is let go. Left out when `main` runs nothing. Ends by itself when the last such request has
    /// `Finished`.
    Interrupt,
    /// 2, `main`: cancel asyncio tasks and the trio guest, and pump them until they have ended. Begin:
    /// tell `main` to start its teardown, which goes on through the next rungs by itself.
    Tasks,
    /// 2b, a fresh helper thread: attach to Python because the one before is stuck. Begin: start the
    /// thread; its teardown begins with the rung that the next `Begin` names.
    Helper,
    /// The same where a teardown got stuck later on: Python answered a moment ago, so a fresh helper
    /// has to wait for the GIL no longer than it takes to change hands.
    Relief,
    /// 3, Python: executors finish, non-daemon threads are joined, children of the group are reaped.
    Threads,
    /// 4, Python: atexit callbacks; a stuck one is interrupted and the rest still run.
    AtExit,
    /// 5, Python: flush files, Python's streams, C's streams, and drain the pipes of fd 1 and 2.
    Flush,
    /// 6, first part, io: close the gate. `Done` when nobody is inside.
    Gate,
    /// 6, second part, io: the replies are out, the sockets are taking them.
    Reply,
}

impl Rung {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Interrupt,
        Self::Tasks,
        Self::Helper,
        Self::Relief,
        Self::Threads,
        Self::AtExit,
        Self::Flush,
        Self::Gate,
        Self::Reply,
    ];

    /// The name that `_drupe.rung_begin` and the record of ends use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Tasks => "tasks",
            Self::Helper => "helper",
            Self::Relief => "relief",
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

    /// Whether the rung is carried out in Python, by `main` or by a helper.
    pub fn in_python(self) -> bool {
        matches!(self, Self::Tasks | Self::Threads | Self::AtExit | Self::Flush)
    }

    /// Whether the rung attaches a fresh helper.
    pub fn attaches(self) -> bool {
        matches!(self, Self::Helper | Self::Relief)
    }

    /// The rung after this one. `Helper` and `Relief` do not know: they go on where they were told to.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Interrupt => Self::Tasks,
            Self::Tasks | Self::Helper | Self::Relief => Self::Threads,
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

/// One rung as carried out by one crew. Who is stuck is left behind: a fresh helper, the next crew, goes on
/// with the next rung, and what the old one reports later is not taken for the new one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leg {
    /// The rung.
    pub rung: Rung,
    /// Who does the Python rungs: 0 is `main`, n is the nth helper.
    pub crew: u8,
}

impl Leg {
    /// A rung done by `main`, or by the io loop before any helper was needed.
    pub fn main(rung: Rung) -> Self {
        Self { rung, crew: 0 }
    }
}
