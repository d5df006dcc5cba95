//! Which proxy to use, and who the client is to it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::handshake::UrlError;
use crate::handshake::url::Authority;

/// A proxy that opens tunnels: an HTTP proxy by CONNECT (RFC 9110, 9.3.6) or a SOCKS proxy of
/// version 5 (RFC 1928).
///
/// Its URL is `http://[user:password@]host[:port]` or `socks5://[user:password@]host[:port]`; the
/// ports are 80 and 1080 unless they are named. The proxy resolves the host names of the servers,
/// so `socks5h` means the same as `socks5`. What leads to the proxy is plain TCP, and HTTP proxies
/// get the password in a form that everybody on the way can read (Basic, RFC 7617), as SOCKS
/// proxies do (RFC 1929). No environment variable is read.
///
/// ```
/// use fullduplex::handshake::client::Proxy;
///
/// let proxy: Proxy = "http://me:p%40ss@proxy.example:3128".parse()?;
/// assert_eq!((proxy.host(), proxy.port()), ("proxy.example", 3128));
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128", "never with the password");
/// # Ok::<(), fullduplex::handshake::client::InvalidProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: Kind,
    /// Without brackets.
    host: String,
    is_ipv6: bool,
    port: u16,
    credentials: Option<Credentials>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Socks5,
}

/// Who the client is.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why something is no proxy, or cannot be said to one.
///
/// ```
/// use fullduplex::handshake::client::{InvalidProxy, Proxy};
///
/// assert_eq!("ftp://proxy.example".parse::<Proxy>(), Err(InvalidProxy::Scheme));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// The scheme is neither `http` nor `socks5` or `socks5h`. A proxy that is reached over TLS
    /// (`https`) is not supported.
    #[error("URL of a proxy does not start with http:// or socks5://")]
    Scheme,
    /// Host or port are not valid.
    #[error("invalid URL of a proxy")]
    Url(#[from] UrlError),
    /// Something stands behind host and port.
    #[error("URL of a proxy has a path, a query or a fragment")]
    Path,
    /// User name or password are badly percent-encoded, or of a form that the proxy's protocol has
    /// no room for: control characters; for HTTP a colon in the user name (RFC 7617, 2); for SOCKS
    /// more than 255 bytes, or none (RFC 1929, 2).
    #[error("invalid user name or password for a proxy")]
    Credentials,
}

impl Proxy {
    /// The host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The same proxy, told this user name and password.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy::Credentials`].
    pub fn credentials(mut self, user: &str, password: &str) -> Result<Self, InvalidProxy> {
        let printable = |text: &str| !text.chars().any(char::is_control);
        let fits = match self.kind {
            Kind::Http => !user.contains(':'),
            Kind::Socks5 => [user, password]
                .iter()
                .all(|text| matches!(text.len(), 1..=255)),
        };
        if !fits || !printable(user) || !printable(password) {
            return Err(InvalidProxy::Credentials);
        }
        self.credentials = Some(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        });
        Ok(self)
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) const fn known_as(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidProxy::Scheme)?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let (kind, default_port) = match () {
            () if is("http") => (Kind::Http, 80),
            () if is("socks5") || is("socks5h") => (Kind::Socks5, 1080),
            () => return Err(InvalidProxy::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(InvalidProxy::Path);
        }
        let (userinfo, authority) = match rest.rsplit_once('@') {
            Some((userinfo, authority)) => (Some(userinfo), authority),
            None => (None, rest),
        };
        let authority = Authority::parse(authority)?;
        let proxy = Self {
            kind,
            host: authority.host.text().to_ascii_lowercase(),
            is_ipv6: authority.host.is_ipv6(),
            port: authority.port.unwrap_or(default_port),
            credentials: None,
        };
        let Some(userinfo) = userinfo else {
            return Ok(proxy);
        };
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        proxy.credentials(&decode(user)?, &decode(password)?)
    }
}

impl TryFrom<&str> for Proxy {
    type Error = InvalidProxy;

    fn try_from(text: &str) -> Result<Self, InvalidProxy> {
        text.parse()
    }
}

/// Undoes percent-encoding (RFC 3986, 2.1). What could delimit something else has to be encoded.
fn decode(text: &str) -> Result<String, InvalidProxy> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(InvalidProxy::Credentials);
                };
                decoded.extend(u8::try_from(high * 16 + low));
            }
            b'@' | b'[' | b']' => return Err(InvalidProxy::Credentials),
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| InvalidProxy::Credentials)
}

/// The URL, without user name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            Kind::Http => "http",
            Kind::Socks5 => "socks5",
        };
        let (open, close) = if self.is_ipv6 { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// Shows whether there are credentials, but not which.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &format_args!("{self}"))
            .field("has_credentials", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}
