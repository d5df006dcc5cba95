//! Why an opening handshake failed, and what a server answers.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::client::Rejection;
use super::server::Response;

/// Why an opening handshake failed.
///
/// Every failure that a server can meet has a ready HTTP answer, [`response`](Self::response).
/// After any of them the connection is unusable: write the answer, where there is one, and close.
///
/// ```
/// use fullduplex::handshake::HandshakeError;
///
/// let answer = HandshakeError::UnsupportedVersion.response().ok_or("no answer")?;
/// assert_eq!(answer.status(), 426);
/// assert_eq!(answer.headers().text("Sec-WebSocket-Version"), Some("13"));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The head is not HTTP/1.1 (RFC 9112, sections 2 to 5).
    #[error("malformed HTTP head")]
    Malformed(#[from] Syntax),
    /// The head is longer than `Limits::max_head`.
    #[error("head larger than the limit")]
    HeadTooLarge,
    /// The head has more header lines than `Limits::max_headers`.
    #[error("more header lines than the limit")]
    TooManyHeaders,
    /// The handshake was not finished before its deadline.
    #[error("handshake not finished in time")]
    TimedOut,
    /// The peer closed its side before the handshake was finished.
    #[error("connection closed during the handshake")]
    ConnectionClosed,
    /// A header without which there is no handshake is missing (RFC 6455, 4.2.1, and RFC 9112,
    /// 3.2).
    #[error("header {0} is missing")]
    MissingHeader(&'static str),
    /// A header that may come once came more often (RFC 6455, 11.3, and RFC 9112, 3.2).
    #[error("header {0} is repeated")]
    RepeatedHeader(&'static str),
    /// The value of a header is not what its grammar or its meaning allows (RFC 6455, 4.1 to 4.3).
    #[error("header {0} has an invalid value")]
    InvalidHeader(&'static str),
    /// The version is not HTTP/1.1 (RFC 6455, 4.2.1, item 1).
    #[error("not HTTP/1.1")]
    HttpVersion,

    /// The handshake is not a GET request (RFC 6455, 4.2.1, item 1).
    #[error("method is not GET")]
    MethodNotAllowed,
    /// The request target is neither a path nor an http or https URI (RFC 6455, 4.2.1, item 1).
    #[error("invalid request target")]
    InvalidTarget,
    /// The handshake request announces a body, which would be read as frames by one side and as
    /// HTTP by another.
    #[error("request has a body")]
    UnexpectedBody,
    /// Bytes came behind the request before it was answered (RFC 6455, 4.1: the client waits).
    #[error("data before the answer to the handshake")]
    EarlyData,
    /// The request has WebSocket headers but does not ask for the upgrade (RFC 6455, 4.2.1, item
    /// 3). Mostly a proxy between the two has removed hop-by-hop headers.
    #[error("header Upgrade does not ask for websocket")]
    UpgradeRequired,
    /// The client wants something else than a WebSocket by extended CONNECT (RFC 9220, 3). A server
    /// that knows other protocols looks at `:protocol` before it asks this crate.
    #[error("unknown :protocol")]
    UnknownProtocol,
    /// The client speaks another version of the protocol (RFC 6455, 4.2.2, item 4, and 4.4).
    #[error("unsupported WebSocket version")]
    UnsupportedVersion,
    /// The origin policy refuses the page that opened the connection (RFC 6455, 10.2).
    #[error("origin not allowed")]
    OriginNotAllowed,

    /// The server answered with another status than that of its consent: 101 (RFC 6455, 4.1, item 1
    /// of the response), or 2xx in HTTP/2 and HTTP/3 (RFC 8441, 5).
    #[error("server answered with status {}", .0.status)]
    Rejected(Box<Rejection>),
    /// The server sent too many interim (1xx) responses.
    #[error("too many interim responses")]
    TooManyInterimResponses,
    /// The server agreed before it had been sent the whole request.
    #[error("response before the end of the request")]
    EarlyResponse,
    /// `Sec-WebSocket-Accept` does not prove that the server has read this request (RFC 6455,
    /// 4.1, item 4 of the response).
    #[error("wrong Sec-WebSocket-Accept")]
    WrongAccept,
    /// The server uses an extension, or one of its parameters, that was not offered (RFC 6455,
    /// 4.1, item 5 of the response, and 9.1).
    #[error("extension was not offered")]
    ExtensionNotOffered,
    /// The server's answer to the offer of permessage-deflate is not one that it may give (RFC
    /// 7692, sections 5 and 7).
    #[cfg(feature = "deflate")]
    #[error(transparent)]
    Deflate(#[from] crate::deflate::NegotiationError),
    /// The server chose a subprotocol that was not offered (RFC 6455, 4.1, item 6 of the
    /// response).
    #[error("subprotocol was not offered")]
    SubprotocolNotOffered,
    /// The server chose no subprotocol although the request was built to demand one.
    #[error("no subprotocol was chosen")]
    SubprotocolMissing,
}

/// Where a head leaves the grammar of HTTP/1.1.
///
/// ```
/// use core::error::Error;
/// use fullduplex::handshake::{HandshakeError, Syntax};
///
/// let error = HandshakeError::Malformed(Syntax::BareLineFeed);
/// let source = error.source().ok_or("no source")?;
/// assert_eq!(source.to_string(), "line feed without carriage return");
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Syntax {
    /// A line does not end with CR LF.
    #[error("line feed without carriage return")]
    BareLineFeed,
    /// White space stands at the start of a line (RFC 9112, 2.2 and 5.2).
    #[error("white space at the start of a line")]
    Folding,
    /// The request line or status line is malformed.
    #[error("malformed start line")]
    StartLine,
    /// The name of a header is not a token, or not followed by a colon.
    #[error("malformed header name")]
    HeaderName,
    /// The value of a header holds a control character.
    #[error("malformed header value")]
    HeaderValue,
}

impl HandshakeError {
    /// The answer that a server owes for this failure; none for what only a client can meet or
    /// when nobody is left to read it.
    pub fn response(&self) -> Option<Response> {
        let status = match self {
            Self::Malformed(_)
            | Self::MissingHeader(_)
            | Self::RepeatedHeader(_)
            | Self::InvalidHeader(_)
            | Self::InvalidTarget
            | Self::UnexpectedBody
            | Self::EarlyData => 400,
            Self::OriginNotAllowed => 403,
            Self::MethodNotAllowed => 405,
            Self::TimedOut => 408,
            Self::UpgradeRequired | Self::UnsupportedVersion => 426,
            Self::HeadTooLarge | Self::TooManyHeaders => 431,
            Self::UnknownProtocol => 501,
            Self::HttpVersion => 505,
            Self::ConnectionClosed
            | Self::Rejected(_)
            | Self::TooManyInterimResponses
            | Self::EarlyResponse
            | Self::WrongAccept
            | Self::ExtensionNotOffered
            | Self::SubprotocolNotOffered
            | Self::SubprotocolMissing => return None,
            #[cfg(feature = "deflate")]
            Self::Deflate(_) => return None,
        };
        Some(Response::refusal(status, &self.to_string()))
    }
}

impl HandshakeError {
    /// Takes the parser's error over kind by kind, which keeps the parser out of the public API.
    pub(super) const fn from_parser(error: httparse::Error) -> Self {
        match error {
            httparse::Error::Version => Self::HttpVersion,
            httparse::Error::TooManyHeaders => Self::TooManyHeaders,
            httparse::Error::HeaderName => Self::Malformed(Syntax::HeaderName),
            httparse::Error::HeaderValue => Self::Malformed(Syntax::HeaderValue),
            httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => {
                Self::Malformed(Syntax::StartLine)
            }
        }
    }
}
