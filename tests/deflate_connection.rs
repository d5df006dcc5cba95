//! Compressed messages on connections, as they are received (RFC 7692, sections 6 and 7.2.2): every
//! test for both roles and for reads of 1, 2, 7 bytes and of all.
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
use common::feed::{ROLES, Seen, binary, frame, text};
use deflated::{
    BINARY, HELLO, HELLO_AGAIN, HELLO_FINAL, HELLO_STORED, HELLO_TWO_BLOCKS, OFF, ON, TEXT, Terms,
    all_terms, frames,
};
use fullduplex::deflate::codec::End;
use fullduplex::frame::FrameError;
use fullduplex::{Delivery, ReceiveError, Role};

/// R7692-7.2.3-T, R7692-7.2.2-01, R7692-7.2.1-02: the examples of the RFC, for every combination of
/// takeover.
#[test]
fn examples_of_the_rfc_are_received() {
    for role in ROLES {
        for terms in all_terms() {
            for payload in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWO_BLOCKS] {
                let bytes = frames(role, &[(TEXT, payload), (BINARY, payload)]);
                terms.assert_receives(role, &bytes, &[text("Hello"), binary(*b"Hello")]);
            }
            // Section 7.2.3.1: the same in two fragments.
            let bytes = frames(role, &[(0x41, &HELLO[..3]), (0x80, &HELLO[3..])]);
            terms.assert_receives(role, &bytes, &[text("Hello")]);
        }
        for own in [ON, OFF] {
            let bytes = frames(
                role,
                &[(TEXT, HELLO), (TEXT, HELLO_AGAIN), (TEXT, HELLO_AGAIN)],
            );
            Terms::new(own, ON).assert_receives(
                role,
                &bytes,
                &[text("Hello"), text("Hello"), text("Hello")],
            );
        }
    }
}

/// R7692-7.2.1-03, R7692-7.1.1.2-01, R7692-7.1.1.1-01: where the peer agreed not to take over its
/// context, a reference to an earlier message finds nothing, whatever our own direction does.
#[test]
fn without_takeover_earlier_messages_are_out_of_reach() {
    for role in ROLES {
        for own in [ON, OFF] {
            let bytes = frames(role, &[(TEXT, HELLO), (TEXT, HELLO_AGAIN)]);
            Terms::new(own, OFF).assert_fails(
                role,
                &bytes,
                &[text("Hello")],
                ReceiveError::InvalidDeflate,
                1007,
            );
        }
    }
}

/// R7692-6-02, D9: messages that are not compressed come in between and do not enter the window.
#[test]
fn compressed_and_uncompressed_messages_mix() {
    for role in ROLES {
        let bytes = frames(
            role,
            &[
                (0x81, b"plain"),
                (TEXT, HELLO),
                (0x81, b"jello and 40 bytes more than a window of"),
                (0x02, b"in "),
                (0x80, b"two"),
                (0x82, b""),
                (TEXT, HELLO_AGAIN),
                (0x81, b"plain"),
            ],
        );
        Terms::new(ON, ON).assert_receives(
            role,
            &bytes,
            &[
                text("plain"),
                text("Hello"),
                text("jello and 40 bytes more than a window of"),
                binary(*b"in two"),
                binary(*b""),
                text("Hello"),
                text("plain"),
            ],
        );
    }
}

/// R7692-6-04, R7692-6-01, D6: fragments are cut anywhere, into single bytes too, some are empty,
/// and control frames come in between.
#[test]
fn fragments_are_cut_anywhere() {
    for role in ROLES {
        let terms = Terms::new(ON, ON);
        let message = "to be cut, to be cut, or not to be cut at all";
        let mut deflater = deflater(ON);
        let payload = send(&mut deflater, message.as_bytes());
        let again = send(&mut deflater, message.as_bytes());
        for at in 0..=payload.len() {
            let (start, end) = payload.split_at(at);
            let bytes = frames(
                role,
                &[(0x41, start), (0x89, b"!"), (0x80, end), (TEXT, &again)],
            );
            let events = [Seen::Ping(b"!".to_vec()), text(message), text(message)];
            terms.assert_receives(role, &bytes, &events);
        }
        let mut bytes = frame(role, 0x41, b"");
        let mut events = Vec::new();
        for byte in &payload {
            bytes.extend(frames(role, &[(0x00, &[*byte]), (0x00, b""), (0x8a, b"p")]));
            events.push(Seen::Pong(b"p".to_vec()));
        }
        bytes.extend(frames(role, &[(0x80, b""), (TEXT, &again)]));
        events.extend([text(message), text(message)]);
        terms.assert_receives(role, &bytes, &events);
    }
}

/// R7692-6-01, D9, R6455-5.2-01: RSV1 stands on the first frame of a data message and nowhere else,
/// and the other two reserved bits nowhere at all.
#[test]
fn rsv1_elsewhere_fails_the_connection() {
    for role in ROLES {
        let terms = Terms::new(ON, ON);
        let mut cases = vec![
            frames(role, &[(0x41, &HELLO[..3]), (0xc0, &HELLO[3..])]),
            frames(role, &[(0x41, &HELLO[..3]), (0x40, &HELLO[3..])]),
            frames(role, &[(0x01, b"plain"), (0xc0, b"")]),
        ];
        for control in [0xc8, 0xc9, 0xca] {
            cases.push(frame(role, control, b""));
            cases.push(frames(role, &[(0x41, &HELLO[..3]), (control, b"")]));
        }
        for bytes in cases {
            let error = FrameError::ReservedBits(4);
            terms.assert_fails(role, &bytes, &[], error, 1002);
        }
        for (first, bits) in [(0xe1, 6), (0xd1, 5), (0xa1, 2), (0x91, 1)] {
            let bytes = frame(role, first, HELLO);
            terms.assert_fails(role, &bytes, &[], FrameError::ReservedBits(bits), 1002);
        }
        // An orphan and an interloper are what they are without compression.
        let bytes = frame(role, 0x80, HELLO);
        terms.assert_fails(role, &bytes, &[], FrameError::UnexpectedContinuation, 1002);
        let bytes = frames(role, &[(0x41, &HELLO[..3]), (TEXT, HELLO)]);
        terms.assert_fails(role, &bytes, &[], FrameError::ExpectedContinuation, 1002);
    }
}

/// R7692-6-03, R6455-5.6-01: text is validated as it is inflated, across fragments, and a character
/// that a fragment cuts is whole in the end.
#[test]
fn text_is_validated_after_inflating() {
    for role in ROLES {
        for terms in all_terms() {
            let message = "κόσμε 🚀 κόσμε 🚀";
            let mut bytes = Vec::new();
            for at in 0..=message.len() {
                let mut deflater = deflater(OFF);
                let (start, end) = message.as_bytes().split_at(at);
                let mut first = Vec::new();
                deflater.compress(start, &mut first, End::Fragment).unwrap();
                let last = send(&mut deflater, end);
                bytes.extend(frames(role, &[(0x41, &first), (0x80, &last)]));
            }
            let events = vec![text(message); message.len() + 1];
            terms.assert_receives(role, &bytes, &events);

            for bad in [
                &b"ok \xff"[..],
                b"\xc0\x80",
                b"\xed\xa0\x80",
                b"cut \xf0\x9f\x9a",
            ] {
                let payload = send(&mut deflater(OFF), bad);
                let bytes = frames(role, &[(TEXT, HELLO), (TEXT, &payload), (TEXT, HELLO)]);
                let error = terms.trace(role, &bytes).error;
                assert!(
                    matches!(error, Some(ReceiveError::InvalidUtf8(_))),
                    "{error:?}"
                );
                terms.assert_fails(role, &bytes, &[text("Hello")], error.unwrap(), 1007);
                // As binary it is nobody's business.
                let bytes = frame(role, BINARY, &payload);
                terms.assert_receives(role, &bytes, &[binary(bad)]);
            }
        }
    }
}

/// R7692-6-03, R6455-8.1-01: the first bad byte fails the connection as soon as it can be inflated,
/// with any amount of the message still to come.
#[test]
fn the_first_bad_byte_fails_at_once() {
    for role in ROLES {
        let terms = Terms::new(ON, ON);
        // A stored block shows each of its bytes at once.
        let mut stored = b"\x00\x40\x00\xbf\xff".to_vec();
        stored.extend([b'x'; 64]);
        stored[5 + 20] = 0xff;
        let bytes = frame(role, 0x41, &stored);
        let header = bytes.len() - stored.len();
        assert_eq!(terms.fails_after(role, &bytes), Some(header + 5 + 21));
        // Flushed at the end of a fragment that is not the last.
        let mut payload = Vec::new();
        let mut deflater = deflater(ON);
        deflater
            .compress(b"so far \xce\xce", &mut payload, End::Fragment)
            .unwrap();
        let bytes = frame(role, 0x41, &payload);
        assert!(terms.fails_after(role, &bytes) <= Some(bytes.len()));
        let error = terms.trace(role, &bytes).error.unwrap();
        terms.assert_fails(role, &bytes, &[], error, 1007);
        assert!(matches!(error, ReceiveError::InvalidUtf8(_)), "{error:?}");
    }
}

/// What counts is what comes first in the message: bad text before bad compressed data or before
/// the limit is bad text, however the bytes are cut, and the other way round.
#[test]
fn the_first_fault_counts_however_bytes_are_cut() {
    for role in ROLES {
        let mut terms = Terms::new(ON, ON);
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
        let too_long = &faulty(&[b'a'; 1500], &[0])[..];
        for then in [corrupt, too_long] {
            let bytes = frame(role, TEXT, &faulty(b"bad \xff text", then));
            let error = terms.trace(role, &bytes).error.unwrap();
            assert!(matches!(error, ReceiveError::InvalidUtf8(_)), "{error:?}");
        }
        let bytes = frame(role, TEXT, &faulty(&[b'a'; 500], corrupt));
        terms.assert_fails(role, &bytes, &[], ReceiveError::InvalidDeflate, 1007);
        let bytes = frame(role, TEXT, &faulty(b"", &[too_long, corrupt].concat()));
        let error = ReceiveError::MessageTooBig { limit: 1000 };
        terms.assert_fails(role, &bytes, &[], error, 1009);
    }
}

/// D6: what messages cost on the wire is counted for each of them. A mutant found this untested.
#[test]
fn the_limit_on_the_wire_is_that_of_one_message() {
    let message = Random(3).noise(1024);
    let payload = send(&mut deflater(OFF), &message);
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Pieces] {
            let mut terms = Terms::new(ON, ON);
            terms.ours.limits.max_message = 1024;
            terms.ours.delivery = delivery;
            let mut end = terms.open(role);
            for _ in 0..100 {
                end.push(&frame(role, BINARY, &payload));
            }
            assert_eq!(end.error, None);
            let seen = end.take_events();
            assert_eq!(seen.len(), 100);
            if delivery == Delivery::Whole {
                assert!(seen.iter().all(|seen| *seen == binary(&message[..])));
            }
        }
    }
}

/// D4, R7692-7.2.3.6-01: every encoding of the empty message is "", between full ones and next to
/// one another, and the window stays in step.
#[test]
fn empty_messages_leave_the_window_in_step() {
    let kinds: [&[u8]; 8] = [
        b"\x00",
        b"\x01\x00",
        b"\x02\x00",
        b"\x03\x00",
        b"",
        b"\x03\x00\x00",
        b"\x00\x00\x00\xff\xff\x00",
        b"\x02\x00\x00\x00\xff\xff\x00",
    ];
    for role in ROLES {
        for empty in kinds {
            let on = frames(
                role,
                &[
                    (TEXT, empty),
                    (TEXT, HELLO),
                    (TEXT, empty),
                    (TEXT, HELLO_AGAIN),
                    (BINARY, empty),
                    (BINARY, empty),
                    (TEXT, HELLO_AGAIN),
                    (0x41, b""),
                    (0x00, b""),
                    (0x80, empty),
                    (TEXT, HELLO_AGAIN),
                ],
            );
            let hello = || text("Hello");
            let (none, nothing) = (text(""), binary(*b""));
            let events = [
                none.clone(),
                hello(),
                none.clone(),
                hello(),
                nothing.clone(),
                nothing,
                hello(),
                none.clone(),
                hello(),
            ];
            Terms::new(OFF, ON).assert_receives(role, &on, &events);
            let off = frames(
                role,
                &[(TEXT, empty), (TEXT, HELLO), (TEXT, empty), (TEXT, HELLO)],
            );
            let events = [none.clone(), hello(), none, hello()];
            Terms::new(ON, OFF).assert_receives(role, &off, &events);
        }
    }
}

/// D5, R7692-7.2.2-03, R7692-7.2.1-02: after a final block, the message goes on with the history of
/// what came before, and so do later messages.
#[test]
fn final_blocks_end_no_history() {
    for role in ROLES {
        let terms = Terms::new(ON, ON);
        // Without the 00 that ends a message, as other blocks follow.
        let bare = &HELLO_FINAL[..HELLO_FINAL.len() - 1];
        let twice = [bare, HELLO_AGAIN].concat();
        let bytes = frames(
            role,
            &[
                (TEXT, HELLO_FINAL),
                (TEXT, HELLO_AGAIN),
                (TEXT, bare),
                (TEXT, HELLO_AGAIN),
                (TEXT, &twice),
                (0x41, &twice[..4]),
                (0x80, &twice[4..]),
                (TEXT, HELLO_AGAIN),
            ],
        );
        let [once, double] = ["Hello", "HelloHello"].map(text);
        let events = [&once, &once, &once, &once, &double, &double, &once].map(Clone::clone);
        terms.assert_receives(role, &bytes, &events);
    }
}

/// D6, R7692-7.2.2-03: a message that ends inside a block, is garbage, or goes on with garbage
/// fails with 1007, as does a reference to what never was.
#[test]
fn damaged_messages_fail_the_connection() {
    let mut random = Random(77);
    let long = send(&mut deflater(OFF), &random.text(3000));
    let cases: Vec<Vec<u8>> = vec![
        HELLO[..3].to_vec(),
        HELLO[..HELLO.len() - 1].to_vec(),
        HELLO_STORED[..7].to_vec(),
        HELLO_STORED[..3].to_vec(),
        long[..long.len() / 2].to_vec(),
        long[..long.len() - 1].to_vec(),
        b"\x06".to_vec(),
        b"\xff\xff\xff\xff".to_vec(),
        b"\x00\x05\x00\xfb\xff\x48\x65\x6c\x6c\x6f\x00".to_vec(),
        [HELLO_FINAL, b"\xff\xff"].concat(),
        [HELLO, b"\x06"].concat(),
        HELLO_AGAIN.to_vec(),
    ];
    for role in ROLES {
        for terms in all_terms() {
            for payload in &cases {
                let bytes = frames(role, &[(0x81, b"before"), (BINARY, payload), (TEXT, HELLO)]);
                let events = [text("before")];
                terms.assert_fails(role, &bytes, &events, ReceiveError::InvalidDeflate, 1007);
            }
        }
    }
}

/// R7692-6-03: a message of the default limit that does not compress passes in one frame, which is
/// longer than the message.
#[test]
fn a_message_of_the_default_limit_may_be_longer_compressed() {
    let message = Random(9).noise(16 * 1024 * 1024);
    let mut terms = Terms::new(ON, ON);
    terms.theirs.limits.max_outgoing = usize::MAX;
    let role = Role::Client; // which spares this test the masking
    let (mut end, mut peer) = terms.open_both(role);
    peer.connection.send_binary(&message).unwrap();
    let bytes = peer.take_outgoing();
    assert!(bytes.len() > message.len() + 1000);
    end.read(&bytes);
    assert_eq!(end.error, None);
    assert!(end.events == [binary(message)]);
}
