//! The loop that adapters share, over streams that cut, lie and hold back; `tests/faults` has those
//! that break.
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

use common::executor::block_on;
use common::hostile::{After, Fault, Hostile, On, Steps};
use common::pair::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, ROLES, Seen, TEXT, close_to, closed, frame_to,
    parse_frames, text, timeless,
};
use common::sockets::{Answer, Opener, Socket, connection};
use fullduplex::{CloseCode, Error, Message, ReceiveError, Role, State};

for_each_socket! {
    short_reads_and_writes_change_nothing,
    streams_that_lie_are_errors,
    a_stream_that_takes_nothing_is_an_error,
    what_came_before_writing_failed_is_delivered,
    what_the_stream_buffers_is_flushed,
    the_peers_end_is_not_awaited_after_writing_failed,
    a_half_closed_peer_gets_the_close_frame,
    a_flood_around_close_frames_is_dropped,
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
fn stream(role: Role, payload: usize) -> Hostile {
    let after = match role {
        Role::Client => After::End,
        Role::Server => After::Silence,
    };
    Hostile::new(&input(role, payload), after)
}

fn open<O: Opener>(role: Role, stream: &Hostile) -> O::Socket {
    let opening = O::open(stream, role, connection(role, &timeless()));
    block_on(opening, || false).unwrap()
}

/// Echoes until the connection ends.
fn converse<S: Socket>(socket: &mut S, stream: &Hostile) -> (Vec<Seen>, Result<(), Error>) {
    let mut seen = Vec::new();
    let talk = async {
        while let Some(event) = socket.next(Answer::Echo).await? {
            seen.push(event);
        }
        Ok(())
    };
    let result = block_on(talk, || stream.stir());
    (seen, result)
}

/// A conversation over a stream that does its best, and how many calls it took.
fn undisturbed<O: Opener>(role: Role, payload: usize, size: usize) -> (Vec<Seen>, Vec<u8>, usize) {
    let stream = stream(role, payload).with_sizes(size, size);
    let mut socket = open::<O>(role, &stream);
    let (seen, result) = converse(&mut socket, &stream);
    result.unwrap();
    assert!(socket.outcome().unwrap().clean);
    let calls = stream.state().calls;
    (seen, stream.output(), calls)
}

fn first_bytes(output: &[u8]) -> Vec<u8> {
    let (frames, rest) = parse_frames(output);
    assert_eq!(rest, b"");
    frames.iter().map(|frame| frame.first).collect()
}

/// W4: what is written does not depend on how much of it the stream takes at a time, nor on how
/// often it has to be asked.
fn short_reads_and_writes_change_nothing<O: Opener>() {
    for role in ROLES {
        let (seen, output, _) = undisturbed::<O>(role, 126, usize::MAX);
        assert_eq!(seen.len(), 8);
        assert_eq!(seen.last(), Some(&closed(1000, "bye")));
        let expected = [TEXT, BINARY, PONG, PONG, TEXT, BINARY, BINARY, CLOSE];
        assert_eq!(first_bytes(&output), expected);
        for read_size in [1, 2, 3, 7, 125, 126, usize::MAX] {
            for write_size in [1, 2, 3, 7, 125, 126, usize::MAX] {
                for halting in [false, true] {
                    let stream = stream(role, 126).with_sizes(read_size, write_size);
                    stream.state().is_halting = halting;
                    let mut socket = open::<O>(role, &stream);
                    let (heard, result) = converse(&mut socket, &stream);
                    result.unwrap();
                    assert_eq!(heard, seen, "{read_size}, {write_size}");
                    assert!(stream.output() == output, "{read_size}, {write_size}");
                    assert_eq!(stream.state().flushed, output.len());
                    assert_eq!(stream.state().is_shut_down, O::SHUTS_DOWN);
                }
            }
        }
    }
}

fn is_io(error: &Error, kind: ErrorKind) -> bool {
    matches!(error, Error::Io(error) if error.kind() == kind)
}

/// W5: a stream that claims more bytes than it was given gets no more of them and invents none.
fn streams_that_lie_are_errors<O: Opener>() {
    for role in ROLES {
        let (seen, output, calls) = undisturbed::<O>(role, 4, 7);
        for on in [On::Reads, On::Writes] {
            if on == On::Reads && !O::READS_CAN_LIE {
                continue;
            }
            for step in 0..calls {
                let stream =
                    stream(role, 4)
                        .with_sizes(7, 7)
                        .with_fault(Fault::Lie, on, Steps::From(step));
                let (heard, result) = converse(&mut open::<O>(role, &stream), &stream);
                let what = format!("{role:?} {on:?} {step}: {heard:?}");
                assert!(seen.starts_with(&heard), "{what}");
                assert!(output.starts_with(&stream.output()), "{what}");
                match result {
                    Ok(()) => assert_eq!(heard, seen),
                    Err(error) => assert!(is_io(&error, ErrorKind::InvalidData), "{error:?}"),
                }
            }
        }
    }
}

/// W3: a stream that takes nothing is told as such. What has come is still delivered, and then
/// nobody waits for more.
fn a_stream_that_takes_nothing_is_an_error<O: Opener>() {
    let stream = Hostile::new(&frame_to(Role::Server, TEXT, b"hello"), After::Silence).with_fault(
        Fault::Nothing,
        On::Writes,
        Steps::From(0),
    );
    let mut socket = open::<O>(Role::Server, &stream);
    block_on(
        async {
            let error = socket.send("lost".into()).await.unwrap_err();
            assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
            assert_eq!(socket.recv().await.unwrap(), Some(Message::text("hello")));
            for _ in 0..2 {
                let error = socket.recv().await.unwrap_err();
                assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
            }
            let error = socket.flush().await.unwrap_err();
            assert!(is_io(&error, ErrorKind::WriteZero), "{error:?}");
        },
        || false,
    );
    let outcome = socket.outcome().unwrap();
    assert_eq!(outcome.cause, Some(ReceiveError::UnexpectedEof));
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
}

/// When writing fails, all that has come is delivered first: also if it is so much that an async
/// task lets others run in between, and if a read is interrupted.
fn what_came_before_writing_failed_is_delivered<O: Opener>() {
    let role = Role::Server;
    for (count, interrupted) in [(1200, false), (3, true)] {
        let flood = frame_to(role, BINARY, &[1; 1000]).repeat(count);
        let stream = Hostile::new(&flood, After::Silence).with_fault(
            Fault::Error(ErrorKind::BrokenPipe),
            On::Writes,
            Steps::From(0),
        );
        let mut socket = open::<O>(role, &stream);
        let talk = async {
            socket.send("lost".into()).await.unwrap_err();
            if interrupted {
                let mut state = stream.state();
                (state.fault, state.on) = (Fault::Error(ErrorKind::Interrupted), On::Reads);
                state.steps = Steps::Only(state.reads);
            }
            let mut delivered = 0;
            loop {
                match socket.recv().await {
                    Ok(message) => delivered += usize::from(message.is_some()),
                    Err(error) => {
                        assert!(is_io(&error, ErrorKind::BrokenPipe), "{error:?}");
                        break delivered;
                    }
                }
            }
        };
        assert_eq!(block_on(talk, || stream.stir()), count);
        assert!(stream.state().faults > usize::from(interrupted));
    }
}

/// W8: the answer to the peer's Close frame cannot be written, although the stream can still be
/// ended. The peer, who waits for that answer, need not end its side before we do. What the faults of
/// TLS found.
fn the_peers_end_is_not_awaited_after_writing_failed<O: Opener>() {
    for role in ROLES {
        let reset = Fault::Error(ErrorKind::ConnectionReset);
        let stream = Hostile::new(&close_to(role, 1000, "bye"), After::Silence).with_fault(
            reset,
            On::Writes,
            Steps::Only(0),
        );
        let mut socket = open::<O>(role, &stream);
        let (seen, result) = converse(&mut socket, &stream);
        assert_eq!(seen, [closed(1000, "bye")]);
        result.unwrap();
        assert_eq!(stream.state().faults, 1);
        assert_eq!(socket.connection().state(), State::Closed);
    }
}

/// R6455-7.1.7-01: also with a stream that has buffers of its own, nothing stays behind: not the
/// answers when there is nothing to read, and not the last frame of all.
fn what_the_stream_buffers_is_flushed<O: Opener>() {
    for role in ROLES {
        let violation = frame_to(role, 0x83, b"an opcode that has no meaning");
        for (input, after) in [
            (frame_to(role, PING, b"p"), After::Silence),
            (close_to(role, 1000, ""), After::Silence),
            (close_to(role, 1000, ""), After::End),
            (violation.clone(), After::Silence),
            (violation, After::End),
        ] {
            let stream = Hostile::new(&input, after);
            stream.state().is_stuck = true;
            let mut socket = open::<O>(role, &stream);
            let mut waits = 0;
            let talk = async { while let Ok(Some(_)) = socket.next(Answer::Nothing).await {} };
            block_on(talk, || {
                waits += 1;
                assert!(waits < 10, "it waits for ever");
                if waits <= 3 {
                    assert_eq!(stream.state().flushed, 0);
                    stream.push_input(b""); // is no reason to give up
                } else {
                    stream.unstick();
                    stream.end();
                }
                true
            });
            assert!(waits > 3);
            assert_eq!(socket.connection().state(), State::Closed);
            let output = stream.output();
            let last = if input[0] == PING { PONG } else { CLOSE };
            assert_eq!(first_bytes(&output), [last]);
            assert_eq!(stream.state().flushed, output.len());
        }
    }
}

/// W8: a peer that sent its Close frame and ended its side may still read, so it gets what is
/// queued, our Close frame last.
fn a_half_closed_peer_gets_the_close_frame<O: Opener>() {
    for role in ROLES {
        let input = [frame_to(role, TEXT, b"last"), close_to(role, 1001, "")].concat();
        let stream = Hostile::new(&input, After::End).with_room(0);
        let mut socket = open::<O>(role, &stream);
        socket.connection().send_text("first").unwrap();
        let mut seen = Vec::new();
        let mut helped = 0;
        block_on(
            async {
                while let Some(event) = socket.next(Answer::Nothing).await.unwrap() {
                    seen.push(event);
                }
            },
            || {
                helped += 1;
                stream.make_room(1);
                stream.stir();
                true
            },
        );
        assert!(helped > 1);
        assert_eq!(seen, [text("last"), closed(1001, "")]);
        assert_eq!(first_bytes(&stream.output()), [TEXT, CLOSE]);
        assert!(socket.outcome().unwrap().clean);
    }
}

/// W7: after the peer's Close frame nothing more is reported, and what follows ours is dropped.
fn a_flood_around_close_frames_is_dropped<O: Opener>() {
    for role in ROLES {
        let late = [close_to(role, 1000, ""), frame_to(role, TEXT, b"late")].concat();
        let stream = Hostile::new(&late, After::End);
        let (seen, result) = converse(&mut open::<O>(role, &stream), &stream);
        result.unwrap();
        assert_eq!(seen, [closed(1000, "")]);

        let mut flood = frame_to(role, BINARY, &[0; 1000]).repeat(1000);
        flood.extend(close_to(role, 3000, "done"));
        let stream = Hostile::new(&flood, After::End);
        let mut socket = open::<O>(role, &stream);
        let outcome = block_on(socket.close(CloseCode::NORMAL, "bye"), || false).unwrap();
        assert!(outcome.clean);
        assert_eq!(outcome.code(), CloseCode::from(3000));
        assert_eq!(first_bytes(&stream.output()), [CLOSE]);
        let again = block_on(socket.close(CloseCode::GOING_AWAY, "again"), || false);
        assert_eq!(again.unwrap(), outcome);
    }
}
