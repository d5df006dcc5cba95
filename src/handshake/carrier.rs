//! All that differs between a handshake in HTTP/1.1 (RFC 6455, 4) and one in HTTP/2 (RFC 8441, 5)
//! or HTTP/3 (RFC 9220, 3).
//!
//! The one is a GET request that asks to upgrade the connection, answered with 101, and a key
//! proves that it was understood. The others are an extended CONNECT request for a stream,
//! answered with 2xx, with neither key nor `Upgrade`: the pseudo-header `:protocol` does the work
//! of both. Origin, version, subprotocols and extensions are the same everywhere.

use super::error::HandshakeError;
use super::fields::{ACCEPT, Fields, KEY, Single, lists};
use super::headers::Headers;
use super::key::{self, Accept};
use super::server::HttpRequest;
use super::url::Authority;

const HOST: &str = "Host";

/// Fields that speak of a connection and therefore may not stand in HTTP/2 and HTTP/3 (RFC 9113,
/// 8.2.2, and RFC 9114, 4.2). What has them is malformed.
const CONNECTION_SPECIFIC: [&str; 5] = [
    "Connection",
    "Upgrade",
    "Transfer-Encoding",
    "Keep-Alive",
    "Proxy-Connection",
];

/// What carries a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// HTTP/1.0, which has no upgrades.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// A stream of HTTP/2 or HTTP/3, and what `:protocol` says.
    Stream(Protocol),
}

/// The value of the pseudo-header `:protocol` (RFC 8441, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Absent,
    WebSocket,
    Unknown,
}

impl Protocol {
    pub(super) fn of(value: Option<&str>) -> Self {
        match value {
            None => Self::Absent,
            // The names are those of the header Upgrade (RFC 9110, 16.7), and compare like them.
            Some(name) if name.eq_ignore_ascii_case("websocket") => Self::WebSocket,
            Some(_) => Self::Unknown,
        }
    }
}

impl Carrier {
    /// Whether the request means to be a handshake, be it a broken one, and may be one by its
    /// method and host.
    pub(super) fn asks(
        self,
        request: &HttpRequest,
        fields: &Fields<'_>,
    ) -> Result<bool, HandshakeError> {
        match self {
            Self::Http10 if fields.is_handshake() => Err(HandshakeError::HttpVersion),
            Self::Http10 | Self::Stream(Protocol::Absent) => Ok(false),
            Self::Http11 => {
                let asks = fields.is_handshake();
                if asks && request.method() != "GET" {
                    return Err(HandshakeError::MethodNotAllowed);
                }
                check_host(fields.host)?;
                Ok(asks)
            }
            Self::Stream(_) if request.method() != "CONNECT" => {
                Err(HandshakeError::InvalidHeader(":protocol"))
            }
            Self::Stream(Protocol::Unknown) => Err(HandshakeError::UnknownProtocol),
            Self::Stream(Protocol::WebSocket) => {
                check_authority(request, fields.host)?;
                Ok(true)
            }
        }
    }

    /// Checks the fields that make an upgrade of a connection, or must not stand in a stream.
    pub(super) fn check_connection(
        self,
        request: &HttpRequest,
        fields: &Fields<'_>,
    ) -> Result<(), HandshakeError> {
        match self {
            Self::Stream(_) => refuse_connection_specific(request.headers()),
            Self::Http10 | Self::Http11 if !fields.upgrades_to_websocket => {
                Err(HandshakeError::UpgradeRequired)
            }
            Self::Http10 | Self::Http11 if !fields.connection_says_upgrade => {
                Err(HandshakeError::InvalidHeader("Connection"))
            }
            Self::Http10 | Self::Http11 => Ok(()),
        }
    }

    /// What proves that the request was understood, where that is asked for. A key in a stream
    /// means nothing (RFC 8441, 5).
    pub(super) fn accept(self, fields: &Fields<'_>) -> Result<Option<Accept>, HandshakeError> {
        match self {
            Self::Stream(_) => Ok(None),
            Self::Http10 | Self::Http11 => {
                let Some(key) = key::parse_key(fields.key.required(KEY)?) else {
                    return Err(HandshakeError::InvalidHeader(KEY));
                };
                Ok(Some(key::accept_for(key)))
            }
        }
    }
}

/// Whether a status is a server's consent to a request that awaits `accept`.
pub(super) fn is_consent(status: u16, accept: Option<&Accept>) -> bool {
    match accept {
        Some(_) => status == 101,
        None => matches!(status, 200..=299),
    }
}

/// Checks in a server's consent what stands for the upgrade of the connection, or must not stand
/// in a stream.
pub(super) fn check_consent(
    headers: &Headers,
    accept: Option<&Accept>,
) -> Result<(), HandshakeError> {
    let Some(accept) = accept else {
        return refuse_connection_specific(headers);
    };
    // The response names the one protocol that was switched to; a list is not a match.
    let upgrade = Single::of(headers.get_all("Upgrade")).required("Upgrade")?;
    if !upgrade.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::InvalidHeader("Upgrade"));
    }
    let mut options = headers.get_all("Connection").peekable();
    if options.peek().is_none() {
        return Err(HandshakeError::MissingHeader("Connection"));
    }
    if !options.any(|value| lists(value, b"upgrade")) {
        return Err(HandshakeError::InvalidHeader("Connection"));
    }
    if Single::of(headers.get_all(ACCEPT)).required(ACCEPT)? != accept {
        return Err(HandshakeError::WrongAccept);
    }
    Ok(())
}

/// RFC 9112, 3.2: missing, repeated or malformed, it is answered with 400.
fn check_host(host: Single<'_>) -> Result<(), HandshakeError> {
    let value = core::str::from_utf8(host.required(HOST)?);
    match value.map(Authority::parse) {
        Ok(Ok(_)) => Ok(()),
        _ => Err(HandshakeError::InvalidHeader(HOST)),
    }
}

/// `:authority` takes the place of `Host`, which may still come but has to agree, or the two could
/// be used to pass for another site (RFC 9113, 8.3.1, and RFC 9114, 4.3.1).
fn check_authority(request: &HttpRequest, host: Single<'_>) -> Result<(), HandshakeError> {
    let Some(authority) = request.authority() else {
        return check_host(host);
    };
    match host.optional(HOST)? {
        Some(host) if !host.eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(HandshakeError::InvalidHeader(HOST))
        }
        _ => Ok(()),
    }
}

fn refuse_connection_specific(headers: &Headers) -> Result<(), HandshakeError> {
    let found = |name: &&'static str| headers.get(name).is_some();
    match CONNECTION_SPECIFIC.into_iter().find(found) {
        Some(name) => Err(HandshakeError::InvalidHeader(name)),
        None => Ok(()),
    }
}
