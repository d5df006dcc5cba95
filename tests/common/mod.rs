//! What the test crates share.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

#[cfg(feature = "std")]
pub mod example;
pub mod feed;
pub mod handshake;
pub mod net;
pub mod pair;
pub mod script;
#[cfg(feature = "std")]
pub mod split;
