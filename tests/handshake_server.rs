//! Which requests a server takes for a valid opening handshake (RFC 6455, 4.2.1).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::handshake::{
    REQUEST, SAMPLE_ACCEPT, Served, assert_accepted, assert_refused, head, options, recorded,
    replaced, request_with, serve,
};
use fullduplex::handshake::HandshakeError;
use fullduplex::handshake::HandshakeError::{
    InvalidHeader, InvalidTarget, MethodNotAllowed, MissingHeader, RepeatedHeader, UnexpectedBody,
    UnsupportedVersion, UpgradeRequired,
};
use fullduplex::handshake::server::{self, HttpRequest};

const HOST: &str = "Host";
const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// [`REQUEST`] with another request line.
fn with_line(line: &str) -> Vec<u8> {
    request_with("GET", &[line])
}

/// R6455-4.2.2-06: the whole answer, and nothing that was not asked for.
#[test]
fn a_valid_request_is_answered_with_101() {
    let expected = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n\r\n"
    );
    match serve(&head(REQUEST)) {
        Served::Upgrade {
            request,
            sent,
            left,
        } => {
            assert_eq!(sent, expected);
            assert_eq!(left, b"");
            assert_eq!((request.method(), request.target()), ("GET", "/chat"));
            assert_eq!(request.host(), Some("example.com"));
            assert_eq!(request.headers().len(), 5);
        }
        other => panic!("{other:?}"),
    }
}

/// H6, H8, H9: what real clients send, in all its variety of case, order and extra headers.
#[test]
fn real_clients_are_accepted() {
    for (name, bytes) in recorded(".request") {
        let request = assert_accepted(&bytes);
        assert_eq!(request.host(), Some("127.0.0.1:19500"), "{name}");
        assert_eq!(request.path(), "/", "{name}");
    }
}

/// R6455-4.2.1-08: the order of headers has no meaning, and unknown ones have none.
#[test]
fn header_order_is_irrelevant_and_unknown_headers_are_ignored() {
    let (line, fields) = REQUEST.split_first().unwrap();
    let more = [
        "X-Unknown: 1",
        "Sec-WebSocket-Unknown: ?",
        "constructor: x",
        "__proto__: y",
    ];
    let mut fields = [fields, &more].concat();
    for _ in 0..fields.len() {
        fields.rotate_left(1);
        assert_accepted(&head([&[*line], &fields[..]].concat()));
    }
}

/// R6455-4.2.1-01
#[test]
fn methods_other_than_get_are_not_allowed() {
    for method in [
        "POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "get", "Get", "GETX", "G",
    ] {
        let bytes = with_line(&format!("{method} /chat HTTP/1.1"));
        let response = assert_refused(&bytes, &MethodNotAllowed, 405);
        assert_eq!(response.headers().text("Allow"), Some("GET"));
    }
}

/// R6455-4.2.1-01, H9
#[test]
fn versions_before_or_beyond_http_1_1_are_refused() {
    for version in [
        "HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/2", "http/1.1", "HTTP/1.",
    ] {
        let bytes = with_line(&format!("GET /chat {version}"));
        assert_refused(&bytes, &HandshakeError::HttpVersion, 505);
    }
}

/// R6455-4.2.1-02
#[test]
fn one_valid_host_is_demanded() {
    assert_refused(&request_with(HOST, &[]), &MissingHeader(HOST), 400);
    let twice = ["Host: example.com", "host: example.com"];
    assert_refused(&request_with(HOST, &twice), &RepeatedHeader(HOST), 400);
    for bad in [
        "Host:",
        "Host: a b",
        "Host: a,b",
        "Host: user@a",
        "Host: a/b",
        "Host: a:x",
        "Host: a:0",
        "Host: a:65536",
        "Host: [::1",
        "Host: é.test",
        "Host: a\\b",
        "Host: http://a",
    ] {
        assert_refused(&request_with(HOST, &[bad]), &InvalidHeader(HOST), 400);
    }
    for good in [
        "Host: a",
        "Host: a:8080",
        "HOST:[::1]:9001",
        "Host: 127.0.0.1",
        "Host: a_b.",
    ] {
        assert_accepted(&request_with(HOST, &[good]));
    }
    // A plain request too (RFC 9112, 3.2), but for one of the version that had no such header.
    assert_refused(b"GET / HTTP/1.1\r\n\r\n", &MissingHeader(HOST), 400);
    assert!(matches!(
        serve(b"GET / HTTP/1.0\r\n\r\n"),
        Served::Http { .. }
    ));
}

/// R6455-4.2.1-03, H9
#[test]
fn upgrade_and_connection_are_lists_in_any_case() {
    for good in [
        &["Upgrade: WebSocket"][..],
        &["uPGRADE:websocket"],
        &["Upgrade: h2c, websocket"],
        &["Upgrade: ,, websocket\t,"],
        &["Upgrade: h2c", "Upgrade: WEBSOCKET"],
    ] {
        assert_accepted(&request_with("Upgrade", good));
    }
    for good in [
        &["Connection: keep-alive, Upgrade"][..],
        &["Connection: upgrade"],
        &["connection:keep-alive\t,UPGRADE ,"],
        &["Connection: keep-alive", "Connection: Upgrade"],
    ] {
        assert_accepted(&request_with("Connection", good));
    }
    for bad in [
        &[][..],
        &["Upgrade:"],
        &["Upgrade: h2c"],
        &["Upgrade: websockets"],
        &["Upgrade: web socket"],
    ] {
        let response = assert_refused(&request_with("Upgrade", bad), &UpgradeRequired, 426);
        assert_eq!(response.headers().text("Upgrade"), Some("websocket"));
    }
    for bad in [
        &[][..],
        &["Connection: keep-alive"],
        &["Connection: upgradeX"],
        &["Connection: Upgrade;q=1"],
        &["Connection: Up grade"],
    ] {
        assert_refused(
            &request_with("Connection", bad),
            &InvalidHeader("Connection"),
            400,
        );
    }
}

/// R6455-4.2.1-04, R6455-11.3-01, H8
#[test]
fn one_key_of_sixteen_bytes_is_demanded() {
    assert_refused(&request_with(KEY, &[]), &MissingHeader(KEY), 400);
    let twice = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="; 2];
    assert_refused(&request_with(KEY, &twice), &RepeatedHeader(KEY), 400);
    for bad in [
        "",
        "AAAA",
        "AAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAA===",
        "dGhlIHNhbXBsZSBub25j-Q==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let line = format!("Sec-WebSocket-Key: {bad}");
        assert_refused(&request_with(KEY, &[&line]), &InvalidHeader(KEY), 400);
    }
    assert_accepted(&request_with(
        KEY,
        &["Sec-Websocket-Key:\tdGhlIHNhbXBsZSBub25jZQ== "],
    ));
}

/// R6455-4.2.1-05, R6455-4.2.2-02, R6455-4.4-01, RIANA-02, H5: any other version is told the one
/// that is spoken, and then the connection ends.
#[test]
fn version_13_is_demanded() {
    assert_refused(&request_with(VERSION, &[]), &MissingHeader(VERSION), 400);
    let twice = ["Sec-WebSocket-Version: 13"; 2];
    assert_refused(
        &request_with(VERSION, &twice),
        &RepeatedHeader(VERSION),
        400,
    );
    for other in [
        "8", "7", "0", "1337", "14", "013", "13.0", "+13", "13, 8", "x", "",
    ] {
        let line = format!("Sec-WebSocket-Version: {other}");
        let bytes = request_with(VERSION, &[&line]);
        let response = assert_refused(&bytes, &UnsupportedVersion, 426);
        assert_eq!(response.headers().text(VERSION), Some("13"));
        assert_eq!(response.headers().text("Upgrade"), Some("websocket"));
        let text = String::from_utf8(response.to_bytes().to_vec()).unwrap();
        assert!(
            text.contains("\r\nConnection: close, Upgrade\r\n"),
            "{text}"
        );
    }
}

/// R6455-4.2.1-06
#[test]
fn the_target_is_a_path_or_a_web_address() {
    for (target, path, query, host) in [
        ("/", "/", None, "example.com"),
        ("/a/b?c=d?e", "/a/b", Some("c=d?e"), "example.com"),
        ("/?", "/", Some(""), "example.com"),
        ("//x", "//x", None, "example.com"),
        ("/http://a", "/http://a", None, "example.com"),
        ("/%2e|{}[]\"", "/%2e|{}[]\"", None, "example.com"),
        ("http://a.test/b?c", "/b", Some("c"), "a.test"),
        ("HTTPS://a.test:8443", "/", None, "a.test:8443"),
        ("http://a.test?c", "/", Some("c"), "a.test"),
        ("http://[::1]/", "/", None, "[::1]"),
    ] {
        let request = assert_accepted(&with_line(&format!("GET {target} HTTP/1.1")));
        assert_eq!(request.target(), target);
        assert_eq!((request.path(), request.query()), (path, query), "{target}");
        assert_eq!(request.host(), Some(host), "{target}");
    }
    for target in [
        "*",
        "chat",
        "example.com:80",
        "ws://a.test/",
        "ftp://a.test/",
        "http:/a",
        "http://",
        "http:///x",
        "http://user@a.test/",
        "http://a.test:x/",
        "/a#b",
        "/#",
        "/é",
        "http://a#",
        "?x",
        "\\chat",
    ] {
        assert_refused(
            &with_line(&format!("GET {target} HTTP/1.1")),
            &InvalidTarget,
            400,
        );
    }
}

/// H6: Java's clients send a length of zero.
#[test]
fn a_body_is_refused_and_an_empty_one_is_none() {
    assert_accepted(&request_with("Content-Length", &["Content-Length: 0"]));
    for bad in [
        &["Content-Length: 5"][..],
        &["Content-Length: 00"],
        &["Content-Length: +0"],
        &["Content-Length: -0"],
        &["Content-Length: 0 ,0"],
        &["Content-Length: 0x0"],
        &["Content-Length:"],
        &["Content-Length: 18446744073709551616"],
        &["Content-Length: 0", "Content-Length: 0"],
        &["Content-Length: 0", "content-length: 5"],
        &["Transfer-Encoding: chunked"],
        &["Transfer-Encoding: identity"],
        &["Transfer-Encoding:"],
        &["Content-Length: 0", "Transfer-Encoding: chunked"],
    ] {
        assert_refused(&request_with("Content-Length", bad), &UnexpectedBody, 400);
    }
}

/// R6455-4.3-01, R6455-9.1-01
#[test]
fn malformed_offers_of_extensions_are_refused() {
    for bad in [
        "",
        ",",
        "a b",
        "a;",
        "a;=1",
        "a;b=",
        "a;b=\"",
        "a;b=\"c d\"",
        "é",
        "a=1",
        ";a",
    ] {
        let line = format!("{EXTENSIONS}: {bad}");
        let bytes = request_with(EXTENSIONS, &[&line]);
        assert_refused(&bytes, &InvalidHeader(EXTENSIONS), 400);
        // On a second line, too.
        let bytes = request_with(EXTENSIONS, &["Sec-WebSocket-Extensions: a", &line]);
        assert_refused(&bytes, &InvalidHeader(EXTENSIONS), 400);
    }
}

/// R6455-4.2.1-08
#[test]
fn malformed_offers_of_subprotocols_are_refused() {
    let protocol = "Sec-WebSocket-Protocol";
    for bad in ["", ",", "a b", "a;b", "a, \"b\"", "a/b", "é", "a,b@"] {
        let line = format!("{protocol}: {bad}");
        assert_refused(
            &request_with(protocol, &[&line]),
            &InvalidHeader(protocol),
            400,
        );
    }
}

/// A request that another HTTP implementation has parsed is judged the same.
#[test]
fn values_are_trimmed_wherever_they_come_from() {
    let headers = [
        ("host", "\texample.com "),
        ("upgrade", "websocket "),
        ("connection", " upgrade"),
        ("sec-websocket-key", " dGhlIHNhbXBsZSBub25jZQ==\t"),
        ("sec-websocket-version", " 13 "),
    ];
    let request = HttpRequest::new("GET", "/", headers.into_iter().collect());
    let incoming = server::Upgrade::negotiate(request, options());
    assert!(
        matches!(incoming, Ok(server::Incoming::Upgrade(_))),
        "{incoming:?}"
    );
}

/// R6455-11.3-01: lines of lists may repeat, in any split.
#[test]
fn lists_may_be_split_over_lines() {
    let mut lines = replaced(
        &REQUEST,
        "Sec-WebSocket-Protocol",
        &["Sec-WebSocket-Protocol: a"],
    );
    lines.extend(["Sec-WebSocket-Protocol: b", "Sec-WebSocket-Extensions: x"]);
    lines.extend([
        "Sec-WebSocket-Extensions: y; z",
        "Upgrade: other",
        "Connection: close",
    ]);
    let request = assert_accepted(&head(lines));
    assert_eq!(request.subprotocols().count(), 2);
}
