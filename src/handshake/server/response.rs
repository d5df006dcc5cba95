//! HTTP responses of a server that does not open a WebSocket connection.

use alloc::string::ToString;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::handshake::Headers;
use crate::handshake::build::{self, BuildError};
use crate::handshake::headers::write_field;

/// An HTTP response other than the one that opens a WebSocket connection.
///
/// Its bytes always say `Connection: close`, because nothing behind the request may be read as
/// another one, and how long the body is.
///
/// ```
/// use fullduplex::handshake::server::Response;
///
/// let response = Response::new(401)?.header("WWW-Authenticate", "Bearer")?.body("who are you?");
/// assert_eq!(
///     response.to_bytes(),
///     "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nConnection: close\r\n\
///      Content-Length: 12\r\n\r\nwho are you?",
/// );
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Bytes,
}

/// Whether the body is part of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Written,
    /// Announced but left out, in the answer to a HEAD request (RFC 9110, 9.3.2).
    Announced,
}

impl Response {
    /// A response with this status and no body.
    ///
    /// # Errors
    ///
    /// [`BuildError::Status`] when the status is not from 200 to 599.
    pub fn new(status: u16) -> Result<Self, BuildError> {
        match status {
            200..=599 => Ok(Self::with_status(status)),
            _ => Err(BuildError::Status),
        }
    }

    /// 403: this client may not connect (RFC 6455, 4.2.2, item 1, and 10.2).
    pub fn forbidden() -> Self {
        Self::with_status(403)
    }

    /// 404: there is nothing at this path (RFC 6455, 4.2.2, item 3).
    pub fn not_found() -> Self {
        Self::with_status(404)
    }

    /// 426: there is nothing but a WebSocket at this path (RFC 9110, 15.5.22).
    pub fn upgrade_required() -> Self {
        Self::refusal(426, "this resource is a WebSocket")
    }

    /// Adds a header.
    ///
    /// # Errors
    ///
    /// Name or value cannot be sent in a header, or the header is one of `Connection`,
    /// `Content-Length` and `Transfer-Encoding`, which are written for every response.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
        build::append(&mut self.headers, name, value, build::is_framing)?;
        Ok(self)
    }

    /// Sets the body. Its type is told by a header.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The status code.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The headers, without those that are written for every response.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    pub const fn content(&self) -> &Bytes {
        &self.body
    }

    /// What `Connection` says in HTTP/1.1. The header Upgrade has to be named there (RFC 9110,
    /// 7.8).
    pub(crate) fn connection_options(&self) -> &'static str {
        match self.headers.get("Upgrade") {
            Some(_) => "close, Upgrade",
            None => "close",
        }
    }

    /// The response as it is sent.
    pub fn to_bytes(&self) -> Bytes {
        self.encode(Body::Written)
    }

    pub(super) fn encode(&self, body: Body) -> Bytes {
        let mut out = Vec::with_capacity(256 + self.body.len());
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        out.extend_from_slice(b"\r\n");
        self.headers.write_to(&mut out);
        write_field(
            &mut out,
            b"Connection",
            self.connection_options().as_bytes(),
        );
        // RFC 9110, 6.4.1 and 8.6: these two have no body, whatever is said about its length.
        let has_body = !matches!(self.status, 204 | 304);
        if has_body {
            write_field(
                &mut out,
                b"Content-Length",
                self.body.len().to_string().as_bytes(),
            );
        }
        out.extend_from_slice(b"\r\n");
        if has_body && body == Body::Written {
            out.extend_from_slice(&self.body);
        }
        out.into()
    }

    fn with_status(status: u16) -> Self {
        Self {
            status,
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The answer to a failed handshake, with the headers that its status demands.
    pub(crate) fn refusal(status: u16, why: &str) -> Self {
        let mut response = Self::with_status(status);
        let headers = &mut response.headers;
        match status {
            405 => headers.append("Allow", "GET"),
            426 => {
                headers.append("Upgrade", "websocket");
                headers.append("Sec-WebSocket-Version", "13");
            }
            _ => {}
        }
        headers.append("Content-Type", "text/plain");
        response.body([why, "\n"].concat())
    }
}

/// The reason phrases of RFC 9110, section 15, that are likely here. Others may be empty.
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
