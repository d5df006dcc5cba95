//! What connections of the async adapters hold while they wait, measured: no buffer. Those lie in a
//! pool of the thread.
#![cfg(any(feature = "tokio", feature = "futures"))]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::thread;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use common::adapters::Adapter;
use common::executor::{Executor, block_on};
use common::hostile::{After, Hostile};
use common::pair::{BINARY, ROLES, TEXT, frame_to, timeless};
use fullduplex::asynchronous::{Io, WebSocket};
use fullduplex::{Message, Role};

for_each_adapter! {
    an_idle_connection_holds_no_buffer,
    an_idle_connection_is_small,
    a_peer_that_stops_pins_what_it_sent,
    large_messages_are_read_in_large_steps,
    reads_that_come_back_full_grow_to_128_kib,
    answers_go_out_at_128_kib,
    connections_that_take_turns_allocate_nothing,
    large_messages_that_are_sent_back_allocate_nothing_large,
    a_large_inbox_counts_beside_the_others,
    a_payload_leaves_no_more_than_4_mib_in_the_thread,
    a_burst_on_many_connections_leaves_4_mib_in_the_thread,
    pieces_below_32_kib_are_copied_out,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The sockets, the waker and what else is small.
const SMALL: usize = 2 * KIB;

/// Receives until there is nothing more.
fn receive<I: Io>(socket: &mut WebSocket<I>) -> usize {
    let mut count = 0;
    let mut executor = Executor::new();
    executor.spawn(async {
        while socket.recv().await.unwrap().is_some() {
            count += 1;
        }
    });
    assert_eq!(executor.run_until_stuck(), 1);
    drop(executor);
    count
}

/// What a connection holds: what is given back when it is dropped.
fn held<T>(socket: T) -> usize {
    let info: AllocationInfo = measure(|| drop(socket));
    usize::try_from(-info.bytes_current).unwrap()
}

/// A stream whose own memory is not counted: it is large enough from the start.
fn stream(input: &[u8]) -> Hostile {
    let stream = Hostile::new(input, After::Silence);
    {
        let mut state = stream.state();
        state.input.reserve(3 * MIB);
        state.output.reserve(3 * MIB);
    }
    stream
}

/// Traffic of all sizes and kinds, both ways.
fn talk<I: Io<Stream = Hostile>>(socket: &mut WebSocket<I>, role: Role, stream: &Hostile) {
    for size in [10, KIB, 70 * KIB, MIB] {
        for first in [TEXT, BINARY] {
            stream.push_input(&frame_to(role, first, &vec![b'x'; size]));
            assert_eq!(receive(socket), 1);
            block_on(socket.send(Message::binary(vec![0; size])), || false).unwrap();
            block_on(socket.ping(b""), || false).unwrap();
            let mut state = stream.state();
            state.output.clear();
        }
    }
}

/// Fills the pool: what it holds afterwards is the thread's.
fn warm_up<A: Adapter>(role: Role) {
    let stream = Hostile::new(&frame_to(role, BINARY, &vec![0; MIB]), After::Silence);
    assert_eq!(receive(&mut A::open(role, &timeless(), &stream)), 1);
}

fn an_idle_connection_holds_no_buffer<A: Adapter>() {
    for role in ROLES {
        let stream = stream(b"");
        let mut socket = A::open(role, &timeless(), &stream);
        talk(&mut socket, role, &stream);
        assert_eq!(receive(&mut socket), 0);
        let held = held(socket);
        assert!(held < SMALL, "{role:?}: {held}");
    }
}

/// What a task holds for a connection that waits, and what that holds itself: two pieces of 72 and
/// some 300 bytes. The rest is the stream's and the waker's.
fn an_idle_connection_is_small<A: Adapter>() {
    let stream = stream(b"");
    let mut socket = A::open(Role::Server, &timeless(), &stream);
    assert_eq!(size_of_val(&socket), size_of::<usize>());
    assert!(size_of_val(&socket.next_event()) <= 48);
    assert!(size_of_val(&socket.recv()) <= 24);
    assert!(size_of_val(&socket.send(Message::text(""))) <= 80);
    talk(&mut socket, Role::Server, &stream);
    assert_eq!(receive(&mut socket), 0);
    let held = held(socket);
    assert!(held <= 448, "{held}");
}

/// In the middle of a frame, a connection holds what has come of it and little more.
fn a_peer_that_stops_pins_what_it_sent<A: Adapter>() {
    for role in ROLES {
        for first in [TEXT, BINARY] {
            let frame = frame_to(role, first, &vec![b'x'; MIB]);
            for sent in [1, 20, 100, KIB, 10 * KIB, 100 * KIB, 900 * KIB] {
                warm_up::<A>(role); // so that its inbox may be a large one
                let stream = stream(b"");
                let mut socket = A::open(role, &timeless(), &stream);
                stream.push_input(&frame[..sent]);
                assert_eq!(receive(&mut socket), 0);
                // An inbox stays if an eighth of it is in use.
                let held = held(socket);
                assert!(held < 9 * sent + SMALL, "{role:?}: {held} for {sent}");
            }
        }
    }
}

/// The room grows with what is coming.
fn large_messages_are_read_in_large_steps<A: Adapter>() {
    for first in [TEXT, BINARY] {
        let frame = frame_to(Role::Server, first, &vec![b'x'; MIB]);
        let stream = Hostile::new(&frame, After::Silence);
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        assert!(block_on(socket.recv(), || stream.stir()).unwrap().is_some());
        let (reads, room) = (stream.counts()[0], stream.state().largest_room);
        assert!(reads <= 16, "{first}: {reads} reads");
        assert!(room >= 128 * KIB, "{first}: {room}");
    }
}

/// Without a frame that needs more. There may be as much again, and what was cut, in the block.
fn reads_that_come_back_full_grow_to_128_kib<A: Adapter>() {
    let frames = frame_to(Role::Server, BINARY, &[7; KIB]).repeat(2000);
    let stream = Hostile::new(&frames, After::Silence);
    let mut socket = A::open(Role::Server, &timeless(), &stream);
    assert_eq!(receive(&mut socket), 2000);
    let room = stream.state().largest_room;
    assert!((128 * KIB..256 * KIB).contains(&room), "{room}");
}

/// A read into the memory of a large message brings more than is queued before it is written.
fn answers_go_out_at_128_kib<A: Adapter>() {
    let frames = frame_to(Role::Server, BINARY, &[7; 1000]).repeat(1000);
    let stream = stream(b"");
    let mut socket = A::open(Role::Server, &timeless(), &stream);
    let large = Message::binary(vec![0; MIB]);
    block_on(socket.send(large), || false).unwrap();
    stream.push_input(&frames);
    let mut most = 0;
    for _ in 0..1000 {
        let polled = block_on(socket.next_event(), || stream.stir()).unwrap();
        let (_, connection) = polled.unwrap();
        connection.send_binary(&[8; 1000]).unwrap();
        most = most.max(connection.queued());
    }
    assert!((128 * KIB..129 * KIB).contains(&most), "{most}");
}

/// Many connections on one thread use the same memory, one after the other.
fn connections_that_take_turns_allocate_nothing<A: Adapter>() {
    let streams: Vec<Hostile> = (0..50).map(|_| stream_of_little()).collect();
    let mut sockets: Vec<_> = streams
        .iter()
        .map(|stream| A::open(Role::Server, &timeless(), stream))
        .collect();
    let frame = frame_to(Role::Server, BINARY, &[7; 100]);
    let mut rounds = |count| {
        for _ in 0..count {
            for (stream, socket) in streams.iter().zip(&mut sockets) {
                stream.push_input(&frame);
                let polled = block_on(socket.next_event(), || false).unwrap();
                let (_, connection) = polled.unwrap();
                connection.send_binary(&[8; 100]).unwrap();
                assert_eq!(receive(socket), 0);
                stream.state().output.clear();
            }
        }
    };
    rounds(2);
    let info = measure(|| rounds(10));
    assert!(info.bytes_max < SMALL as u64, "{}", info.bytes_max);
}

/// A large message has its memory to itself, which goes back to the thread when it was written, so
/// that the next one needs neither take nor clear any. Three connections, since a thread keeps 4 MiB.
fn large_messages_that_are_sent_back_allocate_nothing_large<A: Adapter>() {
    let frame = frame_to(Role::Server, BINARY, &vec![7; MIB]);
    let streams: Vec<Hostile> = (0..3).map(|_| stream(b"")).collect();
    let mut sockets: Vec<_> = streams
        .iter()
        .map(|stream| A::open(Role::Server, &timeless(), stream))
        .collect();
    let mut rounds = |count| {
        for _ in 0..count {
            for (stream, socket) in streams.iter().zip(&mut sockets) {
                stream.push_input(&frame[..MIB / 2]);
                assert_eq!(receive(socket), 0);
            }
            for (stream, socket) in streams.iter().zip(&mut sockets) {
                stream.push_input(&frame[MIB / 2..]);
                let message = block_on(socket.recv(), || false).unwrap();
                let message = message.unwrap();
                block_on(socket.send(message), || false).unwrap();
                assert_eq!(receive(socket), 0);
                let mut state = stream.state();
                assert!(state.output.ends_with(&[7; KIB]) && state.output.len() > MIB);
                state.output.clear();
            }
        }
    };
    rounds(2);
    // More rounds than there is room for headers behind the first message.
    let info = measure(|| rounds(400));
    let each = info.bytes_total / (400 * 3);
    assert!(each < 64 * KIB as u64, "{each} bytes for each message");
}

/// The memory of a payload may be far larger than the payload.
fn a_payload_leaves_no_more_than_4_mib_in_the_thread<A: Adapter>() {
    let last_part = || {
        let mut bytes = Bytes::from(vec![7; 32 * MIB]);
        bytes.split_off(31 * MIB)
    };
    let start = || {
        let mut bytes = Vec::with_capacity(32 * MIB);
        bytes.resize(MIB, 7);
        Bytes::from(bytes)
    };
    for payload in [last_part as fn() -> Bytes, start] {
        let send = move || {
            let stream = stream(b"");
            let mut socket = A::open(Role::Server, &timeless(), &stream);
            block_on(socket.send(Message::Binary(payload())), || false).unwrap();
            assert_eq!(stream.state().output.len(), MIB + 10);
        };
        let measured = thread::spawn(move || measure(send)).join().unwrap();
        let kept = usize::try_from(measured.bytes_current).unwrap();
        assert!(kept < 4 * MIB + 64 * KIB + SMALL, "{kept}");
    }
}

/// What comes back while the inbox that is looked for first is in use counts beside the others: there
/// is no room for 3 MiB beside twice 1 MiB.
fn a_large_inbox_counts_beside_the_others<A: Adapter>() {
    let exchange = || {
        let send = |size| {
            let stream = stream(b"");
            let mut socket = A::open(Role::Server, &timeless(), &stream);
            block_on(socket.send(Message::binary(vec![0; size])), || false).unwrap();
        };
        (0..3).for_each(|_| send(MIB));
        let frame = frame_to(Role::Server, BINARY, &vec![0; MIB]);
        let (begun, silent) = (stream(&frame[..MIB / 2]), stream(b""));
        let [mut receiving, mut sending] =
            [&begun, &silent].map(|stream| A::open(Role::Server, &timeless(), stream));
        assert_eq!(receive(&mut receiving), 0);
        let large = Message::binary(vec![0; 3 * MIB]);
        block_on(sending.send(large), || false).unwrap();
    };
    let measured = thread::spawn(move || measure(exchange)).join().unwrap();
    let kept = usize::try_from(measured.bytes_current).unwrap();
    assert!(kept < 4 * MIB + 64 * KIB + 16 * SMALL, "{kept}");
}

/// Connections that are in the middle of large messages at the same time have an inbox each, which
/// would be many for a thread to keep.
fn a_burst_on_many_connections_leaves_4_mib_in_the_thread<A: Adapter>() {
    let burst = || {
        let frame = frame_to(Role::Server, BINARY, &vec![0; MIB]);
        let (first, last) = frame.split_at(MIB / 2);
        let streams: Vec<_> = (0..20).map(|_| stream(first)).collect();
        let mut sockets: Vec<_> = streams
            .iter()
            .map(|stream| A::open(Role::Server, &timeless(), stream))
            .collect();
        for socket in &mut sockets {
            assert_eq!(receive(socket), 0);
        }
        for (stream, socket) in streams.iter().zip(&mut sockets) {
            stream.push_input(last);
            assert_eq!(receive(socket), 1);
        }
    };
    let measured = thread::spawn(move || measure(burst)).join().unwrap();
    assert!(measured.bytes_max > 20 * MIB as u64);
    let kept = usize::try_from(measured.bytes_current).unwrap();
    assert!(kept < 4 * MIB + 64 * KIB + 16 * SMALL, "{kept}");
}

/// At the limit an inbox stays with its connection; one byte below, what came is copied out of it.
fn pieces_below_32_kib_are_copied_out<A: Adapter>() {
    let frame = frame_to(Role::Server, BINARY, &vec![0; MIB]);
    let header = frame.len() - MIB;
    let held_with = |piece: usize| {
        let stream = stream(b"");
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        stream.push_input(&frame[..header + piece]);
        assert_eq!(receive(&mut socket), 0);
        held(socket)
    };
    let copied = held_with(32 * KIB - 1);
    assert!(copied < 32 * KIB + SMALL, "{copied}");
    let kept = held_with(32 * KIB);
    assert!(kept > 32 * KIB + SMALL, "{kept}");
}

fn stream_of_little() -> Hostile {
    let stream = Hostile::new(b"", After::Silence);
    {
        let mut state = stream.state();
        state.input.reserve(KIB);
        state.output.reserve(KIB);
    }
    stream
}
