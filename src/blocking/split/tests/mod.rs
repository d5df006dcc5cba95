//! What only the inside can do: delays at every lock, and another kind of locks.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[cfg(not(shuttle))]
mod flood;
#[cfg(shuttle)]
mod model;

#[cfg(not(shuttle))]
pub(super) use flood::delay;

/// The model checker has its own way to stop threads.
#[cfg(shuttle)]
pub(super) fn delay() {}
