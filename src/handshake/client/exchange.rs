//! A handshake whose request and response another HTTP implementation carries.

use alloc::boxed::Box;
use alloc::string::String;

use super::{Established, Rejection, Request, open};
use crate::connection::{Config, MaskKeys};
use crate::handshake::carrier::is_consent;
use crate::handshake::key;
use crate::handshake::negotiate::Expected;
use crate::handshake::{HandshakeError, Headers};

/// A handshake whose request and response another HTTP implementation carries, in HTTP/1.1 by an
/// [upgrade](Self::upgrade) or in HTTP/2 and HTTP/3 by [extended CONNECT](Self::connect).
///
/// Send what the getters say, then give the response to [`judge`](Self::judge). Time limits are
/// the caller's business: `Timeouts::handshake` is not looked at.
///
/// ```
/// use fullduplex::handshake::client::{Exchange, Request};
/// use fullduplex::handshake::Headers;
/// use fullduplex::{Config, MaskKeys};
///
/// let request = Request::new("wss://example.com/chat")?.subprotocol("chat")?;
/// let exchange = Exchange::connect(request, Config::default(), MaskKeys::seeded([7; 32]));
/// assert_eq!((exchange.method(), exchange.protocol()), ("CONNECT", Some("websocket")));
/// assert_eq!((exchange.scheme(), exchange.path()), ("https", "/chat"));
/// assert_eq!(exchange.headers().text("sec-websocket-version"), Some("13"));
///
/// let response: Headers = [("sec-websocket-protocol", "chat")].into_iter().collect();
/// let established = exchange.judge(200, response)?;
/// assert_eq!(established.subprotocol.as_deref(), Some("chat"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Exchange {
    secure: bool,
    authority: String,
    path: String,
    headers: Headers,
    expected: Expected,
    config: Config,
    keys: MaskKeys,
}

impl Exchange {
    /// An upgrade in HTTP/1.1 (RFC 6455, 4.1), with a key of its own drawn from `keys`.
    pub fn upgrade(request: Request, config: Config, mut keys: MaskKeys) -> Self {
        let key = key::draw_key(&mut keys);
        Self::new(request, config, keys, Some(&key))
    }

    /// Extended CONNECT in HTTP/2 or HTTP/3 (RFC 8441, 5, and RFC 9220, 3).
    ///
    /// It may be sent once the server's setting `SETTINGS_ENABLE_CONNECT_PROTOCOL` has come, and in
    /// HTTP/3 not as early data of TLS, where others could repeat it.
    pub fn connect(request: Request, config: Config, keys: MaskKeys) -> Self {
        Self::new(request, config, keys, None)
    }

    fn new(request: Request, config: Config, keys: MaskKeys, key: Option<&key::Key>) -> Self {
        let mut headers = Headers::new();
        request.write_fields(key, &config, |name, value| headers.append(name, value));
        Self {
            secure: request.url().is_secure(),
            authority: request.authority(),
            path: request.url().resource().into(),
            headers,
            expected: request.expect(key),
            config,
            keys,
        }
    }

    /// The method: GET or CONNECT.
    pub const fn method(&self) -> &'static str {
        match self.expected.accept {
            Some(_) => "GET",
            None => "CONNECT",
        }
    }

    /// The pseudo-header `:protocol`, for CONNECT.
    pub const fn protocol(&self) -> Option<&'static str> {
        match self.expected.accept {
            Some(_) => None,
            None => Some("websocket"),
        }
    }

    /// The pseudo-header `:scheme`: https for `wss`, http for `ws`.
    pub const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// The pseudo-header `:authority`, or the header `Host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The pseudo-header `:path`, or the target of the request: path and query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The headers of the request, in HTTP/1.1 with `Host`.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Judges the response. The bytes behind its head belong to the connection; those behind the
    /// head of a refusal are its body and left to the caller.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Rejected`], without a body, when the status is not that of a consent;
    /// others when the consent is not valid.
    pub fn judge(self, status: u16, headers: Headers) -> Result<Established, HandshakeError> {
        if is_consent(status, self.expected.accept.as_ref()) {
            return open(headers, &self.expected, &self.config, self.keys);
        }
        Err(HandshakeError::Rejected(Box::new(Rejection {
            status,
            headers,
            truncated: true,
            ..Rejection::default()
        })))
    }
}
