//! The body of a received Close frame (RFC 6455, sections 5.5.1 and 7.4).
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod common;

use common::feed::{
    Feed, ROLES, Seen, assert_fails, assert_fails_with, assert_receives, frame, hex, sent_frames,
    text, trace,
};
use fullduplex::frame::{FrameError, MAX_REASON};
use fullduplex::{CloseCode, CloseFrame, Config, ReceiveError, Role, State};

fn body(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

/// R6455-5.5.1-01: code in network byte order, then the reason.
#[test]
fn a_close_frame_says_code_and_reason() {
    for role in ROLES {
        for (code, reason) in [(1000, ""), (1001, "bye"), (3000, "ß"), (4999, "x")] {
            let bytes = frame(role, 0x88, &body(code, reason.as_bytes()));
            let events = [Seen::Close(code, reason.into())];
            assert_receives(role, &Config::default(), &bytes, &events);
        }
    }
}

/// R6455-5.5.1-01: no body means no code, which is reported as 1005.
#[test]
fn a_close_frame_may_be_empty() {
    for role in ROLES {
        let bytes = frame(role, 0x88, b"");
        let events = [Seen::Close(1005, String::new())];
        assert_receives(role, &Config::default(), &bytes, &events);
    }
}

/// R6455-5.5.1-01, U2.
#[test]
fn a_close_frame_of_one_byte_is_refused() {
    assert_fails(
        Role::Server,
        &hex("88 81 00 00 00 00 03"),
        ReceiveError::CloseTooShort,
        1002,
    );
    for role in ROLES {
        for byte in [0x00, 0x03, 0xff] {
            let bytes = frame(role, 0x88, &[byte]);
            assert_fails(role, &bytes, ReceiveError::CloseTooShort, 1002);
        }
    }
}

/// R6455-5.5.1-02, R6455-8.1-01, U2.
#[test]
fn a_reason_that_is_not_utf8_is_refused() {
    let error = ReceiveError::InvalidCloseReason;
    let known = hex("88 84 00 00 00 00 03 e8 ff fe");
    assert_fails(Role::Server, &known, error, 1007);
    for role in ROLES {
        for reason in [
            &b"\xff"[..],
            b"ok\xc3",
            b"\xed\xa0\x80",
            b"\xc0\xaf",
            b"a\x80b",
        ] {
            let bytes = frame(role, 0x88, &body(1000, reason));
            assert_fails(role, &bytes, error, 1007);
        }
    }
}

/// R6455-7.4.1-01, R6455-7.4.2-01, RIANA-04, U2: next to every boundary; all codes are in
/// `exhaustive.rs`.
#[test]
fn a_code_that_may_not_travel_is_refused() {
    for role in ROLES {
        for code in [
            0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ] {
            let error = ReceiveError::InvalidCloseCode(code);
            let bytes = frame(role, 0x88, &body(code, b""));
            assert_fails(role, &bytes, error, 1002);
            let bytes = frame(role, 0x88, &body(code, b"reason"));
            assert_fails(role, &bytes, error, 1002);
        }
    }
}

/// R6455-5.5-01, R6455-5.5.1-01, U2: 123 bytes of reason fit, and no frame can hold more.
#[test]
fn the_longest_reason_is_taken_and_a_longer_one_cannot_be_said() {
    assert_eq!(MAX_REASON, 123);
    for role in ROLES {
        let longest = "r".repeat(123);
        let bytes = frame(role, 0x88, &body(1000, longest.as_bytes()));
        let events = [Seen::Close(1000, longest)];
        assert_receives(role, &Config::default(), &bytes, &events);

        let longer = frame(role, 0x88, &body(1000, &[b'r'; 124]));
        assert_fails(role, &longer[..2], FrameError::ControlTooLong, 1002);
    }
}

/// R6455-5.5.1-05, R6455-5.5.1-06: the code comes back, once, and a Close without one as such.
#[test]
fn a_close_frame_is_answered_with_its_code() {
    for role in ROLES {
        for (received, answered) in [
            (body(1000, b"done"), body(1000, b"")),
            (body(4321, b""), body(4321, b"")),
            (Vec::new(), Vec::new()),
        ] {
            let seen = trace(role, &Config::default(), &frame(role, 0x88, &received));
            let sent = sent_frames(role, &seen.outgoing);
            assert_eq!(sent.len(), 1);
            assert_eq!((sent[0].first, &sent[0].payload), (0x88, &answered));
        }
    }
}

/// R6455-5.5.1-08: nothing after the peer's Close frame is read, legal or not.
#[test]
fn what_follows_a_close_frame_is_dropped() {
    for role in ROLES {
        let close = [frame(role, 0x81, b"last"), frame(role, 0x88, b"")].concat();
        let events = [text("last"), Seen::Close(1005, String::new())];
        for after in [
            frame(role, 0x81, b"too late"),
            frame(role, 0x89, b"ping"),
            frame(role, 0x88, &body(1001, b"again")),
            hex("ff ff ff ff"),
        ] {
            let bytes = [&close[..], &after].concat();
            assert_receives(role, &Config::default(), &bytes, &events);
            let mut feed = Feed::new(role, &Config::default());
            feed.push(&close);
            feed.take_outgoing();
            feed.push(&after);
            assert!(feed.take_outgoing().is_empty() && feed.inbox.unread().is_empty());
        }
    }
}

/// R6455-5.5.1-02, R6455-7.1.7-02: a bad Close frame is a fault like any other, answered with 1002
/// or 1007 and not with its own code.
#[test]
fn a_bad_close_frame_is_not_echoed() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x82, b"before"),
            frame(role, 0x88, &body(1005, b"")),
        ]
        .concat();
        let error = ReceiveError::InvalidCloseCode(1005);
        let events = assert_fails_with(role, &Config::default(), &bytes, error, 1002);
        assert_eq!(events, [Seen::Binary(b"before".to_vec())]);
        let mut feed = Feed::new(role, &Config::default());
        feed.push(&bytes);
        assert_eq!(feed.connection.state(), State::Closing);
        feed.connection.received_eof();
        let outcome = feed.connection.outcome().unwrap();
        assert!(!outcome.clean);
        assert_eq!((outcome.received, outcome.cause), (None, Some(error)));
    }
}

/// RIANA-05: the names of the registry, for logs.
#[test]
fn registered_codes_have_names() {
    for (number, code, name) in [
        (1000, CloseCode::NORMAL, "normal closure"),
        (1001, CloseCode::GOING_AWAY, "going away"),
        (1002, CloseCode::PROTOCOL_ERROR, "protocol error"),
        (1003, CloseCode::UNSUPPORTED, "unsupported data"),
        (1005, CloseCode::NO_STATUS, "no status received"),
        (1006, CloseCode::ABNORMAL, "abnormal closure"),
        (1007, CloseCode::INVALID_PAYLOAD, "invalid payload data"),
        (1008, CloseCode::POLICY, "policy violation"),
        (1009, CloseCode::TOO_BIG, "message too big"),
        (
            1010,
            CloseCode::MANDATORY_EXTENSION,
            "mandatory extension missing",
        ),
        (1011, CloseCode::INTERNAL_ERROR, "internal error"),
        (1012, CloseCode::SERVICE_RESTART, "service restart"),
        (1013, CloseCode::TRY_AGAIN_LATER, "try again later"),
        (1014, CloseCode::BAD_GATEWAY, "bad gateway"),
        (1015, CloseCode::TLS_HANDSHAKE, "TLS handshake failed"),
        (3000, CloseCode::UNAUTHORIZED, "unauthorized"),
        (3003, CloseCode::FORBIDDEN, "forbidden"),
        (3008, CloseCode::TIMEOUT, "timeout"),
    ] {
        assert_eq!(u16::from(code), number);
        assert_eq!(code.name(), Some(name));
        assert_eq!(code.to_string(), format!("{number} {name}"));
    }
    for unnamed in [0, 999, 1004, 1016, 2999, 3001, 4000, 5000] {
        assert_eq!(CloseCode::from(unnamed).name(), None);
        assert_eq!(CloseCode::from(unnamed).to_string(), unnamed.to_string());
    }
    let frame = CloseFrame {
        code: CloseCode::from(4000),
        reason: "why".into(),
    };
    assert_eq!(frame.to_string(), "4000: why");
}

/// RIANA-07.
#[test]
fn a_code_tells_whether_to_try_again() {
    for code in [1001, 1006, 1012, 1013] {
        assert!(CloseCode::from(code).is_retryable(), "{code}");
    }
    for code in [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, 4000] {
        assert!(!CloseCode::from(code).is_retryable(), "{code}");
    }
}

/// R6455-7.4-02: which code tells which fault.
#[test]
fn each_fault_has_its_code() {
    let mut config = Config::default();
    config.limits.max_message = 4;
    config.limits.max_fragments = 1;
    let told = |bytes: &[u8]| {
        let error = trace(Role::Client, &config, bytes).error.unwrap();
        error.close_code().map(u16::from)
    };
    assert_eq!(told(&hex("83")), Some(1002));
    assert_eq!(told(&hex("81 01 ff")), Some(1007));
    assert_eq!(told(&hex("82 05")), Some(1009));
    assert_eq!(told(&hex("02 00 00 00")), Some(1008));
    assert_eq!(
        ReceiveError::KeepaliveTimeout.close_code(),
        Some(CloseCode::INTERNAL_ERROR)
    );
    assert_eq!(
        ReceiveError::InvalidDeflate.close_code(),
        Some(CloseCode::INVALID_PAYLOAD)
    );
    assert_eq!(ReceiveError::UnexpectedEof.close_code(), None);
    assert_eq!(ReceiveError::CloseTimeout.close_code(), None);
}
