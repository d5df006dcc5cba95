//! What a server answers to a request (RFC 6455, 4.2.2), and what it hands to the application.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use common::handshake::{
    REQUEST, Served, assert_accepted, assert_closes, drain, head, options, push, request_with,
    serve, serve_pieces, serve_with, upgrade,
};
use fullduplex::handshake::HandshakeError::{
    EarlyData, InvalidHeader, InvalidTarget, MethodNotAllowed, MissingHeader, RepeatedHeader,
    UnexpectedBody, UnsupportedVersion, UpgradeRequired,
};
use fullduplex::handshake::server::{self, Acceptance, Response};
use fullduplex::handshake::{BuildError, HandshakeError};
use fullduplex::{Event, Inbox};

const HOST: &str = "Host";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// Found by a mutant.
#[test]
fn headers_know_whether_there_are_any() {
    let response = Response::new(200).unwrap();
    assert!(response.headers().is_empty());
    let response = response.header("X-Some", "thing").unwrap();
    assert!(!response.headers().is_empty());
}

/// R6455-4.2.2-05, R6455-9-01: what is not configured is not accepted, and what is not offered not
/// used.
#[test]
fn unknown_extensions_are_not_answered() {
    let offers = [
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate; unknown=1",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, foo; bar=\"b\"",
    ];
    match serve(&request_with(EXTENSIONS, &offers)) {
        Served::Upgrade { sent, .. } => assert!(!sent.contains("Extensions"), "{sent}"),
        other => panic!("{other:?}"),
    }
}

/// R6455-9-01, RIANA-03
#[cfg(feature = "deflate")]
#[test]
fn compression_is_agreed_on_only_when_offered() {
    let mut config = fullduplex::Config::default();
    config.deflate = Some(fullduplex::deflate::Deflate::default());
    let options = options().config(config);
    match serve_with(&options, &head(REQUEST)) {
        Served::Upgrade { sent, .. } => assert!(!sent.contains("Extensions"), "{sent}"),
        other => panic!("{other:?}"),
    }
    let offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"];
    match serve_with(&options, &request_with(EXTENSIONS, &offer)) {
        Served::Upgrade { sent, .. } => {
            let lines: Vec<_> = sent
                .lines()
                .filter(|line| line.starts_with(EXTENSIONS))
                .collect();
            assert_eq!(lines.len(), 1, "{sent}");
            assert!(lines[0].starts_with("Sec-WebSocket-Extensions: permessage-deflate"));
            assert!(!sent.contains("server_max_window_bits"), "{sent}");
        }
        other => panic!("{other:?}"),
    }
}

/// R6455-4.2.2-04: the server's preference counts, and names are compared to the letter.
#[test]
fn a_subprotocol_is_chosen_from_those_offered() {
    let offers = [
        "Sec-WebSocket-Protocol: a, ,b,",
        "sec-websocket-protocol: c",
    ];
    let bytes = request_with("Sec-WebSocket-Protocol", &offers);
    let request = assert_accepted(&bytes);
    assert_eq!(request.subprotocols().collect::<Vec<_>>(), ["a", "b", "c"]);
    for (preference, chosen) in [
        (&["c", "a"][..], Some("c")),
        (&["x", "b"], Some("b")),
        (&["A", "B"], None),
        (&[], None),
        (&[""], None),
        (&["a, b"], None),
    ] {
        let upgrade = upgrade(&bytes);
        assert_eq!(upgrade.select_subprotocol(preference), chosen);
        let mut connection = upgrade
            .accept(Acceptance::new().subprotocol(chosen))
            .unwrap();
        let sent = String::from_utf8(drain(connection.outgoing())).unwrap();
        let expected: Vec<_> = chosen
            .map(|name| format!("Sec-WebSocket-Protocol: {name}"))
            .into_iter()
            .collect();
        let lines: Vec<_> = sent
            .lines()
            .filter(|line| line.contains("Protocol:"))
            .collect();
        assert_eq!(lines, expected);
    }
    for other in ["x", "A", "", "a, b", "a\r\nX: y"] {
        let error = upgrade(&bytes)
            .accept(Acceptance::new().subprotocol(other))
            .err();
        assert_eq!(error, Some(BuildError::SubprotocolNotOffered), "{other:?}");
    }
    let error = upgrade(&head(REQUEST))
        .accept(Acceptance::new().subprotocol("a"))
        .err();
    assert_eq!(error, Some(BuildError::SubprotocolNotOffered));
}

/// R6455-4.2.2-07, H7: frames in the same segment, where that is allowed, are the first events.
#[test]
fn bytes_behind_the_request_are_refused_or_are_frames() {
    let bytes = [&head(REQUEST)[..], b"\x81\x82\0\0\0\0hi"].concat();
    assert_eq!(
        serve_pieces(&options(), &[&bytes]),
        Served::Failed(EarlyData)
    );
    let response = EarlyData.response().unwrap();
    assert_eq!(response.status(), 400);
    assert_closes(&response);

    let options = options().early_data(server::EarlyData::Accept);
    let outcome = serve_with(&options, &bytes);
    assert!(matches!(&outcome, Served::Upgrade { left, .. } if left == b"\x81\x82\0\0\0\0hi"));

    let mut inbox = Inbox::new();
    push(&mut inbox, &bytes);
    let Ok(fullduplex::handshake::Step::Done(server::Incoming::Upgrade(upgrade))) =
        server::Handshake::new(options).advance(&mut inbox)
    else {
        panic!("no handshake");
    };
    let mut connection = upgrade.accept(Acceptance::new()).unwrap();
    match connection.poll_event(&mut inbox).unwrap() {
        Some(Event::Text(text)) => assert_eq!(&*text, "hi"),
        other => panic!("{other:?}"),
    }
    assert!(drain(connection.outgoing()).starts_with(b"HTTP/1.1 101 "));
}

/// R6455-4.2.2-03, H16: the decision is taken with the whole request at hand, before any answer.
#[test]
fn the_application_decides_before_anything_is_answered() {
    let login = ["Authorization: Bearer abc"];
    let upgrade = upgrade(&request_with("Authorization", &login));
    assert_eq!(
        upgrade.request().headers().text("authorization"),
        Some("Bearer abc")
    );
    for (response, start) in [
        (
            Response::new(401)
                .unwrap()
                .header("WWW-Authenticate", "Bearer")
                .unwrap(),
            "401 Unauthorized",
        ),
        (Response::not_found(), "404 Not Found"),
        (Response::forbidden(), "403 Forbidden"),
        (
            Response::new(302)
                .unwrap()
                .header("Location", "/other")
                .unwrap(),
            "302 Found",
        ),
        (
            Response::new(503).unwrap().body("later"),
            "503 Service Unavailable",
        ),
        (Response::new(299).unwrap(), "299 "),
        (Response::upgrade_required(), "426 Upgrade Required"),
    ] {
        assert_closes(&response);
        let bytes = common::handshake::upgrade(&head(REQUEST)).reject(&response);
        assert_eq!(bytes, response.to_bytes());
        assert!(
            bytes.starts_with(format!("HTTP/1.1 {start}\r\n").as_bytes()),
            "{bytes:?}"
        );
    }
}

/// A request for a page on the same port is no failure; what it gets closes the connection.
#[test]
fn plain_requests_are_handed_over() {
    for (bytes, method, path) in [
        (
            &b"GET /page?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            "GET",
            "/page",
        ),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD", "/"),
        (b"GET / HTTP/1.0\r\n\r\n", "GET", "/"),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*"),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            "GET",
            "/",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
            "POST",
            "/",
        ),
    ] {
        let Served::Http { request, left } = serve(bytes) else {
            panic!("{}", bytes.escape_ascii());
        };
        assert_eq!((request.method(), request.path()), (method, path));
        assert!(
            bytes.ends_with(&left) && left.len() <= 3,
            "the body stays in the inbox"
        );
        let page = Response::new(200).unwrap().body("page");
        let answer = String::from_utf8(request.respond(&page).to_vec()).unwrap();
        assert!(
            answer.contains("\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"),
            "{answer}"
        );
        assert_eq!(answer.ends_with("page"), method != "HEAD", "{answer}");
    }
}

/// The names of RFC 9110, section 15, for what a server may answer instead of opening; a status that
/// is not in this list has an empty one.
#[test]
fn statuses_are_named() {
    for (status, name) in [
        (200, "OK"),
        (204, "No Content"),
        (206, ""),
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (304, "Not Modified"),
        (307, "Temporary Redirect"),
        (308, "Permanent Redirect"),
        (400, "Bad Request"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (408, "Request Timeout"),
        (410, "Gone"),
        (418, ""),
        (426, "Upgrade Required"),
        (429, "Too Many Requests"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
        (505, "HTTP Version Not Supported"),
        (299, ""),
        (599, ""),
    ] {
        let bytes = Response::new(status).unwrap().to_bytes();
        let line = format!("HTTP/1.1 {status} {name}\r\n");
        assert!(bytes.starts_with(line.as_bytes()), "{line}");
    }
}

#[test]
fn responses_without_a_body_announce_none() {
    for status in [204, 304] {
        let bytes = Response::new(status).unwrap().body("ignored").to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.ends_with("\r\nConnection: close\r\n\r\n"), "{text}");
        assert!(!text.contains("Content-Length"), "{text}");
    }
}

/// H4: nothing that an application passes on can become another header or another response.
#[test]
fn responses_cannot_be_injected_into() {
    for status in [0, 99, 100, 101, 199, 600, 1000, u16::MAX] {
        assert_eq!(Response::new(status), Err(BuildError::Status), "{status}");
    }
    for name in [
        "", " ", "X Y", "X:", "X\r\nY", "X\n", "X\0", "X\x7f", "Xé", "(X)",
    ] {
        let error = Some(BuildError::HeaderName);
        assert_eq!(
            Response::not_found().header(name, "a").err(),
            error,
            "{name:?}"
        );
        assert_eq!(Acceptance::new().header(name, "a").err(), error, "{name:?}");
    }
    for value in [
        "a\r\nX: y",
        "a\n",
        "a\0",
        "a\x7f",
        "a\r\n b",
        "é",
        " a",
        "a ",
        "\t",
    ] {
        let error = Some(BuildError::HeaderValue);
        assert_eq!(
            Response::not_found().header("X", value).err(),
            error,
            "{value:?}"
        );
        assert_eq!(
            Acceptance::new().header("X", value).err(),
            error,
            "{value:?}"
        );
    }
    for name in ["Connection", "content-length", "TRANSFER-ENCODING"] {
        let error = Some(BuildError::ManagedHeader);
        assert_eq!(
            Response::not_found().header(name, "a").err(),
            error,
            "{name:?}"
        );
        assert_eq!(Acceptance::new().header(name, "a").err(), error, "{name:?}");
    }
    for name in [
        "Upgrade",
        "sec-websocket-accept",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-X",
    ] {
        let error = Some(BuildError::ManagedHeader);
        assert_eq!(Acceptance::new().header(name, "a").err(), error, "{name:?}");
    }
    let acceptance = Acceptance::new()
        .header("Set-Cookie", "a=b; Path=/")
        .unwrap();
    let acceptance = acceptance.header("set-cookie", "").unwrap();
    let mut connection = upgrade(&head(REQUEST)).accept(acceptance).unwrap();
    let sent = String::from_utf8(drain(connection.outgoing())).unwrap();
    assert!(
        sent.ends_with("\r\nSet-Cookie: a=b; Path=/\r\nset-cookie: \r\n\r\n"),
        "{sent}"
    );
}

/// R6455-7.2.2-01, R6455-10.7-01: where a server can still answer, it does, and closes.
#[test]
fn every_failure_of_a_server_has_an_answer_that_closes() {
    use fullduplex::handshake::Syntax;
    for (error, status) in [
        (HandshakeError::Malformed(Syntax::HeaderName), 400),
        (HandshakeError::HeadTooLarge, 431),
        (HandshakeError::TooManyHeaders, 431),
        (HandshakeError::TimedOut, 408),
        (MissingHeader(HOST), 400),
        (RepeatedHeader(HOST), 400),
        (InvalidHeader(HOST), 400),
        (HandshakeError::HttpVersion, 505),
        (MethodNotAllowed, 405),
        (InvalidTarget, 400),
        (UnexpectedBody, 400),
        (EarlyData, 400),
        (UpgradeRequired, 426),
        (UnsupportedVersion, 426),
        (HandshakeError::OriginNotAllowed, 403),
    ] {
        let response = error.response().unwrap();
        assert_eq!(response.status(), status, "{error:?}");
        assert_closes(&response);
    }
    assert_eq!(HandshakeError::ConnectionClosed.response(), None);
    assert_eq!(HandshakeError::WrongAccept.response(), None);
}
