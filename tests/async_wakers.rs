//! Who is woken when: two tasks over a stream that remembers one waker. The executor polls only
//! who was woken, so that a lost wake-up is a test that fails.
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

use std::cell::Cell;
use std::io::ErrorKind;

use common::adapters::Adapter;
use common::executor::{Cancelling, Drops, Executor, block_on, yield_now};
use common::hostile::{After, Fault, Hostile, On, Steps};
use common::pair::{
    BINARY, CLOSE, PING, PONG, ROLES, TEXT, close_to, frame_to, parse_frames, timeless,
};
use fullduplex::asynchronous::{Reader, Writer};
use fullduplex::{CloseCode, Config, Error, Message, Role};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;

for_each_adapter! {
    both_halves_wait_to_write,
    a_dropped_future_takes_no_wake_up_along,
    who_writes_wakes_who_waited_for_it,
    who_finds_the_stream_broken_wakes_who_waited_for_it,
    an_end_that_one_half_sees_ends_the_other,
    a_close_frame_of_one_half_ends_the_other,
    who_receives_beside_a_sink_takes_no_wake_up_along,
    halves_echo_over_a_narrow_stream,
    a_shared_socket_echoes_over_a_narrow_stream,
    forwarding_ends_with_a_closing_handshake,
    halves_can_be_reunited,
    pipelined_messages_cost_one_read_and_one_write,
    a_flood_lets_others_run,
}

fn halves<A: Adapter>(stream: &Hostile) -> (Reader<A::Io>, Writer<A::Io>) {
    A::open(Role::Server, &timeless(), stream).split()
}

/// A queue that is full after a message.
fn narrow() -> Config {
    let mut config = timeless();
    config.limits.max_outgoing = 16;
    config
}

fn first_bytes(stream: &Hostile) -> Vec<u8> {
    let output = stream.output();
    let (frames, rest) = parse_frames(&output);
    assert_eq!(rest, b"");
    frames.iter().map(|frame| frame.first).collect()
}

/// A Pong and a message wait for a full stream, each in its task. Whoever comes last leaves the
/// waker that is remembered.
fn both_halves_wait_to_write<A: Adapter>() {
    for writer_first in [false, true] {
        let stream = Hostile::new(&frame_to(Role::Server, PING, b""), After::Silence).with_room(0);
        let (mut reader, mut writer) = halves::<A>(&stream);
        let mut executor = Executor::new();
        let receiving = async move { reader.recv().await };
        let sending = async move {
            let sent = writer.send("hello").await;
            (writer, sent)
        };
        let (received, sent);
        if writer_first {
            sent = executor.spawn(sending);
            received = executor.spawn(receiving);
        } else {
            received = executor.spawn(receiving);
            sent = executor.spawn(sending);
        }
        assert_eq!(executor.run_until_stuck(), 2);
        stream.make_room(1000);
        assert_eq!(executor.run_until_stuck(), 1);
        assert!(sent.borrow().as_ref().unwrap().1.is_ok());
        let mut firsts = first_bytes(&stream);
        firsts.sort_unstable();
        assert_eq!(firsts, [TEXT, PONG]);
        stream.push_input(&close_to(Role::Server, 1000, ""));
        assert_eq!(executor.run_until_stuck(), 0);
        assert!(received.take().unwrap().unwrap().is_none());
    }
}

/// The half that polled the stream last gives up waiting: the other one is woken all the same.
fn a_dropped_future_takes_no_wake_up_along<A: Adapter>() {
    let stream = Hostile::new(&frame_to(Role::Server, PING, b""), After::Silence).with_room(0);
    let (mut reader, mut writer) = halves::<A>(&stream);
    let mut executor = Executor::new();
    executor.spawn(async move { reader.recv().await.map(drop) });
    executor.run_until_stuck();
    let cancelled = Cancelling::new(Drops::Each(1)).run(writer.send("hello"), || false);
    assert!(cancelled.is_none());
    stream.make_room(1000);
    executor.run_until_stuck();
    assert_eq!(
        first_bytes(&stream),
        [PONG, TEXT],
        "the other half writes both"
    );

    let stream = Hostile::new(&frame_to(Role::Server, PING, b""), After::Silence).with_room(0);
    let (mut reader, mut writer) = halves::<A>(&stream);
    let mut executor = Executor::new();
    let sent = executor.spawn(async move { writer.send("hello").await });
    executor.run_until_stuck();
    let cancelled = Cancelling::new(Drops::Each(1)).run(reader.recv(), || false);
    assert!(cancelled.is_none());
    drop(reader);
    stream.make_room(1000);
    assert_eq!(executor.run_until_stuck(), 0);
    sent.take().unwrap().unwrap();
}

/// A stream that takes bytes from one task owes the other one no wake-up.
fn who_writes_wakes_who_waited_for_it<A: Adapter>() {
    let stream = Hostile::new(b"", After::Silence).with_room(0);
    let (mut reader, mut writer) = halves::<A>(&stream);
    let mut executor = Executor::new();
    let received = executor.spawn(async move { (reader.recv().await, reader) });
    let sent = executor.spawn(async move { writer.send("hello").await });
    executor.run_until_stuck();
    stream.state().room = 1000; // and nobody is woken
    stream.push_input(&frame_to(Role::Server, PING, b"")); // but who reads
    assert_eq!(executor.run_until_stuck(), 1);
    sent.take().unwrap().unwrap();
    assert!(received.borrow().is_none());
}

/// Nor when it fails: also if what fails it is found by a task that goes away with a message.
fn who_finds_the_stream_broken_wakes_who_waited_for_it<A: Adapter>() {
    let stream = Hostile::new(b"", After::Silence).with_room(0);
    let (mut reader, mut writer) = halves::<A>(&stream);
    let mut executor = Executor::new();
    let received = executor.spawn(async move { (reader.recv().await, reader) });
    let sent = executor.spawn(async move { writer.send("hello").await });
    executor.run_until_stuck();
    {
        let mut state = stream.state();
        (state.fault, state.on) = (Fault::Error(ErrorKind::BrokenPipe), On::Writes);
        state.steps = Steps::From(0);
    }
    let mut input = frame_to(Role::Server, PING, b"");
    input.extend(frame_to(Role::Server, TEXT, b"last"));
    stream.state().read_size = frame_to(Role::Server, PING, b"").len();
    stream.push_input(&input);
    assert_eq!(executor.run_until_stuck(), 0);
    let message = received.take().unwrap().0.unwrap();
    assert_eq!(message, Some(Message::text("last")));
    let error = sent.take().unwrap().unwrap_err();
    assert!(matches!(&error, Error::Io(error) if error.kind() == ErrorKind::BrokenPipe));
}

fn an_end_that_one_half_sees_ends_the_other<A: Adapter>() {
    // The end of the stream is seen by who reads.
    for fill in [1, 100] {
        let stream = Hostile::new(b"", After::Silence).with_room(0);
        let socket = A::open(Role::Server, &narrow(), &stream);
        let (mut reader, mut writer) = socket.split();
        let mut executor = Executor::new();
        let received = executor.spawn(async move { reader.recv().await });
        let sent = executor.spawn(async move {
            writer.feed(vec![0; fill]).await?;
            writer.send(vec![0; fill]).await // which waits to be queued, or to be written
        });
        assert_eq!(executor.run_until_stuck(), 2);
        stream.end();
        assert_eq!(executor.run_until_stuck(), 0);
        assert!(received.take().unwrap().is_err());
        assert!(sent.take().unwrap().is_err());
    }
    // A broken stream is seen by who writes.
    let stream = Hostile::new(b"", After::Silence).with_fault(
        Fault::Error(ErrorKind::ConnectionReset),
        On::Writes,
        Steps::From(0),
    );
    let (mut reader, mut writer) = halves::<A>(&stream);
    let mut executor = Executor::new();
    let received = executor.spawn(async move { reader.recv().await });
    executor.run_until_stuck();
    let sent = executor.spawn(async move { writer.send("hello").await });
    assert_eq!(executor.run_until_stuck(), 0);
    assert!(matches!(received.take().unwrap(), Err(Error::Io(_))));
    assert!(matches!(sent.take().unwrap(), Err(Error::Io(_))));
}

/// R6455-7.1.2-01: one half starts the closing handshake, the other one ends it.
fn a_close_frame_of_one_half_ends_the_other<A: Adapter>() {
    for role in ROLES {
        let stream = Hostile::new(b"", After::Silence).halting();
        let (mut reader, mut writer) = A::open(role, &timeless(), &stream).split();
        let mut executor = Executor::new();
        let received = executor.spawn(async move { (reader.recv().await, reader.outcome()) });
        while executor.run_until_stuck() > 0 && stream.stir() {}
        let closed = executor.spawn(async move { writer.close(CloseCode::NORMAL, "bye").await });
        while executor.run_until_stuck() > 0 && stream.stir() {}
        closed.take().unwrap().unwrap();
        stream.push_input(&close_to(role, 1000, "bye"));
        while executor.run_until_stuck() > 0 && stream.stir() {}
        if role == Role::Client {
            assert!(
                received.borrow().is_none(),
                "7.1.1: the server ends the stream first"
            );
            stream.end();
        }
        executor.run(|| stream.stir());
        let (end, outcome) = received.take().unwrap();
        assert!(end.unwrap().is_none());
        assert!(outcome.unwrap().clean);
    }
}

const COUNT: usize = 60;

/// Messages of all sizes, with Pings between them.
/// Two tasks on a socket that was not split: the one that receives tries to write, too, is what the
/// stream remembers from then on, and goes away with a message.
fn who_receives_beside_a_sink_takes_no_wake_up_along<A: Adapter>() {
    let stream = Hostile::new(b"", After::Silence).with_room(0);
    let (mut sink, mut messages) = StreamExt::split(A::open(Role::Server, &timeless(), &stream));
    let mut executor = Executor::new();
    let sent = executor.spawn(async move { sink.send(Message::text("hello")).await });
    assert_eq!(executor.run_until_stuck(), 1);
    let received = executor.spawn(async move { messages.next().await });
    stream.push_input(&frame_to(Role::Server, BINARY, b"x"));
    assert_eq!(executor.run_until_stuck(), 1);
    assert!(received.take().unwrap().unwrap().is_ok());
    stream.make_room(1000);
    assert_eq!(executor.run_until_stuck(), 0);
    sent.take().unwrap().unwrap();
}

fn many() -> Vec<u8> {
    let role = Role::Server;
    let message = |size| frame_to(role, BINARY, &vec![1; size * 3]);
    let ping = frame_to(role, PING, &[2; 5]);
    let pairs = (0..COUNT).map(|size| [message(size), ping.clone()].concat());
    pairs.flatten().collect()
}

fn assert_echoed(stream: &Hostile) {
    let output = stream.output();
    let (frames, rest) = parse_frames(&output);
    assert_eq!(rest, b"");
    let messages = frames.iter().filter(|frame| frame.first == BINARY);
    let sizes: Vec<usize> = messages.map(|frame| frame.payload.len()).collect();
    let expected: Vec<usize> = (0..COUNT).map(|size| size * 3).collect();
    assert_eq!(sizes, expected);
    assert!(frames.iter().any(|frame| frame.first == PONG));
    assert_eq!(frames.last().unwrap().first, CLOSE);
}

/// Streams that move a few bytes at a time, in every rhythm, with `end` behind the messages.
fn narrow_streams(end: &[u8], run: impl Fn(&Hostile, &dyn Fn() -> bool)) {
    for (read, write, room) in [(1, 1, 1), (9, 2, 5), (500, 30, 40), (50, 500, 3)] {
        for halting in [false, true] {
            let stream = Hostile::new(&[&many(), end].concat(), After::Silence)
                .with_sizes(read, write)
                .with_room(room);
            stream.state().is_halting = halting;
            let helped = Cell::new(0);
            run(&stream, &|| {
                helped.set(helped.get() + 1);
                if helped.get() % 3 == 0 || !stream.stir() {
                    stream.make_room(room);
                }
                true
            });
            assert_echoed(&stream);
        }
    }
}

/// What one half receives, the other one sends, through a queue that is full most of the time.
fn halves_echo_over_a_narrow_stream<A: Adapter>() {
    narrow_streams(b"", |stream, help| {
        let (mut reader, mut writer) = A::open(Role::Server, &narrow(), stream).split();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut executor = Executor::new();
        executor.spawn(async move {
            while let Some(message) = reader.recv().await.unwrap() {
                sender.send(message).unwrap();
            }
            assert!(reader.outcome().unwrap().clean);
        });
        executor.spawn(async move {
            for _ in 0..COUNT {
                writer.send(receiver.recv().await.unwrap()).await.unwrap();
            }
            writer.close(CloseCode::NORMAL, "").await.unwrap();
            stream.push_input(&close_to(Role::Server, 1000, ""));
        });
        executor.run(help);
    });
}

/// `StreamExt::split`: the two tasks share the whole socket, which both poll.
fn a_shared_socket_echoes_over_a_narrow_stream<A: Adapter>() {
    narrow_streams(b"", |stream, help| {
        let socket = A::open(Role::Server, &narrow(), stream);
        let (mut sink, mut source) = StreamExt::split(socket);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut executor = Executor::new();
        let source = executor.spawn(async move {
            while let Some(message) = source.next().await {
                sender.send(message.unwrap()).unwrap();
            }
            source
        });
        let sink = executor.spawn(async move {
            for _ in 0..COUNT {
                let message: Message = receiver.recv().await.unwrap();
                sink.send(message).await.unwrap();
            }
            sink.close().await.unwrap();
            stream.push_input(&close_to(Role::Server, 1000, ""));
            sink
        });
        executor.run(help);
        let socket = sink.take().unwrap().reunite(source.take().unwrap());
        assert!(socket.unwrap().outcome().unwrap().clean);
    });
}

/// Not through `StreamExt::split`, whose sink keeps a message back until it is polled again.
fn forwarding_ends_with_a_closing_handshake<A: Adapter>() {
    narrow_streams(&close_to(Role::Server, 1000, ""), |stream, help| {
        let (reader, writer) = A::open(Role::Server, &narrow(), stream).split();
        block_on(reader.forward(writer), help).unwrap();
    });
}

/// Halves of the same connection make a socket again, which goes on where they were.
fn halves_can_be_reunited<A: Adapter>() {
    let frame = frame_to(Role::Server, TEXT, b"hello");
    let stream = Hostile::new(&frame[..8], After::Silence);
    let (mut reader, mut writer) = halves::<A>(&stream);
    let (other_reader, other_writer) = halves::<A>(&Hostile::new(b"", After::End));
    assert!(reader.is_pair_of(&writer) && !reader.is_pair_of(&other_writer));
    block_on(writer.feed("fed"), || false).unwrap();
    // Half a frame has been read when the future is dropped.
    assert!(
        Cancelling::new(Drops::Each(1))
            .run(reader.recv(), || true)
            .is_none()
    );
    let apart = reader.reunite(other_writer).unwrap_err();
    assert!(apart.to_string().contains("different connections"));
    drop((other_reader, apart.writer));
    let mut socket = apart.reader.reunite(writer).ok().unwrap();
    stream.push_input(&frame[8..]);
    let message = block_on(socket.recv(), || false).unwrap();
    assert_eq!(message, Some(Message::text("hello")));
    assert_eq!(stream.output(), b"\x81\x03fed");
    let (_, connection, inbox) = socket.into_parts();
    assert_eq!((connection.queued(), inbox.unread()), (0, &b""[..]));
}

/// 64 messages that came together are answered together.
fn pipelined_messages_cost_one_read_and_one_write<A: Adapter>() {
    let batch = frame_to(Role::Server, BINARY, &[1; 16]).repeat(64);
    for events in [false, true] {
        let stream = Hostile::new(b"", After::Silence);
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        let mut executor = Executor::new();
        executor.spawn(async move {
            loop {
                if events {
                    let (event, connection) = socket.next_event().await.unwrap().unwrap();
                    connection.send(event.into_message().unwrap()).unwrap();
                } else {
                    let message = socket.recv().await.unwrap().unwrap();
                    socket.feed(message).await.unwrap();
                }
            }
        });
        executor.run_until_stuck();
        for round in 1..=100 {
            let [reads, writes, _] = stream.counts();
            stream.push_input(&batch);
            executor.run_until_stuck();
            assert_eq!(parse_frames(&stream.output()).0.len(), 64 * round);
            let [reads, writes] = [stream.counts()[0] - reads, stream.counts()[1] - writes];
            // The second read finds nothing, which a socket is known to say after a short one.
            assert_eq!((reads, writes), (2, 1));
        }
    }
}

/// F4, W7: a peer that never stops sending does not keep other tasks from running: neither while
/// its messages are received nor while they are dropped.
fn a_flood_lets_others_run<A: Adapter>() {
    const TURN: usize = 256 * 1024 + 64 * 1024;
    let frame = frame_to(Role::Server, BINARY, &[0; 100]);
    let flood = frame.repeat(4 * 1024 * 1024 / frame.len());
    for closing in [false, true] {
        let stream = Hostile::new(&flood, After::End);
        let mut socket = A::open(Role::Server, &timeless(), &stream);
        let left = || stream.state().input.len();
        let mut executor = Executor::new();
        let flooded = executor.spawn(async move {
            if closing {
                return socket.close(CloseCode::NORMAL, "").await.map(|_| 0);
            }
            let mut received = 0;
            while socket.recv().await.is_ok_and(|message| message.is_some()) {
                received += 1;
            }
            Ok(received)
        });
        executor.spawn(async {
            let mut before = left();
            while before > 0 {
                yield_now().await;
                assert!(before - left() <= TURN, "{}", before - left());
                before = left();
            }
        });
        assert_eq!(executor.run_until_stuck(), 0);
        let received = flooded.take().unwrap().unwrap();
        assert_eq!(
            received,
            if closing {
                0
            } else {
                flood.len() / frame.len()
            }
        );
    }
}
