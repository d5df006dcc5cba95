//! `Delivery::Pieces`: messages handed on as they arrive.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod common;

use bytes::Buf;
use common::feed::{
    Feed, ROLES, Seen, assert_fails_with, assert_receives, frame, header, text, trace,
};
use fullduplex::frame::FrameError;
use fullduplex::{Config, Delivery, Event, Inbox, MessageKind, ReceiveError, Role, State};

fn config() -> Config {
    let mut config = Config::default();
    config.delivery = Delivery::Pieces;
    config
}

fn pieces(kind: MessageKind, bytes: &str, first: bool, last: bool) -> Seen {
    let bytes = bytes.as_bytes().to_vec();
    Seen::Pieces {
        kind,
        bytes,
        first,
        last,
    }
}

fn whole(kind: MessageKind, bytes: &str) -> Seen {
    pieces(kind, bytes, true, true)
}

const KINDS: [(u8, MessageKind); 2] = [(1, MessageKind::Text), (2, MessageKind::Binary)];

/// R6455-5.4-03: joined, the pieces are the message, however its bytes and fragments were cut.
#[test]
fn the_pieces_of_a_message_join_to_the_message() {
    for role in ROLES {
        for (opcode, kind) in KINDS {
            let bytes = [
                frame(role, 0x80 | opcode, "fünf €".as_bytes()),
                frame(role, opcode, "s\u{e4}".as_bytes()),
                frame(role, 0x00, b""),
                frame(role, 0x80, "chs".as_bytes()),
                frame(role, 0x80 | opcode, b"x"),
            ];
            let events = [
                whole(kind, "fünf €"),
                whole(kind, "sächs"),
                whole(kind, "x"),
            ];
            assert_receives(role, &config(), &bytes.concat(), &events);
        }
    }
}

/// R6455-5.4-04: an empty message is one piece, which is both first and last.
#[test]
fn an_empty_message_is_one_empty_piece() {
    for role in ROLES {
        for (opcode, kind) in KINDS {
            let single = frame(role, 0x80 | opcode, b"");
            assert_receives(role, &config(), &single, &[whole(kind, "")]);
            let several = [
                frame(role, opcode, b""),
                frame(role, 0x00, b""),
                frame(role, 0x80, b""),
            ];
            assert_receives(role, &config(), &several.concat(), &[whole(kind, "")]);
        }
    }
}

/// R6455-5.4-04: the end of a message may come alone, and is told.
#[test]
fn an_empty_last_fragment_is_an_empty_last_piece() {
    let mut connection = common::feed::connection(Role::Client, &config());
    let mut inbox = Inbox::from(&frame(Role::Client, 0x02, b"body")[..]);
    let Ok(Some(Event::Piece(piece))) = connection.poll_event(&mut inbox) else {
        panic!("no piece")
    };
    assert_eq!(piece.as_bytes(), b"body");
    assert!(piece.is_first() && !piece.is_last());
    assert!(connection.poll_event(&mut inbox).unwrap().is_none());

    let mut inbox = Inbox::from(&frame(Role::Client, 0x80, b"")[..]);
    let Ok(Some(Event::Piece(piece))) = connection.poll_event(&mut inbox) else {
        panic!("no piece")
    };
    assert_eq!(piece.as_bytes(), b"");
    assert!(!piece.is_first() && piece.is_last());
}

/// R6455-5.4-01: control frames come between the pieces in their order.
#[test]
fn control_frames_come_between_the_pieces() {
    for role in ROLES {
        for (opcode, kind) in KINDS {
            let bytes = [
                frame(role, opcode, b"one"),
                frame(role, 0x89, b"ping"),
                frame(role, 0x80, b"two"),
                frame(role, 0x8a, b"pong"),
            ];
            let events = [
                pieces(kind, "one", true, false),
                Seen::Ping(b"ping".to_vec()),
                pieces(kind, "two", false, true),
                Seen::Pong(b"pong".to_vec()),
            ];
            assert_receives(role, &config(), &bytes.concat(), &events);
        }
    }
}

/// R6455-5.6-01: a piece of text never ends inside a character, wherever its bytes were cut.
#[test]
fn pieces_of_text_are_cut_between_characters() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x01, b"\xf0\x9f"),
            frame(role, 0x89, b"in the middle"),
            frame(role, 0x00, b"\x98"),
            frame(role, 0x80, b"\x80!"),
        ];
        let events = [
            Seen::Ping(b"in the middle".to_vec()),
            whole(MessageKind::Text, "😀!"),
        ];
        assert_receives(role, &config(), &bytes.concat(), &events);
    }
}

/// R6455-5.6-01, U1: what is valid is delivered, then the first bad byte fails the connection;
/// neither depends on how the bytes were cut.
#[test]
fn the_text_before_a_bad_byte_is_delivered() {
    for role in ROLES {
        for (valid, bad) in [
            ("", &b"\xff"[..]),
            ("ok", b"\xff"),
            ("grün", b"\xed\xa0\x80 and more"),
            ("half", b"\xc3"),
        ] {
            let payload = [valid.as_bytes(), bad].concat();
            let fragments = [
                frame(role, 0x01, b""),
                frame(role, 0x00, &payload),
                frame(role, 0x80, b""),
            ];
            for bytes in [frame(role, 0x81, &payload), fragments.concat()] {
                let seen = trace(role, &config(), &bytes);
                let error = seen.error.unwrap();
                let ReceiveError::InvalidUtf8(fault) = error else {
                    panic!("{error:?}")
                };
                assert_eq!(fault.valid_up_to, valid.len() as u64);
                let events = assert_fails_with(role, &config(), &bytes, error, 1007);
                if valid.is_empty() {
                    assert_eq!(events, []);
                } else {
                    assert_eq!(events, [pieces(MessageKind::Text, valid, true, false)]);
                }
            }
        }
    }
}

/// R6455-7.1.7-02: between the last valid piece and the error, nothing is sent and nothing else is
/// read; the Close frame goes out with the error.
#[test]
fn a_fault_behind_a_piece_is_reported_by_the_next_call() {
    let mut connection = common::feed::connection(Role::Client, &config());
    let bytes = [
        frame(Role::Client, 0x01, b"ok\xff"),
        frame(Role::Client, 0x89, b"ping"),
    ];
    let mut inbox = Inbox::from(&bytes.concat()[..]);
    let Ok(Some(Event::Piece(piece))) = connection.poll_event(&mut inbox) else {
        panic!("no piece")
    };
    assert_eq!(piece.as_text(), Some("ok"));
    assert_eq!(connection.state(), State::Open);
    assert!(!connection.wants_shutdown() && !connection.wants_write());
    let error = connection.poll_event(&mut inbox).unwrap_err();
    assert!(matches!(error, ReceiveError::InvalidUtf8(_)));
    assert_eq!(connection.state(), State::Closing);
    assert!(connection.wants_write());
    assert_eq!(connection.outgoing().chunk()[0], 0x88);
}

/// R6455-5.4-02: a fault of the frame after pieces leaves them delivered.
#[test]
fn pieces_before_a_bad_header_are_delivered() {
    for role in ROLES {
        let bytes = [frame(role, 0x02, b"begun"), vec![0x82]].concat();
        let fault = FrameError::ExpectedContinuation;
        let events = assert_fails_with(role, &config(), &bytes, fault, 1002);
        assert_eq!(events, [pieces(MessageKind::Binary, "begun", true, false)]);
    }
}

/// R6455-5.4-01: a Close frame ends the message that it interrupts without a last piece.
#[test]
fn a_close_between_pieces_ends_the_connection() {
    for role in ROLES {
        let bytes = [frame(role, 0x01, b"begun"), frame(role, 0x88, b"")];
        let events = [
            pieces(MessageKind::Text, "begun", true, false),
            Seen::Close(1005, String::new()),
        ];
        assert_receives(role, &config(), &bytes.concat(), &events);
    }
}

/// R6455-10.4-01: 256 MiB pass through an inbox that never offers more than 64 KiB.
#[test]
fn a_message_of_any_length_passes_in_bounded_memory() {
    for first in [0x81, 0x82] {
        let mut config = config();
        config.limits.max_frame = u64::MAX;
        config.limits.max_message = u64::MAX;
        let total = 256 << 20;
        let mut feed = Feed::new(Role::Client, &config);
        feed.push(&header(Role::Client, first, total));
        let mut received = 0;
        while received < total {
            let room = feed.inbox.spare(0);
            assert!(room.len() <= 64 * 1024);
            let count = room.len().min(usize::try_from(total - received).unwrap());
            room[..count].fill(b'a');
            received += count as u64;
            feed.inbox.received(count);
            feed.poll();
            let [Seen::Pieces { bytes, last, .. }] = &feed.take_events()[..] else {
                panic!("not one piece")
            };
            assert_eq!((bytes.len(), *last), (count, received == total));
            assert!(feed.inbox.unread().is_empty());
        }
        assert_eq!(feed.error, None);
        feed.push(&frame(Role::Client, 0x89, b"still in step"));
        assert_eq!(feed.take_events(), [Seen::Ping(b"still in step".to_vec())]);
    }
}

/// The other delivery shows no pieces.
#[test]
fn whole_delivery_is_the_default() {
    let bytes = [
        frame(Role::Client, 0x01, b"a"),
        frame(Role::Client, 0x80, b"b"),
    ];
    let events = [text("ab")];
    assert_receives(Role::Client, &Config::default(), &bytes.concat(), &events);
}
