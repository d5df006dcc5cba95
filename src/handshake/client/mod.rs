//! The client's side of the opening handshake (RFC 6455, 4.1).
//!
//! A [`Request`] says what to ask for, a [`Handshake`] sends it and judges the response. Before it
//! stands the way to the server, which the adapters go and a driver of one's own can: the addresses
//! of the host in [`attempt_order`], a [`Tunnel`] through a [`Proxy`], TLS for `wss` before the first
//! byte (with the host name announced and the certificate checked), and no two handshakes with the
//! same address under way at once (RFC 6455, 4.1). Behind it there may be a redirect, which comes
//! back as a refusal with its headers; [`Redirects`] makes the next request of it.

mod addresses;
mod answer;
mod body;
mod exchange;
mod proxy;
mod redirect;
mod request;
mod tunnel;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{Buf, Bytes};

pub use addresses::{ATTEMPT_DELAY, attempt_order};
pub use body::Rejection;
pub use exchange::Exchange;
pub use proxy::{InvalidProxy, Proxy};
pub use redirect::{RedirectError, Redirects};
pub use request::Request;
pub use tunnel::{ProxyError, SocksReply, Tunnel};

use self::answer::Answer;
use super::deadline::Deadline;
use super::head::ResponseHead;
use super::key;
use super::negotiate::{self, Expected};
use super::{HandshakeError, Headers, Step};
use crate::connection::{Config, Connection, Inbox, MaskKeys};

/// Sends a request and judges the response.
///
/// Write [`outgoing`](Self::outgoing), then read into the inbox and call
/// [`advance`](Self::advance) until it is [`Step::Done`] or fails. Before each wait ask
/// [`poll_timeout`](Self::poll_timeout) for how long; when that moment has come call
/// [`handle_timeout`](Self::handle_timeout). At the end of the stream call
/// [`received_eof`](Self::received_eof) and then `advance` once more.
///
/// ```
/// use bytes::Buf;
/// use fullduplex::handshake::client::{Handshake, Request};
/// use fullduplex::{Config, MaskKeys};
///
/// let request = Request::new("ws://example.com/chat")?;
/// let mut handshake = Handshake::new(request, Config::default(), MaskKeys::seeded([7; 32]));
/// let start = b"GET /chat HTTP/1.1\r\nHost: example.com\r\n";
/// assert!(handshake.outgoing().chunk().starts_with(start));
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
pub struct Handshake {
    outgoing: Bytes,
    expected: Expected,
    config: Config,
    keys: MaskKeys,
    deadline: Deadline,
    answer: Answer,
    at_eof: bool,
}

/// An open connection, and what the server said when it agreed.
///
/// ```
/// use fullduplex::handshake::client::Established;
///
/// fn summary(established: &Established) -> String {
///     let subprotocol = established.subprotocol.as_deref().unwrap_or("no subprotocol");
///     let server = established.headers.text("Server").unwrap_or("a server without a name");
///     format!("{subprotocol} with {server}")
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Established {
    /// The connection. Frames that came with the response are in the inbox.
    pub connection: Connection,
    /// The headers of the response.
    pub headers: Headers,
    /// The subprotocol that the server chose.
    pub subprotocol: Option<String>,
}

impl Handshake {
    /// Prepares the request, with a key of its own drawn from `keys`.
    pub fn new(request: Request, config: Config, mut keys: MaskKeys) -> Self {
        let key = key::draw_key(&mut keys);
        let outgoing = request.encode(&key, &config).into();
        let deadline = Deadline::new(config.timeouts.handshake);
        Self {
            outgoing,
            expected: request.expect(Some(&key)),
            config,
            keys,
            deadline,
            answer: Answer::new(),
            at_eof: false,
        }
    }

    /// The bytes still to be written: write any prefix and advance by its length. Nothing else
    /// may be sent before the handshake is done.
    pub const fn outgoing(&mut self) -> &mut (impl Buf + use<>) {
        &mut self.outgoing
    }

    /// Goes as far as the bytes in the inbox allow. Bytes behind the response stay there.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Rejected`] when the server answered with something else than its consent;
    /// others when its consent is not valid or no response came. Close the connection.
    pub fn advance(mut self, inbox: &mut Inbox) -> Result<Step<Self, Established>, HandshakeError> {
        let limits = &self.config.limits;
        let response = self.answer.advance(inbox, limits, |status| status == 101)?;
        if let Some(response) = response {
            return self.establish(response).map(Step::Done);
        }
        if self.at_eof {
            Err(self.answer.at_eof())
        } else {
            Ok(Step::Continue(self))
        }
    }

    /// Reports that the server has closed its side. After that `advance` does not ask for more.
    pub const fn received_eof(&mut self) {
        self.at_eof = true;
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called, as time since an epoch of
    /// the caller's choice; at once, as long as it has not been called.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadline.poll_timeout()
    }

    /// Tells the time. The first call starts the clock; the deadline does not move after that,
    /// however many bytes come.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::TimedOut`] when the deadline has passed, or
    /// [`HandshakeError::Rejected`] when only the end of a refusal's body was missing.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), HandshakeError> {
        self.deadline
            .handle_timeout(now)
            .map_err(|error| self.answer.cut_off(error))
    }

    fn establish(self, response: ResponseHead) -> Result<Established, HandshakeError> {
        let ResponseHead {
            minor_version,
            headers,
            ..
        } = response;
        if minor_version < 1 {
            return Err(HandshakeError::HttpVersion);
        }
        // A server that agrees before it has read the request cannot know what it agrees to, and
        // the rest of the request would be sent into its stream of frames.
        if self.outgoing.has_remaining() {
            return Err(HandshakeError::EarlyResponse);
        }
        open(headers, &self.expected, &self.config, self.keys)
    }
}

/// Without the request, whose headers may be credentials.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("outgoing", &self.outgoing.len())
            .field("answer", &self.answer)
            .field("deadline", &self.deadline)
            .field("at_eof", &self.at_eof)
            .finish_non_exhaustive()
    }
}

/// Opens the connection if the headers of the server's consent allow it.
fn open(
    headers: Headers,
    expected: &Expected,
    config: &Config,
    keys: MaskKeys,
) -> Result<Established, HandshakeError> {
    let (extensions, subprotocol) = negotiate::response(&headers, expected, config)?;
    Ok(Established {
        connection: Connection::open(Some(keys), config, &extensions, Vec::new()),
        headers,
        subprotocol,
    })
}
