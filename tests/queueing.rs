//! What the blocking adapter queues, writes and gives back, over streams that never wait.
#![cfg(feature = "std")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::io::{self, ErrorKind, Read, Write};

use common::hostile::{After, Fault, Hostile, On, Steps};
use common::pair::{
    BINARY, CLOSE, Frame, PING, PONG, Seen, TEXT, binary, frame_to, own, parse_frames, text,
    timeless,
};
use fullduplex::blocking::{Error, WebSocket};
use fullduplex::{
    CloseCode, Config, Connection, Delivery, Event, Inbox, MaskKeys, Message, Role, SendError,
    Unsent,
};

const SERVER: Role = Role::Server;

fn server(config: &Config, script: &Hostile) -> WebSocket<Hostile> {
    WebSocket::new(script.clone(), Connection::server(config), Inbox::new())
}

fn silent() -> Hostile {
    Hostile::new(b"", After::Silence)
}

/// Takes no byte until [`unblock`].
fn blocked() -> Hostile {
    silent().with_fault(
        Fault::Error(ErrorKind::WouldBlock),
        On::Writes,
        Steps::From(0),
    )
}

fn unblock(script: &Hostile) {
    script.state().steps = Steps::None;
}

fn frames(script: &Hostile) -> Vec<Frame> {
    let output = script.output();
    let (frames, rest) = parse_frames(&output);
    assert_eq!(rest, b"");
    frames
}

fn small_queue() -> Config {
    let mut config = timeless();
    config.limits.max_outgoing = 1000;
    config
}

/// Messages that came with one read are answered with one write, made when the next read would
/// wait.
#[test]
fn pipelined_messages_cost_one_read_and_one_write() {
    let message = frame_to(SERVER, BINARY, &[9; 16]);
    let script = Hostile::new(&message.repeat(64), After::Silence);
    let mut socket = server(&timeless(), &script);
    for _ in 0..64 {
        let Some((Event::Binary(payload), connection)) = socket.next_event().unwrap() else {
            panic!("another event");
        };
        connection.send_binary(&payload).unwrap();
    }
    assert_eq!(script.counts(), [1, 0, 0]);
    assert!(socket.next_event().unwrap_err().is_would_block());
    assert_eq!(script.counts(), [2, 1, 1]);
    assert_eq!(frames(&script).len(), 64);
    assert!(socket.next_event().unwrap_err().is_would_block());
    assert_eq!(script.counts(), [3, 1, 1]);
}

/// The same with owned messages: `feed` does not write.
#[test]
fn fed_messages_go_out_before_the_next_wait() {
    let message = frame_to(SERVER, TEXT, b"hello");
    let script = Hostile::new(&message.repeat(64), After::Silence);
    let mut socket = server(&timeless(), &script);
    for _ in 0..64 {
        let message = socket.recv().unwrap().unwrap();
        socket.feed(message).unwrap();
    }
    assert_eq!(script.counts(), [1, 0, 0]);
    assert!(socket.recv().unwrap_err().is_would_block());
    assert_eq!(script.counts(), [2, 1, 1]);
    assert_eq!(frames(&script).len(), 64);
}

/// Input that never ends does not keep the answers back, nor make the queue grow.
#[test]
fn answers_go_out_while_more_input_waits() {
    let message = frame_to(SERVER, BINARY, &[9; 1000]);
    let script = Hostile::new(&message.repeat(1000), After::Silence);
    let mut socket = server(&timeless(), &script);
    let mut most = 0;
    for _ in 0..1000 {
        let Some((Event::Binary(payload), connection)) = socket.next_event().unwrap() else {
            panic!("another event");
        };
        connection.send_binary(&payload).unwrap();
        most = most.max(connection.queued());
    }
    assert!(most <= 66 * 1024, "{most} bytes were queued");
    assert!(socket.next_event().unwrap_err().is_would_block());
    assert_eq!(frames(&script).len(), 1000);
    let [_, writes, _] = script.counts();
    assert!(writes <= 20, "a write for few messages");
}

/// Found by fault injection: a TLS stream whose buffer is full says that it has taken nothing, which
/// was mistaken for the end of writing, and what was queued was lost.
#[test]
fn a_buffer_that_is_full_for_now_is_no_broken_stream() {
    /// Holds back a few bytes, and takes none before they are gone.
    struct Buffering(Hostile, Vec<u8>);

    impl Read for Buffering {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.0.read(room)
        }
    }

    impl Write for Buffering {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(16 - self.1.len());
            self.1.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            while !self.1.is_empty() {
                let count = self.0.write(&self.1)?;
                self.1.drain(..count);
            }
            self.0.flush()
        }
    }

    let script = blocked();
    script.push_input(&frame_to(SERVER, TEXT, b"hello"));
    let stream = Buffering(script.clone(), Vec::new());
    let mut socket = WebSocket::new(stream, Connection::server(&timeless()), Inbox::new());
    assert!(socket.send(vec![7; 100]).unwrap_err().is_would_block());
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
    assert!(socket.flush().unwrap_err().is_would_block());
    unblock(&script);
    socket.flush().unwrap();
    assert_eq!(frames(&script)[0].payload, [7; 100]);
}

/// Found by fault injection: with much to be written, a stream that was full was asked twice.
#[test]
fn a_stream_that_is_full_is_asked_once() {
    let script = blocked();
    let mut socket = server(&timeless(), &script);
    socket.connection().send_binary(&vec![7; 70_000]).unwrap();
    assert!(socket.recv().unwrap_err().is_would_block());
    assert_eq!(script.counts(), [1, 1, 0]);
}

/// W1: over a stream that takes nothing, the queue takes its bound and one message, then gives
/// messages back; nothing is lost, and the connection can still be closed.
#[test]
fn a_full_queue_gives_the_message_back() {
    let script = blocked();
    let mut socket = server(&small_queue(), &script);
    let mut queued = 0;
    let unsent = loop {
        match socket.feed(Message::binary(vec![queued; 300])) {
            Ok(()) => queued += 1,
            Err(Error::Unsent(unsent)) => break unsent,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(queued, 4);
    let Unsent { error, message } = unsent;
    assert_eq!(error, SendError::Full);
    assert_eq!(message, Message::binary(vec![queued; 300]));
    assert!(matches!(
        socket.ping(b""),
        Err(Error::Send(SendError::Full))
    ));
    assert!(
        socket
            .close(CloseCode::NORMAL, "")
            .unwrap_err()
            .is_would_block()
    );

    unblock(&script);
    assert!(
        socket
            .close(CloseCode::NORMAL, "")
            .unwrap_err()
            .is_would_block()
    );
    let written = frames(&script);
    assert_eq!(written.len(), 5);
    for (number, frame) in (0u8..).zip(&written[..4]) {
        assert_eq!(frame.payload, vec![number; 300]);
    }
    assert_eq!(written[4].first, CLOSE);
}

/// A blocking stream makes room instead.
#[test]
fn a_full_queue_is_written_by_a_stream_that_blocks() {
    let script = silent();
    let mut socket = server(&small_queue(), &script);
    for number in 0..100 {
        socket.feed(Message::binary(vec![number; 300])).unwrap();
    }
    socket.ping(b"last").unwrap();
    let written = frames(&script);
    assert_eq!((written.len(), written[100].first), (101, PING));
}

/// A message whose sending would block is queued, once.
#[test]
fn sending_that_blocks_has_queued_the_message() {
    let script = blocked();
    let mut socket = server(&timeless(), &script);
    assert!(socket.send("one").unwrap_err().is_would_block());
    assert!(socket.flush().unwrap_err().is_would_block());
    assert!(socket.recv().unwrap_err().is_would_block());
    unblock(&script);
    socket.flush().unwrap();
    socket.send("two").unwrap();
    let payloads: Vec<Vec<u8>> = frames(&script)
        .into_iter()
        .map(|frame| frame.payload)
        .collect();
    assert_eq!(payloads, [b"one", b"two"]);
}

/// R6455-5.5.1-04: after our Close frame messages are given back.
#[test]
fn messages_after_close_are_given_back() {
    let script = silent();
    let mut socket = server(&timeless(), &script);
    assert!(
        socket
            .close(CloseCode::NORMAL, "")
            .unwrap_err()
            .is_would_block()
    );
    let Err(Error::Unsent(unsent)) = socket.send("late") else {
        panic!("it was sent");
    };
    assert_eq!(unsent.error, SendError::Closed);
    assert_eq!(unsent.message, Message::text("late"));
    assert!(matches!(
        socket.ping(b""),
        Err(Error::Send(SendError::Closed))
    ));
    assert_eq!(frames(&script).len(), 1);
    let text = "x".repeat(124);
    let refused = server(&timeless(), &script).close(CloseCode::NORMAL, &text);
    assert!(matches!(
        refused,
        Err(Error::Send(SendError::ReasonTooLong(124)))
    ));
}

/// What was queued when the connection ended is not said to be written.
#[test]
fn flushing_after_the_end_tells_what_was_lost() {
    let script = blocked();
    script.state().after = After::End;
    let mut socket = server(&timeless(), &script);
    socket.feed("lost").unwrap();
    assert!(matches!(socket.recv(), Err(Error::Receive(_))));
    unblock(&script);
    assert!(matches!(socket.flush(), Err(Error::Receive(_))));
    assert_eq!(script.output(), b"");

    let mut socket = server(&timeless(), &Hostile::new(b"", After::End));
    assert!(matches!(socket.recv(), Err(Error::Receive(_))));
    socket.flush().unwrap(); // nothing was lost
}

/// Events lend their payloads, whole messages or pieces, and can be answered while looked at;
/// `read` gives whole messages only.
#[test]
fn events_are_lent() {
    let input = [
        frame_to(SERVER, PING, b"p"),
        frame_to(SERVER, PONG, b"q"),
        frame_to(SERVER, TEXT, b"hello"),
    ]
    .concat();
    let mut socket = server(&timeless(), &Hostile::new(&input, After::Silence));
    let mut seen = Vec::new();
    while let Ok(Some((event, connection))) = socket.next_event() {
        if let Event::Text(text) = &event {
            connection.send_text(text).unwrap();
        }
        seen.push(own(event));
    }
    let expected = [
        Seen::Ping(b"p".to_vec()),
        Seen::Pong(b"q".to_vec()),
        text("hello"),
    ];
    assert_eq!(seen, expected);

    let mut config = timeless();
    config.delivery = Delivery::Pieces;
    let script = Hostile::new(&input, After::Silence).with_sizes(8, 8);
    let mut socket = server(&config, &script);
    let (mut pieces, mut blocked) = (String::new(), false);
    while !blocked {
        match socket.next_event() {
            Ok(Some((Event::Piece(piece), _))) => pieces.push_str(piece.as_text().unwrap()),
            Ok(event) => assert!(event.is_some()),
            Err(error) => blocked = error.is_would_block(),
        }
    }
    assert_eq!(pieces, "hello");
}

/// Taken apart in the middle of a frame and put together again, a connection goes on.
#[test]
fn parts_can_be_put_together_again() {
    for role in common::pair::ROLES {
        let frame = frame_to(role, BINARY, &[5; 300]);
        for cut in 0..frame.len() {
            let script = Hostile::new(&frame[..cut], After::Silence);
            let connection = match role {
                Role::Client => Connection::client(&timeless(), MaskKeys::seeded([7; 32])),
                Role::Server => Connection::server(&timeless()),
            };
            let mut socket = WebSocket::new(script, connection, Inbox::new());
            socket.feed("queued").unwrap();
            assert!(socket.recv().unwrap_err().is_would_block());
            socket.feed("and queued").unwrap();
            let (stream, connection, inbox) = socket.into_parts();
            stream.push_input(&frame[cut..]);
            let mut socket = WebSocket::new(stream, connection, inbox);
            let (event, _) = socket.next_event().unwrap().unwrap();
            assert_eq!(own(event), binary(&[5; 300]), "{cut}");
            socket.flush().unwrap();
            let payloads: Vec<Vec<u8>> = frames(socket.stream())
                .into_iter()
                .map(|frame| frame.payload)
                .collect();
            assert_eq!(payloads, [&b"queued"[..], b"and queued"], "{cut}");
        }
    }
}
