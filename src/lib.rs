//! WebSockets (RFC 6455).
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "deflate")]
pub mod deflate;
pub mod handshake;
