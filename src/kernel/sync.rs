//! The primitives that [`super::gate`] and [`super::mailbox`] stand on, named in one place so that the model
//! checker's tests can put their own in the way. Nothing else belongs here.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
