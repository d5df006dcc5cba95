//! What the test crates share.

pub mod feed;
pub mod pair;
