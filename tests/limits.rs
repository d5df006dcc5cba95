//! Limits on what is received (RFC 6455, section 10.4): each at the limit and next to it.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::feed::{
    Feed, KEY, ROLES, Seen, assert_fails_with, assert_receives, binary, fails_after, frame, header,
    hex, text,
};
use fullduplex::{Config, Delivery, Limits, ReceiveError, Role};

const MIB: u64 = 1024 * 1024;

fn config(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

/// Limits at their types' maximum, which turns them off.
fn unlimited() -> Config {
    config(|limits| {
        limits.max_frame = u64::MAX;
        limits.max_message = u64::MAX;
        limits.max_fragments = u32::MAX;
    })
}

const fn frame_too_big(length: u64, limit: u64) -> ReceiveError {
    ReceiveError::FrameTooBig { length, limit }
}

const fn message_too_big(limit: u64) -> ReceiveError {
    ReceiveError::MessageTooBig { limit }
}

const fn too_many_fragments(limit: u32) -> ReceiveError {
    ReceiveError::TooManyFragments { limit }
}

/// R6455-10.4-01: at the limit it passes; one byte more, and the header alone fails.
#[test]
fn a_frame_may_be_as_large_as_the_limit() {
    for role in ROLES {
        for limit in [0, 1, 100, 125, 126, 1000, 65_535, 65_536] {
            let config = config(|limits| limits.max_frame = limit);
            let payload = |length: u64| vec![b'a'; usize::try_from(length).unwrap_or(0)];
            for length in [limit.saturating_sub(1), limit] {
                let bytes = frame(role, 0x82, &payload(length));
                assert_receives(role, &config, &bytes, &[binary(payload(length))]);
                let continued = [frame(role, 0x02, b""), frame(role, 0x80, &payload(length))];
                let continued = continued.concat();
                assert_receives(role, &config, &continued, &[binary(payload(length))]);
            }
            let error = frame_too_big(limit + 1, limit);
            for bytes in [
                header(role, 0x82, limit + 1),
                header(role, 0x81, limit + 1),
                [frame(role, 0x01, b""), header(role, 0x80, limit + 1)].concat(),
            ] {
                assert_eq!(fails_after(role, &config, &bytes), Some(bytes.len()));
                assert_fails_with(role, &config, &bytes, error, 1009);
            }
        }
    }
}

/// R6455-10.4-01: at the limit it passes, in one frame or many; one byte more, and the header of the
/// frame that crosses it fails.
#[test]
fn a_message_may_be_as_large_as_the_limit() {
    for role in ROLES {
        for limit in [0, 1, 10, 125, 126, 1000] {
            let config = config(|limits| limits.max_message = limit as u64);
            for length in [limit.max(1) - 1, limit] {
                for at in [0, length / 2, length] {
                    let payload = "m".repeat(length);
                    let (head, tail) = payload.split_at(at);
                    let whole = frame(role, 0x81, payload.as_bytes());
                    assert_receives(role, &config, &whole, &[text(&payload)]);
                    let parts = [
                        frame(role, 0x01, head.as_bytes()),
                        frame(role, 0x80, tail.as_bytes()),
                    ];
                    assert_receives(role, &config, &parts.concat(), &[text(&payload)]);
                }
            }
            let error = message_too_big(limit as u64);
            let whole = header(role, 0x82, limit as u64 + 1);
            assert_eq!(fails_after(role, &config, &whole), Some(whole.len()));
            assert_fails_with(role, &config, &whole, error, 1009);
            for at in [0, limit / 2, limit] {
                let parts = [
                    frame(role, 0x02, &vec![7; at]),
                    header(role, 0x80, (limit - at) as u64 + 1),
                ]
                .concat();
                assert_eq!(fails_after(role, &config, &parts), Some(parts.len()));
                assert_fails_with(role, &config, &parts, error, 1009);
            }
        }
    }
}

/// R6455-10.4-01: exactly 16 MiB pass at the default, in one frame and in several.
#[test]
fn a_message_of_the_default_limit_passes() {
    let limits = Limits::default();
    assert_eq!(limits.max_message, 16 * MIB);
    assert_eq!(limits.max_frame, 18 * MIB);
    let payload: Vec<u8> = (0..16 * 1024 * 1024_u32).map(|i| (i >> 7) as u8).collect();
    let role = Role::Client; // which spares this test the masking
    let (head, tail) = payload.split_at(payload.len() / 3);
    for bytes in [
        frame(role, 0x82, &payload),
        [frame(role, 0x02, head), frame(role, 0x80, tail)].concat(),
    ] {
        let mut feed = Feed::new(role, &Config::default());
        feed.read(&bytes);
        assert_eq!(feed.error, None);
        assert!(feed.events == [binary(payload.clone())]);
    }
    let over = header(role, 0x82, 16 * MIB + 1);
    let error = message_too_big(16 * MIB);
    assert_fails_with(role, &Config::default(), &over, error, 1009);
}

/// R6455-10.4-01, F3: frames of the largest size, one more than the message limit holds, with a Ping
/// in between that must not reset the sum.
#[test]
fn the_message_limit_counts_all_fragments() {
    for role in ROLES {
        let config = config(|limits| {
            limits.max_frame = 64;
            limits.max_message = 64 * 5;
        });
        let mut bytes = frame(role, 0x02, &[1; 64]);
        for _ in 0..4 {
            bytes.extend(frame(role, 0x89, b"reset?"));
            bytes.extend(frame(role, 0x00, &[1; 64]));
        }
        let full = [bytes.clone(), frame(role, 0x80, b"")].concat();
        let mut events = vec![Seen::Ping(b"reset?".to_vec()); 4];
        events.push(binary([1; 64 * 5]));
        assert_receives(role, &config, &full, &events);

        bytes.extend(header(role, 0x00, 1));
        assert_eq!(fails_after(role, &config, &bytes), Some(bytes.len()));
        let events = assert_fails_with(role, &config, &bytes, message_too_big(320), 1009);
        assert_eq!(events.len(), 4);
    }
}

/// R6455-10.4-01: each message counts for itself.
#[test]
fn the_limits_count_anew_for_each_message() {
    for role in ROLES {
        let config = config(|limits| {
            limits.max_message = 10;
            limits.max_fragments = 2;
        });
        let mut bytes = Vec::new();
        for _ in 0..5 {
            bytes.extend(frame(role, 0x82, &[1; 10]));
            bytes.extend(frame(role, 0x02, &[1; 5]));
            bytes.extend(frame(role, 0x80, &[1; 5]));
        }
        assert_receives(role, &config, &bytes, &vec![binary([1; 10]); 10]);
    }
}

/// R6455-10.4-01: what a control frame may carry is fixed by section 5.5.
#[test]
fn the_limits_on_data_do_not_touch_control_frames() {
    for role in ROLES {
        let config = config(|limits| {
            limits.max_frame = 0;
            limits.max_message = 0;
        });
        let bytes = [
            frame(role, 0x89, &[1; 125]),
            frame(role, 0x82, b""),
            frame(role, 0x8a, &[2; 125]),
        ];
        let events = [
            Seen::Ping(vec![1; 125]),
            binary(""),
            Seen::Pong(vec![2; 125]),
        ];
        assert_receives(role, &config, &bytes.concat(), &events);
    }
}

/// `count` fragments of `payload`, the last of which ends the message if `fin`.
fn fragments(role: Role, count: u32, payload: &[u8], fin: bool) -> Vec<u8> {
    (0..count)
        .flat_map(|i| {
            let last = if fin && i + 1 == count { 0x80 } else { 0 };
            frame(role, u8::from(i == 0) | last, payload)
        })
        .collect()
}

/// R6455-5.4-04, R6455-10.4-01: each at the limit and next to it; the header of the one too many
/// fails.
#[test]
fn a_message_may_have_as_many_fragments_as_the_limit() {
    for role in ROLES {
        for limit in [1, 2, 3, 50] {
            let config = config(|limits| limits.max_fragments = limit);
            for payload in ["", "x"] {
                for count in [limit.max(2) - 1, limit] {
                    let bytes = fragments(role, count, payload.as_bytes(), true);
                    let message = text(&payload.repeat(count as usize));
                    assert_receives(role, &config, &bytes, &[message]);
                }
                let mut bytes = fragments(role, limit, payload.as_bytes(), false);
                bytes.extend(frame(role, 0x89, b""));
                bytes.extend(header(role, 0x80, payload.len() as u64));
                let error = too_many_fragments(limit);
                assert_eq!(fails_after(role, &config, &bytes), Some(bytes.len()));
                assert_fails_with(role, &config, &bytes, error, 1008);
            }
        }
    }
}

/// R6455-10.4-01, F1: fragments of one byte end at the limit; 131,000 of them are within it.
#[test]
fn a_flood_of_tiny_fragments_fails_at_the_default_limit() {
    let bytes = [
        hex("01 81 00 00 00 00 61"),
        hex("00 81 00 00 00 00 61").repeat(131_072),
    ];
    let mut feed = Feed::new(Role::Server, &Config::default());
    feed.read(&bytes.concat());
    assert_eq!(feed.error, Some(too_many_fragments(131_072)));
    assert_eq!(feed.events, []);
    assert!(feed.inbox.spare(0).len() <= 64 * 1024);

    // Where the limit is off they are a message like any other.
    let mut feed = Feed::new(Role::Server, &unlimited());
    feed.read(&bytes.concat());
    feed.push(&hex("80 80 00 00 00 00"));
    assert_eq!(feed.events, [text(&"a".repeat(131_073))]);
}

/// R6455-10.4-01, F2: they slip past limits that count bytes.
#[test]
fn a_flood_of_empty_fragments_fails_at_the_default_limit() {
    let bytes = [
        hex("01 80 00 00 00 00"),
        hex("00 80 00 00 00 00").repeat(1_000_000),
    ];
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        let mut config = Config::default();
        config.delivery = delivery;
        let mut feed = Feed::new(Role::Server, &config);
        feed.read(&bytes.concat());
        assert_eq!(feed.error, Some(too_many_fragments(131_072)));
        assert_eq!(feed.events, []);
        let bytes = bytes.concat();
        let at = fails_after(Role::Server, &config, &bytes[..6 * 131_074]);
        assert_eq!(at, Some(6 * 131_073), "with the header of the one too many");
    }
}

/// W6: unsolicited Pongs cause no answer and are not kept; empty messages neither (F4).
#[test]
fn a_flood_of_pongs_or_empty_messages_leaves_nothing_behind() {
    for one in [
        "8a 80 00 00 00 00",
        "8a 81 00 00 00 00 70",
        "82 80 00 00 00 00",
    ] {
        let bytes = hex(one).repeat(1000);
        let mut feed = Feed::new(Role::Server, &Config::default());
        let mut events = 0;
        for _ in 0..200 {
            feed.read(&bytes);
            events += feed.take_events().len();
            assert_eq!(feed.error, None);
            assert!(!feed.connection.wants_write());
            assert_eq!(feed.connection.queued(), 0);
            assert!(feed.inbox.spare(0).len() <= 64 * 1024);
        }
        assert_eq!(events, 200_000);
    }
}

/// R6455-10.4-01, L3: the room follows the bytes that have come.
#[test]
fn a_declared_length_allocates_nothing() {
    for role in ROLES {
        for kind in [0x81, 0x82, 0x01, 0x02] {
            let mut feed = Feed::new(role, &Config::default());
            feed.push(&header(role, kind, 16 * MIB));
            assert_eq!((feed.error, feed.events.len()), (None, 0));
            assert!(feed.inbox.spare(0).len() <= 64 * 1024);

            let mut received = 0;
            while received < 4 * MIB {
                let room = feed.inbox.spare(0);
                let allowed = received + 64 * 1024;
                let offered = room.len() as u64;
                assert!(offered <= allowed, "{offered} offered after {received}");
                for (byte, i) in room.iter_mut().zip(received..) {
                    let key = if role == Role::Server {
                        KEY[i as usize % 4]
                    } else {
                        0
                    };
                    *byte = b'a' ^ key;
                }
                received += offered;
                feed.inbox.received(offered as usize);
                feed.poll();
                assert_eq!((feed.error, feed.events.len()), (None, 0));
            }

            let over = header(role, kind, 16 * MIB + 1);
            let mut feed = Feed::new(role, &Config::default());
            feed.push(&over);
            assert_eq!(feed.error, Some(message_too_big(16 * MIB)));
            assert!(feed.inbox.spare(0).len() <= 4 * 1024);
        }
    }
}

/// R6455-10.4-01, L3: measured, in the middle of a frame that declares the limit, and of a message
/// in fragments. The sizes lie right behind those at which memory that doubles has just doubled.
#[test]
fn memory_is_twice_what_has_come_plus_64_kib() {
    let claim = |kind| header(Role::Client, kind, 16 * MIB);
    let fragment = |first| frame(Role::Client, first, &[b'a'; 1000]);
    for kind in [0x01, 0x02] {
        for payload in [1, 33_000, 65_600, 131_100, 262_300, 400_000, 1_048_700] {
            let whole = [claim(0x80 | kind), vec![b'a'; payload]].concat();
            let parts = [fragment(kind), fragment(0x00).repeat(payload / 1000)].concat();
            for bytes in [whole, parts] {
                for read in [100, 5000, usize::MAX] {
                    let mut kept = None;
                    let info = allocation_counter::measure(|| {
                        let mut feed = Feed::new(Role::Client, &Config::default());
                        for chunk in bytes.chunks(read.min(bytes.len())) {
                            feed.read(chunk);
                        }
                        kept = Some(feed);
                    });
                    let held = u64::try_from(info.bytes_current).unwrap_or(0);
                    let allowed = 2 * bytes.len() as u64 + 65 * 1024; // 1 KiB for all but the inbox
                    assert!(
                        held <= allowed,
                        "{held} for {}, {kind}, {read}",
                        bytes.len()
                    );
                    assert_eq!(kept.map(|feed| feed.error), Some(None));
                }
            }
        }
    }
}

/// L5: with the limits off, a length that no memory holds is waited for and not reserved.
#[test]
fn without_limits_memory_still_follows_the_bytes() {
    for role in ROLES {
        for length in [u64::from(u32::MAX), 1 << 40, (1 << 63) - 1] {
            for delivery in [Delivery::Whole, Delivery::Pieces] {
                let mut config = unlimited();
                config.delivery = delivery;
                let mut feed = Feed::new(role, &config);
                feed.push(&header(role, 0x02, length));
                for _ in 0..10 {
                    assert!(feed.inbox.spare(0).len() <= 64 * 1024);
                    feed.push(&[0; 500]);
                }
                assert_eq!(feed.error, None);
            }
        }
    }
}

/// R6455-10.4-01: pieces are not kept, but their message is as limited as any.
#[test]
fn the_limits_hold_for_messages_in_pieces() {
    for role in ROLES {
        let mut config = config(|limits| {
            limits.max_message = 10;
            limits.max_frame = 8;
            limits.max_fragments = 3;
        });
        config.delivery = Delivery::Pieces;
        let begun = frame(role, 0x02, &[1; 6]);
        for (rest, error, code) in [
            (header(role, 0x80, 5), message_too_big(10), 1009),
            (header(role, 0x80, 9), frame_too_big(9, 8), 1009),
            (
                [
                    frame(role, 0x00, b""),
                    frame(role, 0x00, b""),
                    header(role, 0x00, 0),
                ]
                .concat(),
                too_many_fragments(3),
                1008,
            ),
        ] {
            let bytes = [&begun[..], &rest].concat();
            assert_eq!(fails_after(role, &config, &bytes), Some(bytes.len()));
            let events = assert_fails_with(role, &config, &bytes, error, code);
            assert_eq!(events.len(), 1, "the piece before the fault");
        }
    }
}
