//! WebSockets (RFC 6455).
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "std")]
pub mod blocking;
pub mod connection;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "std")]
mod driver;
pub mod frame;
pub mod handshake;
mod message;
pub mod utf8;

pub use connection::{
    Config, Connection, Delivery, Event, Inbox, Initiator, Keepalive, Limits, MaskKeys, Outcome,
    ReceiveError, Role, SendError, State, Timeouts, Unsent,
};
pub use frame::{CloseCode, CloseFrame};
pub use message::{Message, MessageKind, Utf8Bytes};
