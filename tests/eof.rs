//! The end of the transport in every state and at every byte (RFC 6455, sections 7.1.4, 7.1.5 and
//! 7.2.1).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use common::pair::{
    BINARY, CHUNKS, CONTINUATION, End, FIN, PING, ROLES, Seen, TEXT, binary, close_to, closed,
    frame_to, text, timeless,
};
use fullduplex::{
    CloseCode, Initiator, Message, MessageKind, ReceiveError, Role, SendError, State,
};

/// A stream with every kind of frame, and what is reported after how many bytes of it.
fn stream(role: Role) -> (Vec<u8>, Vec<(usize, Seen)>) {
    let mut bytes = Vec::new();
    let mut reports = Vec::new();
    let frames: [(Vec<u8>, Option<Seen>); 7] = [
        (frame_to(role, TEXT, "é".as_bytes()), Some(text("é"))),
        (frame_to(role, BINARY, b""), Some(binary(b""))),
        (frame_to(role, TEXT & !FIN, b"\xc3"), None),
        (frame_to(role, PING, b"p"), Some(Seen::Ping(b"p".to_vec()))),
        (frame_to(role, CONTINUATION, b"\xa9"), Some(text("é"))),
        (frame_to(role, BINARY, &[7; 130]), Some(binary(&[7; 130]))),
        (close_to(role, 4000, "end"), Some(closed(4000, "end"))),
    ];
    for (frame, report) in frames {
        bytes.extend(frame);
        reports.extend(report.map(|report| (bytes.len(), report)));
    }
    (bytes, reports)
}

/// R6455-7.2.1-01, R6455-7.1.5-01: wherever the transport ends, all that was whole is delivered,
/// and unless that includes a Close frame the end is a fault and the code 1006.
#[test]
fn the_transport_may_end_at_every_byte() {
    for role in ROLES {
        let (bytes, reports) = stream(role);
        for end_at in 0..=bytes.len() {
            for chunk in CHUNKS {
                let mut end = End::new(role, &timeless());
                end.receive_chunked(&bytes[..end_at], chunk);
                end.receive_eof();
                check(&end, &reports, end_at, end_at == bytes.len());
            }
        }
    }
}

/// The same when the end is known before the bytes were looked at, as after one large read.
#[test]
fn bytes_that_were_read_before_the_end_are_delivered_after_it() {
    for role in ROLES {
        let (bytes, reports) = stream(role);
        for end_at in 0..=bytes.len() {
            let mut end = End::new(role, &timeless());
            end.inbox.spare(end_at)[..end_at].copy_from_slice(&bytes[..end_at]);
            end.inbox.received(end_at);
            end.receive_eof();
            check(&end, &reports, end_at, end_at == bytes.len());
        }
    }
}

fn check(end: &End, reports: &[(usize, Seen)], end_at: usize, closed: bool) {
    let whole = reports.iter().filter(|(place, _)| *place <= end_at);
    let expected: Vec<_> = whole.map(|(_, report)| report.clone()).collect();
    assert_eq!(end.seen, expected, "{end_at} bytes");
    assert_eq!(end.connection.state(), State::Closed);
    let outcome = end.connection.outcome().unwrap();
    assert_eq!(outcome.clean, closed);
    assert_eq!(outcome.initiator, Initiator::Remote);
    if closed {
        assert_eq!(end.error, None);
        assert_eq!(outcome.cause, None);
        assert_eq!(outcome.code(), CloseCode::from(4000));
        assert_eq!(outcome.reason(), "end");
    } else {
        assert_eq!(
            end.error,
            Some(ReceiveError::UnexpectedEof),
            "{end_at} bytes"
        );
        assert_eq!(outcome.cause, Some(ReceiveError::UnexpectedEof));
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        assert_eq!(outcome.reason(), "");
    }
}

/// R6455-7.1.7-01: an end without a Close frame puts nothing on the wire, and nothing can be sent
/// any more.
#[test]
fn nothing_is_sent_after_the_end() {
    for role in ROLES {
        for polled in [false, true] {
            let mut end = End::new(role, &timeless());
            end.connection.send_text("lost").unwrap();
            end.connection.received_eof();
            if polled {
                end.poll();
            }
            let connection = &mut end.connection;
            assert_eq!(connection.send_text("x"), Err(SendError::Closed));
            assert_eq!(connection.send_binary(b"x"), Err(SendError::Closed));
            assert_eq!(connection.ping(b""), Err(SendError::Closed));
            let fragment = connection.send_fragment(MessageKind::Text, b"x", true);
            assert_eq!(fragment, Err(SendError::Closed));
            assert!(connection.send(Message::text("x")).is_err());
            let close = connection.close(CloseCode::NORMAL, "");
            assert_eq!(close, Err(SendError::Closed));
            assert!(!connection.wants_write() && !connection.wants_read());
            assert!(connection.wants_shutdown());
            assert_eq!(connection.outcome().unwrap().sent, None);
        }
    }
}

/// W8, R6455-7.1.4-01: the end after our Close frame and before theirs is a fault, and not clean.
#[test]
fn the_end_before_the_peers_close_is_not_clean() {
    for role in ROLES {
        for written in [false, true] {
            let mut end = End::new(role, &timeless());
            end.connection.close(CloseCode::NORMAL, "").unwrap();
            if written {
                end.write_all();
            }
            end.receive_eof();
            assert_eq!(end.error, Some(ReceiveError::UnexpectedEof));
            let outcome = end.connection.outcome().unwrap();
            assert!(!outcome.clean);
            assert_eq!(outcome.initiator, Initiator::Local);
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
            assert_eq!(outcome.sent.unwrap().code, CloseCode::NORMAL);
        }
    }
}

/// The end after a fault changes nothing about the fault.
#[test]
fn the_end_after_a_fault_keeps_the_fault() {
    let mut server = End::server();
    server.receive(&[0x83]);
    let error = server.error;
    server.write_all();
    server.receive_eof();
    server.receive_eof();
    assert_eq!(server.error, error);
    assert_eq!(server.connection.outcome().unwrap().cause, error);
}
