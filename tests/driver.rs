//! The loop that adapters share, over streams that go wrong at every step of a conversation.
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

use std::io::ErrorKind;

use common::hostile::{After, Fault, Hostile, On, Steps};
use common::pair::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, ROLES, Seen, TEXT, close_to, closed, frame_to,
    own, parse_frames, text, timeless,
};
use fullduplex::blocking::{Error, WebSocket};
use fullduplex::{
    CloseCode, Config, Connection, Event, Inbox, MaskKeys, Message, ReceiveError, Role, State,
};

fn open(role: Role, config: &Config, script: &Hostile) -> WebSocket<Hostile> {
    let connection = match role {
        Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
        Role::Server => Connection::server(config),
    };
    WebSocket::new(script.clone(), connection, Inbox::new())
}

/// Frames of every kind, up to the peer's Close frame, the largest with a payload of `size`.
fn input(role: Role, size: usize) -> Vec<u8> {
    [
        frame_to(role, TEXT, b"hello"),
        frame_to(role, BINARY, &vec![1; size - 1]),
        frame_to(role, PING, b"there?"),
        frame_to(role, TEXT & !FIN, b"in "),
        frame_to(role, PING, b"between"),
        frame_to(role, CONTINUATION, b"pieces"),
        frame_to(role, BINARY, &vec![2; size]),
        frame_to(role, BINARY, b""),
        close_to(role, 1000, "bye"),
    ]
    .concat()
}

/// The server ends the stream first, so a client sees its end.
fn script(role: Role, payload: usize) -> Hostile {
    let after = match role {
        Role::Client => After::End,
        Role::Server => After::Silence,
    };
    Hostile::new(&input(role, payload), after)
}

/// Echoes until the connection ends. A stream that keeps blocking works again after some calls.
fn converse(socket: &mut WebSocket<Hostile>, script: &Hostile) -> (Vec<Seen>, Result<(), Error>) {
    let (mut seen, mut blocked) = (Vec::new(), 0);
    let result = loop {
        script.state().start();
        match socket.next_event() {
            Ok(Some((event, connection))) => {
                match &event {
                    Event::Text(text) => connection.send_text(text).unwrap(),
                    Event::Binary(bytes) => connection.send_binary(bytes).unwrap(),
                    _ => {}
                }
                seen.push(own(event));
            }
            Ok(None) => break Ok(()),
            Err(Error::WouldBlock) => {
                blocked += 1;
                assert!(blocked < 10_000, "it blocks for ever");
                if blocked % 5 == 0 && matches!(script.state().steps, Steps::From(_)) {
                    script.state().steps = Steps::None;
                }
            }
            Err(error) => break Err(error),
        }
    };
    assert!(!script.state().is_busy, "a busy loop");
    (seen, result)
}

/// A conversation over a stream that does its best, and how many calls it took.
fn undisturbed(role: Role, payload: usize, size: usize) -> (Vec<Seen>, Vec<u8>, usize) {
    let script = script(role, payload).with_sizes(size, size);
    let mut socket = open(role, &timeless(), &script);
    let (seen, result) = converse(&mut socket, &script);
    result.unwrap();
    assert!(socket.outcome().unwrap().clean);
    let calls = script.state().calls;
    (seen, script.output(), calls)
}

/// W4: what is written does not depend on how much of it the stream takes at a time.
#[test]
fn short_reads_and_writes_change_nothing() {
    for role in ROLES {
        let (seen, output, _) = undisturbed(role, 126, usize::MAX);
        assert_eq!(seen.len(), 8);
        assert_eq!(seen.last(), Some(&closed(1000, "bye")));
        let (frames, rest) = parse_frames(&output);
        let firsts: Vec<u8> = frames.iter().map(|frame| frame.first).collect();
        let expected = [TEXT, BINARY, PONG, PONG, TEXT, BINARY, BINARY, CLOSE];
        assert_eq!((firsts, rest), (expected.to_vec(), &b""[..]));
        for read_size in [1, 2, 3, 7, 125, 126, usize::MAX] {
            for write_size in [1, 2, 3, 7, 125, 126, usize::MAX] {
                let script = script(role, 126).with_sizes(read_size, write_size);
                let mut socket = open(role, &timeless(), &script);
                let (heard, result) = converse(&mut socket, &script);
                result.unwrap();
                assert_eq!(heard, seen, "{read_size}, {write_size}");
                assert!(script.output() == output, "{read_size}, {write_size}");
            }
        }
    }
}

/// W3, W4: a call that comes back empty-handed, or any number of them, loses nothing, doubles
/// nothing, and makes nobody loop.
#[test]
fn blocking_at_any_step_changes_nothing() {
    let kinds = [
        ErrorKind::WouldBlock,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
    ];
    for role in ROLES {
        for size in [1, 60, usize::MAX] {
            let (seen, output, calls) = undisturbed(role, 4, size);
            for kind in kinds {
                for step in 0..calls {
                    for steps in [Steps::Only(step), Steps::From(step)] {
                        let script = script(role, 4).with_sizes(size, size).with_fault(
                            Fault::Error(kind),
                            On::Both,
                            steps,
                        );
                        let mut socket = open(role, &timeless(), &script);
                        let (heard, result) = converse(&mut socket, &script);
                        result.unwrap();
                        assert_eq!(heard, seen, "{role:?} {size} {kind:?} {steps:?}");
                        assert!(
                            script.output() == output,
                            "{role:?} {size} {kind:?} {steps:?}"
                        );
                    }
                }
            }
        }
    }
}

/// W3, W8, R6455-7.2.1-01: wherever the stream ends or breaks, everything before is delivered, the
/// call returns with the reason, and after the closing handshake there is none.
#[test]
fn ends_and_errors_at_any_step_are_told() {
    let faults = [
        Fault::Nothing,
        Fault::Error(ErrorKind::ConnectionReset),
        Fault::Error(ErrorKind::BrokenPipe),
        Fault::Error(ErrorKind::Other),
    ];
    for role in ROLES {
        for size in [1, 60, usize::MAX] {
            let (seen, output, calls) = undisturbed(role, 4, size);
            for fault in faults {
                for on in [On::Both, On::Reads, On::Writes] {
                    for step in 0..calls {
                        let what = format!("{role:?} {size} {fault:?} {on:?} {step}");
                        let script = script(role, 4).with_sizes(size, size).with_fault(
                            fault,
                            on,
                            Steps::From(step),
                        );
                        let mut socket = open(role, &timeless(), &script);
                        let (heard, result) = converse(&mut socket, &script);
                        assert!(seen.starts_with(&heard), "{what}: {heard:?}");
                        assert!(output.starts_with(&script.output()), "{what}");
                        if on == On::Writes {
                            assert_eq!(heard, seen, "{what}: what came is delivered");
                        }
                        let outcome = socket.outcome().expect(&what);
                        assert_eq!(outcome.clean, heard == seen, "{what}");
                        let kind = expected_error(fault, heard == seen);
                        assert!(tells(&result, kind), "{what}: {result:?}");
                        // It stays that way.
                        let (heard, result) = converse(&mut socket, &script);
                        assert_eq!(heard, [], "{what}");
                        assert!(tells(&result, kind), "{what}: {result:?}");
                    }
                }
            }
        }
    }
}

/// `None` for a closing handshake; the end of the stream is `UnexpectedEof`, or `WriteZero` if it
/// was seen by a writer.
fn expected_error(fault: Fault, closed: bool) -> Option<ErrorKind> {
    match fault {
        _ if closed => None,
        Fault::Error(kind) => Some(kind),
        _ => Some(ErrorKind::UnexpectedEof),
    }
}

fn tells(result: &Result<(), Error>, kind: Option<ErrorKind>) -> bool {
    match (result, kind) {
        (Ok(()), None)
        | (Err(Error::Receive(ReceiveError::UnexpectedEof)), Some(ErrorKind::UnexpectedEof)) => {
            true
        }
        (Err(Error::Io(error)), Some(ErrorKind::UnexpectedEof)) => {
            error.kind() == ErrorKind::WriteZero
        }
        (Err(Error::Io(error)), Some(kind)) => error.kind() == kind,
        _ => false,
    }
}

/// W3: a stream that takes nothing is told as such. What has come is still delivered, and then
/// nobody waits for more.
#[test]
fn a_stream_that_takes_nothing_is_an_error() {
    let server = Role::Server;
    let script = Hostile::new(&frame_to(server, TEXT, b"hello"), After::Silence).with_fault(
        Fault::Nothing,
        On::Writes,
        Steps::From(0),
    );
    let mut socket = open(server, &timeless(), &script);
    let error = socket.send("lost").unwrap_err();
    assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
    assert_eq!(socket.recv().unwrap(), Some(Message::text("hello")));
    for _ in 0..2 {
        let error = socket.recv().unwrap_err();
        assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
    }
    let error = socket.flush().unwrap_err();
    assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
    let outcome = socket.outcome().unwrap();
    assert_eq!(outcome.cause, Some(ReceiveError::UnexpectedEof));
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
}

fn is_io(error: &Error, kind: ErrorKind) -> bool {
    matches!(error, Error::Io(error) if error.kind() == kind)
}

/// W5: a stream that claims more bytes than it was given gets no more of them and invents none.
#[test]
fn streams_that_lie_are_errors() {
    for role in ROLES {
        let (seen, output, calls) = undisturbed(role, 4, 7);
        for on in [On::Reads, On::Writes] {
            for step in 0..calls {
                let script =
                    script(role, 4)
                        .with_sizes(7, 7)
                        .with_fault(Fault::Lie, on, Steps::From(step));
                let mut socket = open(role, &timeless(), &script);
                let (heard, result) = converse(&mut socket, &script);
                assert!(
                    seen.starts_with(&heard),
                    "{role:?} {on:?} {step}: {heard:?}"
                );
                assert!(
                    output.starts_with(&script.output()),
                    "{role:?} {on:?} {step}"
                );
                match result {
                    Ok(()) => assert_eq!(heard, seen),
                    Err(error) => assert!(is_io(&error, ErrorKind::InvalidData), "{error:?}"),
                }
            }
        }
    }
}

/// R6455-7.1.7-01: also with a stream that has buffers of its own, nothing stays behind: not the
/// answers when there is nothing to read, and not the last frame of all.
#[test]
fn what_the_stream_buffers_is_flushed() {
    for role in ROLES {
        let script = Hostile::new(&frame_to(role, PING, b"p"), After::Silence);
        let mut socket = open(role, &timeless(), &script);
        assert!(socket.recv().unwrap_err().is_would_block());
        assert!(all_is_flushed(&script));

        let violation = frame_to(role, 0x83, b"an opcode that has no meaning");
        for (input, after) in [
            (close_to(role, 1000, ""), After::Silence),
            (close_to(role, 1000, ""), After::End),
            (violation.clone(), After::Silence),
            (violation, After::End),
        ] {
            let script = Hostile::new(&input, after);
            script.state().is_stuck = true;
            let mut socket = open(role, &timeless(), &script);
            if let Ok(Some((event, _))) = socket.next_event() {
                assert_eq!(own(event), closed(1000, ""));
            }
            for _ in 0..3 {
                assert!(socket.next_event().unwrap_err().is_would_block());
                assert_eq!(script.state().flushed, 0);
            }
            script.state().is_stuck = false;
            script.state().after = After::End;
            let _ = socket.next_event();
            assert_eq!(socket.connection().state(), State::Closed);
            let (frames, _) = parse_frames(&script.output());
            assert_eq!(frames.last().unwrap().first, CLOSE);
            assert!(all_is_flushed(&script));
        }
    }
}

fn all_is_flushed(script: &Hostile) -> bool {
    let state = script.state();
    state.flushed == state.output.len()
}

/// W8: a peer that sent its Close frame and ended its side may still read, so it gets what is
/// queued, our Close frame last.
#[test]
fn a_half_closed_peer_gets_the_close_frame() {
    for role in ROLES {
        let input = [frame_to(role, TEXT, b"last"), close_to(role, 1001, "")].concat();
        let script = Hostile::new(&input, After::End).with_fault(
            Fault::Error(ErrorKind::WouldBlock),
            On::Writes,
            Steps::From(0),
        );
        let mut socket = open(role, &timeless(), &script);
        socket.feed("first").unwrap();
        let (mut seen, mut blocked) = (Vec::new(), 0);
        while blocked < 3 {
            match socket.next_event() {
                Ok(Some((event, _))) => seen.push(own(event)),
                Err(Error::WouldBlock) => blocked += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(seen, [text("last"), closed(1001, "")]);
        script.state().steps = Steps::None;
        assert!(socket.next_event().unwrap().is_none());
        let (frames, _) = parse_frames(&script.output());
        let firsts: Vec<u8> = frames.iter().map(|frame| frame.first).collect();
        assert_eq!(firsts, [TEXT, CLOSE]);
        assert!(socket.outcome().unwrap().clean);
    }
}

/// W7: after the peer's Close frame nothing more is reported, and what follows ours is dropped.
#[test]
fn data_around_close_frames_is_dropped() {
    for role in ROLES {
        let late = [close_to(role, 1000, ""), frame_to(role, TEXT, b"late")].concat();
        let script = Hostile::new(&late, After::End);
        let (seen, result) = converse(&mut open(role, &timeless(), &script), &script);
        result.unwrap();
        assert_eq!(seen, [closed(1000, "")]);

        let mut flood = frame_to(role, BINARY, &[0; 1000]).repeat(1000);
        flood.extend(close_to(role, 3000, "done"));
        let script = Hostile::new(&flood, After::End);
        let mut socket = open(role, &timeless(), &script);
        let outcome = socket.close(CloseCode::NORMAL, "bye").unwrap();
        assert!(outcome.clean);
        assert_eq!(outcome.code(), CloseCode::from(3000));
        let output = script.output();
        let (frames, rest) = parse_frames(&output);
        assert_eq!((frames.len(), rest), (1, &b""[..]));
        assert_eq!(
            socket.close(CloseCode::GOING_AWAY, "again").unwrap(),
            outcome
        );
    }
}
