//! What the adapters add to the errors of the core.

use std::io;

use crate::connection::{ReceiveError, SendError, Unsent};
use crate::driver::Failure;
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
    /// A `wss` URL needs TLS, which this adapter does not bring: connect a TLS stream and use
    /// [`connect_over`](crate::blocking::connect_over).
    #[error("a wss URL needs a TLS stream")]
    Tls,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
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
