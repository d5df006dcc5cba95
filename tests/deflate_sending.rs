//! Compressed messages as connections send them (RFC 7692, sections 6.1 and 7.2.1), octet by octet.
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

use codec::{Random, inflater, receive};
use common::feed::{Feed, ROLES, Seen, binary, connection, frame, sent_frames, text};
use deflated::{
    BINARY, CHUNKS, HELLO, HELLO_AGAIN, OFF, ON, TEXT, Terms, all_terms, take_frames, take_sent,
};
use fullduplex::deflate::{Compress, Level, MemoryLevel};
use fullduplex::frame::FrameError;
use fullduplex::{
    CloseCode, Delivery, Event, Message, MessageKind, ReceiveError, SendError, State,
};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

fn sent(frames: &[(u8, &[u8])]) -> Vec<(u8, Vec<u8>)> {
    let frames = frames.iter();
    frames
        .map(|(first, payload)| (*first, payload.to_vec()))
        .collect()
}

/// Moves what `from` has to write to `to`, in reads of `chunk` bytes.
fn pass(from: &mut Feed, to: &mut Feed, chunk: usize) {
    for read in from.take_outgoing().chunks(chunk) {
        to.push(read);
    }
    assert_eq!(to.error, None);
}

/// R7692-7.2.3-T, R7692-7.2.1-01, R7692-7.2.1-03: the examples of the RFC are what is sent, with
/// takeover and without, whatever the peer's direction does.
#[test]
fn examples_of_the_rfc_are_sent() {
    for role in ROLES {
        for (own, second) in [(ON, HELLO_AGAIN), (OFF, HELLO)] {
            for peer in [ON, OFF] {
                let mut end = Terms::balanced(own, peer).open(role);
                end.connection.send_text("Hello").unwrap();
                end.connection.send_binary(b"Hello").unwrap();
                let expected = [(TEXT, HELLO), (BINARY, second)];
                assert_eq!(take_sent(&mut end), sent(&expected), "{role:?} {own:?}");
                let mut end = Terms::balanced(own, peer).open(role);
                end.connection.send(Message::text("Hello")).unwrap();
                end.connection
                    .send_with(b"Hello".to_vec(), Compress::Always)
                    .unwrap();
                assert_eq!(take_sent(&mut end), sent(&expected), "{role:?} {own:?}");
            }
        }
    }
}

/// The levels of the configuration are those that compress: more of either makes a message smaller.
/// A mutant found the memory level untested.
#[test]
fn levels_are_obeyed() {
    let payload = Random(1).text(60_000);
    for role in ROLES {
        let [fast, frugal, small] = [
            (Level::FASTEST, MemoryLevel::MAX),
            (Level::BALANCED, MemoryLevel::MIN),
            (Level::BALANCED, MemoryLevel::MAX),
        ]
        .map(|(level, memory)| {
            let mut terms = Terms::new(ON, ON);
            terms.tune(|deflate| deflate.level(level).memory_level(memory));
            let mut end = terms.open(role);
            end.connection.send_binary(&payload).unwrap();
            let frames = take_sent(&mut end);
            frames.iter().map(|(_, sent)| sent.len()).sum::<usize>()
        });
        assert!(fast > frugal && frugal > small, "{fast} {frugal} {small}");
    }
}

/// D4, R7692-7.2.3.6-01: an empty message is one octet, between full ones and after one another.
#[test]
fn empty_messages_are_sent_as_one_octet() {
    for role in ROLES {
        for terms in all_terms() {
            let mut end = terms.open(role);
            for text in ["ab", "", "ab", "", ""] {
                end.connection.send_text(text).unwrap();
            }
            let frames = take_sent(&mut end);
            assert_eq!(frames[0], (TEXT, b"\x4a\x4c\x02\x00".to_vec()));
            assert_eq!((frames[2].0, frames[2].1.len()), (TEXT, 4));
            for empty in [1, 3, 4] {
                assert_eq!(frames[empty], (TEXT, vec![0]));
            }
        }
    }
}

/// R7692-6-02, R7692-8-01, D10: which messages are compressed is the configuration's choice, and
/// that of each message; without an agreement none is.
#[test]
fn policies_choose_what_is_compressed() {
    let message = "m".repeat(200);
    let policies = [
        (Compress::Always, 0),
        (Compress::Above(0), 1),
        (Compress::Above(128), 129),
        (Compress::Above(199), 200),
        (Compress::Above(200), 201),
        (Compress::Never, usize::MAX),
    ];
    for role in ROLES {
        for (policy, from) in policies {
            let mut terms = Terms::new(ON, ON);
            terms.tune(|deflate| deflate.compress(policy));
            let mut end = terms.open(role);
            let mut never = {
                terms.tune(|deflate| deflate.compress(Compress::Never));
                terms.open(role)
            };
            let mut bare = deflated::feed(connection(role, &terms.ours));
            for length in [0, 1, 128, 129, 199, 200] {
                let message = &message[..length];
                end.connection.send_text(message).unwrap();
                never
                    .connection
                    .send_with(message.to_owned(), policy)
                    .unwrap();
                bare.connection
                    .send_with(message.to_owned(), policy)
                    .unwrap();
                let first = if length >= from { TEXT } else { 0x81 };
                for end in [&mut end, &mut never] {
                    let frames = take_frames(end);
                    assert_eq!(frames.len(), 1);
                    assert_eq!(frames[0].first, first, "{role:?} {policy:?} {length}");
                    assert_eq!(first == 0x81, frames[0].payload == message.as_bytes());
                }
                assert_eq!(take_sent(&mut bare), sent(&[(0x81, message.as_bytes())]));
            }
        }
    }
}

/// D10, R7692-8-01, R7692-6-02: a message that asks not to be compressed has RSV1 clear, stands on
/// the wire as it is, and leaves the window as it was.
#[test]
fn uncompressed_messages_leave_the_window_alone() {
    for role in ROLES {
        let (mut end, mut peer) = Terms::balanced(ON, ON).open_both(role);
        let secret = "Hello, a secret";
        end.connection.send_text("Hello").unwrap();
        end.connection.send_with(secret, Compress::Never).unwrap();
        end.connection.send_text("Hello").unwrap();
        let bytes = end.take_outgoing();
        let frames = sent_frames(role, &bytes).into_iter();
        let frames: Vec<_> = frames.map(|sent| (sent.first, sent.payload)).collect();
        let expected = [
            (TEXT, HELLO),
            (0x81, secret.as_bytes()),
            (TEXT, HELLO_AGAIN),
        ];
        assert_eq!(frames, sent(&expected));
        peer.push(&bytes);
        assert_eq!(peer.events, ["Hello", secret, "Hello"].map(text));
    }
}

/// R7692-7.2.1-01, R7692-6-01: what is streamed is flushed at the end of each fragment, so that the
/// peer has all of it; RSV1 stands on the first, and the tail is left out of the last alone.
#[test]
fn streamed_messages_are_flushed_at_fragment_borders() {
    for role in ROLES {
        for terms in all_terms() {
            for chunk in CHUNKS {
                let mut terms = terms.clone();
                terms.theirs.delivery = Delivery::Pieces;
                let (mut end, mut peer) = terms.open_both(role);
                let mut reader = inflater(ON);
                let mut whole = String::new();
                let mut payload = Vec::new();
                for (index, part) in ["", "stream", "", "ed, stream", "🚀", ""]
                    .iter()
                    .enumerate()
                {
                    let fin = index == 5;
                    end.connection
                        .send_fragment(MessageKind::Text, part.as_bytes(), fin)
                        .unwrap();
                    end.connection.ping(b"").unwrap();
                    whole.push_str(part);
                    let bytes = end.take_outgoing();
                    let frames = sent_frames(role, &bytes);
                    assert_eq!(frames.len(), 2);
                    let first = [0x41, 0x00, 0x00, 0x00, 0x00, 0x80][index];
                    assert_eq!(frames[0].first, first);
                    assert_eq!(frames[1].first, 0x89);
                    let expected_tail = !part.is_empty() && !fin;
                    assert_eq!(frames[0].payload.ends_with(&TAIL), expected_tail);
                    assert_eq!(frames[0].payload.is_empty(), part.is_empty() && !fin);
                    payload.extend(&frames[0].payload);
                    for read in bytes.chunks(chunk.min(bytes.len())) {
                        peer.push(read);
                    }
                    let got = peer.events.iter().map(|event| match event {
                        Seen::Pieces { bytes, .. } => str::from_utf8(bytes).unwrap(),
                        _ => "",
                    });
                    assert_eq!(got.collect::<String>(), whole);
                }
                assert_eq!(peer.error, None);
                assert_eq!(receive(&mut reader, &payload).unwrap(), whole.as_bytes());
                // The next message of the same connection is understood.
                peer.events.clear();
                end.connection.send_text("after").unwrap();
                pass(&mut end, &mut peer, chunk.min(1000));
                assert!(
                    matches!(&peer.events[..], [Seen::Pieces { bytes, last: true, .. }] if bytes == b"after")
                );
            }
        }
    }
}

/// R7692-6-04, R6455-5.4-01: a compressed payload longer than a frame may be is cut; a Ping goes
/// between, and the sum of it is one message.
#[test]
fn long_payloads_are_cut_after_compressing() {
    let mut random = Random(3);
    let message = random.noise(1000);
    for role in ROLES {
        for limit in [1, 7, 100] {
            let mut terms = Terms::new(ON, ON);
            terms.ours.max_frame_payload = Some(limit);
            let (mut end, mut peer) = terms.open_both(role);
            end.connection.send_binary(&message).unwrap();
            end.connection.send_binary(&message).unwrap();
            end.connection.ping(b"overtakes").unwrap();
            end.connection.send_binary(&[0; 5000]).unwrap();
            let bytes = end.take_outgoing();
            let frames = sent_frames(role, &bytes);
            let data = frames.iter().filter(|frame| frame.first & 8 == 0);
            for frame in data {
                assert!(frame.payload.len() <= limit);
                assert!(
                    [0x42, 0x00, 0x80, 0xc2].contains(&frame.first),
                    "{:x}",
                    frame.first
                );
            }
            // RSV1 stands on the first frame of each message, whether or not it is the only one.
            let starts = frames.iter().filter(|frame| frame.first & 0x4f == 0x42);
            assert_eq!(starts.count(), 3, "{role:?}");
            peer.push(&bytes);
            assert_eq!(peer.error, None);
            let messages = peer
                .events
                .iter()
                .filter(|event| matches!(event, Seen::Binary(_)));
            let expected = [
                binary(&message[..]),
                binary(&message[..]),
                binary([0; 5000]),
            ];
            assert!(messages.eq(&expected));
        }
    }
}

/// R7692-7.2.1-04: what is refused never enters the window: messages while the queue is full, of
/// the wrong kind, not UTF-8, or while another one is open.
#[test]
fn what_is_refused_does_not_enter_the_window() {
    for role in ROLES {
        let mut terms = Terms::balanced(ON, ON);
        terms.ours.limits.max_outgoing = 5;
        let (mut end, mut peer) = terms.open_both(role);
        end.connection.send_text("Hello").unwrap();
        assert_eq!(end.connection.send_text("refused"), Err(SendError::Full));
        let unsent = end
            .connection
            .send_with("refused", Compress::Always)
            .unwrap_err();
        assert_eq!(
            (unsent.error, unsent.message.as_text()),
            (SendError::Full, Some("refused"))
        );
        let refused = end
            .connection
            .send_fragment(MessageKind::Text, b"refused", true);
        assert_eq!(refused, Err(SendError::Full));
        pass(&mut end, &mut peer, 3);

        let mut fragment = |kind, bytes: &[u8], fin| {
            let result = end.connection.send_fragment(kind, bytes, fin);
            pass(&mut end, &mut peer, 3);
            result
        };
        fragment(MessageKind::Text, b"Hel", false).unwrap();
        let wrong = fragment(MessageKind::Binary, b"refused", true);
        assert_eq!(wrong, Err(SendError::WrongKind));
        let bad = fragment(MessageKind::Text, b"\xff", false);
        assert!(matches!(bad, Err(SendError::InvalidUtf8(_))));
        let cut = fragment(MessageKind::Text, b"\xce", true);
        assert!(matches!(cut, Err(SendError::InvalidUtf8(_))));
        fragment(MessageKind::Text, b"lo", true).unwrap();
        end.connection.send_text("Hello").unwrap();
        pass(&mut end, &mut peer, 3);
        assert_eq!(peer.events, ["Hello", "Hello", "Hello"].map(text));

        end.connection
            .send_fragment(MessageKind::Text, b"Hel", false)
            .unwrap();
        end.take_outgoing();
        assert_eq!(
            end.connection.send_text("Hello"),
            Err(SendError::MessageOpen)
        );
    }
}

/// R6455-7.1.7-01: the connection fails in the middle of a message that it streams and one that it
/// receives, both compressed: the Close frame is the last thing sent.
#[test]
fn failing_in_the_middle_of_compressed_messages() {
    for role in ROLES {
        for terms in all_terms() {
            let (mut end, mut peer) = terms.open_both(role);
            end.connection
                .send_fragment(MessageKind::Text, b"Hel", false)
                .unwrap();
            end.push(&frame(role, 0x41, &HELLO[..3]));
            end.push(&frame(role, TEXT, HELLO));
            let error = ReceiveError::Frame(FrameError::ExpectedContinuation);
            assert_eq!(end.error, Some(error));
            let more = end.connection.send_fragment(MessageKind::Text, b"lo", true);
            assert_eq!(more, Err(SendError::Closed));
            pass(&mut end, &mut peer, 1);
            let [Seen::Close(1002, _)] = &peer.events[..] else {
                panic!("{:?}", peer.events);
            };
            assert_eq!(end.connection.state(), State::Closing);
        }
    }
}

/// R6455-5.5.1-05: closing in the middle of a compressed message that is streamed: what was sent of
/// it stays, nothing follows the Close frame, and what the peer sends is received up to its own.
#[test]
fn closing_in_the_middle_of_compressed_messages() {
    for role in ROLES {
        for terms in all_terms() {
            let (mut end, mut peer) = terms.open_both(role);
            end.connection
                .send_fragment(MessageKind::Text, b"Hel", false)
                .unwrap();
            end.connection.close(CloseCode::NORMAL, "bye").unwrap();
            let more = end.connection.send_fragment(MessageKind::Text, b"lo", true);
            assert_eq!(more, Err(SendError::Closed));
            peer.connection.send_text("still on its way").unwrap();
            pass(&mut peer, &mut end, 1);
            pass(&mut end, &mut peer, 1);
            assert_eq!(peer.events, [Seen::Close(1000, "bye".into())]);
            pass(&mut peer, &mut end, 1);
            let closed = Seen::Close(1000, String::new());
            assert_eq!(end.events, [text("still on its way"), closed]);
            assert_eq!((end.error, end.take_outgoing()), (None, vec![]));
        }
    }
}

/// The halves of a split connection compress and inflate on their own.
#[test]
fn halves_keep_their_side_of_the_agreement() {
    for role in ROLES {
        let (end, mut peer) = Terms::balanced(ON, ON).open_both(role);
        let (mut receiver, mut sender) = end.connection.split();
        let mut inbox = end.inbox;
        for payload in [HELLO, HELLO_AGAIN] {
            sender.send_with("Hello", Compress::Always).unwrap();
            let count = bytes::Buf::remaining(sender.outgoing());
            let mut bytes = vec![0; count];
            bytes::Buf::copy_to_slice(sender.outgoing(), &mut bytes);
            let frames = sent_frames(role, &bytes);
            assert_eq!((frames[0].first, &frames[0].payload[..]), (TEXT, payload));
            peer.push(&bytes);
            peer.connection.send_text("Hello").unwrap();
            let bytes = peer.take_outgoing();
            inbox.spare(bytes.len())[..bytes.len()].copy_from_slice(&bytes);
            inbox.received(bytes.len());
            let event = receiver.poll_event(&mut inbox).unwrap().unwrap();
            assert!(matches!(event, Event::Text(text) if &*text == "Hello"));
        }
        assert_eq!(peer.events, ["Hello", "Hello"].map(text));
    }
}
