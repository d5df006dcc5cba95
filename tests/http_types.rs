//! Upgrades in HTTP/1.1 by the types of the `http` crate (RFC 6455, 4).
#![cfg(feature = "http")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use bytes::Buf;
use fullduplex::handshake::client::{Established, Exchange, Request};
use fullduplex::handshake::server::{Acceptance, Incoming, Options, Response, Upgrade};
use fullduplex::handshake::{BuildError, HandshakeError, Headers, OriginPolicy};
use fullduplex::{Config, MaskKeys, Role, http};

use ::http::{HeaderMap, Method, StatusCode, Version};

/// The request of RFC 6455, 1.2.
fn upgrade() -> ::http::Request<()> {
    ::http::Request::get("/chat?room=1")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "keep-alive, Upgrade")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("origin", "https://example.com")
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

fn changed(name: &'static str, value: Option<&str>) -> ::http::Request<()> {
    let mut request = upgrade();
    match value {
        Some(value) => request.headers_mut().insert(name, value.parse().unwrap()),
        None => request.headers_mut().remove(name),
    };
    request
}

fn options() -> Options {
    Options::new(OriginPolicy::same_origin())
}

fn negotiate(request: &::http::Request<()>) -> Result<Upgrade, http::Refusal> {
    http::negotiate(request, None, options()).map(|incoming| match incoming {
        Incoming::Upgrade(upgrade) => upgrade,
        Incoming::Http(request) => panic!("{request:?}"),
    })
}

#[test]
fn a_server_accepts_with_101_and_leaves_the_head_to_the_implementation() {
    let upgrade = negotiate(&upgrade()).unwrap();
    assert_eq!(upgrade.request().path(), "/chat");
    assert_eq!(upgrade.request().query(), Some("room=1"));
    assert_eq!(upgrade.request().origin(), Some("https://example.com"));
    let chosen = upgrade.select_subprotocol(&["superchat", "chat"]);
    let acceptance = Acceptance::new().subprotocol(chosen);
    let acceptance = acceptance.header("Set-Cookie", "a").unwrap();
    let acceptance = acceptance.header("Set-Cookie", "b").unwrap();
    let (response, mut connection) = http::accept(upgrade, acceptance).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut fields: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    fields.sort_unstable();
    let expected = [
        ("connection", "Upgrade"),
        ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("sec-websocket-protocol", "superchat"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("upgrade", "websocket"),
    ];
    assert_eq!(fields, expected);
    assert_eq!(connection.role(), Role::Server);
    assert!(!connection.wants_write());
    assert_eq!(connection.outgoing().len(), 0);
}

/// The head that is written as bytes says the same.
#[test]
fn both_ways_to_accept_say_the_same() {
    let acceptance = || {
        Acceptance::new()
            .subprotocol("chat")
            .header("X", "y")
            .unwrap()
    };
    let mut connection = negotiate(&upgrade()).unwrap().accept(acceptance()).unwrap();
    let answer = negotiate(&upgrade()).unwrap().answer(acceptance()).unwrap();
    let mut head = vec!["HTTP/1.1 101 Switching Protocols".to_owned()];
    let fields = answer.headers.iter();
    head.extend(fields.map(|(name, value)| format!("{name}: {}", value.escape_ascii())));
    let head = head.join("\r\n") + "\r\n\r\n";
    assert_eq!(connection.outgoing().chunk(), head.as_bytes());
    assert_eq!(answer.status, 101);
}

#[test]
fn refusals_have_their_answers_and_end_the_connection() {
    use HandshakeError as E;
    let mut post = upgrade();
    *post.method_mut() = Method::POST;
    let mut old = upgrade();
    *old.version_mut() = Version::HTTP_10;
    let mut target = upgrade();
    *target.uri_mut() = "*".parse().unwrap();
    for (request, expected, status) in [
        (post, E::MethodNotAllowed, 405),
        (old, E::HttpVersion, 505),
        (target, E::InvalidTarget, 400),
        (changed("host", None), E::MissingHeader("Host"), 400),
        (changed("upgrade", None), E::UpgradeRequired, 426),
        (
            changed("connection", Some("close")),
            E::InvalidHeader("Connection"),
            400,
        ),
        (
            changed("sec-websocket-version", Some("8")),
            E::UnsupportedVersion,
            426,
        ),
        (
            changed("sec-websocket-key", None),
            E::MissingHeader("Sec-WebSocket-Key"),
            400,
        ),
        (
            changed("origin", Some("https://evil.test")),
            E::OriginNotAllowed,
            403,
        ),
        (changed("content-length", Some("5")), E::UnexpectedBody, 400),
    ] {
        let refusal = negotiate(&request).expect_err("not refused");
        assert_eq!(*refusal.error(), expected);
        let response = refusal.response();
        assert_eq!(response.status().as_u16(), status);
        let body = [expected.to_string().as_bytes(), b"\n"].concat();
        assert_eq!(*response.body(), body);
        let headers = response.headers();
        let options = if status == 426 {
            "close, Upgrade"
        } else {
            "close"
        };
        assert_eq!(headers["connection"], options);
        assert_eq!(headers.contains_key("upgrade"), status == 426);
        assert_eq!(headers.contains_key("sec-websocket-version"), status == 426);
        assert_eq!(headers.contains_key("allow"), status == 405);
    }
}

#[test]
fn other_requests_are_handed_over() {
    let page = ::http::Request::get("http://example.com/page?x")
        .header("host", "example.com")
        .body("a body")
        .unwrap();
    let Incoming::Http(request) = http::negotiate(&page, None, options()).unwrap() else {
        panic!();
    };
    assert_eq!((request.path(), request.query()), ("/page", Some("x")));
    let mut old = ::http::Request::new(());
    *old.version_mut() = Version::HTTP_10;
    let incoming = http::negotiate(&old, None, options()).unwrap();
    assert!(
        matches!(incoming, Incoming::Http(_)),
        "HTTP/1.0 needs no Host"
    );
    // `:protocol` does not exist in HTTP/1.1.
    let incoming = http::negotiate(&page, Some("websocket"), options()).unwrap();
    assert!(matches!(incoming, Incoming::Http(_)));
}

#[test]
fn responses_keep_what_the_application_says() {
    let answer = Response::new(401)
        .unwrap()
        .header("WWW-Authenticate", "Bearer")
        .unwrap();
    let response = http::response(&answer.body("who?"), Version::HTTP_11);
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(response.headers()["connection"], "close");
    assert_eq!(response.body(), "who?");
}

fn exchange() -> Exchange {
    let request = Request::new("wss://example.com/chat?room=1").unwrap();
    let request = request
        .subprotocol("chat")
        .unwrap()
        .header("Cookie", "a=b")
        .unwrap();
    Exchange::upgrade(request, Config::default(), MaskKeys::seeded([7; 32]))
}

#[test]
fn a_client_asks_with_an_upgrade() {
    let exchange = exchange();
    assert_eq!((exchange.method(), exchange.protocol()), ("GET", None));
    let request = http::request(&exchange).unwrap();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.version(), Version::HTTP_11);
    assert_eq!(request.uri(), "/chat?room=1");
    let headers = request.headers();
    assert_eq!(headers.len(), 7);
    assert_eq!(headers["host"], "example.com");
    assert_eq!(headers["upgrade"], "websocket");
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(headers["sec-websocket-version"], "13");
    assert_eq!(headers["sec-websocket-protocol"], "chat");
    assert_eq!(headers["cookie"], "a=b");
    assert_eq!(headers["sec-websocket-key"].len(), 24);
}

/// Every exchange draws its own key.
#[test]
fn keys_differ() {
    let key = || {
        let request = Request::new("ws://example.com/").unwrap();
        let exchange = Exchange::upgrade(request, Config::default(), MaskKeys::thread());
        exchange
            .headers()
            .text("Sec-WebSocket-Key")
            .unwrap()
            .to_owned()
    };
    assert_ne!(key(), key());
}

/// What a good server answers, changed.
fn judge(change: impl FnOnce(&mut ::http::Response<&str>)) -> Result<Established, HandshakeError> {
    let exchange = exchange();
    let request = http::request(&exchange).unwrap();
    let incoming = http::negotiate(&request, None, options()).unwrap();
    let Incoming::Upgrade(upgrade) = incoming else {
        panic!("{incoming:?}");
    };
    let acceptance = Acceptance::new().subprotocol("chat");
    let (response, _) = http::accept(upgrade, acceptance).unwrap();
    let mut response = response.map(|()| "body");
    change(&mut response);
    http::establish(exchange, &response)
}

#[test]
fn a_client_checks_the_response() {
    use HandshakeError as E;
    type Change = fn(&mut HeaderMap);
    let changes: [(Change, E); 5] = [
        (
            |headers| _ = headers.insert("sec-websocket-accept", "x".parse().unwrap()),
            E::WrongAccept,
        ),
        (
            |headers| _ = headers.remove("upgrade"),
            E::MissingHeader("Upgrade"),
        ),
        (
            |headers| _ = headers.insert("connection", "close".parse().unwrap()),
            E::InvalidHeader("Connection"),
        ),
        (
            |headers| _ = headers.append("sec-websocket-protocol", "chat".parse().unwrap()),
            E::RepeatedHeader("Sec-WebSocket-Protocol"),
        ),
        (
            |headers| _ = headers.insert("sec-websocket-extensions", "x".parse().unwrap()),
            E::ExtensionNotOffered,
        ),
    ];
    for (change, expected) in changes {
        let result = judge(|response| change(response.headers_mut()));
        assert_eq!(result.unwrap_err(), expected);
    }
    let established = judge(|_| ()).unwrap();
    assert_eq!(established.subprotocol.as_deref(), Some("chat"));
    assert_eq!(established.headers.text("upgrade"), Some("websocket"));
    assert_eq!(established.connection.role(), Role::Client);
    let result = judge(|response| *response.version_mut() = Version::HTTP_10);
    assert_eq!(result.unwrap_err(), E::HttpVersion);
    for status in [200, 204, 403] {
        let result = judge(|response| *response.status_mut() = status.try_into().unwrap());
        match result {
            Err(E::Rejected(rejection)) => {
                assert_eq!(rejection.status, status);
                assert!(rejection.body.is_empty() && rejection.truncated);
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[test]
fn what_the_types_cannot_hold_is_an_error() {
    let path = |length: usize| {
        let request = Request::new(&["ws://a/", &"a".repeat(length - 1)].concat()).unwrap();
        http::request(&Exchange::upgrade(
            request,
            Config::default(),
            MaskKeys::thread(),
        ))
    };
    assert!(path(65_534).is_ok(), "the longest path of the http crate");
    assert_eq!(path(65_535).unwrap_err(), BuildError::TooLarge);

    let many = |count| {
        let acceptance = Acceptance::new();
        let acceptance = (0..count)
            .try_fold(acceptance, |all, n| all.header(&format!("A{n}"), "b"))
            .unwrap();
        let (response, _) = http::accept(negotiate(&upgrade()).unwrap(), acceptance)?;
        Ok(response.headers().len())
    };
    assert_eq!(many(20_000), Ok(20_003));
    assert_eq!(many(40_000), Err(BuildError::TooLarge));

    let answer = (0..40_000).try_fold(Response::not_found(), |all, n| {
        all.header(&format!("A{n}"), "b")
    });
    let response = http::response(&answer.unwrap(), Version::HTTP_11);
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[test]
fn lists_of_headers_go_both_ways() {
    let headers: Headers = [("A", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
    let map = HeaderMap::try_from(&headers).unwrap();
    assert_eq!(map.get_all("a").iter().collect::<Vec<_>>(), ["1", "3"]);
    let back = Headers::from(&map);
    assert_eq!(back.get_all("A").collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(back.text("B"), Some("2"));

    let mut map = HeaderMap::new();
    map.insert("x", ::http::HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(Headers::from(&map).get("x"), Some(&b"\xff"[..]));

    for (name, value) in [("a b", "x"), ("", "x"), ("a", "x\r\ny"), ("a", "x\0")] {
        let headers: Headers = [(name, value)].into_iter().collect();
        assert!(
            HeaderMap::try_from(&headers).is_err(),
            "{name:?}: {value:?}"
        );
    }
}
