//! Has a proxy open a tunnel to the server (RFC 6455, 4.1, item 3 of the connection).

mod error;
mod socks5;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, Bytes};

pub use error::{ProxyError, SocksReply};

use self::socks5::Socks5;
use super::answer::Answer;
use super::proxy::{Credentials, Kind, Proxy};
use crate::connection::{Inbox, Limits};
use crate::handshake::deadline::Deadline;
use crate::handshake::headers::write_field;
use crate::handshake::{Step, Url};

/// Asks a proxy for a tunnel, and reads its answer.
///
/// It is driven like a [`Handshake`](super::Handshake), over a connection to the proxy and before
/// TLS and the opening handshake: write [`outgoing`](Self::outgoing), read into the inbox, call
/// [`advance`](Self::advance), and begin again until it is [`Step::Done`] or fails; there may be
/// several rounds. The same inbox then belongs to the opening handshake.
///
/// ```
/// use bytes::Buf;
/// use fullduplex::handshake::client::{Proxy, Tunnel};
/// use fullduplex::handshake::{Step, Url};
/// use fullduplex::{Inbox, Limits};
///
/// let proxy: Proxy = "http://proxy.example:3128".parse()?;
/// let url: Url = "wss://example.com/chat".parse()?;
/// let mut tunnel = Tunnel::new(&proxy, &url, Limits::default(), None);
/// let request = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";
/// assert_eq!(tunnel.outgoing().chunk(), request);
/// tunnel.outgoing().advance(request.len());
///
/// let mut inbox = Inbox::from(&b"HTTP/1.1 200 Connection established\r\n\r\n"[..]);
/// assert!(matches!(tunnel.advance(&mut inbox)?, Step::Done(())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tunnel {
    outgoing: Bytes,
    exchange: Exchange,
    limits: Limits,
    deadline: Deadline,
    /// Whether TLS comes next.
    secure: bool,
    at_eof: bool,
}

enum Exchange {
    Http(Answer),
    Socks5(Socks5),
}

impl Tunnel {
    /// Prepares to ask `proxy` for a tunnel to the host and port of `url`. The head of an answer is
    /// bounded by `limits` as that of an opening handshake is, and so is the body of a refusal.
    pub fn new(proxy: &Proxy, url: &Url, limits: Limits, timeout: Option<Duration>) -> Self {
        let credentials = proxy.known_as();
        let (exchange, outgoing) = match proxy.kind() {
            Kind::Http => (Exchange::Http(Answer::new()), connect(url, credentials)),
            Kind::Socks5 => {
                let (socks5, greeting) = Socks5::new(url, credentials);
                (Exchange::Socks5(socks5), greeting)
            }
        };
        Self {
            outgoing: outgoing.into(),
            exchange,
            limits,
            deadline: Deadline::new(timeout),
            secure: url.is_secure(),
            at_eof: false,
        }
    }

    /// The bytes still to be written: write any prefix and advance by its length.
    pub const fn outgoing(&mut self) -> &mut (impl Buf + use<>) {
        &mut self.outgoing
    }

    /// Goes as far as the bytes in the inbox allow; after that there may be more to be written.
    ///
    /// Bytes behind the proxy's answer stay in the inbox, where the opening handshake finds them.
    /// Before TLS there can be none, since a server waits for the client there.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Refused`] or another one when there is no tunnel. Close the connection.
    pub fn advance(mut self, inbox: &mut Inbox) -> Result<Step<Self, ()>, ProxyError> {
        let done = match &mut self.exchange {
            Exchange::Http(answer) => answer
                .advance(inbox, &self.limits, |status| matches!(status, 200..=299))?
                .is_some(),
            Exchange::Socks5(socks5) => match socks5.advance(inbox, self.outgoing.is_empty())? {
                socks5::Progress::Wanting => false,
                socks5::Progress::Send(bytes) => {
                    self.outgoing = bytes.into();
                    false
                }
                socks5::Progress::Done => true,
            },
        };
        if done {
            let early = self.outgoing.has_remaining() || self.secure && !inbox.unread().is_empty();
            return if early {
                Err(ProxyError::EarlyData)
            } else {
                Ok(Step::Done(()))
            };
        }
        if self.at_eof {
            return Err(match &mut self.exchange {
                Exchange::Http(answer) => answer.at_eof().into(),
                Exchange::Socks5(_) => ProxyError::ConnectionClosed,
            });
        }
        Ok(Step::Continue(self))
    }

    /// Reports that the proxy has closed its side. After that `advance` does not ask for more.
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
    /// [`ProxyError::TimedOut`] when the deadline has passed, or [`ProxyError::Refused`] when only
    /// the end of a refusal's body was missing.
    pub fn handle_timeout(&mut self, now: Duration) -> Result<(), ProxyError> {
        match (self.deadline.handle_timeout(now), &mut self.exchange) {
            (Ok(()), _) => Ok(()),
            (Err(error), Exchange::Http(answer)) => Err(answer.cut_off(error).into()),
            (Err(error), Exchange::Socks5(_)) => Err(error.into()),
        }
    }
}

/// The request of RFC 9110, 9.3.6. Host and port come out of a [`Url`] and credentials leave in
/// base64, so that neither can end a line.
fn connect(url: &Url, credentials: Option<&Credentials>) -> Vec<u8> {
    let target = url.host_and_port();
    let mut out = Vec::with_capacity(256);
    for part in ["CONNECT ", &target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_field(&mut out, b"Host", target.as_bytes());
    if let Some(Credentials { user, password }) = credentials {
        let secret = STANDARD.encode([user, ":", password].concat());
        let value = ["Basic ", &secret].concat();
        write_field(&mut out, b"Proxy-Authorization", value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Without the bytes to be sent, which may hold a password.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match &self.exchange {
            Exchange::Http(_) => "http",
            Exchange::Socks5(_) => "socks5",
        };
        f.debug_struct("Tunnel")
            .field("protocol", &protocol)
            .field("deadline", &self.deadline)
            .field("at_eof", &self.at_eof)
            .finish_non_exhaustive()
    }
}
