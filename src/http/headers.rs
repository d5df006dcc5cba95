//! Lists of header fields, from and to those of the `http` crate.

use ::http::header::{HeaderName, HeaderValue};
use ::http::{Error, HeaderMap};

use crate::handshake::Headers;

/// Fields of the same name keep their order.
///
/// ```
/// use fullduplex::handshake::Headers;
///
/// let request = http::Request::get("/").header("Accept", "a").header("Accept", "b").body(())?;
/// let headers = Headers::from(request.headers());
/// assert_eq!(headers.get_all("accept").collect::<Vec<_>>(), [b"a", b"b"]);
/// # Ok::<(), http::Error>(())
/// ```
impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        map.iter()
            .map(|(name, value)| (name, value.as_bytes()))
            .collect()
    }
}

/// Fails when a name is no token, a value holds control characters, or there are more fields than
/// the map can hold.
///
/// ```
/// use fullduplex::handshake::Headers;
/// use http::HeaderMap;
///
/// let headers: Headers = [("Set-Cookie", "a"), ("Set-Cookie", "b")].into_iter().collect();
/// let map = HeaderMap::try_from(&headers)?;
/// assert_eq!(map.get_all("set-cookie").iter().count(), 2);
///
/// let headers: Headers = [("X", "a\nb")].into_iter().collect();
/// assert!(HeaderMap::try_from(&headers).is_err());
/// # Ok::<(), http::Error>(())
/// ```
impl TryFrom<&Headers> for HeaderMap {
    type Error = Error;

    fn try_from(headers: &Headers) -> Result<Self, Error> {
        let mut map = Self::with_capacity(0);
        for (name, value) in headers.iter() {
            let name = HeaderName::from_bytes(name.as_bytes())?;
            map.try_append(name, HeaderValue::from_bytes(value)?)?;
        }
        Ok(map)
    }
}
