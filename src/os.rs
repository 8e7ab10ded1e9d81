//! What the system offers beyond the standard library: the one room that may name what only Linux, or only some systems,
//! have.
//!
//! Plain functions, called from every room above; it knows none of them. `unsafe` is allowed here, around single calls, and
//! elsewhere in this crate only in [`crate::launch`], which loads Python, and in the handler of SIGTERM
//! ([`crate::lifecycle::watchdog`]). What a system lacks is answered as such (`None`, an error), or made of what every system has;
//! where there is no such way the build ends with a sentence.

pub mod children;
pub mod copy;
pub mod descriptor;
pub mod file;
pub mod folders;
pub mod peer;
pub mod process;
mod region;
pub mod signal;
pub mod socket;
pub mod usage;
pub mod wake;

pub use region::{Region, copy_of, prefer_large_pages};
pub use wake::Wake;
