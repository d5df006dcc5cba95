//! `ws` and `wss` URLs (RFC 6455, section 3), and the host and port they share with the headers
//! `Host` and `Origin` (RFC 3986, 3.2).
//!
//! The parser accepts less than browsers repair: what it would have to guess at, change or drop is
//! an error. Names have to come in their ASCII form, and everything else that is not allowed in a
//! URL percent-encoded.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The URL of a WebSocket.
///
/// ```
/// use fullduplex::handshake::Url;
///
/// let url: Url = "wss://example.com/chat?room=1".parse()?;
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("example.com", 443));
/// assert_eq!(url.resource(), "/chat?room=1");
/// # Ok::<(), fullduplex::handshake::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    secure: bool,
    /// In lower case; an IPv6 address without its brackets.
    host: String,
    is_ipv6: bool,
    port: u16,
    resource: String,
}

/// Why a text is not the URL of a WebSocket.
///
/// ```
/// use fullduplex::handshake::{Url, UrlError};
///
/// assert_eq!("ws://example.com/#top".parse::<Url>(), Err(UrlError::Fragment));
/// assert_eq!("http://example.com/".parse::<Url>(), Err(UrlError::Scheme));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is neither `ws` nor `wss`, or `//` does not follow it (RFC 6455, 3).
    #[error("URL does not start with ws:// or wss://")]
    Scheme,
    /// User name or password stand before the host. They would end up in logs; send a header.
    #[error("URL holds a user name or password")]
    Userinfo,
    /// The host is empty, or neither an ASCII name nor an IP address (IPv6 in brackets).
    #[error("URL has an invalid host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("URL has an invalid port")]
    Port,
    /// A `#` is not allowed; as part of a path or query it is written `%23` (RFC 6455, 3).
    #[error("URL has a fragment")]
    Fragment,
    /// A character that has to be percent-encoded is not, or a percent sign begins no encoding.
    #[error("URL has an invalid character in path or query")]
    Character,
}

impl Url {
    /// Whether the scheme is `wss`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host in lower case: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 80 for `ws` and 443 for `wss` where the URL names none.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The resource name: path and query, as sent in the request line (RFC 6455, 3).
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The value of the header `Host`: with brackets around an IPv6 address, and with the port
    /// only where it is not the scheme's own (RFC 6455, 4.1, item 4).
    pub fn authority(&self) -> String {
        if self.port == default_port(self.secure) {
            self.bracketed()
        } else {
            self.host_and_port()
        }
    }

    /// Host and port, as a proxy is told them.
    pub(super) fn host_and_port(&self) -> String {
        [&self.bracketed(), ":", &self.port.to_string()].concat()
    }

    fn bracketed(&self) -> String {
        if self.is_ipv6 {
            ["[", &self.host, "]"].concat()
        } else {
            self.host.clone()
        }
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
        let authority = Authority::parse(authority)?;
        Ok(Self {
            secure,
            host: authority.host.text().to_ascii_lowercase(),
            is_ipv6: authority.host.is_ipv6(),
            port: authority.port.unwrap_or_else(|| default_port(secure)),
            resource: parse_resource(resource)?,
        })
    }
}

impl TryFrom<&str> for Url {
    type Error = UrlError;

    fn try_from(text: &str) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource)
    }
}

/// Path and query: an empty path becomes `/`, and an empty query goes with its question mark
/// (RFC 6455, 3).
fn parse_resource(text: &str) -> Result<String, UrlError> {
    if text.contains('#') {
        return Err(UrlError::Fragment);
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    // Brackets are for hosts only (RFC 3986, 3.2.2), but `?a[]=1` is what forms produce and what
    // browsers send unchanged.
    check_characters(path, b"/:@")?;
    check_characters(query, b"/:@?[]")?;
    let path = if path.is_empty() { "/" } else { path };
    let mark = if query.is_empty() { "" } else { "?" };
    Ok([path, mark, query].concat())
}

/// Checks for unreserved characters, sub-delimiters, percent-encodings and `also` (RFC 3986, 3.3).
fn check_characters(text: &str, also: &[u8]) -> Result<(), UrlError> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'%' => {
                let mut digit = || bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit());
                digit() && digit()
            }
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b'!'
            | b'$'
            | b'&'
            | b'\''
            | b'('
            | b')'
            | b'*'
            | b'+'
            | b','
            | b';'
            | b'=' => true,
            _ => also.contains(&byte),
        };
        if !legal {
            return Err(UrlError::Character);
        }
    }
    Ok(())
}

/// Host and port, as they stand in a URL, in `Host` and in `Origin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) host: Host<'a>,
    pub(super) port: Option<u16>,
}

/// A host, with its text as given (without brackets).
#[derive(Debug, Clone, Copy)]
pub(super) enum Host<'a> {
    Name(&'a str),
    Ipv4(&'a str, Ipv4Addr),
    Ipv6(&'a str, Ipv6Addr),
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, UrlError> {
        // Nothing that is legal holds the sign, so that it is looked for in what is not.
        Self::parse_legal(text).map_err(|error| {
            if text.contains('@') {
                UrlError::Userinfo
            } else {
                error
            }
        })
    }

    fn parse_legal(text: &'a str) -> Result<Self, UrlError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or(UrlError::Host)?;
            let parsed = address.parse().map_err(|_| UrlError::Host)?;
            (Host::Ipv6(address, parsed), port)
        } else {
            // Too short for a search that is made for long texts.
            let colon = text.bytes().position(|byte| byte == b':');
            let end = colon.unwrap_or(text.len());
            let (name, port) = text.split_at_checked(end).ok_or(UrlError::Host)?;
            (Host::parse_name(name)?, port)
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return Err(UrlError::Host),
            // RFC 3986, 3.2.3: the port may be left out behind the colon.
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                match digits.parse() {
                    Ok(0) | Err(_) => return Err(UrlError::Port),
                    Ok(port) => Some(port),
                }
            }
            Some(_) => return Err(UrlError::Port),
        };
        Ok(Self { host, port })
    }
}

impl<'a> Host<'a> {
    fn parse_name(text: &'a str) -> Result<Self, UrlError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        // The label that has been read so far: its length, and whether it is a number.
        let (mut length, mut digits) = (0, true);
        for byte in name.bytes() {
            match byte {
                b'0'..=b'9' => length += 1,
                b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' => (length, digits) = (length + 1, false),
                b'.' if matches!(length, 1..=63) => (length, digits) = (0, true),
                _ => return Err(UrlError::Host),
            }
        }
        if name.len() > 253 || !matches!(length, 1..=63) {
            return Err(UrlError::Host);
        }
        // A resolver takes `0x7f.1` or `127.1` for an address although they look like names.
        let last = name.get(name.len() - length..).unwrap_or_default();
        let number = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        if digits || number.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Ok(Self::Ipv4(text, text.parse().map_err(|_| UrlError::Host)?));
        }
        Ok(Self::Name(text))
    }

    pub(super) const fn is_ipv6(self) -> bool {
        matches!(self, Self::Ipv6(..))
    }

    pub(super) const fn text(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Ipv4(text, _) | Self::Ipv6(text, _) => text,
        }
    }
}

/// Names are equal but for their case; addresses by value.
impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Ipv4(_, a), Self::Ipv4(_, b)) => a == b,
            (Self::Ipv6(_, a), Self::Ipv6(_, b)) => a == b,
            (Self::Name(_) | Self::Ipv4(..) | Self::Ipv6(..), _) => false,
        }
    }
}

impl Eq for Host<'_> {}
