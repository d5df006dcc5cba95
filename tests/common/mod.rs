//! What the test crates share.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

pub mod feed;
pub mod handshake;
pub mod net;
pub mod pair;
pub mod programs;
pub mod script;
