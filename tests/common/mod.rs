//! What the test crates share.

pub mod feed;
pub mod handshake;
pub mod pair;
