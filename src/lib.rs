//! WebSockets (RFC 6455) with permessage-deflate (RFC 7692), for any transport.
//!
//! A sans-IO core does the whole protocol: the opening handshake of both roles, frames, messages,
//! fragments, control frames, the closing handshake, compression, deadlines. It touches no socket,
//! no clock and no source of randomness; thin adapters bring those.
//!
//! # Over a blocking stream
//!
//! ```
//! use fullduplex::blocking;
//! use fullduplex::handshake::{OriginPolicy, server::Options};
//!
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let url = format!("ws://{}", listener.local_addr()?);
//! let server = std::thread::spawn(move || -> Result<(), blocking::Error> {
//!     let options = Options::new(OriginPolicy::same_origin());
//!     let mut socket = blocking::accept_tcp(listener.accept()?.0, &options)?;
//!     while let Some(message) = socket.recv()? {
//!         socket.send(message)?;
//!     }
//!     Ok(())
//! });
//!
//! let mut socket = blocking::connect(&url)?;
//! socket.send("hello")?;
//! assert_eq!(socket.recv()?.as_ref().and_then(|message| message.as_text()), Some("hello"));
//! let outcome = socket.close(fullduplex::CloseCode::NORMAL, "")?;
//! assert!(outcome.clean);
//! # server.join().unwrap()?;
//! # Ok::<(), blocking::Error>(())
//! ```
//!
//! # Over anything else
//!
//! ```
//! use bytes::Buf;
//! use fullduplex::{Config, Connection, Event, Inbox};
//!
//! let mut connection = Connection::server(&Config::default());
//! let mut inbox = Inbox::new();
//!
//! // 1. Whatever the transport has goes into the inbox.
//! let frame = b"\x81\x85\x00\x00\x00\x00hello";
//! inbox.spare(frame.len())[..frame.len()].copy_from_slice(frame);
//! inbox.received(frame.len());
//!
//! // 2. Events come out. They are lent from the inbox, so the connection is free to answer.
//! while let Some(event) = connection.poll_event(&mut inbox)? {
//!     if let Event::Text(text) = event {
//!         connection.send_text(&text)?;
//!     }
//! }
//!
//! // 3. Whatever is outgoing goes to the transport.
//! assert_eq!(connection.outgoing().chunk(), b"\x81\x05hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Connection`] has the rest of the loop: the end of the transport and deadlines. The module
//! [`handshake`] leads to a connection.
//!
//! # Layers
//!
//! ```text
//!   adapters    blocking            move bytes; know no opcode and no close code
//!      │        tokio, futures      two names for one async adapter: asynchronous
//!      │        http                connections that other HTTP implementations open
//!      │           └ driver         the loops that all adapters share
//!      ▼
//!   protocol    connection          receiver, sender, timers: one open connection
//!      │        handshake           client and server, on lists of headers
//!      │        deflate             negotiation and codec of RFC 7692
//!      ▼
//!   wire        frame, utf8         pure functions on bytes
//! ```
//!
//! Protocol and wire are `no_std` and need `alloc`.
//!
//! # Features
//!
//!  - `std` (default): the `blocking` adapter and `MaskKeys::thread`.
//!  - `deflate`: permessage-deflate, which a [`Config`] has to ask for. Implies `std`.
//!  - `tokio`: the module `tokio`, over its streams and timer, with `connect`. Implies `std`.
//!  - `futures`: the module `futures`, over the streams of any other runtime, with the timer of
//!    `futures-timer`. Implies `std`.
//!  - `rustls`: `wss` URLs with a rustls configuration that the application brings; no crypto
//!    provider, no roots. Implies `std`.
//!  - `tokio-rustls`: the same for `tokio::connect`. Implies `tokio` and `rustls`.
//!  - `platform-roots`, `bundled-roots`: the same with a default configuration, which uses ring and
//!    trusts what the platform trusts, or Mozilla's roots. With both it is the platform's.
//!  - `http`: the module `http`, for connections that another HTTP implementation opens. Implies
//!    `std`.
//!
//! # What is not in it
//!
//! Reconnecting, which is the application's, and TLS for servers: give `accept` a TLS stream.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate self as fullduplex; // what unit tests share with `tests`

#[cfg(any(feature = "tokio", feature = "futures"))]
pub mod asynchronous;
#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "std")]
mod connect;
pub mod connection;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "std")]
mod driver;
#[cfg(feature = "std")]
mod error;
pub mod frame;
#[cfg(feature = "futures")]
pub mod futures;
pub mod handshake;
#[cfg(feature = "http")]
pub mod http;
mod message;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod utf8;

#[cfg(feature = "std")]
pub use connect::ConnectOptions;
pub use connection::{
    Config, Connection, Delivery, Event, Inbox, Initiator, Keepalive, Limits, MaskKeys, Outcome,
    ReceiveError, Role, SendError, State, Timeouts, Unsent,
};
#[cfg(feature = "std")]
pub use error::{Error, TlsError};
pub use frame::{CloseCode, CloseFrame};
pub use message::{Message, MessageKind, Utf8Bytes};
#[cfg(feature = "rustls")]
pub use tls::Tls;

/// The code of the README is compiled with the tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
