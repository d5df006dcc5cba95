//! What makes a list of headers a handshake (RFC 6455, 4.1, 4.2 and 11.3), whatever carried it.

use alloc::string::String;
use alloc::vec::Vec;

use super::build::BuildError;
use super::error::HandshakeError;
use super::extension::{Extension, parse_extensions};
use super::extensions::{self, Extensions};
use super::grammar::{self, is_token};
use super::headers::Headers;
use super::key::{self, Accept};
use super::origin::OriginPolicy;
use super::server::HttpRequest;
use super::url::Authority;
use crate::connection::Config;

const ACCEPT: &str = "Sec-WebSocket-Accept";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const VERSION: &str = "Sec-WebSocket-Version";
const KEY: &str = "Sec-WebSocket-Key";

/// What a server has found out about a handshake request that it may accept.
#[derive(Debug)]
pub(super) struct Agreement {
    pub(super) accept: Accept,
    pub(super) extensions: Extensions,
    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub(super) extensions_header: Option<String>,
}

/// What a client has to find in the response.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) accept: Accept,
    pub(super) subprotocols: Vec<String>,
    pub(super) subprotocol: Subprotocol,
}

/// Whether a client goes on without a subprotocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subprotocol {
    Optional,
    Required,
}

/// A header that may come once.
#[derive(Clone, Copy, Default)]
enum Single<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Single<'a> {
    const fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    fn of(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut single = Self::Absent;
        values.for_each(|value| single.add(value));
        single
    }

    const fn is_present(self) -> bool {
        !matches!(self, Self::Absent)
    }

    const fn optional(self, name: &'static str) -> Result<Option<&'a [u8]>, HandshakeError> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => Ok(Some(grammar::trim(value))),
            Self::Repeated => Err(HandshakeError::RepeatedHeader(name)),
        }
    }

    fn required(self, name: &'static str) -> Result<&'a [u8], HandshakeError> {
        self.optional(name)?
            .ok_or(HandshakeError::MissingHeader(name))
    }
}

/// The headers of a request that mean something here, collected in one pass.
#[derive(Default)]
struct Fields<'a> {
    host: Single<'a>,
    origin: Single<'a>,
    key: Single<'a>,
    version: Single<'a>,
    content_length: Single<'a>,
    transfer_encoding: Single<'a>,
    protocol: Single<'a>,
    extensions: Single<'a>,
    upgrades_to_websocket: bool,
    connection_says_upgrade: bool,
}

impl<'a> Fields<'a> {
    fn collect(headers: &'a Headers) -> Self {
        let mut fields = Self::default();
        for (name, value) in headers.raw() {
            fields.add(name, value);
        }
        fields
    }

    /// The length tells most names apart, which makes this the cheapest look-up.
    fn add(&mut self, name: &[u8], value: &'a [u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            4 if is("Host") => self.host.add(value),
            6 if is("Origin") => self.origin.add(value),
            7 if is("Upgrade") => self.upgrades_to_websocket |= lists(value, b"websocket"),
            10 if is("Connection") => self.connection_says_upgrade |= lists(value, b"upgrade"),
            14 if is("Content-Length") => self.content_length.add(value),
            17 if is(KEY) => self.key.add(value),
            17 if is("Transfer-Encoding") => self.transfer_encoding.add(value),
            21 if is(VERSION) => self.version.add(value),
            22 if is(PROTOCOL) => self.protocol.add(value),
            24 if is(EXTENSIONS) => self.extensions.add(value),
            _ => {}
        }
    }

    /// Whether the request means to be a handshake, be it a broken one.
    const fn is_handshake(&self) -> bool {
        self.upgrades_to_websocket || self.key.is_present() || self.version.is_present()
    }
}

/// Whether a comma-separated list holds a token, in any case.
fn lists(value: &[u8], token: &[u8]) -> bool {
    grammar::elements(value).any(|element| element.eq_ignore_ascii_case(token))
}

/// Judges a request; `None` when it does not ask for a WebSocket at all.
pub(super) fn request(
    request: &HttpRequest,
    origins: &OriginPolicy,
    config: &Config,
) -> Result<Option<Agreement>, HandshakeError> {
    let fields = Fields::collect(request.headers());
    if !fields.is_handshake() {
        if request.minor_version() >= 1 {
            check_host(fields.host)?;
        }
        return Ok(None);
    }
    if request.minor_version() < 1 {
        return Err(HandshakeError::HttpVersion);
    }
    if request.method() != "GET" {
        return Err(HandshakeError::MethodNotAllowed);
    }
    check_host(fields.host)?;
    if !request.has_valid_target() {
        return Err(HandshakeError::InvalidTarget);
    }
    // Content-Length: 0 is no body, and what every Java client sends.
    match fields.content_length {
        Single::Absent | Single::Once(b"0") if !fields.transfer_encoding.is_present() => {}
        _ => return Err(HandshakeError::UnexpectedBody),
    }
    if !fields.upgrades_to_websocket {
        return Err(HandshakeError::UpgradeRequired);
    }
    if !fields.connection_says_upgrade {
        return Err(HandshakeError::InvalidHeader("Connection"));
    }
    if fields.version.required(VERSION)? != b"13" {
        return Err(HandshakeError::UnsupportedVersion);
    }
    let key = key::parse_key(fields.key.required(KEY)?);
    let key = key.ok_or(HandshakeError::InvalidHeader(KEY))?;
    check_origin(fields.origin, request, origins)?;
    if fields.protocol.is_present() {
        check_protocols(request.headers())?;
    }
    let (extensions, extensions_header) = if fields.extensions.is_present() {
        extensions::negotiate(&parse_all(request.headers())?, config)
    } else {
        (Extensions::default(), None)
    };
    Ok(Some(Agreement {
        accept: key::accept_for(key),
        extensions,
        extensions_header,
    }))
}

/// RFC 9112, 3.2: missing, repeated or malformed, it is answered with 400.
fn check_host(host: Single<'_>) -> Result<(), HandshakeError> {
    const HOST: &str = "Host";
    let value = core::str::from_utf8(host.required(HOST)?);
    match value.map(Authority::parse) {
        Ok(Ok(_)) => Ok(()),
        _ => Err(HandshakeError::InvalidHeader(HOST)),
    }
}

/// Two origins, or one that is not text, must not reach a policy or an application, which might
/// see none and take the client for something else than a browser.
fn check_origin(
    origin: Single<'_>,
    request: &HttpRequest,
    origins: &OriginPolicy,
) -> Result<(), HandshakeError> {
    let refused = HandshakeError::OriginNotAllowed;
    let origin = match origin {
        Single::Absent => None,
        Single::Once(value) if value.iter().all(u8::is_ascii_graphic) => {
            Some(core::str::from_utf8(value).map_err(|_| refused.clone())?)
        }
        Single::Once(_) | Single::Repeated => return Err(refused),
    };
    if origins.allows(origin, request.host()) {
        Ok(())
    } else {
        Err(refused)
    }
}

/// The header may be split over lines, but all of it has to be tokens (RFC 6455, 4.1, item 10),
/// and at least one. That they differ is the client's duty, and nothing depends on it.
fn check_protocols(headers: &Headers) -> Result<(), HandshakeError> {
    let mut offers = headers.elements(PROTOCOL).peekable();
    if offers.peek().is_none() || !offers.all(is_token) {
        return Err(HandshakeError::InvalidHeader(PROTOCOL));
    }
    Ok(())
}

fn parse_all(headers: &Headers) -> Result<Vec<Extension<'_>>, HandshakeError> {
    let parse =
        |value| parse_extensions(value).map_err(|_| HandshakeError::InvalidHeader(EXTENSIONS));
    let mut lines = headers.get_all(EXTENSIONS);
    // There is one line as a rule, whose list is taken over as it is.
    let mut extensions = lines.next().map_or_else(|| Ok(Vec::new()), parse)?;
    for line in lines {
        extensions.append(&mut parse(line)?);
    }
    Ok(extensions)
}

/// The first of the server's subprotocols that the client offers too.
pub(super) fn select_subprotocol<'p>(
    request: &HttpRequest,
    preference: &[&'p str],
) -> Option<&'p str> {
    let offered = |name: &&str| request.subprotocols().any(|offer| offer == *name);
    preference.iter().copied().find(offered)
}

/// A server answers with a subprotocol that the client listed, or with none (RFC 6455, 4.2.2, item
/// 5.5).
pub(super) fn check_chosen(request: &HttpRequest, chosen: &str) -> Result<(), BuildError> {
    if select_subprotocol(request, &[chosen]).is_some() {
        Ok(())
    } else {
        Err(BuildError::SubprotocolNotOffered)
    }
}

/// Judges the headers of a response with status 101, in the order of RFC 6455, 4.1.
pub(super) fn response(
    headers: &Headers,
    expected: &Expected,
    config: &Config,
) -> Result<(Extensions, Option<String>), HandshakeError> {
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
    if Single::of(headers.get_all(ACCEPT)).required(ACCEPT)? != expected.accept {
        return Err(HandshakeError::WrongAccept);
    }
    let extensions = match Single::of(headers.get_all(EXTENSIONS)).optional(EXTENSIONS)? {
        None => extensions::confirm(&[], config)?,
        Some(_) => extensions::confirm(&parse_all(headers)?, config)?,
    };
    let subprotocol = match Single::of(headers.get_all(PROTOCOL)).optional(PROTOCOL)? {
        None if expected.subprotocol == Subprotocol::Required => {
            return Err(HandshakeError::SubprotocolMissing);
        }
        None => None,
        Some(chosen) => {
            let mut offers = expected.subprotocols.iter();
            let offer = offers.find(|offer| offer.as_bytes() == chosen);
            Some(offer.ok_or(HandshakeError::SubprotocolNotOffered)?.clone())
        }
    };
    Ok((extensions, subprotocol))
}
