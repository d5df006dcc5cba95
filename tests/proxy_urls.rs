//! What names a proxy, and what it may be told.
#![allow(clippy::unwrap_used, reason = "tests")]

use fullduplex::handshake::UrlError;
use fullduplex::handshake::client::{InvalidProxy, Proxy};

#[test]
fn urls_of_proxies() {
    for (text, host, port, shown) in [
        ("http://p", "p", 80, "http://p:80"),
        (
            "HTTP://P.Example:3128/",
            "p.example",
            3128,
            "http://p.example:3128",
        ),
        ("http://[::1]:8080", "::1", 8080, "http://[::1]:8080"),
        (
            "socks5://127.0.0.1",
            "127.0.0.1",
            1080,
            "socks5://127.0.0.1:1080",
        ),
        ("socks5h://p:9050", "p", 9050, "socks5://p:9050"),
        ("http://user:secret@p", "p", 80, "http://p:80"),
        ("http://user@p", "p", 80, "http://p:80"),
    ] {
        let proxy: Proxy = text.parse().unwrap();
        assert_eq!(Proxy::try_from(text), Ok(proxy.clone()));
        assert_eq!((proxy.host(), proxy.port()), (host, port), "{text}");
        assert_eq!(proxy.to_string(), shown, "{text}");
        assert!(!format!("{proxy:?}").contains("secret"));
    }
    for (text, error) in [
        ("p:3128", InvalidProxy::Scheme),
        ("https://p", InvalidProxy::Scheme),
        ("socks4://p", InvalidProxy::Scheme),
        ("http://p/path", InvalidProxy::Path),
        ("http://p?x", InvalidProxy::Path),
        ("http://p#x", InvalidProxy::Path),
        ("http://", InvalidProxy::Url(UrlError::Host)),
        ("http://p:0", InvalidProxy::Url(UrlError::Port)),
        ("http://p:65536", InvalidProxy::Url(UrlError::Port)),
        ("http://a\r\nb", InvalidProxy::Url(UrlError::Host)),
        ("http://u:p%4@p", InvalidProxy::Credentials),
        ("http://u:p%ff@p", InvalidProxy::Credentials),
        ("http://u:p%0d%0aX@p", InvalidProxy::Credentials),
        ("http://u:p@q@p", InvalidProxy::Credentials),
        ("http://u%3av:p@p", InvalidProxy::Credentials),
        ("socks5://user@p", InvalidProxy::Credentials),
    ] {
        assert_eq!(text.parse::<Proxy>(), Err(error), "{text}");
        assert_eq!(Proxy::try_from(text), Err(error), "{text}");
    }
}

/// The limit of RFC 1929, 2, and one past it.
#[test]
fn socks_credentials_have_up_to_255_bytes() {
    let (fits, too_long) = ("a".repeat(255), "a".repeat(256));
    let proxy: Proxy = "socks5://p".parse().unwrap();
    assert!(proxy.clone().credentials(&fits, &fits).is_ok());
    for (user, password) in [(&fits, &too_long), (&too_long, &fits)] {
        let result = proxy.clone().credentials(user, password);
        assert_eq!(result, Err(InvalidProxy::Credentials));
    }
}
