//! What connections hold that compress, against bombs and between messages.
//!
//! One test, as what it counts is the whole process's.
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

use core::num::NonZero;
use std::alloc::System;
use std::sync::{Barrier, Mutex};
use std::thread;

use bytes::Buf;
use cap::Cap;
use codec::{deflater, inflater};
use common::feed::{ROLES, frame};
use deflated::{BINARY, OFF, ON, TEXT, Terms, drain, handshake};
use fullduplex::deflate::codec::{Deflater, End};
use fullduplex::deflate::{Compress, Deflate, Level, MemoryLevel};
use fullduplex::{Config, Connection, Delivery, Inbox, Message, MessageKind, ReceiveError, Role};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The most that `work` holds at once beyond what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    // The peak cannot be lowered, so this is raised to it.
    let room = ALLOCATOR.max_allocated() - ALLOCATOR.allocated();
    let ballast = Vec::<u8>::with_capacity(room);
    let before = ALLOCATOR.max_allocated();
    let result = work();
    let peak = ALLOCATOR.max_allocated() - before;
    drop(ballast);
    (peak, result)
}

/// Reads as a driver does: as much as there is room for, and everything is handed out at once.
fn receive(
    connection: &mut Connection,
    inbox: &mut Inbox,
    mut bytes: &[u8],
) -> Result<(u64, usize), ReceiveError> {
    let (mut total, mut largest) = (0, 0);
    while !bytes.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.received(count);
        bytes = &bytes[count..];
        let (length, longest) = drain(connection, inbox)?;
        total += length;
        largest = largest.max(longest);
    }
    Ok((total, largest))
}

/// An inbox whose reads are as large as they get, so that its block is not counted.
fn warm(connection: &mut Connection) -> Inbox {
    let mut inbox = Inbox::new();
    let message = frame(connection.role(), 0x82, &vec![0; 60 * KIB]);
    for _ in 0..10 {
        receive(connection, &mut inbox, &message).unwrap();
    }
    inbox
}

/// The transport takes everything.
fn write(connection: &mut Connection) {
    let outgoing = connection.outgoing();
    outgoing.advance(outgoing.remaining());
}

/// `mebibytes` of zeros, in a thousandth.
fn bomb(mebibytes: usize) -> Vec<u8> {
    let agreement = codec::agreement(15, OFF);
    let mut deflater = Deflater::new(&agreement, Level::SMALLEST, MemoryLevel::DEFAULT);
    let zeros = vec![0; MIB];
    let mut bomb = Vec::new();
    deflater.compress(&zeros, &mut bomb, End::Fragment).unwrap();
    // From here on each part repeats what was before it, so that one stands for all.
    let mut part = Vec::new();
    deflater.compress(&zeros, &mut part, End::Fragment).unwrap();
    bomb.extend(part.repeat(mebibytes - 1));
    bomb.push(0);
    bomb
}

fn fragments(role: Role, payload: &[u8], count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let parts = payload.chunks(payload.len().div_ceil(count));
    let last = parts.len() - 1;
    for (index, part) in parts.enumerate() {
        let fin = u8::from(index == last) << 7;
        let first = if index == 0 { 0x42 } else { 0 };
        bytes.extend(frame(role, fin | first, part));
    }
    bytes
}

#[test]
fn compressed_connections_hold_little() {
    // First, while nothing is in the pool.
    talking_connections_hold_64_kib();
    bombs_stop_at_the_limit();
    bombs_in_pieces_are_bounded();
    many_small_bombs_hold_no_more_than_one();
    parked_messages_take_their_own_size();
    compressed_messages_that_wait_take_their_own_size();
    idle_connections_hold_next_to_nothing();
    threads_share_what_is_pooled();
}

/// D8: at a server's defaults, in the middle of receiving a compressed message of 1 KiB and after
/// sending, a connection owns less than 64 KiB besides the message; compressors are shared.
fn talking_connections_hold_64_kib() {
    let mut config = Config::default();
    config.deflate = Some(Deflate::new().compress(Compress::Always));
    let mut inbox = Inbox::new();
    let open = || handshake(&config, &config).1;
    let mut deflater = deflater(OFF);
    let mut payload = Vec::new();
    deflater
        .compress(&[b'x'; 100], &mut payload, End::Fragment)
        .unwrap();
    let half = frame(Role::Server, 0x41, &payload);
    let mut connections = Vec::with_capacity(10);
    let talk = |connection: &mut Connection, inbox: &mut Inbox| {
        receive(connection, inbox, &half).unwrap();
        connection
            .send_text("an answer, which is compressed")
            .unwrap();
        write(connection);
        connection.park(inbox)
    };
    let mut first = open();
    let parked = talk(&mut first, &mut inbox);
    connections.push((first, parked));
    let (held, ()) = peak(|| {
        for _ in 1..10 {
            let mut connection = open();
            let parked = talk(&mut connection, &mut inbox);
            connections.push((connection, parked));
        }
    });
    println!("talking: {} bytes per connection", held / 9);
    assert!(held < 9 * 64 * KIB, "{held}");
}

/// D1: a bomb of 1 GiB in 1 MiB fails the connection at the limit, holding no more than the limit
/// and 64 KiB, whether it comes in one frame or in 1000.
fn bombs_stop_at_the_limit() {
    let bomb = bomb(1024);
    assert!(bomb.len() < MIB + MIB / 16);
    for role in ROLES {
        for count in [1, 1000] {
            let bytes = fragments(role, &bomb, count);
            for limit in [64 * KIB, MIB, 16 * MIB] {
                let mut terms = Terms::new(OFF, OFF);
                terms.ours.limits.max_message = limit as u64;
                let mut connection = terms.open(role).connection;
                let mut inbox = warm(&mut connection);
                let (held, result) = peak(|| receive(&mut connection, &mut inbox, &bytes));
                let limit_reached = ReceiveError::MessageTooBig {
                    limit: limit as u64,
                };
                assert_eq!(result, Err(limit_reached));
                println!(
                    "{role:?}, {count} frames, limit {limit}: {} over it",
                    held.cast_signed() - limit.cast_signed()
                );
                assert!(held <= limit + 64 * KIB, "{role:?} {count} {limit}: {held}");
            }
        }
    }
}

/// D1, R7692-7.2.2-04: without a limit, a bomb that is delivered in pieces is held in the block of
/// what was read and 81 KiB.
fn bombs_in_pieces_are_bounded() {
    let bomb = bomb(128);
    for role in ROLES {
        for count in [1, 100] {
            let bytes = fragments(role, &bomb, count);
            let mut terms = Terms::new(OFF, OFF);
            terms.ours.limits.max_message = u64::MAX;
            terms.ours.delivery = Delivery::Pieces;
            let mut connection = terms.open(role).connection;
            let mut inbox = warm(&mut connection);
            let (held, result) = peak(|| receive(&mut connection, &mut inbox, &bytes));
            let (total, largest) = result.unwrap();
            assert_eq!(total, 128 * MIB as u64);
            println!("{role:?}, {count} frames in pieces of up to {largest}: {held}");
            assert!(held < 81 * KIB, "{role:?} {count}: {held}");
        }
    }
}

/// D2: ten thousand messages, each of which inflates to the limit, hold no more than one.
fn many_small_bombs_hold_no_more_than_one() {
    let limit = 64 * KIB;
    let mut payload = Vec::new();
    deflater(OFF)
        .compress(&vec![0; limit], &mut payload, End::Message)
        .unwrap();
    assert!(payload.len() < limit / 100);
    let bytes = frame(Role::Server, BINARY, &payload);
    let mut terms = Terms::new(OFF, OFF);
    terms.ours.limits.max_message = limit as u64;
    let mut connection = terms.open(Role::Server).connection;
    let mut inbox = Inbox::new();
    let (one, _) = peak(|| receive(&mut connection, &mut inbox, &bytes).unwrap());
    let (all, ()) = peak(|| {
        for _ in 0..10_000 {
            let (total, _) = receive(&mut connection, &mut inbox, &bytes).unwrap();
            assert_eq!(total, limit as u64);
        }
    });
    println!("one bomb: {one}, ten thousand: {all} more");
    assert!(one < 2 * limit + 64 * KIB && all < KIB, "{one} {all}");
}

/// What is parked in the middle of a message is as large as what has been inflated, and nothing if
/// that has been delivered, whatever the inbox held before.
fn parked_messages_take_their_own_size() {
    let zeros = |length| {
        let mut payload = Vec::new();
        deflater(OFF)
            .compress(&vec![0; length], &mut payload, End::Message)
            .unwrap();
        payload
    };
    for (delivery, length) in [(Delivery::Whole, 10_000), (Delivery::Pieces, 0)] {
        let mut terms = Terms::new(OFF, OFF);
        terms.ours.delivery = delivery;
        let mut connection = terms.open(Role::Server).connection;
        let mut inbox = Inbox::new();
        let large = frame(Role::Server, BINARY, &zeros(MIB));
        receive(&mut connection, &mut inbox, &large).unwrap();
        let half = frame(Role::Server, 0x42, &zeros(10_000));
        receive(&mut connection, &mut inbox, &half).unwrap();
        let parked = connection.park(&mut inbox);
        let before = ALLOCATOR.allocated();
        drop(parked);
        let held = before - ALLOCATOR.allocated();
        // Where the parts of it stand takes a few words, if anything is held.
        let most = if length > 0 { length + 256 } else { 0 };
        assert!((length..=most).contains(&held), "{delivery:?}: {held}");
    }
}

/// W1: what waits behind a message that is cut takes what it was compressed to, and not the room that
/// it was compressed in: the queue counts no more.
fn compressed_messages_that_wait_take_their_own_size() {
    let ways: [fn(&mut Connection, &str) -> bool; 3] = [
        |connection, text| connection.send_text(text).is_ok(),
        |connection, text| connection.send(Message::text(text.to_owned())).is_ok(),
        |connection, text| {
            let kind = MessageKind::Text;
            (connection.send_fragment(kind, text.as_bytes(), true)).is_ok()
        },
    ];
    let noise = codec::Random(7).noise(2000);
    let text = "x".repeat(16_000);
    for role in ROLES {
        for way in ways {
            let mut terms = Terms::new(OFF, OFF);
            terms.ours.max_frame_payload = Some(1000);
            let limit = terms.ours.limits.max_outgoing;
            let mut connection = terms.open(role).connection;
            let (held, count) = peak(|| {
                connection.send_binary(&noise).unwrap();
                (0..).take_while(|_| way(&mut connection, &text)).count()
            });
            println!("{role:?}: {count} messages wait in {held} bytes");
            assert!(count > 1000, "{count}");
            assert!(held <= 3 * limit, "{role:?}: {held} for {count}");
        }
    }
}

/// D8: a connection that has talked both ways and is parked holds less than 1 KiB on the heap,
/// without takeover.
fn idle_connections_hold_next_to_nothing() {
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        for role in ROLES {
            let mut terms = Terms::new(OFF, OFF);
            terms.ours.delivery = delivery;
            let mut payload = Vec::new();
            let text = "text that is long enough ".repeat(40);
            deflater(ON)
                .compress(text.as_bytes(), &mut payload, End::Message)
                .unwrap();
            let bytes = frame(role, TEXT, &payload);
            let mut inbox = Inbox::new();
            let talk = |inbox: &mut Inbox| {
                let mut connection = terms.open(role).connection;
                receive(&mut connection, inbox, &bytes).unwrap();
                connection.send_text(&text).unwrap();
                write(&mut connection);
                let parked = connection.park(inbox);
                (connection, parked)
            };
            let mut connections = Vec::with_capacity(200);
            connections.push(talk(&mut inbox)); // takes what all share
            let before = ALLOCATOR.allocated();
            for _ in 0..100 {
                connections.push(talk(&mut inbox));
            }
            let each = (ALLOCATOR.allocated() - before) / 100;
            println!("idle {role:?}, {delivery:?}: {each} bytes per connection");
            assert!(each < KIB, "{role:?} {delivery:?}: {each}");
        }
    }
}

/// D8: with a thread for each connection, what is pooled does not grow with the threads.
fn threads_share_what_is_pooled() {
    let talk = || {
        let (mut deflater, mut inflater) = (deflater(OFF), inflater(OFF));
        let payload = codec::send(&mut deflater, b"hello hello hello");
        assert!(codec::receive(&mut inflater, &payload).is_ok());
    };
    let pools = thread::available_parallelism().map_or(1, NonZero::get);
    for _ in 0..pools {
        thread::spawn(talk).join().unwrap();
    }
    let threads = 50;
    let turn = Mutex::new(());
    let barrier = Barrier::new(threads + 1);
    let before = ALLOCATOR.allocated();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                {
                    let _alone = turn.lock().unwrap();
                    talk();
                }
                barrier.wait(); // all have talked and all live
                barrier.wait();
            });
        }
        barrier.wait();
        let each = (ALLOCATOR.allocated() - before) / threads;
        println!("{each} bytes per thread");
        assert!(each < 8 * KIB, "{each}");
        barrier.wait();
    });
}
