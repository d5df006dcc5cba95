//! The locks, which a model checker can replace.

#[cfg(not(all(test, shuttle)))]
pub(super) use {
    alloc::sync::Arc,
    std::sync::{Condvar, Mutex, MutexGuard},
};

#[cfg(all(test, shuttle))]
pub(super) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard};
