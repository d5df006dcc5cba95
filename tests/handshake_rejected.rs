//! Responses that refuse the handshake (RFC 6455, 4.1) and their bodies; deadlines of both roles.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use core::time::Duration;

use common::handshake::{
    Met, REQUEST, RESPONSE, ask, assert_established, assert_fails, assert_rejected, head, meet,
    meet_with, options, push, sample_keys,
};
use fullduplex::handshake::client::{Handshake, Rejection};
use fullduplex::handshake::{HandshakeError, Step, server};
use fullduplex::{Config, Inbox};

/// What the client keeps of a response that ends with the stream.
#[track_caller]
fn rejected_at_eof(bytes: &[u8]) -> Rejection {
    match meet(bytes) {
        Met::Pending(HandshakeError::Rejected(rejection)) => *rejection,
        other => panic!("{:?} gives {other:?}", bytes.escape_ascii().to_string()),
    }
}

/// R6455-4.1-18: any other status is HTTP, and handed over as such.
#[test]
fn other_statuses_are_not_a_websocket() {
    for status in [
        200, 204, 206, 299, 300, 304, 400, 404, 426, 431, 500, 503, 599, 600, 999,
    ] {
        let mut lines = RESPONSE.to_vec();
        let line = format!("HTTP/1.1 {status} Switching Protocols");
        lines[0] = &line;
        lines.push("Content-Length: 0");
        let rejection = assert_rejected(&head(lines));
        assert_eq!(rejection.status, status);
        assert!(rejection.body.is_empty() && !rejection.truncated);
    }
    for status in ["000", "001", "099"] {
        let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        assert_rejected(bytes.as_bytes());
    }
    let old = b"HTTP/1.0 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    assert_eq!(assert_rejected(old).body, b"no");
}

/// H15: a redirect is the application's to follow, or not, with or without its credentials.
#[test]
fn redirects_and_demands_are_handed_over() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: wss://b.test/\r\nContent-Length: 0\r\n\r\n";
    let rejection = assert_rejected(redirect);
    assert_eq!(rejection.headers.text("location"), Some("wss://b.test/"));
    let demand = b"HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\nContent-Length: 3\r\n\r\nwho";
    let rejection = assert_rejected(demand);
    assert_eq!(rejection.headers.text("www-authenticate"), Some("Basic"));
    assert_eq!(rejection.body, b"who");
}

/// R6455-4.4-01: a server that speaks other versions lists them, in one line or several.
#[test]
fn versions_that_a_server_lists_can_be_read() {
    let bytes = b"HTTP/1.1 426 X\r\nSec-WebSocket-Version: 25, 8\r\nContent-Length: 0\r\n\
                  Sec-WebSocket-Version: 7\r\n\r\n";
    let rejection = assert_rejected(bytes);
    let versions: Vec<_> = rejection
        .headers
        .elements("Sec-WebSocket-Version")
        .collect();
    assert_eq!(versions, [&b"25"[..], b"8", b"7"]);
}

/// R6455-4.1-18: up to eight interim responses are skipped.
#[test]
fn interim_responses_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                   HTTP/1.1 199 \r\nUpgrade: h2c\r\nContent-Length: 9\r\n\r\n";
    assert_established(&[interim.as_bytes(), &head(RESPONSE)].concat());
    let refused = [
        interim.as_bytes(),
        b"HTTP/1.1 404 X\r\nContent-Length: 1\r\n\r\n!",
    ]
    .concat();
    assert_eq!(assert_rejected(&refused).status, 404);
    let many = |count| {
        [
            "HTTP/1.1 102 Processing\r\n\r\n".repeat(count).as_bytes(),
            &head(RESPONSE),
        ]
        .concat()
    };
    assert_established(&many(8));
    assert_fails(&many(9), &HandshakeError::TooManyInterimResponses);
}

#[test]
fn a_body_ends_after_its_length() {
    let with =
        |fields: &str, body: &str| format!("HTTP/1.1 400 X\r\n{fields}\r\n\r\n{body}").into_bytes();
    let rejection = assert_rejected(&with("Content-Length: 5", "hello"));
    assert_eq!(
        (&rejection.body[..], rejection.truncated),
        (&b"hello"[..], false)
    );
    // What comes behind it is not part of it.
    assert_eq!(
        assert_rejected(&with("Content-Length: 4", "hello")).body,
        b"hell"
    );
    assert_eq!(
        assert_rejected(&with("Content-Length: 5, 5", "hello")).body,
        b"hello"
    );
    let short = rejected_at_eof(&with("Content-Length: 6", "hello"));
    assert_eq!((&short.body[..], short.truncated), (&b"hello"[..], true));
    // Without a usable length it ends with the stream.
    for fields in [
        "X: y",
        "Content-Length: 5, 6",
        "Content-Length: x",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Content-Length:",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: gzip, chunked",
    ] {
        let rejection = rejected_at_eof(&with(fields, "hello"));
        assert_eq!(
            (&rejection.body[..], rejection.truncated),
            (&b"hello"[..], false),
            "{fields}"
        );
    }
    for status in [204, 304] {
        let bytes = format!("HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n");
        assert!(!assert_rejected(bytes.as_bytes()).truncated);
    }
}

fn chunked(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 500 X\r\nTransfer-Encoding: Chunked\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_chunked_body_is_put_together() {
    for (body, content) in [
        ("0\r\n\r\n", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
        (
            "a \r\n0123456789\r\n0;x\r\nTrailer: x\r\nY: z\r\n\r\n",
            "0123456789",
        ),
        ("0000000000000005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("5\nhello\n0\n\n", "hello"),
    ] {
        let rejection = assert_rejected(&chunked(body));
        assert_eq!(
            (&rejection.body[..], rejection.truncated),
            (content.as_bytes(), false),
            "{body:?}"
        );
    }
}

/// A broken body does not replace what the head says.
#[test]
fn a_broken_body_is_marked_as_truncated() {
    for (body, content) in [
        ("x\r\n", ""),
        ("\r\n", ""),
        ("-1\r\n", ""),
        ("+1\r\na", ""),
        ("1\r\nab\r\n", "a"),
        ("1x\r\na\r\n", ""),
        ("10000000000000000\r\na", ""),
        ("5\r\nhelloX\r\n0\r\n\r\n", "hello"),
    ] {
        let rejection = assert_rejected(&chunked(body));
        assert_eq!(rejection.status, 500);
        assert_eq!(
            (&rejection.body[..], rejection.truncated),
            (content.as_bytes(), true),
            "{body:?}"
        );
    }
    for body in [
        "",
        "5",
        "5\r\n",
        "5\r\nhell",
        "5\r\nhello",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\nX: y\r\n",
    ] {
        assert!(rejected_at_eof(&chunked(body)).truncated, "{body:?}");
    }
}

/// Below the limit, at it and above; and no more is kept, whatever length is announced.
#[test]
fn the_body_is_limited() {
    let mut config = Config::default();
    config.limits.max_rejection_body = 100;
    let rejection = |bytes: &[u8]| match meet_with(&ask(), &config, bytes) {
        Met::Failed(HandshakeError::Rejected(rejection))
        | Met::Pending(HandshakeError::Rejected(rejection)) => *rejection,
        other => panic!("{other:?}"),
    };
    for (length, kept, truncated) in [
        (99, 99, false),
        (100, 100, false),
        (101, 100, true),
        (5000, 100, true),
    ] {
        let content = "x".repeat(length);
        for bytes in [
            format!("HTTP/1.1 400 X\r\nContent-Length: {length}\r\n\r\n{content}").into_bytes(),
            format!("HTTP/1.1 400 X\r\n\r\n{content}").into_bytes(),
            chunked(&format!("{length:x}\r\n{content}\r\n0\r\n\r\n")),
        ] {
            let rejection = rejection(&bytes);
            assert_eq!(
                (rejection.body.len(), rejection.truncated),
                (kept, truncated),
                "{length}"
            );
        }
    }
    let huge = rejection(b"HTTP/1.1 400 X\r\nContent-Length: 18446744073709551615\r\n\r\nab");
    assert_eq!((&huge.body[..], huge.truncated), (&b"ab"[..], true));
    // What a sender may add to the content is limited as well.
    let padded = rejection(&chunked(&format!(
        "1;{}\r\na\r\n0\r\n\r\n",
        "x".repeat(100)
    )));
    assert!(padded.truncated);
    let trailer = rejection(&chunked(&format!(
        "1\r\na\r\n0\r\n{}",
        "X: y\r\n".repeat(100)
    )));
    assert_eq!((&trailer.body[..], trailer.truncated), (&b"a"[..], true));
}

const SECOND: Duration = Duration::from_secs(1);

/// H12: the clock of a handshake starts when it is told the time, anywhere on the caller's clock.
#[test]
fn a_server_gives_up_at_the_deadline_however_many_bytes_come() {
    let start = Duration::from_secs(1_000_000);
    let mut inbox = Inbox::new();
    let mut handshake = server::Handshake::new(options());
    assert_eq!(
        handshake.poll_timeout(),
        Some(Duration::ZERO),
        "asks for the time at once"
    );
    handshake.handle_timeout(start).unwrap();
    assert_eq!(handshake.poll_timeout(), Some(start + 10 * SECOND));
    let request = head(REQUEST);
    for (second, byte) in (1..10).zip(&request) {
        push(&mut inbox, &[*byte]);
        let Ok(Step::Continue(same)) = handshake.advance(&mut inbox) else {
            panic!("not a whole request");
        };
        handshake = same;
        handshake.handle_timeout(start + second * SECOND).unwrap();
        assert_eq!(
            handshake.poll_timeout(),
            Some(start + 10 * SECOND),
            "does not move"
        );
    }
    let last = start + Duration::from_nanos(9_999_999_999);
    assert_eq!(handshake.handle_timeout(last), Ok(()));
    let error = handshake.handle_timeout(start + 10 * SECOND).unwrap_err();
    assert_eq!(error, HandshakeError::TimedOut);
    assert_eq!(
        error.response().map(|response| response.status()),
        Some(408)
    );
}

/// H12
#[test]
fn a_handshake_may_have_all_the_time_in_the_world() {
    let mut config = Config::default();
    config.timeouts.handshake = None;
    let mut server = server::Handshake::new(options().config(config.clone()));
    let mut client = Handshake::new(ask(), config.clone(), sample_keys());
    assert_eq!((server.poll_timeout(), client.poll_timeout()), (None, None));
    assert_eq!(server.handle_timeout(Duration::MAX), Ok(()));
    assert_eq!(client.handle_timeout(Duration::MAX), Ok(()));
    // A deadline past the end of the clock is none, and no overflow.
    config.timeouts.handshake = Some(Duration::MAX);
    let mut server = server::Handshake::new(options().config(config));
    server.handle_timeout(SECOND).unwrap();
    assert_eq!(server.poll_timeout(), Some(Duration::MAX));
}

/// H12: interim responses and parts of bodies do not move the deadline; a refusal that has come
/// stays one.
#[test]
fn a_client_gives_up_at_the_deadline() {
    for (bytes, rejected) in [
        (&b""[..], false),
        (b"HTTP/1.1 ", false),
        (b"HTTP/1.1 100 X\r\n\r\n", false),
        (b"HTTP/1.1 404 X\r\nContent-Length: 9\r\n\r\nhel", true),
        (b"HTTP/1.1 404 X\r\n\r\nhel", true),
    ] {
        let mut inbox = Inbox::new();
        let mut handshake = Handshake::new(ask(), Config::default(), sample_keys());
        assert_eq!(handshake.poll_timeout(), Some(Duration::ZERO));
        handshake.handle_timeout(5 * SECOND).unwrap();
        push(&mut inbox, bytes);
        let Ok(Step::Continue(mut handshake)) = handshake.advance(&mut inbox) else {
            panic!("more is to come");
        };
        assert_eq!(handshake.poll_timeout(), Some(15 * SECOND));
        handshake.handle_timeout(14 * SECOND).unwrap();
        match handshake.handle_timeout(15 * SECOND).unwrap_err() {
            HandshakeError::TimedOut if !rejected => {}
            HandshakeError::Rejected(rejection) if rejected => {
                assert_eq!((rejection.status, &rejection.body[..]), (404, &b"hel"[..]));
                assert!(rejection.truncated);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_reported() {
    let bytes = head(RESPONSE);
    for end in 0..bytes.len() {
        let mut inbox = Inbox::new();
        let mut handshake = Handshake::new(ask(), Config::default(), sample_keys());
        push(&mut inbox, &bytes[..end]);
        handshake.received_eof();
        let error = handshake.advance(&mut inbox).err();
        assert_eq!(error, Some(HandshakeError::ConnectionClosed), "{end}");
    }
}
