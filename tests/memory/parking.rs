//! What a connection gives back when it hands its memory on.

use allocation_counter::measure;
use bytes::Buf;
use fullduplex::connection::Parked;
use fullduplex::{CloseCode, Connection, Inbox, SendError};

use super::common::pair::{BINARY, CONTINUATION, FIN, PING, ROLES, TEXT, frame_to, timeless};
use super::kit::{connection, feed, flush, warm_up};

/// Something that needs memory which is not a buffer.
type Work = fn(&mut Connection, &mut Inbox);

fn receive(connection: &mut Connection, inbox: &mut Inbox, first: u8, payload: &[u8]) {
    let frame = frame_to(connection.role(), first, payload);
    feed(connection, inbox, &frame);
}

const WORK: [Work; 5] = [
    // A message in fragments.
    |connection, inbox| {
        for first in [TEXT, BINARY] {
            receive(connection, inbox, first & !FIN, b"in ");
            receive(connection, inbox, CONTINUATION, b"pieces");
        }
    },
    // One that is sent in frames, bit by bit.
    |connection, _| connection.send_binary(&[7; 5000]).unwrap(),
    // Some that are queued behind it.
    |connection, _| {
        for size in [5000, 10, 5000] {
            connection.send(vec![7; size]).unwrap();
        }
    },
    // A payload that is not copied.
    |connection, _| connection.send(vec![7; 50_000]).unwrap(),
    // A Pong that waits until less does.
    |connection, inbox| {
        connection.send_binary(&[7; 900]).unwrap();
        connection.send_binary(&[7; 900]).unwrap();
        receive(connection, inbox, PING, b"ping");
    },
];

/// Nothing stays on the heap, whatever the connection did, once that is done.
#[test]
fn whatever_was_done_leaves_nothing_on_the_heap() {
    let mut cut = timeless();
    cut.max_frame_payload = Some(1000);
    for role in ROLES {
        for config in [timeless(), cut.clone()] {
            warm_up(&config);
            for (number, work) in WORK.into_iter().enumerate() {
                let mut inbox = Inbox::new();
                let mut run = || {
                    let mut connection = connection(role, &config);
                    connection.resume(&mut inbox, Parked::default());
                    work(&mut connection, &mut inbox);
                    flush(&mut connection);
                    let parked = connection.park(&mut inbox);
                    (connection, parked)
                };
                let mut kept = vec![run(), run()]; // the inbox has its memory from now on
                kept.reserve(1);
                let info = measure(|| kept.push(run()));
                assert_eq!(info.bytes_current, 0, "{role:?} {number}: {info:?}");
            }
        }
    }
}

/// What was said at the end is not forgotten, and nothing can follow it.
#[test]
fn a_connection_that_has_closed_knows_it_after_parking() {
    for role in ROLES {
        let mut inbox = Inbox::new();
        let mut connection = connection(role, &timeless());
        connection.close(CloseCode::NORMAL, "done").unwrap();
        flush(&mut connection);
        let parked = connection.park(&mut inbox);
        connection.resume(&mut inbox, parked);
        assert_eq!(connection.send_text("more"), Err(SendError::Closed));
        connection.received_eof();
        let sent = connection.outcome().unwrap().sent.unwrap();
        assert_eq!(sent.reason, "done");
    }
}

/// In the middle of a message, what is known of it stays.
#[test]
fn a_message_that_is_incomplete_survives_parking() {
    for role in ROLES {
        for first in [TEXT, BINARY] {
            let mut inbox = Inbox::new();
            let mut connection = connection(role, &timeless());
            receive(&mut connection, &mut inbox, first & !FIN, b"in ");
            let parked = connection.park(&mut inbox);
            connection.resume(&mut inbox, parked);
            let end = frame_to(role, CONTINUATION, b"pieces");
            assert_eq!(feed(&mut connection, &mut inbox, &end), (1, None));
        }
    }
}

/// A connection that still has something to write queues into its own memory, and leaves that of the
/// inbox to whoever comes next.
#[test]
fn a_queue_that_is_not_empty_leaves_the_inbox_its_buffer() {
    warm_up(&timeless());
    let mut inbox = Inbox::new();
    let mut busy = Connection::server(&timeless());
    busy.send_binary(&[7; 1000]).unwrap();
    let mut others = [(); 2].map(|()| Connection::server(&timeless()));
    let talk = |connection: &mut Connection, inbox: &mut Inbox| {
        connection.resume(inbox, Parked::default());
        connection.send_binary(&[8; 1000]).unwrap();
        flush(connection);
        connection.park(inbox);
    };
    talk(&mut others[0], &mut inbox);
    let info = measure(|| {
        busy.resume(&mut inbox, Parked::default());
        busy.park(&mut inbox);
        talk(&mut others[1], &mut inbox);
    });
    assert_eq!(info.count_total, 0, "{info:?}");
    assert_eq!(busy.outgoing().remaining(), 1004);
}

/// A quarter of the memory is a small use, and one byte more is none: 16 small ones in a row give the
/// memory back.
#[test]
fn sixteen_uses_of_a_quarter_give_memory_back() {
    const CAPACITY: usize = 512 * 1024;
    const HEADER: usize = 10;
    for (size, is_given_back) in [(CAPACITY / 4, true), (CAPACITY / 4 + 1, false)] {
        let mut connection = Connection::server(&timeless());
        let payload = vec![7; CAPACITY];
        let mut write = |size: usize| {
            connection.send_binary(&payload[..size - HEADER]).unwrap();
            flush(&mut connection);
        };
        write(CAPACITY);
        write(size);
        let info = measure(|| (1..16).for_each(|_| write(1000)));
        let given_back = usize::try_from(-info.bytes_current).unwrap();
        let expected = if is_given_back { CAPACITY } else { 0 };
        assert_eq!(given_back, expected, "{size}: {info:?}");
    }
}

/// A queue that is never empty uses the front of its memory again.
#[test]
fn a_queue_that_is_never_empty_does_not_grow() {
    const KIB: usize = 1024;
    for role in ROLES {
        for waiting in [10, 100] {
            let mut connection = connection(role, &timeless());
            let payload = vec![7; KIB];
            let info = measure(|| {
                for _ in 0..waiting {
                    connection.send_binary(&payload).unwrap();
                }
                for _ in 0..5000 {
                    connection.send_binary(&payload).unwrap();
                    let outgoing = connection.outgoing();
                    outgoing.advance(outgoing.remaining() - waiting * KIB);
                }
            });
            // Written bytes may be as many as wait, or 64 KiB; and a buffer doubles.
            let most = 2 * (2 * waiting.max(64) + 10) * KIB;
            assert!(info.bytes_max < most as u64 * 3 / 2, "{waiting}: {info:?}");
        }
    }
}
