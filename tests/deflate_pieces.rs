//! Compressed messages delivered in pieces, inboxes handed on in the middle of a message, and the
//! limits on what inflates, for both roles and all sizes of reads.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;
mod common;
mod deflated;

use codec::{Random, deflater, send};
use common::feed::{ROLES, Seen, binary, frame, header, text};
use deflated::{
    BINARY, CHUNKS, HELLO, HELLO_AGAIN, HELLO_FINAL, OFF, ON, TEXT, Terms, all_terms, drain, frames,
};
use fullduplex::deflate::codec::End;
use fullduplex::{Connection, Delivery, Event, Inbox, MessageKind, ReceiveError, Role};

/// What an inflated message may cost on the wire beyond twice the limit.
const WIRE_SLACK: usize = 64 * 1024;

fn pieces(kind: MessageKind, bytes: &[u8], last: bool) -> Seen {
    Seen::Pieces {
        kind,
        bytes: bytes.into(),
        first: true,
        last,
    }
}

fn in_pieces(mut terms: Terms) -> Terms {
    terms.ours.delivery = Delivery::Pieces;
    terms
}

/// R7692-7.2.2-01, R7692-6-04: messages of every kind come in pieces, whatever the reads; an empty
/// one is one empty piece, and characters are never cut.
#[test]
fn messages_come_in_pieces() {
    let mut random = Random(5);
    let long = [random.text(30_000), random.noise(500)].concat();
    let umlauts = "äöü🚀".repeat(500);
    for role in ROLES {
        for terms in all_terms().map(in_pieces) {
            let mut deflater = deflater(OFF);
            let payloads = [&long[..], umlauts.as_bytes()].map(|m| send(&mut deflater, m));
            let half = payloads[1].len() / 2;
            let bytes = frames(
                role,
                &[
                    (BINARY, &payloads[0]),
                    (TEXT, b"\x00"),
                    (0x41, &payloads[1][..half]),
                    (0x00, b""),
                    (0x80, &payloads[1][half..]),
                    (0x81, b"plain"),
                    (BINARY, b""),
                    (TEXT, HELLO_FINAL),
                ],
            );
            let events = [
                pieces(MessageKind::Binary, &long, true),
                pieces(MessageKind::Text, b"", true),
                pieces(MessageKind::Text, umlauts.as_bytes(), true),
                pieces(MessageKind::Text, b"plain", true),
                pieces(MessageKind::Binary, b"", true),
                pieces(MessageKind::Text, b"Hello", true),
            ];
            terms.assert_receives(role, &bytes, &events);
        }
    }
}

/// D1: a message that inflates to much comes in small pieces; it is not gathered first. A mutant found
/// this untested.
#[test]
fn what_inflates_is_not_gathered() {
    let payload = send(&mut deflater(OFF), &vec![0; 4 << 20]);
    for role in ROLES {
        let mut end = in_pieces(Terms::new(ON, ON)).open(role);
        let mut inbox = Inbox::from(&frame(role, BINARY, &payload)[..]);
        let (total, largest) = drain(&mut end.connection, &mut inbox).unwrap();
        assert_eq!(total, 4 << 20);
        assert!(largest <= 16 * 1024, "a piece of {largest} bytes");
    }
}

/// How many pieces a message comes in that is all there, but for those without any bytes.
fn count_pieces(connection: &mut Connection, bytes: &[u8]) -> usize {
    let mut inbox = Inbox::from(bytes);
    let mut count = 0;
    while let Some(event) = connection.poll_event(&mut inbox).unwrap() {
        let Event::Piece(piece) = event else {
            panic!("{event:?}");
        };
        count += usize::from(!piece.as_bytes().is_empty());
    }
    count
}

/// What grows as the message before did, or by a quarter more, comes in one step, whatever that one
/// took; and what is long comes in steps of 16 KiB, not in crumbs.
#[test]
fn a_message_that_grows_as_the_last_one_did_comes_in_one_piece() {
    let noise = Random(3).noise(500);
    let compressed = |zeros: usize| {
        let message = [noise.clone(), vec![0; zeros]].concat();
        let payload = send(&mut deflater(OFF), &message);
        frame(Role::Server, BINARY, &payload)
    };
    let mut connection = in_pieces(Terms::new(OFF, OFF))
        .open(Role::Server)
        .connection;
    let mut pieces_of = |zeros| count_pieces(&mut connection, &compressed(zeros));
    assert!(pieces_of(3500) > 1);
    assert_eq!(pieces_of(4300), 1, "a quarter more");
    assert_eq!(pieces_of(0), 1);
    assert!(pieces_of(4300) > 1, "the last one did not grow");
    let long = pieces_of((1 << 20) - 500);
    assert!((64..=128).contains(&long), "{long}");
}

/// R7692-6-03, R7692-7.2.2-04: what precedes a fault is delivered, however the bytes are cut.
#[test]
fn what_precedes_a_fault_is_delivered() {
    for role in ROLES {
        let mut terms = in_pieces(Terms::new(ON, ON));
        terms.ours.limits.max_message = 1000;
        let faulty = |text: &[u8], then: &[u8]| {
            let mut payload = Vec::new();
            deflater(ON)
                .compress(text, &mut payload, End::Fragment)
                .unwrap();
            payload.extend(then);
            payload
        };
        let corrupt = &[0x06, 0xff, 0xff][..];
        let damaged = ReceiveError::InvalidDeflate;
        for (first, kind) in [(TEXT, MessageKind::Text), (BINARY, MessageKind::Binary)] {
            let before = [pieces(kind, &[b'a'; 900], false)];
            let bytes = frame(role, first, &faulty(&[b'a'; 900], corrupt));
            terms.assert_fails(role, &bytes, &before, damaged, 1007);
            let up_to_limit = [pieces(kind, &[b'a'; 1000], false)];
            let bytes = frame(role, first, &faulty(&[b'a'; 5000], &[0]));
            let error = ReceiveError::MessageTooBig { limit: 1000 };
            terms.assert_fails(role, &bytes, &up_to_limit, error, 1009);
        }
        let bytes = frame(role, TEXT, &faulty(b"good \xff bad", corrupt));
        let error = terms.trace(role, &bytes).error.unwrap();
        assert!(matches!(error, ReceiveError::InvalidUtf8(_)), "{error:?}");
        let before = [pieces(MessageKind::Text, b"good ", false)];
        terms.assert_fails(role, &bytes, &before, error, 1007);
    }
}

/// D6, R7692-6-03: bad data behind no more than a part of a character fails the connection at once:
/// nothing is left waiting for further bytes.
#[test]
fn bad_data_behind_part_of_a_character_fails_at_once() {
    for role in ROLES {
        for terms in [Terms::new(ON, ON), in_pieces(Terms::new(ON, ON))] {
            // The byte f1, and then a reference to what is not there.
            let bytes = frame(role, TEXT, b"\xfa\x48\xcd\xc9\xc9\x07\x00");
            terms.assert_fails(role, &bytes, &[], ReceiveError::InvalidDeflate, 1007);
        }
    }
}

/// An inbox that serves other connections in between, after every read, changes nothing; and what
/// is parked of a message in pieces is what has not been delivered.
#[test]
fn inboxes_are_handed_on_in_the_middle_of_a_message() {
    let mut random = Random(6);
    let message = String::from_utf8(random.text(3000)).unwrap();
    for role in ROLES {
        for terms in [Terms::new(ON, ON), in_pieces(Terms::new(ON, ON))] {
            for chunk in CHUNKS {
                let mut deflater = deflater(ON);
                let mut bytes = Vec::new();
                for _ in 0..3 {
                    let payload = send(&mut deflater, message.as_bytes());
                    let third = payload.len() / 3;
                    let cut = [(0x41, &payload[..third]), (0x80, &payload[third..])];
                    bytes.extend(frames(role, &cut));
                }
                let mut feeds = [terms.open(role), terms.open(role)];
                let mut inbox = Inbox::new();
                let mut parked = [inbox.park(), inbox.park()];
                for read in bytes.chunks(chunk.min(bytes.len())) {
                    for (feed, parked) in feeds.iter_mut().zip(&mut parked) {
                        inbox.resume(core::mem::take(parked));
                        core::mem::swap(&mut inbox, &mut feed.inbox);
                        feed.push(read);
                        core::mem::swap(&mut inbox, &mut feed.inbox);
                        *parked = feed.connection.park(&mut inbox);
                        assert!(inbox.unread().is_empty());
                    }
                }
                for feed in feeds {
                    let expected = match terms.ours.delivery {
                        Delivery::Whole => vec![text(&message); 3],
                        _ => vec![pieces(MessageKind::Text, message.as_bytes(), true); 3],
                    };
                    assert_eq!(feed.error, None);
                    assert_eq!(feed.events, expected);
                }
            }
        }
    }
}

/// D1, R7692-7.2.2-04: exactly the limit passes after inflating and one byte more fails, for a
/// message that is shorter on the wire and for one that is longer.
#[test]
fn the_limit_counts_what_is_inflated() {
    let mut random = Random(7);
    for limit in [0, 1, 125, 126, 5000] {
        for content in [vec![0; limit + 1], random.noise(limit + 1)] {
            for role in ROLES {
                let mut terms = Terms::new(ON, ON);
                terms.ours.limits.max_message = limit as u64;
                for length in limit.saturating_sub(1)..=limit {
                    let payload = send(&mut deflater(ON), &content[..length]);
                    let bytes = frame(role, BINARY, &payload);
                    terms.assert_receives(role, &bytes, &[binary(&content[..length])]);
                    let half = payload.len() / 2;
                    let cut = [(0x42, &payload[..half]), (0x80, &payload[half..])];
                    let bytes = frames(role, &cut);
                    terms.assert_receives(role, &bytes, &[binary(&content[..length])]);
                }
                let payload = send(&mut deflater(ON), &content);
                let bytes = frame(role, BINARY, &payload);
                let limit = limit as u64;
                let error = ReceiveError::MessageTooBig { limit };
                terms.assert_fails(role, &bytes, &[], error, 1009);
            }
        }
    }
}

/// R7692-6-03: the limit on frames counts what is on the wire.
#[test]
fn the_frame_limit_counts_what_is_on_the_wire() {
    for role in ROLES {
        let mut terms = Terms::new(ON, ON);
        let payload = send(&mut deflater(ON), &[0; 5000]);
        let length = payload.len() as u64;
        let bytes = frame(role, BINARY, &payload);
        terms.ours.limits.max_frame = length;
        terms.assert_receives(role, &bytes, &[binary([0; 5000])]);
        let limit = length - 1;
        terms.ours.limits.max_frame = limit;
        let error = ReceiveError::FrameTooBig { length, limit };
        terms.assert_fails(role, &bytes, &[], error, 1009);
    }
}

/// D1, D6, R7692-7.2.2-04: a message that inflates to nothing ends, too: at twice the limit and 64
/// KiB on the wire, and not before.
#[test]
fn what_inflates_to_nothing_is_limited() {
    let limit = 1000;
    let most = 2 * limit + WIRE_SLACK;
    let empty = b"\x00\x00\x00\xff\xff";
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        for role in ROLES {
            let mut terms = Terms::new(ON, ON);
            terms.ours.limits.max_message = limit as u64;
            terms.ours.delivery = delivery;
            for over in [0, 1] {
                let mut payload = empty.repeat((most + over) / empty.len());
                let rest = most + over - payload.len();
                // A message cannot end with part of an empty block, so it goes on.
                payload.extend(&empty[..rest]);
                for fragment in [payload.len(), 10_000] {
                    let mut feed = terms.open(role);
                    let mut first = 0x42;
                    for fragment in payload.chunks(fragment) {
                        feed.read(&frame(role, first, fragment));
                        first = 0x00;
                    }
                    let limit = limit as u64;
                    let error = (over == 1).then_some(ReceiveError::MessageTooBig { limit });
                    assert_eq!(feed.error, error, "{role:?}");
                    assert_eq!(feed.events, []);
                }
            }
            // With the last byte that is allowed, and not one byte later.
            let payload = empty.repeat(most / empty.len() + 1);
            let mut bytes = header(role, 0x42, payload.len() as u64);
            let start = bytes.len();
            bytes.extend(&frame(role, 0x42, &payload)[start..]);
            let mut feed = terms.open(role);
            feed.read(&bytes[..start + most]);
            assert_eq!(feed.error, None);
            feed.read(&bytes[start + most..=start + most]);
            assert!(matches!(
                feed.error,
                Some(ReceiveError::MessageTooBig { .. })
            ));
        }
    }
}

/// The limit on fragments holds for those that are compressed, empty ones included.
#[test]
fn compressed_fragments_are_counted() {
    for role in ROLES {
        let mut terms = Terms::new(ON, ON);
        terms.ours.limits.max_fragments = 4;
        let four = [
            (0x41, &HELLO[..3]),
            (0x00, b""),
            (0x00, b""),
            (0x80, &HELLO[3..]),
        ];
        let bytes = frames(role, &[&four[..], &[(TEXT, HELLO_AGAIN)]].concat());
        terms.assert_receives(role, &bytes, &[text("Hello"), text("Hello")]);
        let bytes = frames(
            role,
            &[&four[..3], &[(0x00, b""), (0x80, &HELLO[3..])]].concat(),
        );
        let error = ReceiveError::TooManyFragments { limit: 4 };
        terms.assert_fails(role, &bytes, &[], error, 1008);
    }
}

/// The transport ends in the middle of a compressed message: what was delivered stands, and the
/// connection has failed.
#[test]
fn the_end_of_the_transport_cuts_a_message_off() {
    for role in ROLES {
        for (terms, delivered) in [
            (Terms::new(ON, ON), vec![]),
            (
                in_pieces(Terms::new(ON, ON)),
                vec![pieces(MessageKind::Text, b"He", false)],
            ),
        ] {
            let mut payload = Vec::new();
            deflater(ON)
                .compress(b"He", &mut payload, End::Fragment)
                .unwrap();
            let mut feed = terms.open(role);
            feed.push(&frame(role, 0x41, &payload));
            feed.connection.received_eof();
            feed.poll();
            assert_eq!(feed.error, Some(ReceiveError::UnexpectedEof));
            assert_eq!(feed.events, delivered);
            assert_eq!(feed.take_outgoing(), b"");
        }
    }
}

/// A Close frame in the middle of a compressed message ends it, and is answered.
#[test]
fn a_close_frame_may_come_in_the_middle_of_a_message() {
    for role in ROLES {
        let terms = Terms::new(ON, ON);
        let bytes = frames(
            role,
            &[
                (0x41, &HELLO[..3]),
                (0x88, b"\x03\xe8"),
                (0x80, &HELLO[3..]),
            ],
        );
        let trace = terms.trace(role, &bytes);
        assert_eq!(trace.error, None);
        assert_eq!(trace.events, [Seen::Close(1000, String::new())]);
        let answer = common::feed::sent_frames(role, &trace.outgoing);
        assert_eq!(answer.len(), 1);
        assert_eq!(
            (answer[0].first, &answer[0].payload[..]),
            (0x88, &b"\x03\xe8"[..])
        );
    }
}
