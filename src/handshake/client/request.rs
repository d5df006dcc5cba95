//! What a client asks for.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::Config;
use crate::handshake::build::{self, BuildError};
use crate::handshake::extensions;
use crate::handshake::fields::{EXTENSIONS, KEY, PROTOCOL, VERSION};
use crate::handshake::grammar::is_token;
use crate::handshake::headers::{Headers, write_field};
use crate::handshake::key::{self, Key};
use crate::handshake::negotiate::{Expected, Subprotocol};
use crate::handshake::url::{Authority, Url};

/// A request for a WebSocket.
///
/// Everything is checked as it is added, so that what is sent is one request with exactly these
/// fields. The headers that make it a handshake cannot be set, nor can those that would give it a
/// body.
///
/// ```
/// use fullduplex::handshake::client::Request;
///
/// let request = Request::new("wss://example.com/chat?room=1")?
///     .subprotocol("chat.v2")?
///     .subprotocol("chat.v1")?
///     .header("Authorization", "Bearer abc")?;
/// assert_eq!(request.url().port(), 443);
/// assert!(request.clone().header("X", "a\r\nHost: evil.test").is_err());
/// assert!(request.header("Sec-WebSocket-Key", "mine").is_err());
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    url: Url,
    host: Option<String>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    subprotocol: Subprotocol,
    headers: Headers,
}

impl Request {
    /// A request for the resource that a `ws` or `wss` URL names.
    ///
    /// # Errors
    ///
    /// The URL is not valid.
    pub fn new(url: &str) -> Result<Self, BuildError> {
        Ok(Self::for_url(url.parse()?))
    }

    /// A request for the resource that a URL names.
    pub const fn for_url(url: Url) -> Self {
        Self {
            url,
            host: None,
            origin: None,
            subprotocols: Vec::new(),
            subprotocol: Subprotocol::Optional,
            headers: Headers::new(),
        }
    }

    /// Offers a subprotocol, after those that were added before.
    ///
    /// # Errors
    ///
    /// The name is not a token, or was added before (RFC 6455, 4.1, item 10).
    pub fn subprotocol(mut self, name: &str) -> Result<Self, BuildError> {
        if !is_token(name.as_bytes()) {
            return Err(BuildError::Subprotocol);
        }
        if self.subprotocols.iter().any(|offer| offer == name) {
            return Err(BuildError::RepeatedSubprotocol);
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    /// Demands that the server chooses one of the subprotocols; a response without one fails.
    #[must_use]
    pub const fn require_subprotocol(mut self) -> Self {
        self.subprotocol = Subprotocol::Required;
        self
    }

    /// Sets the origin on whose behalf the client acts, which is what a browser has to send.
    ///
    /// # Errors
    ///
    /// The value is empty or holds something else than visible ASCII.
    pub fn origin(mut self, origin: &str) -> Result<Self, BuildError> {
        if origin.is_empty() || !origin.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BuildError::Origin);
        }
        self.origin = Some(origin.to_owned());
        Ok(self)
    }

    /// Sends another `Host` than the URL's, for a server that is reached by an address that is
    /// not its name.
    ///
    /// # Errors
    ///
    /// The value is not a host with or without a port.
    pub fn host(mut self, host: &str) -> Result<Self, BuildError> {
        Authority::parse(host).map_err(|_| BuildError::Host)?;
        self.host = Some(host.to_owned());
        Ok(self)
    }

    /// Adds a header, such as `Authorization` or `Cookie`.
    ///
    /// # Errors
    ///
    /// Name or value cannot be sent in a header, or the header is one that the handshake sets.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
        build::append(&mut self.headers, name, value, build::is_managed)?;
        Ok(self)
    }

    /// The URL.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The same request elsewhere. To another origin nothing goes along that may be a secret.
    pub(super) fn redirected(&self, url: Url) -> Self {
        const HARMLESS: [&str; 2] = ["Accept-Language", "User-Agent"];
        let origin = |url: &Url| (url.is_secure(), url.host().to_owned(), url.port());
        let same_origin = origin(&self.url) == origin(&url);
        let mut request = self.clone();
        request.url = url;
        if !same_origin {
            request.host = None;
            request.headers = self
                .headers
                .iter()
                .filter(|(name, _)| {
                    HARMLESS
                        .iter()
                        .any(|other| name.eq_ignore_ascii_case(other))
                })
                .collect();
        }
        request
    }

    /// Host and port as sent: in `Host`, or as `:authority`.
    pub(super) fn authority(&self) -> String {
        self.host.clone().unwrap_or_else(|| self.url.authority())
    }

    /// The request as it is sent in HTTP/1.1.
    pub(super) fn encode(&self, key: &Key, config: &Config) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"GET ");
        out.extend_from_slice(self.url.resource().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let write = |name: &str, value: &[u8]| write_field(&mut out, name.as_bytes(), value);
        self.write_fields(Some(key), config, write);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Writes the header fields. What asks to upgrade a connection comes with a key only: a stream
    /// of HTTP/2 or HTTP/3 must not have it (RFC 8441, 5).
    pub(super) fn write_fields(
        &self,
        key: Option<&Key>,
        config: &Config,
        mut write: impl FnMut(&str, &[u8]),
    ) {
        if let Some(key) = key {
            write("Host", self.authority().as_bytes());
            write("Upgrade", b"websocket");
            write("Connection", b"Upgrade");
            write(KEY, key);
        }
        write(VERSION, b"13");
        if let Some(origin) = &self.origin {
            write("Origin", origin.as_bytes());
        }
        if !self.subprotocols.is_empty() {
            write(PROTOCOL, self.subprotocols.join(", ").as_bytes());
        }
        if let Some(offer) = extensions::offer(config) {
            write(EXTENSIONS, offer.as_bytes());
        }
        for (name, value) in self.headers.iter() {
            write(name, value);
        }
    }

    /// What the response to this request has to say.
    pub(super) fn expect(self, key: Option<&Key>) -> Expected {
        Expected {
            accept: key.map(key::accept_for),
            subprotocols: self.subprotocols,
            subprotocol: self.subprotocol,
        }
    }
}
