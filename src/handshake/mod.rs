//! The opening handshake (RFC 6455, sections 3, 4, 9 to 11): from bytes to a
//! [`Connection`](crate::Connection), for both roles.
//!
//! Nothing here reads, writes, waits or draws random numbers. Bytes come in through an
//! [`Inbox`](crate::Inbox), bytes to be sent are handed out, time is an argument. A handshake is
//! driven by value: [`advance`](server::Handshake::advance) takes it and gives back either the
//! handshake itself, when more bytes are needed, or what came of it. An error ends it: a server
//! writes the answer that [`HandshakeError::response`] has ready, and both sides close.
//!
//! ```text
//!  server   Handshake --advance--> Upgrade ----accept--> Connection  (the 101 is its first output)
//!                        |            +--------reject--> bytes, then close
//!                        +-------> HttpRequest -respond-> bytes, then close
//!
//!  client   Request -> Handshake --advance--> Established { connection, .. }
//!                                    +------> HandshakeError::Rejected, with head and body
//! ```
//!
//! Bytes behind the head stay in the inbox, where the connection finds them. HTTP/1.1 ends in the
//! scanner and parser of heads; what makes a request or a response a handshake is decided on
//! header lists ([`Headers`]), wherever they come from: [`HttpRequest`](server::HttpRequest) with
//! [`Upgrade::answer`](server::Upgrade::answer) and [`Exchange`](client::Exchange) are for heads
//! that another HTTP implementation reads and writes, in HTTP/1.1, HTTP/2 (RFC 8441) and HTTP/3
//! (RFC 9220).
//!
//! # A handshake in memory
//!
//! ```
//! use bytes::Buf;
//! use fullduplex::handshake::{OriginPolicy, Step, client, server};
//! use fullduplex::{Config, Inbox, MaskKeys};
//!
//! fn pass(bytes: &mut impl Buf, inbox: &mut Inbox) {
//!     let n = bytes.remaining();
//!     bytes.copy_to_slice(&mut inbox.spare(n)[..n]);
//!     inbox.received(n);
//! }
//!
//! let (mut to_server, mut to_client) = (Inbox::new(), Inbox::new());
//!
//! let request = client::Request::new("ws://example.com/chat")?.subprotocol("chat")?;
//! let mut client =
//!     client::Handshake::new(request, Config::default(), MaskKeys::seeded([7; 32]));
//! pass(client.outgoing(), &mut to_server);
//!
//! let server = server::Handshake::new(server::Options::new(OriginPolicy::same_origin()));
//! let Step::Done(server::Incoming::Upgrade(upgrade)) = server.advance(&mut to_server)? else {
//!     return Err("not a whole handshake request".into());
//! };
//! assert_eq!(upgrade.request().path(), "/chat");
//! let chosen = upgrade.select_subprotocol(&["superchat", "chat"]);
//! let mut server = upgrade.accept(server::Acceptance::new().subprotocol(chosen))?;
//! pass(server.outgoing(), &mut to_client);
//!
//! let Step::Done(established) = client.advance(&mut to_client)? else {
//!     return Err("not a whole response".into());
//! };
//! assert_eq!(established.subprotocol.as_deref(), Some("chat"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
pub mod server;

mod build;
mod carrier;
mod deadline;
mod error;
pub mod extension;
mod extensions;
mod fields;
mod grammar;
mod head;
mod headers;
mod key;
mod negotiate;
mod origin;
mod url;

pub use build::BuildError;
pub use error::{HandshakeError, Syntax};
pub(crate) use extensions::Extensions;
pub use headers::Headers;
pub use origin::{InvalidOrigin, OriginPolicy};
pub use url::{Url, UrlError};

/// What came of advancing a handshake.
///
/// ```
/// use fullduplex::handshake::{OriginPolicy, Step, server};
/// use fullduplex::Inbox;
///
/// let handshake = server::Handshake::new(server::Options::new(OriginPolicy::any()));
/// let step = handshake.advance(&mut Inbox::new())?;
/// assert!(matches!(step, Step::Continue(_)), "nothing has been received");
/// # Ok::<(), fullduplex::handshake::HandshakeError>(())
/// ```
#[derive(Debug)]
#[must_use = "the step holds the handshake or its result"]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is no third way: not finished or finished"
)]
pub enum Step<S, D> {
    /// Not finished: call again when more bytes have come.
    Continue(S),
    /// Finished.
    Done(D),
}
