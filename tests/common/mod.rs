//! What the test crates share.

pub mod feed;
pub mod pair;
pub mod script;
