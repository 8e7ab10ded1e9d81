//! The life cycle of a kernel: Starting → Running → Draining → Exiting, with one owner.
//!
//! A pure state machine ([`machine`]) decides, the io loop performs what it says, the [`Watchdog`] sees to
//! it that the process ends whatever happens to either, and [`record`] keeps what a forced end left
//! behind. Nothing here knows Python, the wire or the sockets, and nothing here waits for a thread that
//! may be in Python.

pub mod budget;
pub mod contract;
mod descent;
pub mod ladder;
pub mod machine;
pub mod record;
pub mod recorder;
mod step;
mod switch;
mod sync;
#[cfg(test)]
mod tests;
pub mod watchdog;

pub use budget::Budgets;
pub use ladder::{Rung, Turn};
pub use machine::{
    Action, Asker, Draining, Event, Lifecycle, MAIN, Phase, Place, Refusal, RequestId, RequestKind, Shell,
    Trigger,
};
pub use record::ExitRecord;
pub use recorder::Recorder;
pub use switch::Switch;
pub use watchdog::Watchdog;
