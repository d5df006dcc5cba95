//! Which web pages may open a connection (RFC 6455, 4.2.1, item 8, and 10.2; RFC 6454).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::url::{Authority, Host};

/// Which web pages may open a connection.
///
/// A browser lets every page on the web open a WebSocket to any server, sends the user's cookies
/// along and names the page in the header `Origin`. A server that identifies its users by cookies,
/// or by being reachable from their network only, has to look at it, or every page that a user
/// visits can talk to the server in the user's name. That is why this policy has no default.
///
/// The policy protects users from pages, not the server from clients: any other program can send
/// whatever origin it likes or none. A missing `Origin` is therefore let through and says nothing
/// about the client (RFC 6455, 4.2.1); [`required`](Self::required) refuses it.
///
/// Values are compared strictly, as origins: scheme, host and port. `null`, which sandboxed and
/// local documents send, and whatever else is not an origin matches nothing.
///
/// ```
/// use fullduplex::handshake::OriginPolicy;
///
/// let policy = OriginPolicy::allow(["https://example.com"])?;
/// assert!(policy.allows(Some("https://example.com"), None));
/// assert!(!policy.allows(Some("https://example.com.evil.test"), None));
/// assert!(policy.allows(None, None));
/// assert!(!policy.required().allows(None, None));
/// # Ok::<(), fullduplex::handshake::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone)]
pub struct OriginPolicy {
    rule: Rule,
    required: bool,
    https_only: bool,
}

#[derive(Debug, Clone)]
enum Rule {
    Any,
    Same,
    Listed(Arc<[String]>),
}

/// The entry of an allow list is not an origin such as `https://example.com` or
/// `http://localhost:8080`.
///
/// ```
/// use fullduplex::handshake::OriginPolicy;
///
/// assert!(OriginPolicy::allow(["https://*.example.com"]).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an origin")]
#[non_exhaustive]
pub struct InvalidOrigin;

impl OriginPolicy {
    /// Lets every page connect. Right for public data, and where every message proves who sent it.
    pub const fn any() -> Self {
        Self::new(Rule::Any)
    }

    /// Lets pages connect that were loaded from this server: the origin's host and port are those
    /// that the client addressed in `Host`.
    ///
    /// A server behind a proxy has to be sent the original `Host`. The scheme is not compared,
    /// because a server does not see whether a proxy has taken TLS off: where it has, add
    /// [`https_only`](Self::https_only), or a page sent over plain HTTP can pass for the secure
    /// one.
    pub const fn same_origin() -> Self {
        Self::new(Rule::Same)
    }

    /// Lets pages of the listed origins connect, each written like `https://example.com` or
    /// `http://localhost:8080`.
    ///
    /// # Errors
    ///
    /// An entry is not an origin: it has a path, a wildcard, no scheme.
    pub fn allow<I>(origins: I) -> Result<Self, InvalidOrigin>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let listed: Option<Vec<_>> = origins
            .into_iter()
            .map(|origin| Some(Origin::parse(origin.as_ref())?.normalized()))
            .collect();
        Ok(Self::new(Rule::Listed(listed.ok_or(InvalidOrigin)?.into())))
    }

    const fn new(rule: Rule) -> Self {
        Self {
            rule,
            required: false,
            https_only: false,
        }
    }

    /// Refuses requests without `Origin` too: only browsers get through, and what imitates them.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Refuses origins whose scheme is not `https`.
    #[must_use]
    pub const fn https_only(mut self) -> Self {
        self.https_only = true;
        self
    }

    /// Whether a request with this value of `Origin` may connect; `host` is the value of `Host`.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else {
            return !self.required;
        };
        if matches!(self.rule, Rule::Any) && !self.https_only {
            return true;
        }
        let Some(origin) = Origin::parse(origin) else {
            return false;
        };
        if self.https_only && !origin.scheme.eq_ignore_ascii_case("https") {
            return false;
        }
        match &self.rule {
            Rule::Any => true,
            Rule::Same => host.is_some_and(|host| origin.is_served_by(host)),
            Rule::Listed(listed) => listed.contains(&origin.normalized()),
        }
    }
}

/// A scheme, a host and a port: what a browser keeps apart (RFC 6454, 4 and 6.2).
struct Origin<'a> {
    scheme: &'a str,
    /// Host and port as given.
    authority: &'a str,
    host: Host<'a>,
    /// As given, or the scheme's own.
    port: Option<u16>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // A scheme holds no colon, so that the first one ends it.
        let (scheme, rest) = text.split_at_checked(text.bytes().position(|byte| byte == b':')?)?;
        let authority = rest.strip_prefix("://")?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let starts_well = scheme.bytes().next()?.is_ascii_alphabetic();
        // A colon without a port is legal in a URL but not in an origin.
        if !starts_well || !scheme.bytes().all(legal) || authority.ends_with(':') {
            return None;
        }
        let Authority { host, port } = Authority::parse(authority).ok()?;
        Some(Self {
            scheme,
            authority,
            host,
            port: port.or_else(|| default_port(scheme)),
        })
    }

    /// Whether host and port are those of a `Host` header. Without a port in it, the client used
    /// the default of its scheme, and a page of the same origin used the matching one.
    fn is_served_by(&self, host: &str) -> bool {
        let Some(default) = default_port(self.scheme) else {
            return false;
        };
        // As a rule both are written alike, which spares parsing the same again.
        if host.eq_ignore_ascii_case(self.authority) {
            return true;
        }
        Authority::parse(host).is_ok_and(|authority| {
            authority.host == self.host && Some(authority.port.unwrap_or(default)) == self.port
        })
    }

    /// The same text for all ways to write the same origin.
    fn normalized(&self) -> String {
        let host = match self.host {
            Host::Name(name) => name.to_ascii_lowercase(),
            Host::Ipv4(_, address) => alloc::format!("{address}"),
            Host::Ipv6(_, address) => alloc::format!("[{address}]"),
        };
        let port = self
            .port
            .map(|port| alloc::format!(":{port}"))
            .unwrap_or_default();
        [&self.scheme.to_ascii_lowercase(), "://", &host, &port].concat()
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else {
        None
    }
}
