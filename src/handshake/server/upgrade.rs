//! A valid handshake request, and the server's decision about it.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{HttpRequest, Incoming, Options, Response};
use crate::connection::{Config, Connection};
use crate::handshake::build::{self, BuildError};
use crate::handshake::extensions::Extensions;
use crate::handshake::fields::{ACCEPT, EXTENSIONS, PROTOCOL};
use crate::handshake::headers::write_field;
use crate::handshake::negotiate::{self, Agreement};
use crate::handshake::{HandshakeError, Headers};

/// A valid request for a WebSocket, to be accepted or rejected.
///
/// It has passed all checks of the RFC and the origin policy. Whether this client may use this
/// path is for the application to say, before anything is answered.
///
/// ```
/// use fullduplex::handshake::OriginPolicy;
/// use fullduplex::handshake::server::{
///     Acceptance, HttpRequest, Incoming, Options, Response, Upgrade,
/// };
///
/// let headers = [
///     ("Host", "example.com"),
///     ("Upgrade", "websocket"),
///     ("Connection", "Upgrade"),
///     ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
///     ("Sec-WebSocket-Version", "13"),
///     ("Cookie", "session=abc"),
/// ];
/// let request = HttpRequest::new("GET", "/chat", headers.into_iter().collect());
/// let options = Options::new(OriginPolicy::same_origin());
/// let Incoming::Upgrade(upgrade) = Upgrade::negotiate(request, options)? else {
///     return Err("not a handshake".into());
/// };
/// if upgrade.request().headers().text("Cookie") == Some("session=abc") {
///     let connection = upgrade.accept(Acceptance::new())?;
/// } else {
///     let bytes = upgrade.reject(&Response::forbidden());
///     # panic!();
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Upgrade {
    request: HttpRequest,
    agreement: Agreement,
    config: Config,
}

/// What a server adds to its consent.
///
/// ```
/// use fullduplex::handshake::server::Acceptance;
///
/// let acceptance = Acceptance::new().subprotocol(Some("chat")).header("Set-Cookie", "a=b")?;
/// assert!(Acceptance::new().header("Upgrade", "h2c").is_err());
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Acceptance {
    subprotocol: Option<String>,
    headers: Headers,
}

impl Acceptance {
    /// Consent without a subprotocol and without further headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocol, which has to be one that the client offers.
    #[must_use]
    pub fn subprotocol<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.subprotocol = name.into().map(String::from);
        self
    }

    /// Adds a header to the response.
    ///
    /// # Errors
    ///
    /// Name or value cannot be sent in a header, or the header is one that the handshake sets.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BuildError> {
        build::append(&mut self.headers, name, value, build::is_managed)?;
        Ok(self)
    }
}

/// A response that opens the connection, to be sent by another HTTP implementation.
///
/// ```
/// use fullduplex::Connection;
/// use fullduplex::handshake::BuildError;
/// use fullduplex::handshake::server::{Acceptance, Upgrade};
///
/// fn accept(upgrade: Upgrade) -> Result<Connection, BuildError> {
///     let answer = upgrade.answer(Acceptance::new())?;
///     println!("status: {}", answer.status);
///     for (name, value) in answer.headers.iter() {
///         println!("{name}: {}", value.escape_ascii());
///     }
///     Ok(answer.connection)
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status: 101 in HTTP/1.1, or 200.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The connection, for the bytes behind the response.
    pub connection: Connection,
}

impl Upgrade {
    /// Judges a request that was parsed elsewhere.
    ///
    /// # Errors
    ///
    /// The request asks for a WebSocket in a way that has to be refused.
    pub fn negotiate(request: HttpRequest, options: Options) -> Result<Incoming, HandshakeError> {
        let Options {
            origins, config, ..
        } = options;
        Ok(match negotiate::request(&request, &origins, &config)? {
            Some(agreement) => Incoming::Upgrade(Self {
                request,
                agreement,
                config,
            }),
            None => Incoming::Http(request),
        })
    }

    /// How long the client may take over its handshake.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) const fn patience(&self) -> Option<core::time::Duration> {
        self.config.timeouts.handshake
    }

    /// The request.
    pub const fn request(&self) -> &HttpRequest {
        &self.request
    }

    /// The first of `preference` that the client offers too: the order is the server's.
    pub fn select_subprotocol<'p>(&self, preference: &[&'p str]) -> Option<&'p str> {
        negotiate::select_subprotocol(&self.request, preference)
    }

    /// Opens the connection. The response is the first thing that it wants written.
    ///
    /// # Errors
    ///
    /// [`BuildError::SubprotocolNotOffered`] when the client does not offer the subprotocol, and
    /// [`BuildError::NotHttp1`] when the request was made by [`HttpRequest::from_stream`].
    pub fn accept(self, acceptance: Acceptance) -> Result<Connection, BuildError> {
        let Some(accept) = self.agreement.accept else {
            return Err(BuildError::NotHttp1);
        };
        let mut head = Vec::with_capacity(256);
        // What never changes is one copy.
        head.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\n\
              Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        head.extend_from_slice(&accept);
        head.extend_from_slice(b"\r\n");
        let write = |name: &str, value: &[u8]| write_field(&mut head, name.as_bytes(), value);
        let (config, extensions) = self.consent(acceptance, write)?;
        head.extend_from_slice(b"\r\n");
        Ok(Connection::open(None, &config, &extensions, head))
    }

    /// Opens the connection, and leaves the response to the HTTP implementation that the request
    /// came from.
    ///
    /// # Errors
    ///
    /// [`BuildError::SubprotocolNotOffered`] when the client does not offer the subprotocol.
    pub fn answer(self, acceptance: Acceptance) -> Result<Answer, BuildError> {
        let mut headers = Headers::new();
        let status = match self.agreement.accept {
            Some(accept) => {
                headers.append("Upgrade", b"websocket");
                headers.append("Connection", b"Upgrade");
                headers.append(ACCEPT, accept);
                101
            }
            None => 200,
        };
        let write = |name: &str, value: &[u8]| headers.append(name, value);
        let (config, extensions) = self.consent(acceptance, write)?;
        let connection = Connection::open(None, &config, &extensions, Vec::new());
        Ok(Answer {
            status,
            headers,
            connection,
        })
    }

    /// Refuses. The bytes are to be written before the connection is closed.
    pub fn reject(self, response: &Response) -> Bytes {
        response.to_bytes()
    }

    /// Writes the fields of the response that accepts, without those that upgrade a connection.
    fn consent(
        self,
        acceptance: Acceptance,
        mut write: impl FnMut(&str, &[u8]),
    ) -> Result<(Config, Extensions), BuildError> {
        let Agreement {
            extensions,
            extensions_header,
            ..
        } = self.agreement;
        if let Some(chosen) = acceptance.subprotocol {
            negotiate::check_chosen(&self.request, &chosen)?;
            write(PROTOCOL, chosen.as_bytes());
        }
        if let Some(agreed) = extensions_header {
            write(EXTENSIONS, agreed.as_bytes());
        }
        for (name, value) in acceptance.headers.iter() {
            write(name, value);
        }
        Ok((self.config, extensions))
    }
}
