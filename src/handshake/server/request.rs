//! The request of a client, as a server sees it.

use alloc::string::String;

use bytes::Bytes;

use super::response::{Body, Response};
use crate::handshake::Headers;
use crate::handshake::carrier::{Carrier, Protocol};
use crate::handshake::grammar;
use crate::handshake::head::RequestHead;
use crate::handshake::url::Authority;

/// The head of an HTTP request: method, target and headers.
///
/// [`advance`](super::Handshake::advance) hands it over as it is when it asks for something else
/// than a WebSocket, and inside an [`Upgrade`](super::Upgrade) when it asks for one. It can also
/// be made from what another HTTP implementation has parsed.
///
/// ```
/// use fullduplex::handshake::server::{HttpRequest, Response};
///
/// let headers = [("Host", "example.com")].into_iter().collect();
/// let request = HttpRequest::new("GET", "/page?x=1", headers);
/// assert_eq!((request.path(), request.query()), ("/page", Some("x=1")));
/// assert_eq!(request.host(), Some("example.com"));
/// assert!(request.respond(&Response::not_found()).starts_with(b"HTTP/1.1 404 Not Found\r\n"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method and behind it the target.
    line: String,
    method_len: usize,
    carrier: Carrier,
    headers: Headers,
}

impl HttpRequest {
    /// A request that was parsed elsewhere. Nothing is checked before it is negotiated.
    pub fn new(method: &str, target: &str, headers: Headers) -> Self {
        let line = [method, target].concat();
        Self {
            line,
            method_len: method.len(),
            carrier: Carrier::Http11,
            headers,
        }
    }

    /// A request that came by a stream of HTTP/2 or HTTP/3. `target` is the URI that the
    /// pseudo-headers `:scheme`, `:authority` and `:path` make, and `protocol` the value of
    /// `:protocol` (RFC 8441, 4).
    ///
    /// ```
    /// use fullduplex::handshake::server::{Acceptance, HttpRequest, Incoming, Options, Upgrade};
    /// use fullduplex::handshake::{Headers, OriginPolicy};
    ///
    /// let headers: Headers = [("sec-websocket-version", "13")].into_iter().collect();
    /// let target = "https://example.com/chat";
    /// let request = HttpRequest::from_stream("CONNECT", target, Some("websocket"), headers);
    /// let options = Options::new(OriginPolicy::same_origin());
    /// let Incoming::Upgrade(upgrade) = Upgrade::negotiate(request, options)? else {
    ///     return Err("not a handshake".into());
    /// };
    /// let answer = upgrade.answer(Acceptance::new())?;
    /// assert_eq!(answer.status, 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_stream(
        method: &str,
        target: &str,
        protocol: Option<&str>,
        headers: Headers,
    ) -> Self {
        Self {
            carrier: Carrier::Stream(Protocol::of(protocol)),
            ..Self::new(method, target, headers)
        }
    }

    /// The same request by HTTP/1.0.
    #[cfg(feature = "http")]
    pub(crate) fn without_upgrades(self) -> Self {
        Self {
            carrier: Carrier::Http10,
            ..self
        }
    }

    pub(super) fn from_head(head: RequestHead) -> Self {
        let RequestHead {
            minor_version,
            line,
            method_len,
            headers,
        } = head;
        Self {
            line,
            method_len,
            carrier: match minor_version {
                0 => Carrier::Http10,
                _ => Carrier::Http11,
            },
            headers,
        }
    }

    /// The method, in upper case where it is one of the usual ones.
    pub fn method(&self) -> &str {
        self.line.get(..self.method_len).unwrap_or_default()
    }

    /// The request target, as it came.
    pub fn target(&self) -> &str {
        self.line.get(self.method_len..).unwrap_or_default()
    }

    /// The path of the target; of an absolute URI the path in it.
    pub fn path(&self) -> &str {
        let resource = self.resource();
        match resource.split_once('?') {
            Some(("", _)) => "/",
            Some((path, _)) => path,
            None if resource.is_empty() => "/",
            None => resource,
        }
    }

    /// What stands behind the question mark of the target, if there is one.
    pub fn query(&self) -> Option<&str> {
        self.resource().split_once('?').map(|(_, query)| query)
    }

    /// Host and port that the client addressed: from the target where that is an absolute URI, or
    /// else from `Host` (RFC 9112, 3.2.2).
    pub fn host(&self) -> Option<&str> {
        self.authority().or_else(|| self.headers.text("Host"))
    }

    /// The headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The page that opens the connection, as its browser names it. Without it the client is
    /// probably no browser, but that proves nothing (RFC 6455, 4.2.1).
    pub fn origin(&self) -> Option<&str> {
        self.headers.text("Origin")
    }

    /// The subprotocols that the client offers, in the order of its preference.
    pub fn subprotocols(&self) -> impl Iterator<Item = &str> + Clone {
        let is_token = |name: &&[u8]| grammar::is_token(name);
        self.headers
            .elements("Sec-WebSocket-Protocol")
            .filter(is_token)
            .filter_map(|name| core::str::from_utf8(name).ok())
    }

    /// The bytes of a response to this request, to be written before the connection is closed.
    pub fn respond(&self, response: &Response) -> Bytes {
        let body = if self.method() == "HEAD" {
            Body::Announced
        } else {
            Body::Written
        };
        response.encode(body)
    }

    pub(in crate::handshake) const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The authority in the target, where that is an absolute URI.
    pub(in crate::handshake) fn authority(&self) -> Option<&str> {
        self.absolute().map(|(authority, _)| authority)
    }

    /// Whether the target is one that a handshake may have: a path or an http or https URI
    /// (RFC 6455, 4.2.1, item 1), in visible ASCII and without a fragment.
    pub(in crate::handshake) fn has_valid_target(&self) -> bool {
        let target = self.target();
        let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        target.bytes().all(visible)
            && match self.authority() {
                Some(authority) => Authority::parse(authority).is_ok(),
                None => target.starts_with('/'),
            }
    }

    /// Path and query.
    fn resource(&self) -> &str {
        self.absolute()
            .map_or_else(|| self.target(), |(_, resource)| resource)
    }

    /// Authority and rest of an absolute URI.
    fn absolute(&self) -> Option<(&str, &str)> {
        let target = self.target();
        if target.starts_with('/') {
            return None;
        }
        let (scheme, rest) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))
    }
}
