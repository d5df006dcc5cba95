//! Fragmentation (RFC 6455, section 5.4), receiving.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod common;

use common::feed::{
    Feed, ROLES, Seen, Sent, assert_fails, assert_fails_with, assert_receives, binary, frame,
    sent_frames, text, trace,
};
use fullduplex::frame::FrameError;
use fullduplex::{Config, ReceiveError, Role, State};
use proptest::prelude::*;

fn config() -> Config {
    Config::default()
}

/// R6455-5.4-03.
#[test]
fn a_message_may_come_in_one_frame_or_in_several() {
    for role in ROLES {
        let whole = frame(role, 0x81, b"one two three");
        assert_receives(role, &config(), &whole, &[text("one two three")]);
        let parts = [
            frame(role, 0x01, b"one "),
            frame(role, 0x00, b"two "),
            frame(role, 0x80, b"three"),
        ];
        assert_receives(role, &config(), &parts.concat(), &[text("one two three")]);
    }
}

/// R6455-5.4-03: the first fragment's opcode says what the message is.
#[test]
fn the_type_of_a_message_is_that_of_its_first_fragment() {
    for role in ROLES {
        let tail = frame(role, 0x80, b"tail");
        let message = [frame(role, 0x01, b"head"), tail.clone()].concat();
        assert_receives(role, &config(), &message, &[text("headtail")]);
        let message = [frame(role, 0x02, b"head"), tail].concat();
        assert_receives(role, &config(), &message, &[binary("headtail")]);
    }
}

/// R6455-5.4-03: messages of both kinds, whole and fragmented, one after the other.
#[test]
fn order_is_kept_between_fragmented_and_whole_messages() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x01, b"a"),
            frame(role, 0x80, b"b"),
            frame(role, 0x82, b"c"),
            frame(role, 0x02, b"d"),
            frame(role, 0x00, b"e"),
            frame(role, 0x80, b"f"),
            frame(role, 0x81, b"g"),
        ];
        let events = [text("ab"), binary("c"), binary("def"), text("g")];
        assert_receives(role, &config(), &bytes.concat(), &events);
    }
}

/// R6455-5.4-04.
#[test]
fn first_middle_and_last_fragments_may_be_empty() {
    for role in ROLES {
        for (kind, event) in [(1, text("x")), (2, binary("x"))] {
            for full in 0..4 {
                let bytes: Vec<u8> = (0..4)
                    .flat_map(|i| {
                        let first = if i == 0 { kind } else { 0 } | if i == 3 { 0x80 } else { 0 };
                        frame(role, first, if i == full { b"x" } else { b"" })
                    })
                    .collect();
                assert_receives(role, &config(), &bytes, core::slice::from_ref(&event));
            }
        }
        for (kind, event) in [(1, text("")), (2, binary(""))] {
            let bytes = [
                frame(role, kind, b""),
                frame(role, 0, b""),
                frame(role, 0x80, b""),
            ];
            assert_receives(role, &config(), &bytes.concat(), &[event]);
        }
    }
}

/// R6455-5.4-01: control frames between, before and after the fragments.
#[test]
fn control_frames_between_fragments_do_not_disturb_the_message() {
    for role in ROLES {
        for (kind, event) in [(1, text("onetwothree")), (2, binary("onetwothree"))] {
            let bytes = [
                frame(role, 0x89, b"p0"),
                frame(role, kind, b"one"),
                frame(role, 0x89, b"p1"),
                frame(role, 0x8a, b""),
                frame(role, 0x00, b"two"),
                frame(role, 0x8a, &[7; 125]),
                frame(role, 0x80, b"three"),
                frame(role, 0x89, b"p2"),
            ];
            let events = [
                Seen::Ping(b"p0".to_vec()),
                Seen::Ping(b"p1".to_vec()),
                Seen::Pong(Vec::new()),
                Seen::Pong(vec![7; 125]),
                event,
                Seen::Ping(b"p2".to_vec()),
            ];
            assert_receives(role, &config(), &bytes.concat(), &events);
        }
    }
}

/// R6455-5.4-01, R6455-5.5.2-01: the Ping is reported and answered before the message goes on.
#[test]
fn a_ping_between_fragments_is_delivered_and_answered_at_once() {
    for role in ROLES {
        let mut feed = Feed::new(role, &config());
        feed.push(&frame(role, 0x01, b"begin"));
        assert_eq!(feed.take_events(), []);
        feed.push(&frame(role, 0x89, b"now"));
        assert_eq!(feed.take_events(), [Seen::Ping(b"now".to_vec())]);
        let outgoing = feed.take_outgoing();
        let [Sent { first, payload, .. }] = &sent_frames(role, &outgoing)[..] else {
            panic!("not one frame")
        };
        assert_eq!((*first, &payload[..]), (0x8a, &b"now"[..]));
        feed.push(&frame(role, 0x80, b"end"));
        assert_eq!(feed.take_events(), [text("beginend")]);
    }
}

/// R6455-5.4-01: a Close frame counts at once; the message that it cuts short is not delivered.
#[test]
fn a_close_between_fragments_ends_the_connection() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x01, b"never "),
            frame(role, 0x88, &[0x03, 0xe9]),
            frame(role, 0x80, b"finished"),
        ];
        let events = [Seen::Close(1001, String::new())];
        assert_receives(role, &config(), &bytes.concat(), &events);
        let mut feed = Feed::new(role, &config());
        feed.push(&bytes.concat());
        assert_eq!(feed.connection.state(), State::Closing);
    }
}

/// R6455-5.4-02, F6: also right after a message has ended.
#[test]
fn a_continuation_without_a_message_is_refused_with_the_first_byte() {
    for role in ROLES {
        for first in [0x00, 0x80] {
            let fault = FrameError::UnexpectedContinuation;
            assert_fails(role, &[first], fault, 1002);
            for before in [
                frame(role, 0x81, b"whole"),
                frame(role, 0x89, b"ping"),
                [frame(role, 0x02, b"a"), frame(role, 0x80, b"b")].concat(),
            ] {
                assert_fails(role, &[before, vec![first]].concat(), fault, 1002);
            }
        }
    }
    let bytes = [0x80, 0x81, 0, 0, 0, 0, b'x'];
    let fault = FrameError::UnexpectedContinuation;
    assert_fails_with(Role::Server, &config(), &bytes, fault, 1002);
}

/// R6455-5.4-02, F6: also after a control frame in between.
#[test]
fn a_new_message_inside_a_fragmented_one_is_refused_with_the_first_byte() {
    for role in ROLES {
        for kind in [0x01, 0x02] {
            for first in [0x01, 0x02, 0x81, 0x82] {
                for between in [Vec::new(), frame(role, 0x89, b""), frame(role, 0x00, b"y")] {
                    let bytes = [frame(role, kind, b"x"), between, vec![first]].concat();
                    assert_fails(role, &bytes, FrameError::ExpectedContinuation, 1002);
                }
            }
        }
    }
}

/// Section 4 of the DESIGN: what came before a fault is delivered before it.
#[test]
fn messages_before_a_fault_are_delivered() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x81, b"first"),
            frame(role, 0x02, b"sec"),
            frame(role, 0x80, b"ond"),
            frame(role, 0x89, b"third"),
            frame(role, 0x01, b"lost"),
            vec![0x83],
        ];
        let fault = FrameError::UnknownOpcode(3);
        let events = assert_fails_with(role, &config(), &bytes.concat(), fault, 1002);
        let expected = [text("first"), binary("second"), Seen::Ping(b"third".into())];
        assert_eq!(events, expected);
    }
}

/// R6455-5.4-01, R6455-5.4-03: fragments far larger than a read, with control frames between them.
#[test]
fn large_fragments_are_assembled_however_they_arrive() {
    for role in ROLES {
        for kind in [0x01, 0x02] {
            let part = |byte: u8, length: usize| vec![byte; length];
            let parts = [part(b'a', 70_000), part(b'b', 1), part(b'c', 200_000)];
            let bytes = [
                frame(role, kind, &parts[0]),
                frame(role, 0x89, b"one"),
                frame(role, 0x00, &parts[1]),
                frame(role, 0x89, b"two"),
                frame(role, 0x80, &parts[2]),
                frame(role, 0x82, b"next"),
            ]
            .concat();
            let message = parts.concat();
            let message = match kind {
                1 => Seen::Text(String::from_utf8(message).unwrap()),
                _ => Seen::Binary(message),
            };
            let events = [
                Seen::Ping(b"one".to_vec()),
                Seen::Ping(b"two".to_vec()),
                message,
                binary("next"),
            ];
            assert_receives(role, &config(), &bytes, &events);

            let mut feed = Feed::new(role, &config());
            feed.read(&bytes);
            assert_eq!((feed.error, feed.events), (None, events.to_vec()));
        }
    }
}

/// F6: three violations, three errors.
#[test]
fn each_violation_of_the_sequence_has_an_error_of_its_own() {
    let error = |bytes: &[u8]| trace(Role::Client, &config(), bytes).error.unwrap();
    assert_eq!(
        [
            error(&[0x80, 0x01, b'x']),
            error(&[0x01, 0x01, b'x', 0x81, 0x01, b'y']),
            error(&[0x09, 0x00]),
            error(&[0x83, 0x00]),
            error(&[0x89, 0x7e, 0x00, 0x7e]),
            error(&[0xc1, 0x00]),
        ],
        [
            FrameError::UnexpectedContinuation,
            FrameError::ExpectedContinuation,
            FrameError::FragmentedControl,
            FrameError::UnknownOpcode(3),
            FrameError::ControlTooLong,
            FrameError::ReservedBits(4),
        ]
        .map(ReceiveError::Frame)
    );
}

/// A message, cut into fragments, with a control frame after each that has one.
#[derive(Clone, Debug)]
struct Sending {
    text: bool,
    parts: Vec<(String, Option<Vec<u8>>)>,
}

fn sending() -> impl Strategy<Value = Sending> {
    let control = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let parts = prop::collection::vec((".{0,20}", control), 1..5);
    (any::<bool>(), parts).prop_map(|(text, parts)| Sending { text, parts })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// R6455-5.4-01, R6455-5.4-03, R6455-6.2-01: any legal sequence, cut in any way.
    #[test]
    fn any_legal_sequence_of_frames_is_understood(messages in prop::collection::vec(sending(), 0..4)) {
        for role in ROLES {
            let mut bytes = Vec::new();
            let mut events = Vec::new();
            for Sending { text, parts } in &messages {
                let mut whole = String::new();
                for (i, (part, control)) in parts.iter().enumerate() {
                    let last = i + 1 == parts.len();
                    let opcode = match i {
                        0 => 2 - u8::from(*text),
                        _ => 0,
                    };
                    bytes.extend(frame(role, opcode | u8::from(last) << 7, part.as_bytes()));
                    whole.push_str(part);
                    if last {
                        events.push(if *text { Seen::Text(whole.clone()) } else { Seen::Binary(whole.clone().into_bytes()) });
                    }
                    if let Some(payload) = control {
                        bytes.extend(frame(role, 0x8a, payload));
                        events.push(Seen::Pong(payload.clone()));
                    }
                }
            }
            assert_receives(role, &config(), &bytes, &events);
        }
    }
}
