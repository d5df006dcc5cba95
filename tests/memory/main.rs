//! Memory per connection, measured: what a peer can make it take, and what is given back.
//!
//! The counting allocator counts per thread, so the tests do not disturb each other. It treats
//! growing a buffer as taking the new one before the old one is given back, which is the worst that
//! an allocator does; the peaks here are upper bounds in that sense.

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[path = "../common/mod.rs"]
mod common;
mod kit;
mod parking;

use std::mem;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use common::pair::{BINARY, CONTINUATION, FIN, PING, ROLES, TEXT, close_to, frame_to, timeless};
use fullduplex::connection::Parked;
use fullduplex::{CloseCode, Config, Connection, Inbox, Message, ReceiveError, Role};
use kit::{assert_at_most, connection, feed, flush, warm_up};

const KIB: u64 = 1024;

/// What the smallest reads and the bookkeeping take, whatever the limits are.
const SLACK: u64 = 64 * KIB;

/// What is known of a message that does not come whole, or of a fault.
const STATE: u64 = 128;

/// Runs `work` on a fresh server connection and tells what it took at most and kept.
fn on_a_server(config: &Config, work: impl FnOnce(&mut Connection, &mut Inbox)) -> AllocationInfo {
    warm_up(config);
    let mut kept = None;
    let info = measure(|| {
        let mut connection = Connection::server(config);
        let mut inbox = Inbox::new();
        work(&mut connection, &mut inbox);
        kept = Some((connection, inbox));
    });
    drop(kept);
    info
}

/// F4, F5: a million empty messages take no allocation, and little time for each.
#[test]
fn a_million_empty_messages_take_no_allocation() {
    let mut connection = Connection::server(&timeless());
    let mut inbox = Inbox::new();
    let flood = frame_to(Role::Server, BINARY, b"").repeat(10_000);
    for _ in 0..3 {
        feed(&mut connection, &mut inbox, &flood); // reads reach their size
    }
    let info = measure(|| {
        for _ in 0..100 {
            let (events, error) = feed(&mut connection, &mut inbox, &flood);
            assert_eq!((events, error), (10_000, None));
        }
    });
    assert_eq!(info.count_total, 0);
}

/// L3, L6, R6455-10.4-01: a header that declares as much as the limit allows takes no more than the
/// first read, and a longer one nothing more either.
#[test]
fn a_declared_length_takes_no_memory() {
    let limit = Config::default().limits.max_message;
    for length in [limit, limit + 1, (1 << 63) - 1] {
        for first in [BINARY, TEXT, BINARY & !FIN, TEXT & !FIN] {
            let mut header = vec![first, 0xff];
            header.extend(length.to_be_bytes());
            header.extend([0; 4]);
            let info = on_a_server(&timeless(), |connection, inbox| {
                let (events, error) = feed(connection, inbox, &header);
                assert_eq!((events, error.is_some()), (0, length > limit));
                inbox.spare(0); // what the next read would take
            });
            // The first read takes 4 KiB and the next one 64, so none takes more.
            assert!(info.bytes_total <= 68 * KIB + STATE, "{info:?}");
            let kept = u64::try_from(info.bytes_current).unwrap();
            assert!(kept <= 64 * KIB + STATE, "{info:?}");
        }
    }
}

/// L3: with the limits off, the largest length that can be declared takes nothing either.
#[test]
fn without_limits_a_declared_length_takes_no_memory() {
    let mut config = timeless();
    config.limits.max_frame = u64::MAX;
    config.limits.max_message = u64::MAX;
    for first in [BINARY, TEXT] {
        let header = [
            first, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0,
        ];
        let info = on_a_server(&config, |connection, inbox| {
            assert_eq!(feed(connection, inbox, &header), (0, None));
            inbox.spare(0);
        });
        assert_at_most(&info, SLACK + 4 * KIB + STATE);
    }
}

/// L3, R6455-10.4-01: while a message arrives, what is taken follows what has come: twice that and
/// 64 KiB, growing a buffer aside, for which the old one is kept until it is copied.
#[test]
fn memory_follows_the_bytes_that_have_come() {
    for first in [BINARY, TEXT] {
        let payload = vec![b'x'; 4 * 1024 * 1024];
        let mut frame = frame_to(Role::Server, first, &payload);
        frame.pop(); // the message stays incomplete
        for come in [1, 10, 100, 1_000, 4_000].map(|kib| kib * 1024) {
            let info = on_a_server(&timeless(), |connection, inbox| {
                assert_eq!(feed(connection, inbox, &frame[..come]), (0, None));
            });
            let kept = u64::try_from(info.bytes_current).unwrap();
            let come = come as u64;
            assert!(kept <= 2 * come + SLACK, "{first:#x}: {kept} for {come}");
            assert_at_most(&info, 3 * come + SLACK);
        }
    }
}

/// The figure that `Limits` documents, for a message of exactly the limit however it is cut: twice
/// the message and 64 KiB kept, three times it and 64 KiB at the moment of growing.
#[test]
fn a_message_of_the_limit_takes_what_is_documented() {
    const LIMIT: usize = 1024 * 1024;
    let mut config = timeless();
    config.limits.max_message = LIMIT as u64;
    for first in [BINARY, TEXT] {
        for fragment in [LIMIT, LIMIT / 2, 64 * 1024, 4_096, 1_025] {
            let payload = vec![b'x'; LIMIT];
            let mut wire = Vec::new();
            for (index, piece) in payload.chunks(fragment).enumerate() {
                let opcode = if index == 0 { first & !FIN } else { 0 };
                let fin = if (index + 1) * fragment >= LIMIT {
                    FIN
                } else {
                    0
                };
                wire.extend(frame_to(Role::Server, opcode | fin, piece));
            }
            let info = on_a_server(&config, |connection, inbox| {
                assert_eq!(feed(connection, inbox, &wire), (1, None));
            });
            let kept = u64::try_from(info.bytes_current).unwrap();
            let limit = LIMIT as u64;
            assert!(kept <= 2 * limit + SLACK, "{first:#x}/{fragment}: {kept}");
            assert_at_most(&info, 3 * limit + SLACK);
        }
    }
}

/// W2: a million Pings of which no answer is read take a few KiB.
#[test]
fn a_million_unread_pings_take_a_few_kib() {
    let pings = frame_to(Role::Server, PING, &[7; 125]).repeat(100);
    let info = on_a_server(&timeless(), |connection, inbox| {
        for _ in 0..10_000 {
            assert_eq!(feed(connection, inbox, &pings), (100, None));
        }
        assert!(connection.queued() <= 1024 + 127);
    });
    assert_at_most(&info, SLACK);
}

/// F2, F5: empty fragments are counted; at the default limit the connection fails with 1008.
#[test]
fn a_million_empty_fragments_fail_the_connection() {
    let mut wire = frame_to(Role::Server, TEXT & !FIN, b"");
    wire.extend(frame_to(Role::Server, 0, b"").repeat(1_000_000));
    let info = on_a_server(&timeless(), |connection, inbox| {
        let (events, error) = feed(connection, inbox, &wire);
        assert_eq!(events, 0);
        assert_eq!(
            error,
            Some(ReceiveError::TooManyFragments { limit: 131_072 })
        );
        assert_eq!(error.unwrap().close_code(), Some(CloseCode::POLICY));
    });
    assert_at_most(&info, 3 * SLACK);
}

/// F2, F5: with the limit raised they take time, a little, and no memory.
#[test]
fn a_million_empty_fragments_take_no_memory() {
    let mut config = timeless();
    config.limits.max_fragments = u32::MAX;
    for first in [BINARY, TEXT] {
        let mut wire = frame_to(Role::Server, first & !FIN, b"");
        wire.extend(frame_to(Role::Server, 0, b"").repeat(1_000_000));
        wire.extend(frame_to(Role::Server, CONTINUATION, b""));
        let info = on_a_server(&config, |connection, inbox| {
            assert_eq!(feed(connection, inbox, &wire), (1, None));
        });
        assert_at_most(&info, 3 * SLACK);
    }
}

/// F1: 132,000 fragments of one byte take twice their payload and 64 KiB, far less than they took
/// on the wire; at the default limit the connection fails.
#[test]
fn a_flood_of_tiny_fragments_takes_little_memory() {
    const FRAGMENTS: usize = 132_000;
    for first in [BINARY, TEXT] {
        let mut wire = frame_to(Role::Server, first & !FIN, b"a");
        wire.extend(frame_to(Role::Server, 0, b"a").repeat(FRAGMENTS));
        let mut config = timeless();
        config.limits.max_fragments = u32::MAX;
        let info = on_a_server(&config, |connection, inbox| {
            assert_eq!(feed(connection, inbox, &wire), (0, None));
        });
        let kept = u64::try_from(info.bytes_current).unwrap();
        assert!(
            kept <= 2 * FRAGMENTS as u64 + SLACK,
            "{first:#x}: {kept} kept"
        );
        assert!(kept * 5 < wire.len() as u64 * 2, "under 0.4 of the wire");

        let info = on_a_server(&timeless(), |connection, inbox| {
            let (_, error) = feed(connection, inbox, &wire);
            assert_eq!(
                error,
                Some(ReceiveError::TooManyFragments { limit: 131_072 })
            );
        });
        // While the block doubles, the old one is there, too.
        assert_at_most(&info, 3 * FRAGMENTS as u64 + SLACK);
    }
}

/// W1: what a peer that never reads can make an application queue: the high-water mark and one
/// message, of which a buffer that grew may hold as much again.
#[test]
fn a_queue_that_is_never_written_is_bounded() {
    const MESSAGE: usize = 16 * 1024;
    let mark = Config::default().limits.max_outgoing as u64;
    for role in ROLES {
        for owned in [false, true] {
            let mut kept = None;
            let info = measure(|| {
                let mut connection = connection(role, &timeless());
                let payload = [7; MESSAGE];
                for _ in 0..1_000 {
                    let _ = if owned {
                        let sent = connection.send(Message::binary(payload.to_vec()));
                        sent.map_err(|unsent| unsent.error)
                    } else {
                        connection.send_binary(&payload)
                    };
                }
                kept = Some(connection);
            });
            let bound = 2 * (mark + MESSAGE as u64) + SLACK;
            let bytes = u64::try_from(info.bytes_current).unwrap();
            assert!(bytes <= bound, "{role:?}, {bytes} bytes");
            assert_at_most(&info, bound + bound / 2);
        }
    }
}

/// An idle connection takes at most 224 bytes, and no heap once it is parked.
#[test]
fn an_idle_connection_holds_no_heap() {
    let size = size_of::<Connection>();
    assert!(size <= 224, "{size} bytes");
    warm_up(&Config::default());
    for role in ROLES {
        let mut inbox = Inbox::new();
        let message = frame_to(role, TEXT, b"hello");
        let ping = frame_to(role, PING, b"hello");
        let talk = |inbox: &mut Inbox| {
            let mut connection = connection(role, &Config::default());
            let mut parked = Parked::default();
            for _ in 0..3 {
                connection.resume(inbox, mem::take(&mut parked));
                feed(&mut connection, inbox, &message);
                feed(&mut connection, inbox, &ping);
                connection.send_text("hello").unwrap();
                connection.send(Message::text("hello")).unwrap();
                flush(&mut connection);
                connection.handle_timeout(Duration::ZERO);
                parked = connection.park(inbox);
            }
            (connection, parked)
        };
        let mut kept = vec![talk(&mut inbox)]; // whose buffer the inbox has from now on
        kept.reserve(1);
        let info = measure(|| kept.push(talk(&mut inbox)));
        assert_eq!(info.bytes_current, 0, "{role:?}");
        assert_eq!(info.count_current, 0, "{role:?}");
    }
}

/// The memory of a queue goes with the inbox to whoever has it next, up to 256 KiB of it.
#[test]
fn the_memory_of_a_large_queue_is_not_kept() {
    const HEADER: usize = 10;
    warm_up(&timeless());
    for (size, is_kept) in [(256 * 1024, true), (256 * 1024 + 1, false)] {
        let payload = vec![b'x'; size - HEADER];
        let mut inbox = Inbox::new();
        let mut talk = || {
            let mut connection = connection(Role::Server, &timeless());
            connection.resume(&mut inbox, Parked::default());
            connection.send_binary(&payload).unwrap();
            flush(&mut connection);
            connection.park(&mut inbox);
        };
        talk();
        let info = measure(talk);
        assert_eq!(info.count_total == 0, is_kept, "{size}: {info:?}");
    }
}

/// What is parked in the middle of a text takes its own size, whatever room the text had to grow.
#[test]
fn a_parked_text_takes_its_own_size() {
    warm_up(&timeless());
    for role in ROLES {
        let start = frame_to(role, TEXT & !FIN, &[b'x'; 10_000]);
        let more = frame_to(role, CONTINUATION & !FIN, b"y");
        let mut parked = None;
        let info = measure(|| {
            let mut connection = connection(role, &timeless());
            let mut inbox = Inbox::new();
            feed(&mut connection, &mut inbox, &start);
            feed(&mut connection, &mut inbox, &more);
            parked = Some(connection.park(&mut inbox));
        });
        let kept = u64::try_from(info.bytes_current).unwrap();
        assert!(
            (10_001..=10_001 + 2 * STATE).contains(&kept),
            "{role:?}: {kept}"
        );
    }
}

/// A connection that has closed gives everything back when it is dropped, on each path.
#[test]
fn nothing_leaks() {
    let long = "x".repeat(100_000);
    warm_up(&timeless());
    let info = measure(|| {
        for role in ROLES {
            for ending in [close_to(role, 1000, "reason"), vec![0xff]] {
                let mut connection = connection(role, &timeless());
                let mut inbox = Inbox::new();
                feed(
                    &mut connection,
                    &mut inbox,
                    &frame_to(role, TEXT, long.as_bytes()),
                );
                connection.send(Message::text(long.clone())).unwrap();
                feed(&mut connection, &mut inbox, &ending);
                connection.received_eof();
                assert!(connection.outcome().is_some());
            }
        }
    });
    assert_eq!(info.bytes_current, 0);
}

/// After a burst of large messages the memory is given back within a few small ones, on the
/// receiving and on the sending side.
#[test]
fn a_burst_of_large_messages_does_not_keep_its_memory() {
    let large = vec![b'x'; 1024 * 1024];
    for role in ROLES {
        for first in [BINARY, TEXT] {
            let burst = frame_to(role, first, &large);
            let cut = [
                frame_to(role, first & !FIN, &large),
                frame_to(role, CONTINUATION, &large),
            ]
            .concat();
            let small = frame_to(role, first, b"x");
            let mut kept = None;
            let info = measure(|| {
                let mut connection = connection(role, &timeless());
                let mut inbox = Inbox::new();
                for _ in 0..3 {
                    assert_eq!(feed(&mut connection, &mut inbox, &burst), (1, None));
                    assert_eq!(feed(&mut connection, &mut inbox, &cut), (1, None));
                    connection.send_binary(&large).unwrap();
                    flush(&mut connection);
                    connection.send(large.clone()).unwrap();
                    flush(&mut connection);
                }
                for _ in 0..40 {
                    assert_eq!(feed(&mut connection, &mut inbox, &small), (1, None));
                    connection.send_binary(b"x").unwrap();
                    flush(&mut connection);
                }
                kept = Some((connection, inbox));
            });
            let bytes = info.bytes_current;
            assert!(
                bytes <= 80 * 1024,
                "{role:?}, {first:#x}: {bytes} bytes kept"
            );
        }
    }
}

/// A stream of large messages reuses its memory instead of taking it anew for each.
#[test]
fn a_stream_of_large_messages_reuses_its_memory() {
    let frame = frame_to(Role::Server, BINARY, &vec![b'x'; 256 * 1024]);
    let mut connection = Connection::server(&timeless());
    let mut inbox = Inbox::new();
    feed(&mut connection, &mut inbox, &frame);
    feed(&mut connection, &mut inbox, &frame);
    let info = measure(|| {
        for _ in 0..100 {
            assert_eq!(feed(&mut connection, &mut inbox, &frame), (1, None));
        }
    });
    assert_eq!(info.count_total, 0);
}

/// A large payload that the application keeps is not copied: receiving it takes one block, and
/// detaching it no second one.
#[test]
fn detaching_a_large_payload_does_not_copy_it() {
    let frame = frame_to(Role::Server, BINARY, &vec![b'x'; 1024 * 1024]);
    let mut connection = Connection::server(&timeless());
    let mut inbox = Inbox::new();
    inbox.spare(frame.len())[..frame.len()].copy_from_slice(&frame);
    inbox.received(frame.len());
    let info = measure(|| {
        let event = connection.poll_event(&mut inbox).unwrap().unwrap();
        assert_eq!(event.into_message().unwrap().len(), 1024 * 1024);
    });
    assert!(info.bytes_total < 1_000, "{info:?}");
}
