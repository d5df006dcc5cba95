//! The header fields that mean something in a handshake, and how often each may come (RFC 6455,
//! 11.3).

use super::error::HandshakeError;
use super::grammar;
use super::headers::Headers;

pub(super) const ACCEPT: &str = "Sec-WebSocket-Accept";
pub(super) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
pub(super) const PROTOCOL: &str = "Sec-WebSocket-Protocol";
pub(super) const VERSION: &str = "Sec-WebSocket-Version";
pub(super) const KEY: &str = "Sec-WebSocket-Key";

/// A header that may come once.
#[derive(Clone, Copy, Default)]
pub(super) enum Single<'a> {
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

    pub(super) fn of(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut single = Self::Absent;
        values.for_each(|value| single.add(value));
        single
    }

    pub(super) const fn is_present(self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(super) const fn optional(
        self,
        name: &'static str,
    ) -> Result<Option<&'a [u8]>, HandshakeError> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => Ok(Some(grammar::trim(value))),
            Self::Repeated => Err(HandshakeError::RepeatedHeader(name)),
        }
    }

    pub(super) fn required(self, name: &'static str) -> Result<&'a [u8], HandshakeError> {
        match self.optional(name)? {
            Some(value) => Ok(value),
            None => Err(HandshakeError::MissingHeader(name)),
        }
    }
}

/// The headers of a request that mean something here, collected in one pass.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) host: Single<'a>,
    pub(super) origin: Single<'a>,
    pub(super) key: Single<'a>,
    pub(super) version: Single<'a>,
    pub(super) content_length: Single<'a>,
    pub(super) transfer_encoding: Single<'a>,
    pub(super) protocol: Single<'a>,
    pub(super) extensions: Single<'a>,
    pub(super) upgrades_to_websocket: bool,
    pub(super) connection_says_upgrade: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn collect(headers: &'a Headers) -> Self {
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
    pub(super) const fn is_handshake(&self) -> bool {
        self.upgrades_to_websocket || self.key.is_present() || self.version.is_present()
    }
}

/// Whether a comma-separated list holds a token, in any case.
pub(super) fn lists(value: &[u8], token: &[u8]) -> bool {
    grammar::elements(value).any(|element| element.eq_ignore_ascii_case(token))
}
