//! What the tests share.

pub mod pair;
