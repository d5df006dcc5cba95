//! What the adapters add to the errors of the core.

use std::io;

use crate::connection::{ReceiveError, SendError, Unsent};
use crate::driver::Failure;
use crate::handshake::client::{ProxyError, RedirectError};
use crate::handshake::{BuildError, HandshakeError};

/// What can go wrong on a WebSocket over a stream.
///
/// ```
/// use fullduplex::Error;
///
/// let error = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
/// assert!(!error.is_would_block());
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing can be read or written now: the blocking adapter runs over a non-blocking stream, or
    /// a read timeout passed. Nothing is lost; call again.
    #[error("the stream would block")]
    WouldBlock,
    /// The peer broke a rule or went away; the connection has ended, and the peer has been told.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// The message or control frame cannot be sent; the connection goes on.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The message cannot be sent and is given back; the connection goes on.
    #[error(transparent)]
    Unsent(#[from] Unsent),
    /// The opening handshake failed. A server has sent the answer that it owes.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// What was asked for cannot be said in an opening handshake.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The proxy opened no tunnel to the server.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The server sent the client elsewhere, where it does not go.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// There is no TLS to the server, or none that can be trusted.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why there is no TLS to a server (RFC 6455, 4.1, item 5 of the connection).
///
/// ```
/// use fullduplex::TlsError;
///
/// assert_eq!(TlsError::NotConfigured.to_string(), "no TLS configuration for a wss URL");
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A `wss` URL needs a TLS configuration: hand one over in
    /// [`ConnectOptions`](crate::ConnectOptions), or switch a feature with roots on. Or connect a
    /// TLS stream by other means and open the WebSocket over that.
    #[error("no TLS configuration for a wss URL")]
    NotConfigured,
    /// The TLS handshake failed: the certificate is not for this host, has expired or was issued by
    /// nobody who is trusted, or the server does not speak TLS.
    #[cfg(feature = "rustls")]
    #[error("TLS handshake failed")]
    Handshake(#[from] rustls::Error),
    /// The server closed its side before the TLS handshake was done.
    #[cfg(feature = "rustls")]
    #[error("connection closed during the TLS handshake")]
    ConnectionClosed,
    /// The TLS handshake was not done before the deadline for connecting.
    #[cfg(feature = "rustls")]
    #[error("TLS handshake not done in time")]
    TimedOut,
}

#[cfg(feature = "tokio-rustls")]
impl TlsError {
    /// What an error of a stream that shakes hands is about.
    pub(crate) fn of_handshake(error: io::Error) -> Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(tls) => Self::Handshake(rustls::Error::clone(tls)).into(),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::ConnectionClosed.into(),
            None => error.into(),
        }
    }
}

impl Error {
    /// Whether this only says that nothing can be done now.
    pub fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Receive(error) => Self::Receive(error),
            Failure::Io(error) => Self::Io(error),
        }
    }
}
