//! What the test crates share.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

#[cfg(any(feature = "tokio", feature = "futures"))]
pub mod adapters;
pub mod executor;
pub mod feed;
pub mod handshake;
pub mod hostile;
pub mod net;
pub mod pair;
pub mod programs;
pub mod proxy;
#[cfg(feature = "std")]
pub mod sockets;
#[cfg(feature = "std")]
pub mod split;
pub mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
