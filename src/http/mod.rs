//! Connections that another HTTP implementation opens, by the types of the `http` crate: upgrades
//! in HTTP/1.1 (RFC 6455, 4), extended CONNECT in HTTP/2 (RFC 8441) and in HTTP/3 (RFC 9220).
//!
//! The HTTP implementation (hyper, h2, axum, h3, …) reads and writes the heads; what they have to
//! say is decided here, by the same code as everywhere in this crate. What comes out is a
//! [`Connection`] without a head of its own, to be put over the stream that the HTTP
//! implementation hands over.
//!
//! ```text
//!  server   &Request --negotiate--> Upgrade --accept--> Response to be sent, Connection
//!               |          +------> HttpRequest: no WebSocket is asked for
//!               +-> Refusal --response--> Response to be sent
//!
//!  client   Exchange --request--> Request to be sent
//!               +--establish(&Response)--> Established { connection, .. }
//! ```
//!
//! # HTTP/2 and HTTP/3
//!
//! The pseudo-header `:protocol` has no place in [`Request`]; implementations keep it among the
//! extensions of the request, as a type of theirs. It is handed over as text:
//!
//! ```
//! use fullduplex::handshake::server::{Incoming, Options};
//! use fullduplex::http::{self, Refusal};
//! use hyper::ext::Protocol;
//!
//! fn negotiate<B>(request: &hyper::Request<B>, options: Options) -> Result<Incoming, Refusal> {
//!     let protocol = request.extensions().get::<Protocol>();
//!     http::negotiate(request, protocol.map(Protocol::as_str), options)
//! }
//! ```
//!
//! A server has to announce `SETTINGS_ENABLE_CONNECT_PROTOCOL` (in hyper
//! `enable_connect_protocol`), and a client to wait for it. From then on the stream is like any
//! other: its end (`END_STREAM`, FIN) without a Close frame is an abnormal closure (1006), and what
//! the application does not read is not granted to the peer by flow control, because bytes are
//! taken from the stream only as they are processed.
//!
//! # Both ends in memory
//!
//! ```
//! use fullduplex::handshake::{OriginPolicy, client, server};
//! use fullduplex::{Config, MaskKeys, http};
//!
//! // The client's request, for `Exchange::connect` with HTTP/2.
//! let request = client::Request::new("ws://example.com/chat")?.subprotocol("chat")?;
//! let exchange = client::Exchange::upgrade(request, Config::default(), MaskKeys::seeded([7; 32]));
//! let request = http::request(&exchange)?;
//! assert_eq!(request.headers()["upgrade"], "websocket");
//!
//! // The server's decision.
//! let options = server::Options::new(OriginPolicy::same_origin());
//! let response = match http::negotiate(&request, None, options) {
//!     Ok(server::Incoming::Upgrade(upgrade)) => {
//!         let chosen = upgrade.select_subprotocol(&["chat"]);
//!         let acceptance = server::Acceptance::new().subprotocol(chosen);
//!         let (response, connection) = http::accept(upgrade, acceptance)?;
//!         // Once the response is out: a WebSocket over the upgraded stream.
//!         drop(connection);
//!         response.map(|()| Default::default())
//!     }
//!     Ok(_) => http::response(&server::Response::not_found(), request.version()),
//!     Err(refusal) => refusal.response(),
//! };
//! assert_eq!(response.status(), 101);
//!
//! // The client's verdict.
//! let established = http::establish(exchange, &response)?;
//! assert_eq!(established.subprotocol.as_deref(), Some("chat"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod headers;

use bytes::Bytes;

use ::http::header::{CONNECTION, UPGRADE};
use ::http::request;
use ::http::uri::{PathAndQuery, Uri};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::connection::Connection;
use crate::handshake::client::{Established, Exchange};
use crate::handshake::server::{self, Acceptance, HttpRequest, Incoming, Options, Upgrade};
use crate::handshake::{BuildError, HandshakeError, Headers};

/// Judges a request. `protocol` is the value of the pseudo-header `:protocol`, which only HTTP/2
/// and HTTP/3 have.
///
/// Requests in HTTP/2 and HTTP/3 without it, an ordinary CONNECT among them, ask for no WebSocket
/// and come back as [`Incoming::Http`].
///
/// Limits and deadlines for the head are those of the implementation that has read it, and so is
/// what becomes of [early data](Options::early_data): hyper keeps it as the first bytes of the
/// upgraded stream.
///
/// # Errors
///
/// The request asks for a WebSocket in a way that has to be refused.
///
/// ```
/// use fullduplex::handshake::{OriginPolicy, server::{Incoming, Options}};
///
/// let request = http::Request::connect("https://example.com/chat")
///     .version(http::Version::HTTP_2)
///     .header("sec-websocket-version", "13")
///     .body(())?;
/// let options = Options::new(OriginPolicy::same_origin());
/// let incoming = fullduplex::http::negotiate(&request, Some("websocket"), options.clone())?;
/// assert!(matches!(incoming, Incoming::Upgrade(_)));
///
/// let refusal = fullduplex::http::negotiate(&request, Some("connect-udp"), options).unwrap_err();
/// assert_eq!(refusal.response().status(), 501);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn negotiate<B>(
    request: &Request<B>,
    protocol: Option<&str>,
    options: Options,
) -> Result<Incoming, Refusal> {
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    judge(method, uri, request.version(), headers, protocol, options)
}

/// As [`negotiate`], for a request that was taken apart, as axum's extractors get it.
///
/// # Errors
///
/// As [`negotiate`].
///
/// ```
/// use fullduplex::handshake::{OriginPolicy, server::{Incoming, Options}};
///
/// let request = http::Request::get("/page").header("host", "example.com").body("")?;
/// let (parts, body) = request.into_parts();
/// let options = Options::new(OriginPolicy::same_origin());
/// let incoming = fullduplex::http::negotiate_parts(&parts, None, options)?;
/// assert!(matches!(incoming, Incoming::Http(page) if page.path() == "/page"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn negotiate_parts(
    parts: &request::Parts,
    protocol: Option<&str>,
    options: Options,
) -> Result<Incoming, Refusal> {
    let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
    judge(method, uri, parts.version, headers, protocol, options)
}

/// A handshake that a server has to refuse, with the answer that it owes.
///
/// ```
/// use fullduplex::handshake::{HandshakeError, OriginPolicy, server::Options};
///
/// let request = http::Request::get("/chat").header("upgrade", "websocket").body(())?;
/// let options = Options::new(OriginPolicy::same_origin());
/// let refusal = fullduplex::http::negotiate(&request, None, options).unwrap_err();
/// assert_eq!(*refusal.error(), HandshakeError::MissingHeader("Host"));
/// assert_eq!(refusal.response().status(), 400);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    error: HandshakeError,
    version: Version,
}

impl Refusal {
    /// What is wrong with the request.
    pub const fn error(&self) -> &HandshakeError {
        &self.error
    }

    /// The answer, in terms of the version of HTTP that the request came by.
    pub fn response(&self) -> Response<Bytes> {
        let answer = self.error.response();
        let answer = answer.unwrap_or_else(|| server::Response::refusal(400, ""));
        response(&answer, self.version)
    }
}

/// Accepts: the response to be sent, and the connection for the bytes behind it.
///
/// # Errors
///
/// As [`Upgrade::answer`], and [`BuildError::TooLarge`].
///
/// ```
/// use fullduplex::handshake::BuildError;
/// use fullduplex::handshake::server::{Acceptance, Upgrade};
///
/// fn accept(upgrade: Upgrade) -> Result<http::Response<()>, BuildError> {
///     let acceptance = Acceptance::new().header("Set-Cookie", "a=b")?;
///     let (response, connection) = fullduplex::http::accept(upgrade, acceptance)?;
///     assert!(matches!(response.status().as_u16(), 101 | 200));
///     Ok(response)
/// }
/// ```
pub fn accept(
    upgrade: Upgrade,
    acceptance: Acceptance,
) -> Result<(Response<()>, Connection), BuildError> {
    let answer = upgrade.answer(acceptance)?;
    let mut response = Response::new(());
    *response.status_mut() = status(answer.status);
    *response.headers_mut() = header_map(&answer.headers)?;
    Ok((response, answer.connection))
}

/// A response that opens no connection, in terms of the version of HTTP that the request came by.
///
/// In HTTP/1.1 it ends the connection, because nothing behind the request may be read as another
/// one. HTTP/2 and HTTP/3 know no upgrade, so that 426 becomes 400 there. What is more than a
/// [`HeaderMap`] can hold becomes 500.
///
/// ```
/// use fullduplex::handshake::server::Response;
///
/// let answer = Response::upgrade_required();
/// let response = fullduplex::http::response(&answer, http::Version::HTTP_11);
/// assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (426, &"websocket".parse()?));
/// let response = fullduplex::http::response(&answer, http::Version::HTTP_2);
/// assert_eq!((response.status().as_u16(), response.headers().get("upgrade")), (400, None));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn response(answer: &server::Response, version: Version) -> Response<Bytes> {
    let Ok(mut headers) = header_map(answer.headers()) else {
        let mut failure = Response::new(Bytes::new());
        *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return failure;
    };
    let mut status = status(answer.status());
    if version < Version::HTTP_2 {
        let options = HeaderValue::from_static(answer.connection_options());
        headers.insert(CONNECTION, options);
    } else {
        headers.remove(UPGRADE);
        if status == StatusCode::UPGRADE_REQUIRED {
            status = StatusCode::BAD_REQUEST;
        }
    }
    let mut response = Response::new(answer.content().clone());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A client's request, to be sent by the HTTP implementation.
///
/// In HTTP/1.1 its URI is what stands in the request line, path and query: what connections of
/// hyper take. Clients that open connections by themselves want the whole URI, which is
/// [scheme](Exchange::scheme), [authority](Exchange::authority) and [path](Exchange::path). In
/// HTTP/2 and HTTP/3 it is whole anyway; the pseudo-header `:protocol` is to be added, as a type
/// of the implementation's, to the extensions of the request.
///
/// # Errors
///
/// [`BuildError::TooLarge`].
///
/// ```
/// use fullduplex::handshake::client::{Exchange, Request};
/// use fullduplex::{Config, MaskKeys};
///
/// let request = Request::new("wss://example.com/chat")?;
/// let exchange = Exchange::connect(request, Config::default(), MaskKeys::seeded([7; 32]));
/// let mut request = fullduplex::http::request(&exchange)?;
/// assert_eq!(request.method(), http::Method::CONNECT);
/// assert_eq!(request.uri(), "https://example.com/chat");
/// request.extensions_mut().insert(hyper::ext::Protocol::from_static("websocket"));
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
pub fn request(exchange: &Exchange) -> Result<Request<()>, BuildError> {
    let mut request = Request::new(());
    let path: PathAndQuery = exchange.path().parse().map_err(|_| BuildError::TooLarge)?;
    if exchange.protocol().is_some() {
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::builder()
            .scheme(exchange.scheme())
            .authority(exchange.authority())
            .path_and_query(path)
            .build()
            .map_err(|_| BuildError::TooLarge)?;
    } else {
        *request.uri_mut() = path.into();
    }
    *request.headers_mut() = header_map(exchange.headers())?;
    Ok(request)
}

/// Judges the response to a client's request. Of a refusal the caller still has the body.
///
/// # Errors
///
/// As [`Exchange::judge`].
///
/// ```
/// use fullduplex::handshake::HandshakeError;
/// use fullduplex::handshake::client::{Exchange, Request};
/// use fullduplex::{Config, MaskKeys};
///
/// let request = Request::new("wss://example.com/chat")?;
/// let exchange = Exchange::connect(request, Config::default(), MaskKeys::seeded([7; 32]));
/// let response = http::Response::builder().status(403).body("not you")?;
/// let Err(HandshakeError::Rejected(rejection)) = fullduplex::http::establish(exchange, &response)
/// else {
///     return Err("not rejected".into());
/// };
/// assert_eq!((rejection.status, response.into_body()), (403, "not you"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn establish<B>(
    exchange: Exchange,
    response: &Response<B>,
) -> Result<Established, HandshakeError> {
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if switching && response.version() < Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    exchange.judge(response.status().as_u16(), response.headers().into())
}

fn judge(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    protocol: Option<&str>,
    options: Options,
) -> Result<Incoming, Refusal> {
    let (method, target, headers) = (method.as_str(), uri.to_string(), headers.into());
    let request = match version {
        Version::HTTP_2 | Version::HTTP_3 => {
            HttpRequest::from_stream(method, &target, protocol, headers)
        }
        Version::HTTP_11 => HttpRequest::new(method, &target, headers),
        _ => HttpRequest::new(method, &target, headers).without_upgrades(),
    };
    Upgrade::negotiate(request, options).map_err(|error| Refusal { error, version })
}

/// Fields that this crate writes, which are valid but may be too many.
fn header_map(headers: &Headers) -> Result<HeaderMap, BuildError> {
    headers.try_into().map_err(|_| BuildError::TooLarge)
}

/// A status that is 101 or from 200 to 599.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
