//! Where a redirect leads, and what of the request goes there (RFC 9110, 15.4 and 10.2.2).

use alloc::string::String;
use alloc::vec::Vec;

use super::body::Rejection;
use super::request::Request;
use crate::handshake::{Url, UrlError};

/// Whether redirects are followed, and how many in a row.
///
/// They are not unless asked for: who sends a client elsewhere decides where its messages go.
///
/// A redirect is a refusal with status 301, 302, 303, 307 or 308 and a `Location`, which may be
/// relative; `http` and `https` stand for `ws` and `wss`. Encryption is never given up. Where host,
/// port or scheme change, nothing goes along that may be a secret: of the headers that the
/// application added only `Accept-Language` and `User-Agent` do, since keys are sent under many
/// names, and neither does a `Host` of its own. Origin and subprotocols stay.
///
/// ```
/// use fullduplex::handshake::client::{Redirects, Rejection, Request};
///
/// let mut rejection = Rejection::default();
/// rejection.status = 308;
/// rejection.headers.append("Location", "https://b.example/chat");
///
/// let mut redirects = Redirects::up_to(1);
/// let request = Request::new("ws://a.example/")?;
/// let next = redirects.follow(&request, &rejection)?.ok_or("not a redirect")?;
/// assert_eq!(next.url().to_string(), "wss://b.example/chat");
/// assert!(redirects.follow(&next, &rejection).is_err(), "the second one");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redirects {
    /// `None`: they are not followed.
    left: Option<u8>,
}

/// Why a redirect is not followed.
///
/// ```
/// use fullduplex::handshake::client::{Redirects, RedirectError, Rejection, Request};
///
/// let mut rejection = Rejection::default();
/// rejection.status = 302;
/// let request = Request::new("ws://a.example/")?;
/// let next = Redirects::up_to(5).follow(&request, &rejection);
/// assert_eq!(next.err(), Some(RedirectError::MissingLocation));
/// # Ok::<(), fullduplex::handshake::BuildError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// There were more redirects in a row than allowed; mostly they go in a circle.
    #[error("too many redirects")]
    TooMany,
    /// The response does not say where to go.
    #[error("redirect without a location")]
    MissingLocation,
    /// The response names several places.
    #[error("redirect with several locations")]
    RepeatedLocation,
    /// The place is not the URL of a WebSocket, nor relative to one.
    #[error("redirect to an invalid location")]
    Location(#[from] UrlError),
    /// The place would be reached without the encryption that the first URL asked for.
    #[error("redirect from wss to ws")]
    Downgrade,
}

impl Redirects {
    /// Redirects are refusals like others.
    pub const fn none() -> Self {
        Self { left: None }
    }

    /// Follows so many in a row. Browsers stop at 20, and few services need more than two.
    pub const fn up_to(limit: u8) -> Self {
        Self { left: Some(limit) }
    }

    /// The request to be sent after `request` was refused; `None` if the refusal is not a redirect
    /// or they are not followed. Counts down.
    ///
    /// # Errors
    ///
    /// The redirect leads nowhere, or somewhere this client does not go.
    pub fn follow(
        &mut self,
        request: &Request,
        rejection: &Rejection,
    ) -> Result<Option<Request>, RedirectError> {
        let (Some(left), 301 | 302 | 303 | 307 | 308) = (self.left, rejection.status) else {
            return Ok(None);
        };
        self.left = Some(left.checked_sub(1).ok_or(RedirectError::TooMany)?);
        let mut locations = rejection.headers.get_all("Location");
        let location = locations.next().ok_or(RedirectError::MissingLocation)?;
        if locations.next().is_some() {
            return Err(RedirectError::RepeatedLocation);
        }
        let location = core::str::from_utf8(location).map_err(|_| UrlError::Character)?;
        let from = request.url();
        let url = resolve(from, location)?;
        if from.is_secure() && !url.is_secure() {
            return Err(RedirectError::Downgrade);
        }
        Ok(Some(request.redirected(url)))
    }
}

/// The target of a reference in a document at `base` (RFC 3986, 5.2.2), without its fragment, which
/// a WebSocket has no use for.
fn resolve(base: &Url, reference: &str) -> Result<Url, UrlError> {
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, rest) = match split_scheme(reference) {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, reference),
    };
    let is = |name: &str| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(name));
    let scheme = match scheme {
        None if base.is_secure() => "wss",
        None => "ws",
        Some(_) if is("ws") || is("http") => "ws",
        Some(_) if is("wss") || is("https") => "wss",
        Some(_) => return Err(UrlError::Scheme),
    };
    let own_authority = base.authority();
    let (authority, resource) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, resource) = rest.split_at_checked(end).ok_or(UrlError::Host)?;
            (authority, absolute(resource))
        }
        // `http:path` is relative for the parsers of old only.
        None if reference.len() > rest.len() => return Err(UrlError::Scheme),
        None => (own_authority.as_str(), relative(base.resource(), rest)),
    };
    [scheme, "://", authority, &resource].concat().parse()
}

/// Scheme and rest, where there is a scheme (RFC 3986, 3.1).
fn split_scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let starts = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    (starts && scheme.bytes().all(legal)).then_some((scheme, rest))
}

/// Path and query, with their question mark if there is one.
fn split_query(resource: &str) -> (&str, &str) {
    let end = resource.find('?').unwrap_or(resource.len());
    resource.split_at_checked(end).unwrap_or((resource, ""))
}

/// What a reference without scheme and authority adds to the resource of the base.
fn relative(base: &str, reference: &str) -> String {
    let (base_path, base_query) = split_query(base);
    match split_query(reference) {
        ("", "") => [base_path, base_query].concat(),
        ("", query) => [base_path, query].concat(),
        (path, _) if path.starts_with('/') => absolute(reference),
        _ => {
            // RFC 3986, 5.2.3: it takes the place of what stands behind the last slash.
            let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
            absolute(&[folder, "/", reference].concat())
        }
    }
}

/// A resource with its segments `.` and `..` worked out (RFC 3986, 5.2.4).
fn absolute(resource: &str) -> String {
    let (path, query) = split_query(resource);
    let mut segments = Vec::new();
    let mut rest = path.split('/').skip(1).peekable();
    while let Some(segment) = rest.next() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if rest.peek().is_none() {
                    segments.push(""); // what is left ends with a slash
                }
            }
            segment => segments.push(segment),
        }
    }
    let path = segments.join("/");
    ["/", &path, query].concat()
}
