//! The locks of what two tasks share: those of std, or those of loom where its model is run.

#[cfg(not(all(test, fullduplex_model)))]
pub(super) use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, fullduplex_model))]
pub(super) use loom::sync::{Mutex, MutexGuard};
