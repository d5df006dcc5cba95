//! What an application may put into a request or a response. Everything is checked when it is
//! supplied, so that nothing that leaves the crate can be read as more than was meant.

use super::grammar::{is_sendable_value, is_token};
use super::headers::Headers;
use super::url::UrlError;

/// Why something cannot be sent in a request or a response.
///
/// ```
/// use fullduplex::handshake::{BuildError, client::Request};
///
/// let request = Request::new("ws://example.com/")?;
/// assert_eq!(request.clone().header("X", "a\nb").err(), Some(BuildError::HeaderValue));
/// assert_eq!(request.header("Host", "a").err(), Some(BuildError::ManagedHeader));
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not one of a WebSocket (RFC 6455, 3).
    #[error("invalid URL")]
    Url(#[from] UrlError),
    /// The value for `Host` is not a host with or without a port (RFC 9112, 3.2).
    #[error("invalid host")]
    Host,
    /// The name of a header is not a token (RFC 9110, 5.1).
    #[error("invalid header name")]
    HeaderName,
    /// The value of a header holds something else than visible ASCII with spaces and tabs inside.
    #[error("invalid header value")]
    HeaderValue,
    /// The header is set by the handshake itself.
    #[error("header is set by the handshake")]
    ManagedHeader,
    /// A subprotocol is not a token (RFC 6455, 4.1, item 10).
    #[error("invalid subprotocol name")]
    Subprotocol,
    /// A subprotocol is offered twice (RFC 6455, 4.1, item 10).
    #[error("subprotocol offered twice")]
    RepeatedSubprotocol,
    /// The subprotocol to be accepted is none that the client offered (RFC 6455, 4.2.2, item 5).
    #[error("subprotocol was not offered")]
    SubprotocolNotOffered,
    /// The request came by HTTP/2 or HTTP/3, where the consent to it is no bytes.
    #[error("request came by a version of HTTP that is not written as text")]
    NotHttp1,
    /// There is more in a request or a response than the types of the `http` crate can hold: a URI
    /// of 64 KiB, tens of thousands of headers.
    #[error("more than a request or response can hold")]
    TooLarge,
    /// The value for `Origin` is empty or holds something else than visible ASCII.
    #[error("invalid origin")]
    Origin,
    /// The status of a response is not from 200 to 599.
    #[error("invalid status code")]
    Status,
}

/// Headers that decide how a message is framed or what becomes of the connection.
const FRAMING: [&str; 3] = ["Connection", "Content-Length", "Transfer-Encoding"];

/// Whether the handshake writes this header, or leaves it out on purpose, in requests and in
/// responses that accept.
pub(super) fn is_managed(name: &str) -> bool {
    const PREFIX: &str = "Sec-WebSocket-";
    let own = ["Host", "Origin", "Upgrade"];
    name.get(..PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
        || own.iter().any(|own| name.eq_ignore_ascii_case(own))
        || is_framing(name)
}

pub(super) fn is_framing(name: &str) -> bool {
    FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}

/// Appends a header after checking its name and its value.
pub(super) fn append(
    headers: &mut Headers,
    name: &str,
    value: &str,
    is_managed: impl Fn(&str) -> bool,
) -> Result<(), BuildError> {
    if !is_token(name.as_bytes()) {
        return Err(BuildError::HeaderName);
    }
    if is_managed(name) {
        return Err(BuildError::ManagedHeader);
    }
    if !is_sendable_value(value.as_bytes()) {
        return Err(BuildError::HeaderValue);
    }
    headers.append(name, value);
    Ok(())
}
