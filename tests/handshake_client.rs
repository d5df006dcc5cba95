//! Which responses a client takes for the server's consent (RFC 6455, 4.1).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use bytes::Buf;
use common::handshake::{
    Met, RESPONSE, SAMPLE_ACCEPT, ask, assert_established, assert_fails, drain, established, head,
    meet, meet_with, push, recorded, response_with, sample_keys,
};
use fullduplex::handshake::HandshakeError::{
    InvalidHeader, Malformed, MissingHeader, RepeatedHeader,
};
use fullduplex::handshake::client::Handshake;
use fullduplex::handshake::{HandshakeError, Syntax};
use fullduplex::{Config, Event, Inbox};

const ACCEPT: &str = "Sec-WebSocket-Accept";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// R6455-4.1-17: one request goes out, and nothing more before the response.
#[test]
fn nothing_is_sent_before_the_response() {
    let mut inbox = Inbox::new();
    let mut handshake = Handshake::new(ask(), Config::default(), sample_keys());
    drain(handshake.outgoing());
    for byte in head(RESPONSE) {
        assert!(!handshake.outgoing().has_remaining());
        push(&mut inbox, &[byte]);
        match handshake.advance(&mut inbox).unwrap() {
            fullduplex::handshake::Step::Continue(same) => handshake = same,
            fullduplex::handshake::Step::Done(mut established) => {
                assert!(!established.connection.outgoing().has_remaining());
                return;
            }
        }
    }
    panic!("the response was not understood");
}

/// R6455-4.1-24: consent to half a request is none, while a refusal of it counts.
#[test]
fn a_response_before_the_end_of_the_request() {
    for (bytes, rejected) in [
        (head(RESPONSE), false),
        (
            b"HTTP/1.1 431 X\r\nContent-Length: 0\r\n\r\n".to_vec(),
            true,
        ),
    ] {
        let mut inbox = Inbox::new();
        let mut handshake = Handshake::new(ask(), Config::default(), sample_keys());
        handshake.outgoing().advance(10);
        push(&mut inbox, &bytes);
        match handshake.advance(&mut inbox) {
            Err(HandshakeError::EarlyResponse) if !rejected => {}
            Err(HandshakeError::Rejected(rejection)) if rejected => {
                assert_eq!(rejection.status, 431)
            }
            other => panic!("{other:?}"),
        }
    }
}

/// R6455-4.1-21: the example of RFC 6455, 1.3.
#[test]
fn a_valid_response_opens_the_connection() {
    match meet(&head(RESPONSE)) {
        Met::Established {
            headers,
            subprotocol,
            left,
        } => {
            assert_eq!(headers.text(ACCEPT), Some(SAMPLE_ACCEPT));
            assert_eq!(headers.len(), 3);
            assert_eq!((subprotocol, left), (None, Vec::new()));
        }
        other => panic!("{other:?}"),
    }
}

/// R6455-4.1-22, R6455-9.1-02, H9: what real servers answer. They had been offered
/// permessage-deflate, so that a client that does not offer it has to refuse those that use it.
#[test]
fn real_servers_are_believed() {
    for (name, bytes) in recorded(".response") {
        let outcome = meet(&bytes);
        let text = String::from_utf8(bytes).unwrap().to_ascii_lowercase();
        match outcome {
            Met::Established { headers, .. } => {
                assert_eq!(headers.text(ACCEPT), Some(SAMPLE_ACCEPT), "{name}");
                assert!(!text.contains("sec-websocket-extensions"), "{name}");
            }
            Met::Failed(HandshakeError::ExtensionNotOffered) => {
                assert!(
                    text.contains("sec-websocket-extensions: permessage-deflate"),
                    "{name}"
                );
            }
            Met::Pending(HandshakeError::Rejected(rejection)) => {
                // Recorded without its body.
                assert_eq!(
                    (&*name, rejection.status),
                    ("go-nhooyr-fullparams.response", 400)
                );
                assert!(rejection.truncated && rejection.body.is_empty());
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// D11, H9: the same answers, when the extension is offered as usual.
#[cfg(feature = "deflate")]
#[test]
fn real_answers_to_the_usual_offer_are_believed() {
    let mut config = Config::default();
    config.deflate = Some(fullduplex::deflate::Deflate::default());
    for (name, bytes) in recorded(".response") {
        if name.contains("-fullparams") {
            continue; // Answers another offer.
        }
        let outcome = meet_with(&ask(), &config, &bytes);
        assert!(
            matches!(outcome, Met::Established { .. }),
            "{name}: {outcome:?}"
        );
    }
}

/// R6455-4.1-19, H9
#[test]
fn the_response_upgrades_to_websocket_and_nothing_else() {
    for good in ["Upgrade: WebSocket", "upgrade:\tWEBSOCKET "] {
        assert_established(&response_with("Upgrade", &[good]));
    }
    assert_fails(&response_with("Upgrade", &[]), &MissingHeader("Upgrade"));
    for bad in [
        "Upgrade:",
        "Upgrade: h2c",
        "Upgrade: websocket, h2c",
        "Upgrade: websocketX",
    ] {
        assert_fails(&response_with("Upgrade", &[bad]), &InvalidHeader("Upgrade"));
    }
    let twice = ["Upgrade: websocket"; 2];
    assert_fails(
        &response_with("Upgrade", &twice),
        &RepeatedHeader("Upgrade"),
    );
}

/// R6455-4.1-20
#[test]
fn connection_is_a_list_that_holds_upgrade() {
    for good in [
        &["Connection: upgrade"][..],
        &["Connection: keep-alive, Upgrade"],
        &["connection:UPGRADE\t,close"],
        &["Connection: keep-alive", "Connection: upgrade"],
    ] {
        assert_established(&response_with("Connection", good));
    }
    assert_fails(
        &response_with("Connection", &[]),
        &MissingHeader("Connection"),
    );
    for bad in [
        "Connection:",
        "Connection: keep-alive",
        "Connection: upgradeX",
        "Connection: up grade",
    ] {
        assert_fails(
            &response_with("Connection", &[bad]),
            &InvalidHeader("Connection"),
        );
    }
}

/// R6455-4.1-21, R6455-11.3-01, H8
#[test]
fn the_accept_value_proves_that_the_key_was_read() {
    assert_fails(&response_with(ACCEPT, &[]), &MissingHeader(ACCEPT));
    let right = format!("{ACCEPT}: {SAMPLE_ACCEPT}");
    assert_fails(
        &response_with(ACCEPT, &[&right, &right]),
        &RepeatedHeader(ACCEPT),
    );
    assert_established(&response_with(ACCEPT, &[&right.replace(": ", ":\t ")]));
    assert_established(&response_with(ACCEPT, &[&format!("{right} \t")]));
    for wrong in [
        "",
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
        "s3pPLMBiTxaQ9kYGzzhZRbK-xOo=",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "\"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\"",
    ] {
        let line = format!("{ACCEPT}: {wrong}");
        assert_fails(
            &response_with(ACCEPT, &[&line]),
            &HandshakeError::WrongAccept,
        );
    }
}

/// R6455-4.1-22, R6455-4.3-01, R6455-9-01, R6455-11.3-01
#[test]
fn extensions_that_were_not_offered_fail() {
    for offered_not in ["permessage-deflate", "foo", "a; b=\"c\", d"] {
        let line = format!("{EXTENSIONS}: {offered_not}");
        let bytes = response_with(EXTENSIONS, &[&line]);
        assert_fails(&bytes, &HandshakeError::ExtensionNotOffered);
        let twice = response_with(EXTENSIONS, &[&line, &line]);
        assert_fails(&twice, &RepeatedHeader(EXTENSIONS));
    }
    for bad in ["", "a b", "a;", "a;b=", "a;b=\"", "a;b=\" \"", "é"] {
        let line = format!("{EXTENSIONS}: {bad}");
        assert_fails(
            &response_with(EXTENSIONS, &[&line]),
            &InvalidHeader(EXTENSIONS),
        );
    }
}

/// R6455-4.1-23, R7936-01: one of those offered, to the letter.
#[test]
fn the_subprotocol_is_one_of_those_offered() {
    let request = ask()
        .subprotocol("chat")
        .unwrap()
        .subprotocol("Chat.v2")
        .unwrap();
    let config = Config::default();
    let answer = |lines: &[&str]| meet_with(&request, &config, &response_with(PROTOCOL, lines));
    for (line, name) in [("chat", "chat"), (" Chat.v2\t", "Chat.v2")] {
        match answer(&[&format!("{PROTOCOL}:{line}")]) {
            Met::Established { subprotocol, .. } => assert_eq!(subprotocol.as_deref(), Some(name)),
            other => panic!("{other:?}"),
        }
    }
    for other in [
        "",
        "CHAT",
        "chat.v2",
        "x",
        "chat, Chat.v2",
        "chat,chat",
        "\"chat\"",
        "chat;a",
    ] {
        let expected = Met::Failed(HandshakeError::SubprotocolNotOffered);
        assert_eq!(
            answer(&[&format!("{PROTOCOL}: {other}")]),
            expected,
            "{other:?}"
        );
    }
    let chat = format!("{PROTOCOL}: chat");
    assert_eq!(
        answer(&[&chat, &chat]),
        Met::Failed(RepeatedHeader(PROTOCOL))
    );
    assert_fails(
        &response_with(PROTOCOL, &[&chat]),
        &HandshakeError::SubprotocolNotOffered,
    );
    // None is legal, unless one is demanded.
    assert!(matches!(
        answer(&[]),
        Met::Established {
            subprotocol: None,
            ..
        }
    ));
    let demanding = request.clone().require_subprotocol();
    let outcome = meet_with(&demanding, &config, &head(RESPONSE));
    assert_eq!(outcome, Met::Failed(HandshakeError::SubprotocolMissing));
    let outcome = meet_with(&demanding, &config, &response_with(PROTOCOL, &[&chat]));
    assert!(matches!(outcome, Met::Established { .. }));
}

/// R6455-4.1-24, H5, H9
#[test]
fn the_status_line_says_101_in_http_1_1() {
    let start_line = Malformed(Syntax::StartLine);
    for good in [
        "HTTP/1.1 101 ",
        "HTTP/1.1 101",
        "HTTP/1.1 101 Web Socket Protocol Handshake",
    ] {
        assert_established(&response_with("HTTP", &[good]));
    }
    for (line, error) in [
        (
            "HTTP/1.0 101 Switching Protocols",
            HandshakeError::HttpVersion,
        ),
        (
            "HTTP/2 101 Switching Protocols",
            HandshakeError::HttpVersion,
        ),
        (
            "HTTP/1.2 101 Switching Protocols",
            HandshakeError::HttpVersion,
        ),
        ("HTTP/1.1  101 Switching Protocols", start_line.clone()),
        ("HTTP/1.1 1010 Switching Protocols", start_line.clone()),
        ("HTTP/1.1 101x Switching Protocols", start_line.clone()),
        ("HTTP/1.1 10 Switching Protocols", start_line.clone()),
        ("HTTP/1.1 +101 Switching", start_line.clone()),
        ("HTTP/1.1", HandshakeError::HttpVersion),
        ("101 Switching Protocols", start_line.clone()),
        (" HTTP/1.1 101 X", start_line.clone()),
        ("GET /chat HTTP/1.1", start_line.clone()),
        ("\r\nHTTP/1.1 101 X", start_line),
    ] {
        match meet(&response_with("HTTP", &[line])) {
            Met::Failed(actual) => assert_eq!(actual, error, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

/// R6455-4.1-24, H9
#[test]
fn syntax_errors_fail() {
    for (line, syntax) in [
        ("X: a\r\n b", Syntax::Folding),
        (" X: a", Syntax::Folding),
        ("X: a\nY: b", Syntax::BareLineFeed),
        ("X: a\rY: b", Syntax::HeaderValue),
        ("X: a\0b", Syntax::HeaderValue),
        ("X : a", Syntax::HeaderName),
        (": a", Syntax::HeaderName),
        ("X", Syntax::HeaderName),
    ] {
        assert_fails(&response_with("X", &[line]), &Malformed(syntax));
    }
}

/// H1, H2: a server can be hostile too.
#[test]
fn the_head_of_a_response_is_limited() {
    let padded = |length: usize| {
        let short = response_with("X", &["X: "]).len();
        response_with("X", &[&format!("X: {}", "x".repeat(length - short))])
    };
    assert_established(&padded(16 * 1024));
    assert_fails(&padded(16 * 1024 + 1), &HandshakeError::HeadTooLarge);
    assert_established(&response_with("X", &["X: y"; 97]));
    assert_fails(
        &response_with("X", &["X: y"; 98]),
        &HandshakeError::TooManyHeaders,
    );
}

/// R6455-4.1-25, H7: frames in the segment of the response, as some servers send them.
#[test]
fn bytes_behind_the_response_are_frames() {
    let bytes = [&head(RESPONSE)[..], b"\x81\x02hi\x89\x00"].concat();
    let outcome = meet(&bytes);
    assert!(matches!(&outcome, Met::Established { left, .. } if left == b"\x81\x02hi\x89\x00"));
    let (mut connection, mut inbox) = established(&bytes);
    match connection.poll_event(&mut inbox).unwrap() {
        Some(Event::Text(text)) => assert_eq!(&*text, "hi"),
        other => panic!("{other:?}"),
    }
}

/// RFC 9112, 6.3: whatever it says about a body, a 101 has none.
#[test]
fn a_length_in_the_response_does_not_hide_frames() {
    for line in ["Content-Length: 2", "Transfer-Encoding: chunked"] {
        let bytes = [&response_with("X", &[line])[..], b"\x81\x00"].concat();
        let outcome = meet(&bytes);
        assert!(matches!(&outcome, Met::Established { left, .. } if left == b"\x81\x00"));
    }
}
