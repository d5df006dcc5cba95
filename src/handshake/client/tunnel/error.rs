//! Why a proxy opened no tunnel.

use alloc::boxed::Box;

use crate::handshake::HandshakeError;
use crate::handshake::client::Rejection;

/// Why a proxy opened no tunnel.
///
/// ```
/// use fullduplex::handshake::client::{ProxyError, SocksReply};
///
/// let error = ProxyError::Socks(SocksReply::HostUnreachable);
/// assert_eq!(error.to_string(), "proxy found the host unreachable");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// An HTTP proxy answered with another status than 2xx (RFC 9110, 9.3.6). 407 asks for other
    /// credentials, and the header `Proxy-Authenticate` says of what kind.
    #[error("proxy answered with status {}", .0.status)]
    Refused(Box<Rejection>),
    /// The answer of an HTTP proxy is not HTTP/1, or larger than the limits.
    #[error("invalid answer of the proxy")]
    Http(#[source] HandshakeError),
    /// The answer does not start with the version of the protocol (RFC 1928, 3 and 6, and RFC 1929,
    /// 2): it is no SOCKS proxy of version 5.
    #[error("proxy does not speak SOCKS 5")]
    NotSocks5,
    /// A SOCKS proxy answered with a value that the protocol does not have (RFC 1928, 6), or chose a
    /// method of authentication that was not offered (RFC 1928, 3).
    #[error("malformed answer of the proxy")]
    Malformed,
    /// A SOCKS proxy takes none of the methods of authentication that were offered (RFC 1928, 3):
    /// mostly it wants user name and password, and has been told none.
    #[error("proxy takes no offered method of authentication")]
    NoAcceptableMethod,
    /// A SOCKS proxy refuses user name and password, with this status (RFC 1929, 2).
    #[error("proxy refuses user name or password")]
    CredentialsRefused(u8),
    /// A SOCKS proxy could not or would not connect to the server (RFC 1928, 6).
    #[error("proxy {0}")]
    Socks(SocksReply),
    /// The proxy answered before it had been asked, or sent bytes behind its answer although TLS
    /// begins with the client.
    #[error("data before the proxy's turn")]
    EarlyData,
    /// The tunnel was not open before the deadline.
    #[error("proxy did not answer in time")]
    TimedOut,
    /// The proxy closed its side before it had answered.
    #[error("proxy closed the connection")]
    ConnectionClosed,
}

/// Why a SOCKS proxy did not connect (RFC 1928, section 6).
///
/// ```
/// use fullduplex::handshake::client::SocksReply;
///
/// assert_eq!(SocksReply::Unassigned(9).to_string(), "failed for the unknown reason 0x09");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SocksReply {
    /// 0x01.
    #[error("failed")]
    GeneralFailure,
    /// 0x02: the proxy's rules do not allow it.
    #[error("does not allow the connection")]
    NotAllowed,
    /// 0x03.
    #[error("found the network unreachable")]
    NetworkUnreachable,
    /// 0x04, also for names that do not resolve.
    #[error("found the host unreachable")]
    HostUnreachable,
    /// 0x05.
    #[error("was refused by the server")]
    ConnectionRefused,
    /// 0x06.
    #[error("lost the connection to an expired TTL")]
    TtlExpired,
    /// 0x07.
    #[error("does not know CONNECT")]
    CommandNotSupported,
    /// 0x08.
    #[error("does not know this type of address")]
    AddressTypeNotSupported,
    /// Any other value.
    #[error("failed for the unknown reason {0:#04x}")]
    Unassigned(u8),
}

impl SocksReply {
    /// `None` for success.
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => return None,
            1 => Self::GeneralFailure,
            2 => Self::NotAllowed,
            3 => Self::NetworkUnreachable,
            4 => Self::HostUnreachable,
            5 => Self::ConnectionRefused,
            6 => Self::TtlExpired,
            7 => Self::CommandNotSupported,
            8 => Self::AddressTypeNotSupported,
            other => Self::Unassigned(other),
        })
    }
}

/// What reading the answer of an HTTP proxy can run into.
impl From<HandshakeError> for ProxyError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Rejected(rejection) => Self::Refused(rejection),
            HandshakeError::TimedOut => Self::TimedOut,
            HandshakeError::ConnectionClosed => Self::ConnectionClosed,
            other => Self::Http(other),
        }
    }
}
