//! What a client sends in its opening handshake (RFC 6455, 4.1).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::handshake::{SAMPLE_KEY, ask, drain, sample_keys};
use fullduplex::handshake::BuildError;
use fullduplex::handshake::client::{Handshake, Request};
use fullduplex::{Config, MaskKeys};
use proptest::prelude::*;

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// The request as it is sent.
fn sent(request: Request) -> String {
    let mut handshake = Handshake::new(request, Config::default(), sample_keys());
    String::from_utf8(drain(handshake.outgoing())).unwrap()
}

/// The values of a header in what is sent.
fn values<'a>(sent: &'a str, name: &str) -> Vec<&'a str> {
    let prefix = format!("{name}: ");
    sent.lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}

/// R6455-4.1-08, R6455-4.1-09, R6455-4.1-11, R6455-4.1-12, R6455-4.1-13: the whole request, and
/// nothing that was not asked for.
#[test]
fn the_request_of_a_client() {
    let expected = format!(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: {SAMPLE_KEY}\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    );
    assert_eq!(sent(ask()), expected);
}

/// R6455-4.1-09, R8307-01
#[test]
fn the_target_is_the_resource_name() {
    for (url, target) in [
        ("ws://h", "/"),
        ("ws://h?", "/"),
        ("ws://h?x=1", "/?x=1"),
        ("ws://h/a//b?x=/?", "/a//b?x=/?"),
        ("ws://h/.well-known/x", "/.well-known/x"),
    ] {
        let sent = sent(Request::new(url).unwrap());
        assert!(
            sent.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{sent}"
        );
    }
}

/// R6455-4.1-10
#[test]
fn the_host_has_a_port_where_it_is_not_the_default() {
    for (url, host) in [
        ("ws://h", "h"),
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:443", "h"),
        ("wss://h:80", "h:80"),
        ("ws://[::1]", "[::1]"),
        ("wss://[::1]:8443/", "[::1]:8443"),
    ] {
        assert_eq!(
            values(&sent(Request::new(url).unwrap()), "Host"),
            [host],
            "{url}"
        );
    }
    let other = ask().host("other.test:8080").unwrap();
    assert_eq!(values(&sent(other), "Host"), ["other.test:8080"]);
}

/// R6455-4.1-12: fresh for every handshake, whatever the source of the keys.
#[test]
fn no_two_handshakes_have_the_same_key() {
    let mut keys = Vec::new();
    for seed in 0..100 {
        let mut handshake = Handshake::new(ask(), Config::default(), MaskKeys::seeded([seed; 32]));
        let sent = String::from_utf8(drain(handshake.outgoing())).unwrap();
        let [key] = values(&sent, "Sec-WebSocket-Key")[..] else {
            panic!("{sent}");
        };
        assert_eq!(key.len(), 24);
        keys.push(key.to_owned());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 100);
}

/// R6455-4.1-12: two handshakes of one thread.
#[cfg(feature = "std")]
#[test]
fn keys_of_the_thread_are_fresh_too() {
    let key = || {
        let mut handshake = Handshake::new(ask(), Config::default(), MaskKeys::thread());
        let sent = String::from_utf8(drain(handshake.outgoing())).unwrap();
        values(&sent, "Sec-WebSocket-Key").concat()
    };
    assert_ne!(key(), key());
}

/// R6455-4.1-14, R6455-4.1-15, R6455-4.1-16: once each, in the order in which they were added.
#[test]
fn origin_subprotocols_and_headers_are_sent() {
    let request = ask()
        .subprotocol("b")
        .and_then(|request| request.subprotocol("a"))
        .and_then(|request| request.subprotocol("B"))
        .and_then(|request| request.origin("http://example.com"))
        .and_then(|request| request.header("Cookie", "a=b; c=d"))
        .and_then(|request| request.header("Authorization", "Basic YTpi"))
        .and_then(|request| request.header("X-Twice", "1"))
        .and_then(|request| request.header("x-twice", ""))
        .unwrap();
    let sent = sent(request);
    assert_eq!(values(&sent, PROTOCOL), ["b, a, B"]);
    assert_eq!(values(&sent, "Origin"), ["http://example.com"]);
    assert_eq!(values(&sent, EXTENSIONS), [""; 0]);
    let end =
        "\r\nCookie: a=b; c=d\r\nAuthorization: Basic YTpi\r\nX-Twice: 1\r\nx-twice: \r\n\r\n";
    assert!(sent.ends_with(end), "{sent}");
}

/// R6455-4.1-15
#[test]
fn subprotocols_are_distinct_tokens() {
    for bad in [
        "",
        " ",
        "a b",
        "a,b",
        "a;b",
        "a/b",
        "a@b",
        "\"a\"",
        "é",
        "a\r\nX: y",
        "a\0",
        "\x7f",
    ] {
        assert_eq!(
            ask().subprotocol(bad).err(),
            Some(BuildError::Subprotocol),
            "{bad:?}"
        );
    }
    let twice = ask()
        .subprotocol("a")
        .and_then(|request| request.subprotocol("a"));
    assert_eq!(twice.err(), Some(BuildError::RepeatedSubprotocol));
}

/// H4, R6455-4.1-16: nothing that an application passes on can become another header.
#[test]
fn requests_cannot_be_injected_into() {
    const INJECTIONS: [&str; 8] = [
        "a\r\nX: y",
        "a\n",
        "\na",
        "a\0",
        "a\x7f",
        "a\r\n b",
        "é",
        "a\r",
    ];
    for bad in INJECTIONS.iter().chain(&[" a", "a ", "\t", " "]) {
        assert_eq!(
            ask().header("X", bad).err(),
            Some(BuildError::HeaderValue),
            "{bad:?}"
        );
    }
    for bad in INJECTIONS
        .iter()
        .chain(&["", " ", "X Y", "X:", "(X)", "X "])
    {
        assert_eq!(
            ask().header(bad, "a").err(),
            Some(BuildError::HeaderName),
            "{bad:?}"
        );
    }
    for bad in INJECTIONS.iter().chain(&["", " ", "http://a http://b"]) {
        assert_eq!(ask().origin(bad).err(), Some(BuildError::Origin), "{bad:?}");
    }
    for bad in INJECTIONS
        .iter()
        .chain(&["", " ", "a b", "a,b", "user@a", "a/b", "a:0", "a:65536"])
    {
        assert_eq!(ask().host(bad).err(), Some(BuildError::Host), "{bad:?}");
    }
    for bad in INJECTIONS {
        let error = Request::new(&format!("ws://h/{bad}")).err();
        assert!(matches!(error, Some(BuildError::Url(_))), "{bad:?}");
        let error = Request::new(&format!("ws://{bad}/")).err();
        assert!(matches!(error, Some(BuildError::Url(_))), "{bad:?}");
    }
    for name in [
        "Host",
        "upgrade",
        "CONNECTION",
        "Origin",
        "Content-Length",
        "Transfer-Encoding",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "SEC-WEBSOCKET-ANYTHING",
    ] {
        assert_eq!(
            ask().header(name, "a").err(),
            Some(BuildError::ManagedHeader),
            "{name}"
        );
    }
    assert!(ask().header("Sec-WebSocketX", "a").is_ok());
}

fn token() -> impl Strategy<Value = String> {
    "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}"
}

proptest! {
    /// H4: whatever the builder takes, it sends exactly one request with exactly the given fields.
    #[test]
    fn the_request_holds_the_given_fields_and_nothing_else(
        path in "[a-z/%.~?=&\\[\\] \\r\\n#]{0,12}",
        subprotocols in prop::collection::vec(prop_oneof![token(), any::<String>()], 0..4),
        fields in prop::collection::vec(
            (
                prop_oneof![3 => token(), 1 => any::<String>()],
                prop_oneof![3 => "[!-~]([ -~\\t]{0,12}[!-~])?", 1 => any::<String>()],
            ),
            0..6,
        ),
        origin in prop::option::of("(http://)?[ -~\\r\\n]{0,8}"),
    ) {
        let Ok(mut request) = Request::new(&format!("ws://example.com/{path}")) else {
            return Ok(());
        };
        let mut expected: Vec<(String, String)> = [
            ("Host", "example.com"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", SAMPLE_KEY),
            ("Sec-WebSocket-Version", "13"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        if let Some(origin) = origin && let Ok(next) = request.clone().origin(&origin) {
            request = next;
            expected.push(("Origin".to_owned(), origin));
        }
        let mut offers = Vec::new();
        for subprotocol in subprotocols {
            if let Ok(next) = request.clone().subprotocol(&subprotocol) {
                request = next;
                offers.push(subprotocol);
            }
        }
        if !offers.is_empty() {
            expected.push((PROTOCOL.to_owned(), offers.join(", ")));
        }
        for (name, value) in fields {
            if let Ok(next) = request.clone().header(&name, &value) {
                request = next;
                expected.push((name, value));
            }
        }
        let target = request.url().resource().to_owned();
        let sent = sent(request);
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut slots);
        let length = parsed.parse(sent.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(length, sent.len());
        prop_assert_eq!((parsed.method, parsed.version), (Some("GET"), Some(1)));
        prop_assert_eq!(parsed.path, Some(&*target));
        let actual: Vec<_> = parsed
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), str::from_utf8(field.value).unwrap().to_owned()))
            .collect();
        prop_assert_eq!(actual, expected);
    }
}
