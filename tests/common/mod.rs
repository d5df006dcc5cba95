//! What the test crates share.

pub mod feed;
#[cfg(feature = "std")]
pub mod net;
pub mod pair;
pub mod script;
