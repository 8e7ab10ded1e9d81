//! The primitives that [`super::switch`] stands on, named in one place so that the model checker's
//! tests can put their own in the way. Nothing else belongs here.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
