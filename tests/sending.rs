//! Sending messages and fragments (RFC 6455, sections 5.1 to 5.4, 5.6 and 6.1).

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::collections::HashSet;

use bytes::Bytes;
use common::pair::{
    BINARY, CHUNKS, CONTINUATION, End, FIN, Frame, PING, PONG, Pair, ROLES, TEXT, binary, text,
    timeless,
};
use fullduplex::{Config, MaskKeys, Message, MessageKind, Role, SendError};

fn config_with(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = timeless();
    change(&mut config);
    config
}

fn max_outgoing(limit: usize) -> Config {
    config_with(|config| config.limits.max_outgoing = limit)
}

fn max_frame_payload(limit: usize) -> Config {
    config_with(|config| config.max_frame_payload = Some(limit))
}

fn shapes(frames: &[Frame]) -> Vec<(u8, usize)> {
    frames
        .iter()
        .map(|frame| (frame.first, frame.payload.len()))
        .collect()
}

/// R6455-5.1-01: a server never masks.
#[test]
fn a_server_sends_the_bytes_of_the_rfc_unmasked() {
    let mut server = End::server();
    server.connection.send_text("Hello").unwrap();
    server.connection.send_binary(&[1, 2]).unwrap();
    server.connection.send(Message::text("hi")).unwrap();
    server.connection.ping(b"p").unwrap();
    server.connection.pong(b"").unwrap();
    assert_eq!(
        server.write_all(),
        b"\x81\x05Hello\x82\x02\x01\x02\x81\x02hi\x89\x01p\x8a\x00"
    );
}

/// R6455-5.1-01, R6455-5.3-01, R6455-5.3-02: a client masks every frame, each with its own key that
/// starts at the first byte of its payload.
#[test]
fn a_client_masks_every_frame_with_the_next_key_of_its_generator() {
    let mut client = End::client();
    client.connection.send_text("Hello").unwrap();
    client.connection.send_binary(b"Hello").unwrap();
    client.connection.send(Message::text("Hello")).unwrap();
    client.connection.ping(b"Hello").unwrap();
    client.receive_frame(PING, b"Hello");
    let frames = client.write_frames();
    let mut keys = MaskKeys::seeded([7; 32]);
    for frame in &frames {
        assert_eq!(frame.key, Some(keys.next_key()));
        assert_eq!(frame.payload, b"Hello");
    }
    assert_eq!(
        frames.iter().map(|frame| frame.first).collect::<Vec<_>>(),
        [TEXT, BINARY, TEXT, PING, PONG]
    );
}

/// M1, R6455-5.3-01, R6455-10.3-01: keys are as distinct and as unbiased as random ones, and a
/// fragment never reuses one.
#[test]
fn a_million_masking_keys_look_random() {
    const KEYS: u32 = 1_000_000;
    let mut keys = MaskKeys::thread();
    let mut seen = HashSet::with_capacity(KEYS as usize);
    let mut ones = [0_u32; 32];
    let mut repeats = 0;
    for _ in 0..KEYS {
        let key = u32::from_ne_bytes(keys.next_key());
        repeats += u32::from(!seen.insert(key));
        for (bit, count) in ones.iter_mut().enumerate() {
            *count += key >> bit & 1;
        }
    }
    // The birthday bound expects 116 repeats with a deviation of 11.
    assert!((50..200).contains(&repeats), "{repeats} repeats");
    // Each bit is set half of the time, with a deviation of 500.
    for (bit, count) in ones.iter().enumerate() {
        let off = count.abs_diff(KEYS / 2);
        assert!(off < 3_500, "bit {bit} is set {count} times");
    }
}

/// M1, R6455-6.1-02: every fragment is masked, with a key of its own.
#[test]
fn fragments_of_a_client_have_a_key_each() {
    let mut client = End::new(Role::Client, &max_frame_payload(3));
    let payload: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    client.connection.send_binary(&payload).unwrap();
    let frames = client.write_frames();
    assert_eq!(frames.len(), 1_000);
    let keys: HashSet<_> = frames.iter().map(|frame| frame.key.unwrap()).collect();
    assert_eq!(keys.len(), 1_000);
    let joined: Vec<u8> = frames.into_iter().flat_map(|frame| frame.payload).collect();
    assert_eq!(joined, payload);
}

/// R6455-5.2-03, R6455-5.2-01, R6455-5.8-01, R6455-5.2-05: the shortest form of the length at every
/// boundary, and no reserved bit.
#[test]
fn lengths_are_sent_in_their_shortest_form() {
    let table = [
        (0, 0),
        (1, 0),
        (125, 0),
        (126, 2),
        (127, 2),
        (65_535, 2),
        (65_536, 8),
    ];
    for role in ROLES {
        for (length, extended) in table {
            let mut end = End::new(role, &timeless());
            end.connection.send_binary(&vec![0x55; length]).unwrap();
            end.connection.send(vec![0x55; length]).unwrap();
            let frames = end.write_frames();
            assert_eq!(shapes(&frames), [(BINARY, length); 2]);
            for frame in frames {
                assert_eq!(frame.extended, extended, "{length} bytes");
                assert!(frame.payload.iter().all(|byte| *byte == 0x55));
            }
        }
    }
}

/// R6455-6.1-02, R6455-6.2-01, R6455-5.4-03: messages of all sizes, by every way of sending, arrive
/// in order.
#[test]
fn what_is_sent_arrives_over_any_link() {
    for chunk in CHUNKS {
        for limit in [None, Some(1), Some(5), Some(1_000)] {
            let config = config_with(|config| {
                config.max_frame_payload = limit;
                config.limits.max_fragments = u32::MAX;
            });
            let mut pair = Pair::with(&config, &config, chunk);
            let large = vec![0xab; 20_000];
            for (end, word) in [(&mut pair.client, "ping €"), (&mut pair.server, "pong 𝄞")] {
                let connection = &mut end.connection;
                connection.send_text(word).unwrap();
                connection.send_binary(&[]).unwrap();
                connection.send(Message::text(word)).unwrap();
                connection.send_binary(b"short").unwrap();
                if chunk > 2 {
                    connection.send(large.clone()).unwrap();
                }
                connection.send_text("").unwrap();
            }
            pair.run();
            for (end, word) in [(&pair.client, "pong 𝄞"), (&pair.server, "ping €")] {
                let mut expected = vec![text(word), binary(b""), text(word), binary(b"short")];
                expected.extend((chunk > 2).then(|| binary(&large)));
                expected.push(text(""));
                assert_eq!(end.seen, expected, "chunk {chunk}, frames of {limit:?}");
                assert_eq!(end.error, None);
            }
        }
    }
}

/// R6455-6.1-02, R6455-5.4-03: the first frame names the type, the others are continuations, and
/// only the last has FIN.
#[test]
fn a_message_one_byte_over_the_frame_limit_is_cut_in_two() {
    for role in ROLES {
        for owned in [false, true] {
            let mut end = End::new(role, &max_frame_payload(10));
            for length in [10, 11, 20, 21] {
                let payload = "x".repeat(length);
                if owned {
                    end.connection.send(Message::text(payload)).unwrap();
                } else {
                    end.connection.send_text(&payload).unwrap();
                }
            }
            assert_eq!(
                shapes(&end.write_frames()),
                [
                    (TEXT, 10),
                    (TEXT & !FIN, 10),
                    (CONTINUATION, 1),
                    (TEXT & !FIN, 10),
                    (CONTINUATION, 10),
                    (TEXT & !FIN, 10),
                    (0, 10),
                    (CONTINUATION, 1),
                ]
            );
        }
    }
}

/// R6455-5.4-01: control frames that are sent or owed go between the fragments of a long message.
#[test]
fn control_frames_go_between_fragments() {
    for role in ROLES {
        let mut end = End::new(role, &max_frame_payload(1_000));
        end.connection.send_binary(&vec![1; 300_000]).unwrap();
        end.write(1); // the first fragments are framed now
        end.connection.ping(b"mine").unwrap();
        end.receive_frame(PING, b"yours");
        end.connection.send_text("after").unwrap();
        end.write_all();
        let frames = end.frames();
        let place = |first, payload: &[u8]| {
            frames
                .iter()
                .position(|frame| frame.first == first && frame.payload == payload)
                .unwrap()
        };
        let last_fragment = place(CONTINUATION, &[1; 1_000]);
        assert!(place(PING, b"mine") < last_fragment);
        assert!(place(PONG, b"yours") < last_fragment);
        assert_eq!(place(TEXT, b"after"), last_fragment + 1);
        assert_eq!(frames.len(), 300 + 3);
    }
}

/// R6455-5.5-01: control frames are never cut, however small the frames of messages are.
#[test]
fn control_frames_are_not_cut() {
    let mut server = End::new(Role::Server, &max_frame_payload(1));
    server.connection.ping(&[7; 125]).unwrap();
    server.receive_frame(PING, &[8; 125]);
    assert_eq!(shapes(&server.write_frames()), [(PING, 125), (PONG, 125)]);
}

/// R6455-5.5-01: 125 bytes fit a control frame, 126 are refused and nothing is written.
#[test]
fn a_ping_or_pong_carries_125_bytes_and_no_more() {
    let mut server = End::server();
    server.connection.ping(&[1; 125]).unwrap();
    server.connection.pong(&[2; 125]).unwrap();
    let refused = Err(SendError::ControlTooLong(126));
    assert_eq!(server.connection.ping(&[0; 126]), refused);
    assert_eq!(server.connection.pong(&[0; 126]), refused);
    assert_eq!(shapes(&server.write_frames()), [(PING, 125), (PONG, 125)]);
}

/// R6455-6.1-02, R6455-5.4-01, R6455-5.4-04: a message of unknown length, with empty fragments at
/// every place and a Ping in between.
#[test]
fn a_message_can_be_streamed_in_fragments() {
    for chunk in CHUNKS {
        let mut pair = Pair::new(chunk);
        let connection = &mut pair.client.connection;
        for piece in [&b""[..], b"ab", b"", b"c"] {
            connection
                .send_fragment(MessageKind::Binary, piece, false)
                .unwrap();
        }
        connection.ping(b"!").unwrap();
        connection
            .send_fragment(MessageKind::Binary, b"", true)
            .unwrap();
        pair.run();
        assert_eq!(
            shapes(&pair.client.frames()),
            [
                (BINARY & !FIN, 0),
                (0, 2),
                (0, 0),
                (0, 1),
                (PING, 1),
                (CONTINUATION, 0)
            ]
        );
        let ping = common::pair::Seen::Ping(b"!".to_vec());
        assert_eq!(pair.server.seen, [ping, binary(b"abc")]);
    }
}

/// R6455-5.6-01: a streamed text may be cut inside a character, at every place.
#[test]
fn streamed_text_may_be_cut_inside_characters() {
    let whole = "aé€𝄞";
    for cut in 0..=whole.len() {
        let mut pair = Pair::new(usize::MAX);
        let (head, tail) = whole.as_bytes().split_at(cut);
        let connection = &mut pair.server.connection;
        connection
            .send_fragment(MessageKind::Text, head, false)
            .unwrap();
        connection
            .send_fragment(MessageKind::Text, tail, true)
            .unwrap();
        pair.run();
        assert_eq!(pair.client.seen, [text(whole)]);
    }
}

/// R6455-5.6-01, U4: text that is not UTF-8 is refused at the piece that breaks it, nothing of it
/// is queued, and the message goes on.
#[test]
fn streamed_text_that_is_not_utf8_is_refused() {
    let mut server = End::server();
    let connection = &mut server.connection;
    let mut send = |piece: &[u8], fin| connection.send_fragment(MessageKind::Text, piece, fin);
    assert!(matches!(
        send(b"\xff", true),
        Err(SendError::InvalidUtf8(_))
    ));
    send(b"ab\xe2\x82", false).unwrap();
    let at_two = |result| match result {
        Err(SendError::InvalidUtf8(error)) => assert_eq!(error.valid_up_to, 2),
        other => panic!("{other:?}"),
    };
    at_two(send(b"x", false));
    at_two(send(b"", true));
    at_two(send(b"\xc2", true));
    send(b"\xac", true).unwrap();
    assert_eq!(
        shapes(&server.write_frames()),
        [(TEXT & !FIN, 4), (CONTINUATION, 1)]
    );
}

/// U4: whatever goes out as text is a `str` or was checked, so a lone surrogate cannot.
#[test]
fn a_lone_surrogate_cannot_be_sent_as_text() {
    let surrogate = b"\xed\xa0\x80";
    let mut server = End::server();
    let refused = server
        .connection
        .send_fragment(MessageKind::Text, surrogate, true);
    assert!(matches!(refused, Err(SendError::InvalidUtf8(_))));
    assert!(fullduplex::Utf8Bytes::try_from(Bytes::from_static(surrogate)).is_err());
    assert_eq!(server.write_all(), b"");
}

/// R6455-5.4-02: no message starts inside a streamed one, and its kind does not change.
#[test]
fn a_streamed_message_keeps_others_out_until_it_ends() {
    let mut server = End::server();
    let connection = &mut server.connection;
    connection
        .send_fragment(MessageKind::Text, b"a", false)
        .unwrap();
    assert_eq!(connection.send_text("b"), Err(SendError::MessageOpen));
    assert_eq!(connection.send_binary(b"b"), Err(SendError::MessageOpen));
    let unsent = connection.send(Message::text("b")).unwrap_err();
    assert_eq!(unsent.error, SendError::MessageOpen);
    assert_eq!(unsent.message, Message::text("b"));
    assert_eq!(
        connection.send_fragment(MessageKind::Binary, b"b", true),
        Err(SendError::WrongKind)
    );
    connection
        .send_fragment(MessageKind::Text, b"c", true)
        .unwrap();
    connection.send_binary(b"d").unwrap();
    assert_eq!(
        shapes(&server.write_frames()),
        [(TEXT & !FIN, 1), (CONTINUATION, 1), (BINARY, 1)]
    );
}

/// R6455-6.1-02: fragments longer than a frame may be are cut further, in the same message.
#[test]
fn streamed_fragments_are_cut_like_messages() {
    let mut server = End::new(Role::Server, &max_frame_payload(4));
    let connection = &mut server.connection;
    connection
        .send_fragment(MessageKind::Binary, b"abcdef", false)
        .unwrap();
    connection
        .send_fragment(MessageKind::Binary, b"g", false)
        .unwrap();
    connection
        .send_fragment(MessageKind::Binary, b"hijkl", true)
        .unwrap();
    connection.send_text("z").unwrap();
    assert_eq!(
        shapes(&server.write_frames()),
        [
            (BINARY & !FIN, 4),
            (0, 2),
            (0, 1),
            (0, 4),
            (CONTINUATION, 1),
            (TEXT, 1)
        ]
    );
}

/// W1: at the high-water mark every kind of message is refused and given back, and the queue takes
/// messages again once it was written.
#[test]
fn a_full_queue_refuses_and_recovers() {
    for role in ROLES {
        let mut end = End::new(role, &max_outgoing(1_000));
        let connection = &mut end.connection;
        connection.send_binary(&[0; 900]).unwrap();
        assert!(connection.queued() < 1_000, "below the mark");
        connection.send_binary(&[0; 5_000]).unwrap(); // the mark may be crossed by one message
        let queued = connection.queued();
        assert_eq!(connection.send_text("x"), Err(SendError::Full));
        assert_eq!(connection.send_binary(b""), Err(SendError::Full));
        assert_eq!(connection.ping(b""), Err(SendError::Full));
        assert_eq!(connection.pong(b""), Err(SendError::Full));
        assert_eq!(
            connection.send_fragment(MessageKind::Text, b"x", false),
            Err(SendError::Full)
        );
        let unsent = connection.send(Message::text("kept")).unwrap_err();
        assert_eq!(unsent.error, SendError::Full);
        assert_eq!(connection.queued(), queued, "nothing was queued");

        end.write(usize::MAX);
        end.connection.send(unsent.message).unwrap();
        let last = end.write_frames().pop().unwrap();
        assert_eq!((last.first, &last.payload[..]), (TEXT, &b"kept"[..]));
    }
}

/// W1: exactly at the mark sending is refused, one byte below it is not.
#[test]
fn the_high_water_mark_is_exact() {
    for (queued, full) in [(999, false), (1_000, true), (1_001, true)] {
        let mut server = End::new(Role::Server, &max_outgoing(1_000));
        server.connection.send_binary(&vec![0; queued - 4]).unwrap();
        assert_eq!(server.connection.queued(), queued);
        assert_eq!(server.connection.send_text("").is_err(), full);
    }
}

/// W1: a peer that never reads stops the application at the mark plus one message, and the
/// connection can still be closed.
#[test]
fn a_peer_that_never_reads_cannot_make_the_queue_grow() {
    const MESSAGE: usize = 16 * 1024;
    for role in ROLES {
        for limit in [None, Some(1_000)] {
            let config = config_with(|config| config.max_frame_payload = limit);
            let mark = config.limits.max_outgoing;
            let mut end = End::new(role, &config);
            let mut refused = 0;
            for _ in 0..1_000 {
                refused += usize::from(end.connection.send(vec![0; MESSAGE]).is_err());
            }
            assert!(end.connection.queued() <= mark + MESSAGE);
            assert!(refused > 900);
            end.connection
                .close(fullduplex::CloseCode::NORMAL, "")
                .unwrap();
        }
    }
}

/// W1: messages without payload count too, although they wait unframed behind a message that is
/// cut.
#[test]
fn empty_messages_cannot_make_the_queue_grow() {
    let mut server = End::new(
        Role::Server,
        &config_with(|config| {
            config.max_frame_payload = Some(100);
            config.limits.max_outgoing = 10_000;
        }),
    );
    server.connection.send_binary(&[0; 200]).unwrap();
    let sent = (0..100_000)
        .take_while(|_| server.connection.send_text("").is_ok())
        .count();
    assert!(sent < 10_000, "{sent} messages were queued");
    server.write_all();
    server.connection.send_text("").unwrap();
}
