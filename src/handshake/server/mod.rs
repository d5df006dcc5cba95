//! The server's side of the opening handshake (RFC 6455, 4.2).
//!
//! The request is read and judged here; whether to accept it is the application's decision, for
//! which it has the whole request and all the time it wants. What the crate does not decide:
//! authentication, which paths exist, how many clients there may be.

mod request;
mod response;
mod upgrade;

use core::time::Duration;

pub use request::HttpRequest;
pub use response::Response;
pub use upgrade::{Acceptance, Answer, Upgrade};

use super::deadline::Deadline;
use super::head::{Kind, Scanner};
use super::{HandshakeError, OriginPolicy, Step};
use crate::connection::{Config, Inbox};

/// How a server does its handshakes. One value serves all connections; it is cheap to clone.
///
/// ```
/// use core::time::Duration;
/// use fullduplex::handshake::{OriginPolicy, server};
///
/// let origins = OriginPolicy::allow(["https://example.com"])?;
/// let mut config = fullduplex::Config::default();
/// config.timeouts.handshake = Some(Duration::from_secs(3));
/// let options = server::Options::new(origins).config(config);
/// let mut handshake = server::Handshake::new(options);
/// handshake.handle_timeout(Duration::ZERO)?;
/// assert_eq!(handshake.poll_timeout(), Some(Duration::from_secs(3)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    origins: OriginPolicy,
    config: Config,
    early_data: EarlyData,
}

/// What becomes of bytes that arrive together with the request, before it is answered.
///
/// A client has to wait for the answer (RFC 6455, 4.1). Bytes that come before it may be an attempt
/// to have an intermediary see a second request where the server sees frames.
///
/// ```
/// use fullduplex::handshake::{OriginPolicy, server};
///
/// assert_eq!(server::EarlyData::default(), server::EarlyData::Refuse);
/// let options = server::Options::new(OriginPolicy::any());
/// let options = options.early_data(server::EarlyData::Accept);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum EarlyData {
    /// The handshake fails.
    #[default]
    Refuse,
    /// They are the client's first frames.
    Accept,
}

impl Options {
    /// Options with this policy about the origins of web pages, which has to be chosen, and for
    /// the rest the defaults: [`Config::default`], early data refused.
    pub fn new(origins: OriginPolicy) -> Self {
        Self {
            origins,
            config: Config::default(),
            early_data: EarlyData::default(),
        }
    }

    /// Sets the configuration of the connections, which includes the limits and the deadline of
    /// the handshake.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets what becomes of bytes that come before the answer.
    #[must_use]
    pub const fn early_data(mut self, early_data: EarlyData) -> Self {
        self.early_data = early_data;
        self
    }
}

/// Awaits the request of a client.
///
/// Read into the inbox and call [`advance`](Self::advance) until it is [`Step::Done`] or fails.
/// Before each wait ask [`poll_timeout`](Self::poll_timeout) for how long; when that moment has
/// come call [`handle_timeout`](Self::handle_timeout). At the end of the stream call
/// [`received_eof`](Self::received_eof) and then `advance` once more.
///
/// ```
/// use fullduplex::Inbox;
/// use fullduplex::handshake::{OriginPolicy, Step, server};
///
/// let mut inbox = Inbox::new();
/// let head = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
/// inbox.spare(head.len())[..head.len()].copy_from_slice(head);
/// inbox.received(head.len());
///
/// let handshake = server::Handshake::new(server::Options::new(OriginPolicy::same_origin()));
/// match handshake.advance(&mut inbox)? {
///     Step::Done(server::Incoming::Http(request)) => assert_eq!(request.path(), "/"),
///     step => panic!("{step:?}"),
/// }
/// # Ok::<(), fullduplex::handshake::HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    options: Options,
    scanner: Scanner,
    deadline: Deadline,
    at_eof: bool,
}

/// What a client asks for.
///
/// ```
/// use fullduplex::handshake::server::{HttpRequest, Incoming, Options, Upgrade};
/// use fullduplex::handshake::OriginPolicy;
///
/// let headers = [("Host", "example.com")].into_iter().collect();
/// let request = HttpRequest::new("GET", "/index.html", headers);
/// let incoming = Upgrade::negotiate(request, Options::new(OriginPolicy::any()))?;
/// assert!(matches!(incoming, Incoming::Http(page) if page.path() == "/index.html"));
/// # Ok::<(), fullduplex::handshake::HandshakeError>(())
/// ```
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a request asks for a WebSocket or it does not"
)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub enum Incoming {
    /// A WebSocket.
    Upgrade(Upgrade),
    /// Something else, to be answered with [`HttpRequest::respond`]. Its body, if it has one, is
    /// still in the inbox or on its way.
    Http(HttpRequest),
}

impl Handshake {
    /// Awaits a request.
    pub fn new(options: Options) -> Self {
        Self {
            scanner: Scanner::new(Kind::Request),
            deadline: Deadline::new(options.config.timeouts.handshake),
            options,
            at_eof: false,
        }
    }

    /// Goes as far as the bytes in the inbox allow. Bytes behind the request stay there.
    ///
    /// # Errors
    ///
    /// The request is no HTTP, exceeds a limit, or asks for a WebSocket in a way that has to be
    /// refused. Write [`HandshakeError::response`] and close the connection.
    pub fn advance(mut self, inbox: &mut Inbox) -> Result<Step<Self, Incoming>, HandshakeError> {
        let unread = inbox.unread();
        let Some(head) = self.scanner.advance(unread, &self.options.config.limits)? else {
            if self.at_eof {
                return Err(HandshakeError::ConnectionClosed);
            }
            return Ok(Step::Continue(self));
        };
        let request = HttpRequest::from_head(head.parse_request(unread)?);
        inbox.consume(head.end);
        let early_data = self.options.early_data;
        let incoming = Upgrade::negotiate(request, self.options)?;
        if matches!(incoming, Incoming::Upgrade(_))
            && early_data == EarlyData::Refuse
            && !inbox.unread().is_empty()
        {
            return Err(HandshakeError::EarlyData);
        }
        Ok(Step::Done(incoming))
    }

    /// How many bytes were looked at to find the end of the head, each as often as it was.
    #[cfg(fuzzing)]
    pub const fn work(&self) -> usize {
        self.scanner.work
    }

    /// Reports that the client has closed its side. After that `advance` does not ask for more.
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
    /// [`HandshakeError::TimedOut`] when the deadline has passed.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), HandshakeError> {
        self.deadline.handle_timeout(now)
    }
}
