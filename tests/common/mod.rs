//! What the test crates share.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

#[cfg(any(feature = "tokio", feature = "futures"))]
pub mod adapters;
#[cfg(any(feature = "tokio", feature = "futures"))]
pub mod executor;
pub mod feed;
pub mod handshake;
#[cfg(any(feature = "tokio", feature = "futures"))]
pub mod hostile;
pub mod net;
pub mod pair;
pub mod programs;
pub mod proxy;
pub mod script;
#[cfg(feature = "std")]
pub mod split;
pub mod tls;
