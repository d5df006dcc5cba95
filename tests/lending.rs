//! The inbox: payloads lent, detached, and set aside while another connection uses the memory.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use allocation_counter::measure;
use bytes::{Buf, Bytes};
use common::feed::{Feed, KEY, ROLES, Seen, connection, frame, trace};
use fullduplex::{Config, Connection, Delivery, Event, Inbox, Message, Role, Utf8Bytes};

/// Binary payloads from this size on are detached without a copy, as the documentation says.
const BINARY_SPLIT: usize = 32 * 1024;

fn filled(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.spare(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    inbox.received(bytes.len());
}

/// The place of a binary message while it is lent, and the message detached.
fn detach_binary(connection: &mut Connection, inbox: &mut Inbox) -> (*const u8, Bytes) {
    match connection.poll_event(inbox) {
        Ok(Some(Event::Binary(binary))) => (binary.as_ptr(), binary.into_bytes()),
        other => panic!("{other:?} instead of a binary message"),
    }
}

fn detach_text(connection: &mut Connection, inbox: &mut Inbox) -> (*const u8, Utf8Bytes) {
    match connection.poll_event(inbox) {
        Ok(Some(Event::Text(text))) => (text.as_ptr(), text.into_bytes()),
        other => panic!("{other:?} instead of a text"),
    }
}

#[test]
fn a_large_binary_message_is_detached_without_a_copy() {
    for role in ROLES {
        for length in [BINARY_SPLIT, BINARY_SPLIT + 1, 100_000, 1 << 20] {
            let mut connection = connection(role, &Config::default());
            let mut inbox = Inbox::new();
            filled(&mut inbox, &frame(role, 0x82, &vec![7; length]));
            let (place, kept) = detach_binary(&mut connection, &mut inbox);
            assert_eq!(kept.as_ptr(), place);
            assert_eq!(kept, vec![7; length]);
        }
    }
}

/// Its memory can be used again when it was sent on. Below that, and if anything is there behind it,
/// the rest of the block is read into.
#[test]
fn a_message_of_more_than_128_kib_has_its_memory_alone() {
    const MOST: usize = 128 * 1024;
    for role in ROLES {
        for (length, behind, alone) in [
            (MOST, 0, false),
            (MOST + 1, 0, true),
            (MOST + 1, 1, false),
            (1 << 20, 0, true),
        ] {
            let mut connection = connection(role, &Config::default());
            let mut inbox = Inbox::new();
            let next = frame(role, 0x82, b"next");
            let mut bytes = frame(role, 0x82, &vec![7; length]);
            bytes.extend(&next[..behind]);
            filled(&mut inbox, &bytes);
            let (_, kept) = detach_binary(&mut connection, &mut inbox);
            assert_eq!(kept.is_unique(), alone, "{role:?} {length} {behind}");
            filled(&mut inbox, &next[behind..]);
            assert_eq!(detach_binary(&mut connection, &mut inbox).1, &b"next"[..]);
            assert_eq!(kept, vec![7; length]);
        }
    }
}

#[test]
fn a_small_binary_message_is_detached_by_a_copy() {
    for role in ROLES {
        for length in [1, 100, BINARY_SPLIT - 1] {
            let mut connection = connection(role, &Config::default());
            let mut inbox = Inbox::new();
            filled(&mut inbox, &frame(role, 0x82, &vec![7; length]));
            let (place, kept) = detach_binary(&mut connection, &mut inbox);
            assert_ne!(
                kept.as_ptr(),
                place,
                "{length} bytes keep a read block alive"
            );
            assert_eq!(kept, vec![7; length]);
        }
    }
}

#[test]
fn a_text_that_came_whole_is_detached_by_a_copy() {
    for role in ROLES {
        for length in [1, 100, 16 * 1024, 1 << 20] {
            let mut connection = connection(role, &Config::default());
            let mut inbox = Inbox::new();
            let text = "x".repeat(length);
            filled(&mut inbox, &frame(role, 0x81, text.as_bytes()));
            let (place, kept) = detach_text(&mut connection, &mut inbox);
            assert_ne!(
                kept.as_ptr(),
                place,
                "{length} bytes keep a read block alive"
            );
            assert_eq!(kept, *text);
        }
    }
}

/// What was assembled from several frames is not copied once more.
#[test]
fn an_assembled_message_is_detached_without_a_copy() {
    for role in ROLES {
        let parts = |kind| {
            [
                frame(role, kind, &vec![b'a'; 20_000]),
                frame(role, 0x89, b"between"),
                frame(role, 0x80, &vec![b'b'; 20_000]),
            ]
            .concat()
        };
        let whole = [vec![b'a'; 20_000], vec![b'b'; 20_000]].concat();
        let mut connection = connection(role, &Config::default());
        let mut inbox = Inbox::new();
        filled(&mut inbox, &parts(0x02));
        assert!(matches!(
            connection.poll_event(&mut inbox),
            Ok(Some(Event::Ping(_)))
        ));
        let (place, kept) = detach_binary(&mut connection, &mut inbox);
        assert_eq!((kept.as_ptr(), &kept[..]), (place, &whole[..]));

        filled(&mut inbox, &parts(0x01));
        assert!(matches!(
            connection.poll_event(&mut inbox),
            Ok(Some(Event::Ping(_)))
        ));
        let (place, kept) = detach_text(&mut connection, &mut inbox);
        assert_eq!((kept.as_ptr(), kept.as_bytes()), (place, &whole[..]));
    }
}

#[test]
fn an_event_becomes_an_owned_message() {
    let mut connection = connection(Role::Client, &Config::default());
    let bytes = [
        frame(Role::Client, 0x81, b"text"),
        frame(Role::Client, 0x82, b"bytes"),
        frame(Role::Client, 0x89, b""),
        frame(Role::Client, 0x88, b""),
    ];
    let mut inbox = Inbox::from(&bytes.concat()[..]);
    let mut next = || {
        let event = connection.poll_event(&mut inbox).unwrap();
        event.unwrap().into_message()
    };
    assert_eq!(next(), Some(Message::text("text")));
    assert_eq!(next(), Some(Message::binary(&b"bytes"[..])));
    assert_eq!(next(), None);
    assert_eq!(next(), None);
}

/// The lengths around every threshold of the inbox.
const LENGTHS: [usize; 12] = [
    0, 1, 100, 4096, 16_383, 16_384, 32_767, 32_768, 32_769, 65_535, 70_000, 200_000,
];

fn letters(index: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|i| b'a' + ((i + index) % 26) as u8)
        .collect()
}

/// Messages of all lengths and kinds, whole and in two fragments with a Ping between them.
fn conversation(role: Role) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut bytes = Vec::new();
    let mut messages = Vec::new();
    for length in LENGTHS {
        for kind in [1, 2] {
            let index = messages.len();
            let payload = letters(index, length);
            bytes.extend(frame(role, 0x80 | kind, &payload));
            let (head, tail) = payload.split_at(length / 3);
            bytes.extend(frame(role, kind, head));
            bytes.extend(frame(role, 0x89, b"between"));
            bytes.extend(frame(role, 0x80, tail));
            messages.extend([payload.clone(), payload]);
        }
    }
    (bytes, messages)
}

/// Whatever is kept stays as it was, however the inbox goes on.
#[test]
fn kept_messages_stay_intact_while_the_inbox_goes_on() {
    for role in ROLES {
        let (bytes, messages) = conversation(role);
        for read in [977, 4096, 30_000, bytes.len()] {
            for keep_every in [1, 2, 3] {
                let mut connection = connection(role, &Config::default());
                let mut inbox = Inbox::new();
                let mut kept = Vec::new();
                let mut count = 0;
                for chunk in bytes.chunks(read) {
                    filled(&mut inbox, chunk);
                    while let Some(event) = connection.poll_event(&mut inbox).unwrap() {
                        if matches!(event, Event::Ping(_)) {
                            continue;
                        }
                        count += 1;
                        if count % keep_every == 0 {
                            kept.push((count - 1, event.into_message().unwrap()));
                        }
                    }
                }
                assert_eq!(count, messages.len());
                for (index, message) in kept {
                    assert!(message.as_bytes() == messages[index], "message {index}");
                }
            }
        }
    }
}

/// What is lent is the received bytes themselves, unmasked where they were read.
#[test]
fn a_payload_is_lent_from_where_it_was_read() {
    for role in ROLES {
        for first in [0x81, 0x82, 0x89, 0x8a] {
            let bytes = frame(role, first, b"lent");
            let mut connection = connection(role, &Config::default());
            let mut inbox = Inbox::new();
            filled(&mut inbox, &bytes);
            let read = inbox.unread().as_ptr_range();
            let lent = match connection.poll_event(&mut inbox).unwrap().unwrap() {
                Event::Text(text) => text.as_bytes().as_ptr(),
                Event::Binary(bytes) => bytes.as_ptr(),
                Event::Ping(bytes) | Event::Pong(bytes) => bytes.as_ptr(),
                other => panic!("{other:?}"),
            };
            assert!(read.contains(&lent), "{first:x}: copied before it was lent");
        }
    }
}

/// An event borrows the inbox and not the connection.
#[test]
fn an_event_is_answered_while_it_is_looked_at() {
    let mut server = connection(Role::Server, &Config::default());
    let mut inbox = Inbox::new();
    filled(&mut inbox, &frame(Role::Server, 0x82, b"echo"));
    while let Some(event) = server.poll_event(&mut inbox).unwrap() {
        let Event::Binary(binary) = &event else {
            panic!("{event:?}")
        };
        server.send_binary(binary).unwrap();
        assert_eq!(&binary[..], b"echo");
    }
    assert_eq!(server.outgoing().chunk(), b"\x82\x04echo");
}

/// A conversation with headers of all lengths, a text that is cut inside a character by a fragment,
/// and control frames, short enough to be interrupted everywhere.
fn short_conversation(role: Role) -> Vec<u8> {
    [
        frame(role, 0x81, "grüße €".as_bytes()),
        frame(role, 0x01, b"caf\xc3"),
        frame(role, 0x89, b"ping"),
        frame(role, 0x00, b"\xa9 "),
        frame(role, 0x80, b"au lait"),
        frame(role, 0x02, b"\x00\x01\x02"),
        frame(role, 0x8a, b"pong"),
        frame(role, 0x80, &[9; 130]),
        frame(role, 0x82, b""),
        frame(role, 0x88, &[0x03, 0xe8]),
    ]
    .concat()
}

/// Feeds `bytes` cut at `at`, and lends the inbox to another connection in between.
fn interrupted(role: Role, config: &Config, bytes: &[u8], at: usize) -> Vec<Seen> {
    let mut feed = Feed::new(role, config);
    feed.push(&bytes[..at]);
    let parked = feed.connection.park(&mut feed.inbox);
    assert!(feed.inbox.unread().is_empty());

    let mut other = Feed::new(role, config);
    core::mem::swap(&mut other.inbox, &mut feed.inbox);
    other.push(&frame(role, 0x01, b"of another connection \xc3"));
    other.push(&frame(role, 0x80, &[0xa9; 1]));
    other.push(&frame(role, 0x82, &[1; 300]));
    other.push(&frame(role, 0x02, b"not ended")[..4]);
    core::mem::swap(&mut other.inbox, &mut feed.inbox);

    feed.inbox.resume(parked);
    feed.push(&bytes[at..]);
    assert_eq!(feed.error, None);
    feed.events
}

/// Parking in the middle of a header, a frame, a fragmented message, a character.
#[test]
fn a_connection_can_be_interrupted_after_every_byte() {
    for role in ROLES {
        for delivery in [Delivery::Whole, Delivery::Pieces] {
            let mut config = Config::default();
            config.delivery = delivery;
            let bytes = short_conversation(role);
            let plain = trace(role, &config, &bytes);
            assert_eq!(plain.error, None);
            for at in 0..=bytes.len() {
                let seen = interrupted(role, &config, &bytes, at);
                assert_eq!(seen, plain.events, "{role:?} {delivery:?} parked at {at}");
            }
        }
    }
}

/// Two connections take turns with one inbox, after every byte.
#[test]
fn two_connections_share_an_inbox() {
    for role in ROLES {
        let config = Config::default();
        let streams = [
            short_conversation(role),
            [
                frame(role, 0x01, "naïve".as_bytes()),
                frame(role, 0x80, b"!"),
            ]
            .concat(),
        ];
        let mut feeds = [Feed::new(role, &config), Feed::new(role, &config)];
        let mut parked = [None, None];
        let mut inbox = Inbox::new();
        let longest = streams.iter().map(Vec::len).max().unwrap();
        for (i, who) in (0..longest).flat_map(|i| [(i, 0), (i, 1)]) {
            let Some(byte) = streams[who].get(i) else {
                continue;
            };
            inbox.resume(parked[who].take().unwrap_or_default());
            core::mem::swap(&mut feeds[who].inbox, &mut inbox);
            feeds[who].push(&[*byte]);
            core::mem::swap(&mut feeds[who].inbox, &mut inbox);
            parked[who] = Some(feeds[who].connection.park(&mut inbox));
        }
        for (feed, stream) in feeds.iter().zip(&streams) {
            assert_eq!(feed.events, trace(role, &config, stream).events);
        }
    }
}

/// What is parked is what is incomplete and nothing more.
#[test]
fn parking_takes_the_incomplete_bytes_only() {
    let mut feed = Feed::new(Role::Server, &Config::default());
    feed.push(&frame(Role::Server, 0x82, &[0; 1000]));
    let parked = feed.connection.park(&mut feed.inbox);
    assert_eq!(format!("{parked:?}"), "Parked { bytes: 0, .. }");
    feed.inbox.resume(parked);
    feed.push(&frame(Role::Server, 0x02, &[0; 1000])[..510]); // 8 of them are the header
    let parked = feed.connection.park(&mut feed.inbox);
    assert_eq!(format!("{parked:?}"), "Parked { bytes: 502, .. }");
}

/// Released memory is given back unless it holds something.
#[test]
fn releasing_keeps_what_is_incomplete() {
    let bytes = short_conversation(Role::Server);
    let plain = trace(Role::Server, &Config::default(), &bytes);
    for at in 0..=bytes.len() {
        let mut feed = Feed::new(Role::Server, &Config::default());
        feed.push(&bytes[..at]);
        feed.inbox.release();
        feed.push(&bytes[at..]);
        assert_eq!((feed.error, feed.events), (None, plain.events.clone()));
    }
}

/// Room is always there, initialised, and as much as was asked for; more of it when reads fill it.
#[test]
fn the_room_adapts_to_the_reads() {
    let mut inbox = Inbox::new();
    assert!(!inbox.spare(0).is_empty());
    for at_least in [1, 5000, 100_000] {
        assert!(inbox.spare(at_least).len() >= at_least);
    }
    let mut inbox = Inbox::new();
    let mut rooms = Vec::new();
    for _ in 0..8 {
        let room = inbox.spare(0).len();
        rooms.push(room);
        inbox.received(room);
        inbox.consume(room);
    }
    assert!(rooms.is_sorted() && rooms[7] > rooms[0], "{rooms:?}");
    assert!(rooms[7] <= 64 * 1024, "{rooms:?}");
}

/// The room holds the rest of the frame in progress, as far as the bytes received allow.
#[test]
fn the_room_grows_with_the_frame_in_progress() {
    let bytes = frame(Role::Client, 0x82, &vec![3; 60_000]);
    let mut feed = Feed::new(Role::Client, &Config::default());
    feed.push(&bytes[..1000]);
    let rest = bytes.len() - 1000;
    assert!(feed.inbox.spare(0).len() >= rest + 14);
    feed.push(&bytes[1000..]);
    assert_eq!(feed.events, [Seen::Binary(vec![3; 60_000])]);
}

/// W5: a reader that claims to have filled more than the room.
#[test]
fn a_count_larger_than_the_room_is_cut() {
    let mut inbox = Inbox::new();
    let room = inbox.spare(0).len();
    inbox.received(room + 1);
    assert_eq!(inbox.unread().len(), room);
    inbox.received(usize::MAX);
    assert_eq!(inbox.unread().len(), room);
    inbox.consume(usize::MAX);
    assert!(inbox.unread().is_empty());
}

/// R6455-5.3-02: a payload that is unmasked as it arrives is not unmasked twice after an
/// interruption.
#[test]
fn a_masked_payload_survives_parking_at_every_byte() {
    let plain: Vec<u8> = (0..50).collect();
    let bytes = frame(Role::Server, 0x82, &plain);
    assert_eq!(bytes[2..6], KEY);
    let mut feed = Feed::new(Role::Server, &Config::default());
    for byte in &bytes {
        feed.push(&[*byte]);
        let parked = feed.connection.park(&mut feed.inbox);
        feed.inbox.resume(parked);
    }
    assert_eq!(feed.events, [Seen::Binary(plain)]);
}

/// A large message that is interrupted is not copied, a small one takes its own size, and neither
/// takes what another message has grown.
#[test]
fn parked_messages_take_what_they_need() {
    const LARGE: usize = 64 * 1024;
    for (held, grown, copied) in [
        (LARGE - 1, 0, true),
        (LARGE, 0, false),
        (10 * LARGE, 0, false),
        (LARGE, 10 * LARGE, true),
    ] {
        // In the block, and in the string that gathers a text.
        for grower in [0x82, 0x81] {
            let mut feed = Feed::new(Role::Server, &Config::default());
            feed.push(&frame(Role::Server, grower & 0x7f, b""));
            for piece in vec![0; grown].chunks(1000) {
                feed.push(&frame(Role::Server, 0x00, piece));
            }
            feed.push(&frame(Role::Server, 0x80, b""));
            let message = frame(Role::Server, 0x82, &vec![0; held + 1]);
            let (most, last) = message.split_at(message.len() - 1);
            feed.push(most);
            let mut parked = None;
            let info = measure(|| parked = Some(feed.connection.park(&mut feed.inbox)));
            let expected = if copied { held as u64 } else { 0 };
            let slack = info.bytes_total - expected;
            assert!(slack < 512, "{held} {grown} {grower}: {info:?}");
            assert_eq!(feed.events.len(), 1);
            feed.inbox.resume(parked.unwrap());
            feed.push(last);
            assert_eq!(feed.events.len(), 2);
        }
    }
}
