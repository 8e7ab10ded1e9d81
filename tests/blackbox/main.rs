//! Black-box tests: the real binary, real sockets, one file for each family of features.
//!
//! `cargo test --test blackbox` runs them; `tests/client` says how they talk to the kernel and which environment
//! variables choose the interpreter or another kernel.

#[path = "../client/mod.rs"]
mod client;

mod abort;
mod comms;
mod connection_file;
mod contract;
mod display;
mod execute;
mod floods;
mod flush;
mod forks;
mod handshake;
mod hostile_frames;
mod hostile_log;
mod hostile_messages;
mod hostile_subscribers;
mod interrupt;
mod introspection;
mod kernel_info;
mod pythons;
mod queued;
mod shutdown;
mod stdin;
mod streams;
mod threads;
mod user_expressions;
