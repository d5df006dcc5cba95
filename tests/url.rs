//! URLs of WebSockets (RFC 6455, section 3).
#![allow(clippy::unwrap_used, reason = "tests")]

use fullduplex::handshake::client::Request;
use fullduplex::handshake::{BuildError, Url, UrlError};
use proptest::prelude::*;

#[track_caller]
fn parse(text: &str) -> Url {
    let url = text
        .parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(Url::try_from(text).as_ref(), Ok(&url));
    url
}

#[track_caller]
fn assert_invalid(text: &str, error: UrlError) {
    assert_eq!(text.parse::<Url>(), Err(error), "{text:?}");
    assert_eq!(Url::try_from(text), Err(error), "{text:?}");
    assert_eq!(
        Request::new(text).err(),
        Some(BuildError::Url(error)),
        "{text:?}"
    );
}

/// R6455-3-01
#[test]
fn schemes_have_default_ports_and_any_case() {
    for (text, secure, port) in [
        ("ws://h", false, 80),
        ("wss://h", true, 443),
        ("WS://h", false, 80),
        ("wSs://h", true, 443),
        ("ws://h:443", false, 443),
        ("wss://h:80/", true, 80),
        ("ws://h:1", false, 1),
        ("ws://h:65535", false, 65535),
        ("ws://h:0080/", false, 80),
        ("ws://h:/", false, 80),
    ] {
        let url = parse(text);
        assert_eq!((url.is_secure(), url.port()), (secure, port), "{text}");
    }
    for text in [
        "",
        "ws",
        "ws:",
        "ws:/",
        "ws:h",
        "ws:h/",
        "ws:/h/",
        "//h/",
        "h",
        "http://h/",
        "https://h/",
        "wsx://h/",
        "ws s://h/",
        " ws://h/",
        "\tws://h/",
        "w\ns://h/",
        "://h/",
        "ws:\\\\h/",
    ] {
        assert_invalid(text, UrlError::Scheme);
    }
}

/// R6455-3-02
#[test]
fn the_resource_name_is_path_and_query() {
    for (text, resource) in [
        ("ws://h", "/"),
        ("ws://h/", "/"),
        ("ws://h?", "/"),
        ("ws://h/?", "/"),
        ("ws://h/a?", "/a"),
        ("ws://h?x", "/?x"),
        ("ws://h/a/b;c=1?x=1&y=/?", "/a/b;c=1?x=1&y=/?"),
        ("ws://h/a%20b%2F?%23", "/a%20b%2F?%23"),
        ("ws://h//a/../b/.", "//a/../b/."),
        ("ws://h/a:b@c!$&'()*+,;=-._~", "/a:b@c!$&'()*+,;=-._~"),
        ("ws://h/?a[]=1", "/?a[]=1"),
    ] {
        assert_eq!(parse(text).resource(), resource, "{text}");
    }
}

/// R6455-3-03
#[test]
fn a_fragment_is_an_error() {
    for text in [
        "ws://h/#a",
        "ws://h/#",
        "ws://h#",
        "ws://h?q#a",
        "ws://h/a?b#c",
    ] {
        assert_invalid(text, UrlError::Fragment);
    }
}

/// R8307-01
#[test]
fn well_known_paths_are_paths() {
    for text in ["ws://h/.well-known/", "wss://h/.well-known/foo/bar?x=1"] {
        let url = parse(text);
        assert!(text.ends_with(url.resource()), "{text}");
        assert_eq!(url.to_string(), text);
    }
}

/// R6455-4.1-01, H4: what would have to be repaired is refused, before anything is connected.
#[test]
fn what_is_not_a_url_is_refused() {
    for text in [
        "ws://h/a b",
        "ws://h?x y",
        "ws://h/\t",
        "ws://h/a\r\nX: y",
        "ws://h/\n",
        "ws://h/\0",
        "ws://h/\x7f",
        "ws://h/é",
        "ws://h/%",
        "ws://h/%2",
        "ws://h/%2g",
        "ws://h/%é0",
        "ws://h/\"",
        "ws://h/<",
        "ws://h/>",
        "ws://h/\\",
        "ws://h/^",
        "ws://h/`",
        "ws://h/{",
        "ws://h/|",
        "ws://h/}",
        "ws://h/a[",
        "ws://h/?a\\b",
        "ws://h/ HTTP/1.1\r\nX: y",
    ] {
        assert_invalid(text, UrlError::Character);
    }
    for text in [
        "ws://user@h/",
        "ws://user:secret@h/",
        "ws://@h/",
        "ws://a@b@c/",
        "ws://good.com:80@evil.com/",
    ] {
        assert_invalid(text, UrlError::Userinfo);
    }
    for text in [
        "ws://h:0/",
        "ws://h:65536/",
        "ws://h:99999999999999999999/",
        "ws://h:-1/",
        "ws://h:+1/",
        "ws://h:1a/",
        "ws://h: 1/",
        "ws://h:1:2/",
        "ws://h:80\\/",
        "ws://[::1]:x/",
    ] {
        assert_invalid(text, UrlError::Port);
    }
}

/// R6455-4.1-01
#[test]
fn hosts_are_ascii_names_and_addresses() {
    for (text, host, authority) in [
        ("ws://example.com/", "example.com", "example.com"),
        ("ws://EXAMPLE.com/", "example.com", "example.com"),
        ("ws://example.com./", "example.com.", "example.com."),
        (
            "ws://xn--bcher-kva.example/",
            "xn--bcher-kva.example",
            "xn--bcher-kva.example",
        ),
        ("ws://my_service:8080/", "my_service", "my_service:8080"),
        ("ws://1a/", "1a", "1a"),
        ("ws://a.1b/", "a.1b", "a.1b"),
        ("ws://127.0.0.1:9001/", "127.0.0.1", "127.0.0.1:9001"),
        ("ws://[::1]/", "::1", "[::1]"),
        (
            "wss://[2001:DB8::1]:444/",
            "2001:db8::1",
            "[2001:db8::1]:444",
        ),
        (
            "ws://[::ffff:1.2.3.4]/",
            "::ffff:1.2.3.4",
            "[::ffff:1.2.3.4]",
        ),
    ] {
        let url = parse(text);
        assert_eq!((url.host(), url.authority().as_str()), (host, authority));
    }
    for text in [
        "ws:///",
        "ws://",
        "ws://?x",
        "ws://:80/",
        "ws://./",
        "ws://a..b/",
        "ws://.a/",
        "ws://a b/",
        "ws://a\\b/",
        "ws://a\r\nb/",
        "ws://a%41/",
        "ws://bücher.example/",
        "ws://a,b/",
        "ws://a!/",
        "ws://[::1/",
        "ws://::1/",
        "ws://[]/",
        "ws://[1.2.3.4]/",
        "ws://[::1]x/",
        "ws://[::g]/",
        "ws://[fe80::1%25eth0]/",
        "ws://[::1]]/",
        "ws://x[::1]/",
        // What resolvers take for addresses without it being one.
        "ws://1/",
        "ws://127.1/",
        "ws://1.2.3.4.5/",
        "ws://1.2.3.256/",
        "ws://01.2.3.4/",
        "ws://0x7f.1/",
        "ws://0x7f000001/",
        "ws://a.0x/",
        "ws://a.1/",
        "ws://1.2.3.4./",
    ] {
        let error = text.parse::<Url>().expect_err(text);
        assert!(
            matches!(error, UrlError::Host | UrlError::Port),
            "{text:?}: {error:?}"
        );
    }
    let label = "a".repeat(63);
    let name = [&label[..], &label, &label, &label[..61]].join(".");
    assert_eq!(name.len(), 253);
    assert_eq!(parse(&format!("ws://{name}/")).host(), name);
    assert_invalid(&format!("ws://{name}a/"), UrlError::Host);
    assert_invalid(&format!("ws://{label}a/"), UrlError::Host);
}

/// R6455-4.1-10: the port is part of `Host` where it is not the scheme's own.
#[test]
fn the_authority_names_a_port_that_is_not_the_default() {
    for (text, authority) in [
        ("ws://h:80/", "h"),
        ("ws://h:443/", "h:443"),
        ("wss://h:443/", "h"),
        ("wss://h:80/", "h:80"),
        ("ws://[::1]:80/", "[::1]"),
        ("ws://[::1]:81/", "[::1]:81"),
    ] {
        assert_eq!(parse(text).authority(), authority, "{text}");
    }
}

proptest! {
    /// Whatever is accepted can be put into a request line and a header, and reads back the same.
    #[test]
    fn what_is_accepted_is_safe_and_stable(
        text in prop_oneof![
            any::<String>(),
            "wss?://[a-z]{1,5}(:[1-9][0-9]{0,3})?[/?][!-~]{0,8}",
            "(ws|wss|WS)://[a-z0-9.\\-_:@\\[\\]%]{0,20}[/?#]?[ -~\\r\\n\u{e9}]{0,20}",
        ]
    ) {
        if let Ok(url) = text.parse::<Url>() {
            prop_assert!(url.resource().starts_with('/'));
            let safe = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
            prop_assert!(url.resource().bytes().all(safe));
            prop_assert!(url.authority().bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(url.to_string().parse::<Url>(), Ok(url));
        }
    }
}
