//! WebSockets over blocking streams: anything that is [`Read`](std::io::Read) +
//! [`Write`](std::io::Write).
//!
//! A server gets a [`WebSocket`] from [`accept()`], or from [`receive`] if it wants to look at the
//! request first or to serve pages on the same port. A client gets one from [`connect()`]. Over TCP,
//! and TLS as a client opens it, the deadlines of [`Timeouts`](crate::Timeouts) are kept; over other
//! streams they are looked at whenever a call returns, so give those read and write timeouts of their own.
//!
//! Streams may block, have timeouts, or not block at all: what cannot be done now is
//! [`Error::WouldBlock`] and leaves everything as it was.
//!
//! ```
//! use fullduplex::blocking::{self, WebSocket};
//! use fullduplex::handshake::OriginPolicy;
//! use fullduplex::handshake::server::Options;
//! use fullduplex::{CloseCode, Message};
//!
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let url = format!("ws://{}/", listener.local_addr()?);
//! let server = std::thread::spawn(move || -> Result<(), blocking::Error> {
//!     let (stream, _) = listener.accept()?;
//!     let mut socket = blocking::accept_tcp(stream, &Options::new(OriginPolicy::any()))?;
//!     while let Some(message) = socket.recv()? {
//!         socket.send(message)?;
//!     }
//!     Ok(())
//! });
//!
//! let mut socket = blocking::connect(&url)?;
//! socket.send("hello")?;
//! assert_eq!(socket.recv()?, Some(Message::text("hello")));
//! let outcome = socket.close(CloseCode::NORMAL, "done")?;
//! assert!(outcome.clean);
//! server.join().unwrap()?;
//! # Ok::<(), blocking::Error>(())
//! ```
//!
//! # Full duplex
//!
//! A [`WebSocket`] belongs to one thread, which waits for messages or sends some.
//! [`split`](WebSocket::split) makes three roles of it, for as many threads:
//!
//!  - The [`Reader`] waits for messages, and never writes.
//!  - [`Sender`]s, which can be cloned, queue messages. They wait only while the queue is full.
//!  - The [`Writer`] writes, watches the deadlines, and ends the connection.
//!
//! Pings are answered while the application only reads and while it only sends, and two ends that
//! flood each other do not wait for each other: whatever has to be written, the Reader goes on
//! reading. Closing works from any thread, by [`Sender::close`], and all roles come to their end when
//! the connection does. It works over TCP, with the feature `rustls` over TLS, and over any two
//! halves of a transport by [`split_over`].
//!
//! ```
//! use fullduplex::CloseCode;
//! use fullduplex::blocking;
//! # use fullduplex::handshake::{OriginPolicy, server::Options};
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let url = format!("ws://{}/", listener.local_addr()?);
//! # let server = std::thread::spawn(move || -> Result<(), blocking::Error> {
//! #     let (stream, _) = listener.accept()?;
//! #     let mut socket = blocking::accept_tcp(stream, &Options::new(OriginPolicy::any()))?;
//! #     while let Some(message) = socket.recv()? {
//! #         socket.send(message)?;
//! #     }
//! #     Ok(())
//! # });
//! use std::thread;
//!
//! let (mut reader, sender, writer) = blocking::connect(&url)?.split()?;
//! let writing = thread::spawn(|| writer.run());
//! let sending = thread::spawn(move || -> Result<(), blocking::Error> {
//!     for number in 0..1000 {
//!         sender.send(format!("message {number}"))?;
//!     }
//!     sender.close(CloseCode::NORMAL, "that was all")
//! });
//! let mut received = 0;
//! while let Some(message) = reader.recv()? {
//!     assert_eq!(message.as_text(), Some(&*format!("message {received}")));
//!     received += 1;
//! }
//! sending.join().unwrap()?;
//! assert!(writing.join().unwrap().clean);
//! # server.join().unwrap()?;
//! # Ok::<(), blocking::Error>(())
//! ```

mod accept;
mod connect;
mod maybe_tls;
mod split;
mod stream;
#[cfg(all(test, feature = "rustls", not(any(shuttle, fullduplex_model))))]
mod tests;
#[cfg(feature = "rustls")]
mod tls;
mod websocket;

pub use crate::error::Error;
pub use accept::{Accepting, Incoming, Pending, accept, accept_tcp, receive, receive_tcp};
pub use connect::{Connected, Connecting, connect, connect_over, connect_to, connect_with};
pub use maybe_tls::MaybeTls;
pub use split::{ReadHalf, Reader, Sender, WriteHalf, Writer, split_over};
pub use websocket::WebSocket;
