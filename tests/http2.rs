//! Extended CONNECT, in HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220): what both sides say and refuse.
//! With real streams it is in `http_stacks.rs`.
#![cfg(feature = "http")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use bytes::{Buf, Bytes};
use fullduplex::handshake::client::{Established, Exchange, Request};
use fullduplex::handshake::server::{
    Acceptance, HttpRequest, Incoming, Options, Response, Upgrade,
};
use fullduplex::handshake::{BuildError, HandshakeError, Headers, OriginPolicy};
use fullduplex::{Config, Connection, MaskKeys, Role, http};

use ::http::{Method, StatusCode, Version};

const URL: &str = "https://example.com/chat?room=1";

/// The request of RFC 8441, 5.1.
fn extended_connect(version: Version) -> ::http::Request<()> {
    ::http::Request::connect(URL)
        .version(version)
        .header("sec-websocket-protocol", "chat, superchat")
        .header("sec-websocket-extensions", "permessage-deflate")
        .header("sec-websocket-version", "13")
        .header("origin", "https://example.com")
        .body(())
        .unwrap()
}

fn with(name: &'static str, value: &str) -> ::http::Request<()> {
    let mut request = extended_connect(Version::HTTP_2);
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn without(name: &str) -> ::http::Request<()> {
    let mut request = extended_connect(Version::HTTP_2);
    request.headers_mut().remove(name);
    request
}

fn options() -> Options {
    Options::new(OriginPolicy::same_origin())
}

fn negotiate(request: &::http::Request<()>) -> Result<Upgrade, http::Refusal> {
    http::negotiate(request, Some("websocket"), options()).map(|incoming| match incoming {
        Incoming::Upgrade(upgrade) => upgrade,
        Incoming::Http(request) => panic!("{request:?}"),
    })
}

/// Why a request is refused, and the answer, which nothing that speaks of a connection stands in.
fn refused(request: &::http::Request<()>) -> (HandshakeError, ::http::Response<Bytes>) {
    let refusal = negotiate(request).expect_err("not refused");
    let response = refusal.response();
    for name in ["connection", "upgrade", "transfer-encoding"] {
        assert!(!response.headers().contains_key(name), "{response:?}");
    }
    assert_eq!(refusal.to_string(), refusal.error().to_string());
    (refusal.error().clone(), response)
}

fn accepted(request: &::http::Request<()>) -> (::http::Response<()>, Connection) {
    http::accept(negotiate(request).unwrap(), Acceptance::new()).unwrap()
}

/// R8441-5-02, R9220-3-01: consent is 200, with no more than what was agreed.
#[test]
fn a_server_accepts_with_200_and_neither_key_nor_upgrade() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let upgrade = negotiate(&extended_connect(version)).unwrap();
        assert_eq!(upgrade.request().method(), "CONNECT");
        assert_eq!(upgrade.request().path(), "/chat");
        assert_eq!(upgrade.request().query(), Some("room=1"));
        assert_eq!(upgrade.request().host(), Some("example.com"));
        let chosen = upgrade.select_subprotocol(&["superchat", "chat"]);
        let acceptance = Acceptance::new()
            .subprotocol(chosen)
            .header("X-A", "b")
            .unwrap();
        let (response, mut connection) = http::accept(upgrade, acceptance).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let fields: Vec<_> = response.headers().iter().collect();
        assert_eq!(fields.len(), 2, "{fields:?}");
        assert_eq!(response.headers()["sec-websocket-protocol"], "superchat");
        assert_eq!(response.headers()["x-a"], "b");
        assert_eq!(connection.role(), Role::Server);
        assert!(!connection.wants_write(), "no head of its own");
        assert_eq!(connection.outgoing().len(), 0);
    }
}

/// R8441-5-03: extensions are negotiated as ever.
#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_in_a_stream_too() {
    let mut config = Config::default();
    config.deflate = Some(fullduplex::deflate::Deflate::new());
    let request = extended_connect(Version::HTTP_2);
    let options = options().config(config.clone());
    let incoming = http::negotiate(&request, Some("websocket"), options).unwrap();
    let Incoming::Upgrade(upgrade) = incoming else {
        panic!("{incoming:?}");
    };
    let (response, _) = http::accept(upgrade, Acceptance::new()).unwrap();
    let agreed = response.headers()["sec-websocket-extensions"]
        .to_str()
        .unwrap();
    assert!(agreed.starts_with("permessage-deflate"), "{agreed}");

    let exchange = exchange_with(config);
    let offer = exchange.headers().text("Sec-WebSocket-Extensions").unwrap();
    assert!(offer.starts_with("permessage-deflate"), "{offer}");
    http::establish(exchange, &response).unwrap();
}

/// R8441-5-02: origin, version, subprotocols and extensions are checked as in HTTP/1.1.
/// R8441-5-06: with statuses that HTTP/2 can carry, so that a wrong version is no 426.
#[test]
fn what_is_refused_in_http1_is_refused_in_a_stream() {
    use HandshakeError as E;
    const VERSION: &str = "Sec-WebSocket-Version";
    const PROTOCOL: &str = "Sec-WebSocket-Protocol";
    const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
    for (request, expected, status) in [
        (
            with("sec-websocket-version", "12"),
            E::UnsupportedVersion,
            400,
        ),
        (
            without("sec-websocket-version"),
            E::MissingHeader(VERSION),
            400,
        ),
        (
            with("origin", "https://evil.test"),
            E::OriginNotAllowed,
            403,
        ),
        (
            with("sec-websocket-protocol", "a b"),
            E::InvalidHeader(PROTOCOL),
            400,
        ),
        (
            with("sec-websocket-extensions", "a;"),
            E::InvalidHeader(EXTENSIONS),
            400,
        ),
        (with("content-length", "1"), E::UnexpectedBody, 400),
        (with("host", "other.test"), E::InvalidHeader("Host"), 400),
    ] {
        let (error, response) = refused(&request);
        assert_eq!((error, response.status().as_u16()), (expected, status));
        assert!(!response.body().is_empty());
    }
    let (_, response) = refused(&with("sec-websocket-version", "12"));
    assert_eq!(response.headers()["sec-websocket-version"], "13");
}

/// R8441-5-01: fields of a connection make a request malformed (RFC 9113, 8.2.2).
#[test]
fn fields_that_speak_of_a_connection_are_refused_by_a_server() {
    for (field, name) in [
        ("connection", "Connection"),
        ("upgrade", "Upgrade"),
        ("keep-alive", "Keep-Alive"),
        ("proxy-connection", "Proxy-Connection"),
    ] {
        let (error, response) = refused(&with(field, "x"));
        assert_eq!(error, HandshakeError::InvalidHeader(name));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    let (error, _) = refused(&with("transfer-encoding", "chunked"));
    assert_eq!(error, HandshakeError::UnexpectedBody);
}

/// R8441-5-01: key and accept mean nothing in a stream, however broken.
#[test]
fn a_key_in_a_stream_is_ignored() {
    for (name, value) in [
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-key", "?"),
        ("sec-websocket-accept", "?"),
    ] {
        let (response, _) = accepted(&with(name, value));
        assert!(!response.headers().contains_key("sec-websocket-accept"));
    }
}

/// R8441-4-01: only `:protocol` makes CONNECT something else than a tunnel, and a GET request is
/// no handshake in these versions.
#[test]
fn requests_without_protocol_ask_for_no_websocket() {
    let connect = extended_connect(Version::HTTP_2);
    let mut get = with("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    *get.method_mut() = Method::GET;
    for request in [connect, get] {
        let incoming = http::negotiate(&request, None, options()).unwrap();
        assert!(matches!(incoming, Incoming::Http(_)), "{incoming:?}");
    }
}

/// R8441-4-01: `:protocol` stands in CONNECT only.
#[test]
fn protocol_with_another_method_is_refused() {
    let mut request = extended_connect(Version::HTTP_2);
    *request.method_mut() = Method::GET;
    let (error, response) = refused(&request);
    assert_eq!(error, HandshakeError::InvalidHeader(":protocol"));
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

/// R9220-3-01.
#[test]
fn an_unknown_protocol_is_answered_with_501() {
    for version in [Version::HTTP_2, Version::HTTP_3] {
        for protocol in ["connect-udp", "webtransport", "websockets", ""] {
            let request = extended_connect(version);
            let refusal = http::negotiate(&request, Some(protocol), options()).unwrap_err();
            assert_eq!(*refusal.error(), HandshakeError::UnknownProtocol);
            assert_eq!(refusal.response().status(), StatusCode::NOT_IMPLEMENTED);
        }
        let request = extended_connect(version);
        http::negotiate(&request, Some("WebSocket"), options()).unwrap();
    }
}

/// R8441-4-01: `:authority` is what `Host` is in HTTP/1.1, and stands for it before the origin
/// policy. Without it there has to be a `Host` (RFC 9113, 8.3.1).
#[test]
fn the_authority_is_the_host() {
    accepted(&with("host", "EXAMPLE.com"));

    let mut request = extended_connect(Version::HTTP_2);
    *request.uri_mut() = "/chat".parse().unwrap();
    let (error, _) = refused(&request);
    assert_eq!(error, HandshakeError::MissingHeader("Host"));
    request
        .headers_mut()
        .insert("host", "example.com".parse().unwrap());
    assert_eq!(
        negotiate(&request).unwrap().request().host(),
        Some("example.com")
    );
    request.headers_mut().insert("host", "a b".parse().unwrap());
    assert_eq!(refused(&request).0, HandshakeError::InvalidHeader("Host"));

    // What an ordinary tunnel names, host and port, is no target of a handshake.
    *request.uri_mut() = "example.com:443".parse().unwrap();
    request
        .headers_mut()
        .insert("host", "example.com".parse().unwrap());
    assert_eq!(refused(&request).0, HandshakeError::InvalidTarget);
}

/// R8441-5-02: a stream that was asked for by HTTP/2 has no consent in the form of bytes.
#[test]
fn a_stream_is_not_accepted_with_a_head_of_http1() {
    let upgrade = negotiate(&extended_connect(Version::HTTP_2)).unwrap();
    let error = upgrade.accept(Acceptance::new()).unwrap_err();
    assert_eq!(error, BuildError::NotHttp1);

    let upgrade = negotiate(&extended_connect(Version::HTTP_2)).unwrap();
    let acceptance = Acceptance::new().subprotocol("other");
    let error = upgrade.answer(acceptance).unwrap_err();
    assert_eq!(error, BuildError::SubprotocolNotOffered);
}

/// R8441-5-06: what an application answers instead is in terms of HTTP/2 as well.
#[test]
fn other_responses_have_no_fields_of_a_connection() {
    let answer = Response::upgrade_required().body("no page here");
    for version in [Version::HTTP_2, Version::HTTP_3] {
        let response = http::response(&answer, version);
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(!response.headers().contains_key("upgrade"));
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(response.body(), "no page here");
    }
    let response = http::response(&Response::forbidden(), Version::HTTP_2);
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

/// RFC 8441 for those who have no `http` types: pseudo-headers in, pseudo-headers out.
#[test]
fn the_same_without_types_of_the_http_crate() {
    let exchange = exchange();
    let target = [
        exchange.scheme(),
        "://",
        exchange.authority(),
        exchange.path(),
    ]
    .concat();
    let headers = exchange.headers().clone();
    let request =
        HttpRequest::from_stream(exchange.method(), &target, exchange.protocol(), headers);
    let incoming = Upgrade::negotiate(request, options()).unwrap();
    let Incoming::Upgrade(upgrade) = incoming else {
        panic!("{incoming:?}");
    };
    let answer = upgrade
        .answer(Acceptance::new().subprotocol("chat"))
        .unwrap();
    assert_eq!(answer.status, 200);
    let established = exchange.judge(answer.status, answer.headers).unwrap();
    assert_eq!(established.subprotocol.as_deref(), Some("chat"));
}

fn exchange() -> Exchange {
    exchange_with(Config::default())
}

fn exchange_with(config: Config) -> Exchange {
    let request = Request::new("wss://example.com/chat?room=1").unwrap();
    let request = request
        .subprotocol("chat")
        .unwrap()
        .subprotocol("superchat")
        .unwrap();
    let request = request.origin("https://example.com").unwrap();
    Exchange::connect(request, config, MaskKeys::seeded([7; 32]))
}

fn judge(status: u16, headers: &[(&str, &str)]) -> Result<Established, HandshakeError> {
    let headers: Headers = headers.iter().copied().collect();
    let mut response = ::http::Response::builder().status(status);
    *response.headers_mut().unwrap() = (&headers).try_into().unwrap();
    http::establish(exchange(), &response.body(()).unwrap())
}

/// R8441-4-01, R8441-5-01, R8441-5-02: the request, and what is not in it.
#[test]
fn a_client_asks_with_extended_connect() {
    for (url, scheme) in [
        ("wss://example.com/chat?room=1", "https"),
        ("ws://example.com:8080/", "http"),
    ] {
        let request = Request::new(url).unwrap().header("Cookie", "a=b").unwrap();
        let exchange = Exchange::connect(request, Config::default(), MaskKeys::seeded([7; 32]));
        assert_eq!(exchange.protocol(), Some("websocket"));
        let request = http::request(&exchange).unwrap();
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.version(), Version::HTTP_2);
        assert_eq!(request.uri().scheme_str(), Some(scheme));
        let (_, rest) = url.split_once("://").unwrap();
        assert_eq!(request.uri().to_string(), format!("{scheme}://{rest}"));
        let names: Vec<_> = request
            .headers()
            .keys()
            .map(::http::HeaderName::as_str)
            .collect();
        assert_eq!(names, ["sec-websocket-version", "cookie"]);
        assert_eq!(request.headers()["sec-websocket-version"], "13");
    }
    let request = http::request(&exchange()).unwrap();
    assert_eq!(
        request.headers()["sec-websocket-protocol"],
        "chat, superchat"
    );
    assert_eq!(request.headers()["origin"], "https://example.com");
}

/// `Request::host` is the authority.
#[test]
fn another_host_is_another_authority() {
    let request = Request::new("wss://127.0.0.1:8443/")
        .unwrap()
        .host("example.com")
        .unwrap();
    let exchange = Exchange::connect(request, Config::default(), MaskKeys::seeded([7; 32]));
    let request = http::request(&exchange).unwrap();
    assert_eq!(request.uri(), "https://example.com/");
}

/// R8441-5-02: any 2xx is consent, 101 is none.
#[test]
fn a_client_takes_a_successful_status_for_consent() {
    for status in [200, 201, 204, 299] {
        let established = judge(status, &[("sec-websocket-protocol", "chat")]).unwrap();
        assert_eq!(established.subprotocol.as_deref(), Some("chat"));
        assert_eq!(established.connection.role(), Role::Client);
    }
    for status in [101, 199, 300, 302, 400, 404, 501] {
        match judge(status, &[("location", "/")]) {
            Err(HandshakeError::Rejected(rejection)) => {
                assert_eq!(rejection.status, status);
                assert_eq!(rejection.headers.text("Location"), Some("/"));
                assert!(rejection.truncated, "the body was not looked at");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

/// R8441-5-01, R8441-5-02: a consent that says too much fails, but for the accept that means
/// nothing.
#[test]
fn a_client_checks_the_consent() {
    use HandshakeError as E;
    judge(200, &[]).unwrap();
    judge(200, &[("sec-websocket-accept", "?"), ("server", "x")]).unwrap();
    for (name, value, expected) in [
        ("connection", "upgrade", E::InvalidHeader("Connection")),
        ("upgrade", "websocket", E::InvalidHeader("Upgrade")),
        ("sec-websocket-protocol", "other", E::SubprotocolNotOffered),
        (
            "sec-websocket-extensions",
            "permessage-deflate",
            E::ExtensionNotOffered,
        ),
    ] {
        assert_eq!(judge(200, &[(name, value)]).unwrap_err(), expected);
    }
}

/// R8441-5-03: the client masks as ever.
#[test]
fn a_client_masks_in_a_stream() {
    let mut connection = judge(200, &[]).unwrap().connection;
    connection.send_text("hello").unwrap();
    let frame = connection.outgoing().chunk().to_vec();
    assert_eq!(frame[..2], [0x81, 0x85]);
    assert_ne!(frame[6..], *b"hello");
}
