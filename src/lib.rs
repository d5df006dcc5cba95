//! The protocol of RFC 6455.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

extern crate alloc;

mod connection;
pub mod handshake;

pub use connection::{Config, Connection, Inbox, Limits, MaskKeys};
