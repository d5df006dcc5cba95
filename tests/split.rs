//! A connection on several threads over TCP: who reads, who writes, how it ends.
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

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use common::net::{SHORT, in_time, open, read_to_end};
use common::pair::{
    BINARY, CLOSE, Frame, PING, PONG, ROLES, TEXT, close_body, close_to, frame_to, parse_frames,
    timeless,
};
use fullduplex::blocking::{Error, Reader, Sender, Writer};
use fullduplex::{
    CloseCode, Config, Event, Initiator, Keepalive, Message, Outcome, ReceiveError, Role,
    SendError, Unsent,
};

/// So much that no two sockets buffer it.
const FAR_TOO_MUCH: usize = 64 << 20;

/// Our end, split and with a thread that writes, and a plain socket as its peer.
struct Split {
    reader: Reader<TcpStream>,
    sender: Sender,
    writing: JoinHandle<Outcome>,
    peer: TcpStream,
}

fn parts(role: Role, config: &Config) -> (Reader<TcpStream>, Sender, Writer<TcpStream>, TcpStream) {
    let (socket, peer) = open(role, config);
    let (reader, sender, writer) = socket.split().unwrap();
    (reader, sender, writer, peer)
}

fn split(role: Role, config: &Config) -> Split {
    let (reader, sender, writer, peer) = parts(role, config);
    Split {
        reader,
        sender,
        writing: thread::spawn(|| writer.run()),
        peer,
    }
}

/// The next frame that the peer gets.
fn next_frame(peer: &mut TcpStream) -> Frame {
    let mut bytes = Vec::new();
    loop {
        let mut byte = [0];
        assert_eq!(peer.read(&mut byte).unwrap(), 1, "the stream has ended");
        bytes.extend(byte);
        if let Some(frame) = parse_frames(&bytes).0.pop() {
            return frame;
        }
    }
}

fn rest(peer: &mut TcpStream) -> Vec<Frame> {
    let bytes = read_to_end(peer);
    let (frames, rest) = parse_frames(&bytes);
    assert_eq!(rest, b"", "half a frame");
    frames
}

fn unsent(result: Result<(), Error>) -> Unsent {
    match result {
        Err(Error::Unsent(unsent)) => unsent,
        other => panic!("{other:?}"),
    }
}

fn small_queue() -> Config {
    let mut config = timeless();
    config.limits.max_outgoing = 1000;
    config
}

#[test]
fn the_roles_move_to_threads() {
    fn is_send<T: Send + 'static>() {}
    fn is_shared<T: Clone + Sync>() {}
    is_send::<Reader<TcpStream>>();
    is_send::<Sender>();
    is_shared::<Sender>();
    is_send::<Writer<TcpStream>>();
}

/// R6455-5.5.2-01: a thread that does nothing but read is enough for Pings to be answered.
#[test]
fn pings_are_answered_while_the_application_only_reads() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        let reading = thread::spawn(move || end.reader.recv());
        for number in 0..100_u8 {
            end.peer
                .write_all(&frame_to(role, PING, &[number]))
                .unwrap();
            let pong = next_frame(&mut end.peer);
            assert_eq!((pong.first, &pong.payload[..]), (PONG, &[number][..]));
        }
        end.peer.write_all(&frame_to(role, TEXT, b"done")).unwrap();
        assert_eq!(
            reading.join().unwrap().unwrap(),
            Some(Message::text("done"))
        );
    }
}

/// The same while the application sends without a pause, and to a peer that reads slowly.
#[test]
fn pings_are_answered_while_the_application_only_writes() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        thread::spawn(move || while let Ok(Some(_)) = end.reader.recv() {});
        let sender = end.sender.clone();
        let sending = thread::spawn(move || {
            let mut sent = 0_u32;
            while sender.send(vec![7; 10_000]).is_ok() {
                sent += 1;
            }
            sent
        });
        let mut messages = 0;
        for number in 0..100 {
            end.peer
                .write_all(&frame_to(role, PING, &[number]))
                .unwrap();
            loop {
                // One frame at a time: a header of 4 or 8 bytes, or a Pong.
                let mut head = [0; 2];
                end.peer.read_exact(&mut head).unwrap();
                let mask = if role == Role::Client { 4 } else { 0 };
                if head[0] == PONG {
                    end.peer.read_exact(&mut vec![0; mask + 1]).unwrap();
                    break;
                }
                assert_eq!(head[0], BINARY);
                end.peer
                    .read_exact(&mut vec![0; 2 + mask + 10_000])
                    .unwrap();
                messages += 1;
            }
        }
        while messages == 0 {
            messages += u32::from(next_frame(&mut end.peer).first == BINARY);
        }
        drop(end.peer);
        assert!(sending.join().unwrap() >= messages);
        assert!(!end.writing.join().unwrap().clean);
    }
}

/// A peer that says a lot and reads nothing is heard all the same, however stuck the Writer is.
#[test]
fn reading_never_waits_for_writing() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        end.sender.send(vec![0; FAR_TOO_MUCH]).unwrap();
        let mut peer = end.peer.try_clone().unwrap();
        let saying = thread::spawn(move || {
            let pings = frame_to(role, PING, &[9; 100]).repeat(100);
            for _ in 0..200 {
                peer.write_all(&pings).unwrap();
            }
            peer.write_all(&frame_to(role, TEXT, b"done")).unwrap();
        });
        let reader = in_time(move || {
            assert_eq!(end.reader.recv().unwrap(), Some(Message::text("done")));
            end.reader
        });
        saying.join().unwrap();
        assert!(end.sender.queued() > 0, "the peer must not have read");
        drop((reader, end.peer));
        in_time(|| end.writing.join().unwrap());
    }
}

/// R6455-7.1.2-01: what was sent before goes out before the Close frame; what the peer says before
/// its own arrives; then everybody comes to an end.
#[test]
fn a_sender_closes() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        end.sender.send("last").unwrap();
        end.sender.close(CloseCode::NORMAL, "bye").unwrap();
        assert!(matches!(
            end.sender.close(CloseCode::NORMAL, ""),
            Err(Error::Send(SendError::Closed))
        ));
        assert_eq!(next_frame(&mut end.peer).payload, b"last");
        let close = next_frame(&mut end.peer);
        assert_eq!(
            (close.first, close.payload),
            (CLOSE, close_body(1000, "bye"))
        );
        assert_eq!(end.reader.outcome(), None);
        let mut frames = frame_to(role, TEXT, b"mine");
        frames.extend(close_to(role, 1000, ""));
        end.peer.write_all(&frames).unwrap();
        assert_eq!(end.reader.recv().unwrap(), Some(Message::text("mine")));
        if role == Role::Client {
            end.peer.shutdown(std::net::Shutdown::Write).unwrap(); // the server ends TCP first
        }
        let reader = in_time(move || {
            assert_eq!(end.reader.recv().unwrap(), None);
            assert_eq!(end.reader.recv().unwrap(), None);
            end.reader
        });
        let outcome = in_time(|| end.writing.join().unwrap());
        assert!(outcome.clean, "{outcome}");
        assert_eq!(outcome.initiator, Initiator::Local);
        assert_eq!(reader.outcome(), Some(outcome.clone()));
        assert_eq!(end.sender.outcome(), Some(outcome));
    }
}

#[test]
fn the_peer_closes() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        let mut frames = frame_to(role, TEXT, b"last");
        frames.extend(close_to(role, 1001, "bye"));
        end.peer.write_all(&frames).unwrap();
        assert_eq!(end.reader.recv().unwrap(), Some(Message::text("last")));
        assert!(matches!(
            end.reader.next_event().unwrap(),
            Some(Event::Close(frame)) if frame.reason == "bye"
        ));
        let error = unsent(end.sender.send("too late"));
        assert_eq!(error.error, SendError::Closed);
        assert_eq!(error.message, Message::text("too late"));
        let close = next_frame(&mut end.peer);
        assert_eq!((close.first, close.payload), (CLOSE, close_body(1001, "")));
        if role == Role::Server {
            assert_eq!(rest(&mut end.peer), []); // the server ends TCP first
        }
        drop(end.peer);
        assert_eq!(end.reader.recv().unwrap(), None);
        let outcome = end.writing.join().unwrap();
        assert!(outcome.clean, "{outcome}");
        assert_eq!(outcome.initiator, Initiator::Remote);
        assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
    }
}

/// A peer that has closed and ended its side still gets everything.
#[test]
fn who_has_ended_its_side_is_still_written_to() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        end.sender.send(vec![1; FAR_TOO_MUCH]).unwrap();
        end.peer.write_all(&close_to(role, 1000, "")).unwrap();
        end.peer.shutdown(std::net::Shutdown::Write).unwrap();
        let reading = thread::spawn(move || end.reader.recv());
        let frames = rest(&mut end.peer);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].payload.len(), FAR_TOO_MUCH);
        assert_eq!(frames[1].first, CLOSE);
        assert_eq!(reading.join().unwrap().unwrap(), None);
        assert!(end.writing.join().unwrap().clean);
    }
}

/// R6455-7.1.7-01: a fault is told to the peer by the Writer and to the application by the Reader,
/// after everything that came before it.
#[test]
fn a_fault_of_the_peer_ends_all_roles() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        let mut frames = frame_to(role, TEXT, b"fine");
        frames.extend(frame_to(role, 0x83, b""));
        end.peer.write_all(&frames).unwrap();
        assert_eq!(end.reader.recv().unwrap(), Some(Message::text("fine")));
        let mut peer = end.peer;
        let told = thread::spawn(move || rest(&mut peer));
        for _ in 0..2 {
            assert!(matches!(end.reader.recv(), Err(Error::Receive(_))));
        }
        let frames = told.join().unwrap();
        assert_eq!(frames[0].first, CLOSE);
        assert_eq!(frames[0].payload[..2], 1002_u16.to_be_bytes());
        let outcome = end.writing.join().unwrap();
        assert!(outcome.cause.is_some() && !outcome.clean);
        assert_eq!(unsent(end.sender.send("x")).error, SendError::Closed);
    }
}

/// Text that is not UTF-8 is only found when it is lent.
#[test]
fn text_that_is_not_utf8_ends_all_roles() {
    let mut end = split(Role::Server, &timeless());
    end.peer
        .write_all(&frame_to(Role::Server, TEXT, b"\xff"))
        .unwrap();
    let mut peer = end.peer;
    let told = thread::spawn(move || rest(&mut peer));
    assert!(matches!(end.reader.recv(), Err(Error::Receive(_))));
    assert_eq!(told.join().unwrap()[0].payload[..2], 1007_u16.to_be_bytes());
    assert!(end.writing.join().unwrap().cause.is_some());
}

/// A peer that vanishes ends everybody's waiting.
#[test]
fn a_peer_that_vanishes_ends_all_roles() {
    for role in ROLES {
        let mut end = split(role, &small_queue());
        end.sender.send(vec![0; FAR_TOO_MUCH]).unwrap();
        let sender = end.sender.clone();
        let sending = thread::spawn(move || unsent(sender.send("waits")));
        let reading = thread::spawn(move || end.reader.recv());
        thread::sleep(SHORT);
        assert!(!sending.is_finished() && !reading.is_finished() && !end.writing.is_finished());
        drop(end.peer);
        let refused = in_time(|| sending.join().unwrap());
        assert_eq!(refused.error, SendError::Closed);
        assert_eq!(refused.message, Message::text("waits"));
        assert!(matches!(
            in_time(|| reading.join().unwrap()),
            Err(Error::Io(_) | Error::Receive(ReceiveError::UnexpectedEof))
        ));
        assert!(!in_time(|| end.writing.join().unwrap()).clean);
    }
}

/// Above the high-water mark a Sender waits until the peer has read, and nothing is lost.
#[test]
fn a_sender_waits_for_room() {
    for role in ROLES {
        let end = split(role, &small_queue());
        end.sender.send(vec![0; FAR_TOO_MUCH]).unwrap();
        let refused = unsent(end.sender.try_send("now"));
        assert_eq!(refused.error, SendError::Full);
        assert_eq!(refused.message, Message::text("now"));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let sender = end.sender.clone();
                thread::spawn(move || {
                    sender.send("later").unwrap();
                    sender.ping(b"?").unwrap();
                })
            })
            .collect();
        thread::sleep(SHORT);
        assert!(waiting.iter().all(|thread| !thread.is_finished()));
        let mut peer = end.peer;
        let reading = thread::spawn(move || rest(&mut peer));
        in_time(|| {
            waiting
                .into_iter()
                .for_each(|thread| thread.join().unwrap())
        });
        end.sender.close(CloseCode::NORMAL, "").unwrap();
        drop(end.reader); // the peer never answers
        let frames = in_time(|| reading.join().unwrap());
        assert_eq!(frames.len(), 8);
        assert_eq!(frames[7].first, CLOSE);
        in_time(|| end.writing.join().unwrap());
    }
}

/// A queue that cannot hold anything is an error and not a reason to wait for ever.
#[test]
fn a_queue_without_room_is_an_error() {
    let mut config = timeless();
    config.limits.max_outgoing = 0;
    let end = split(Role::Server, &config);
    let sender = end.sender.clone();
    let (sent, pinged) = in_time(move || (sender.send("x"), sender.ping(b"")));
    assert_eq!(unsent(sent).error, SendError::Full);
    assert!(matches!(pinged, Err(Error::Send(SendError::Full))));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let end = split(Role::Client, &timeless());
    let too_long = end.sender.ping(&[0; 126]);
    assert!(matches!(
        too_long,
        Err(Error::Send(SendError::ControlTooLong(126)))
    ));
    let code = end.sender.close(CloseCode::ABNORMAL, "");
    assert!(matches!(
        code,
        Err(Error::Send(SendError::InvalidCloseCode(_)))
    ));
    end.sender.ping(&[0; 125]).unwrap();
}

/// Without a Writer nobody waits for ever.
#[test]
fn dropping_the_writer_ends_the_connection() {
    for role in ROLES {
        let (mut reader, sender, writer, mut peer) = parts(role, &small_queue());
        peer.write_all(&frame_to(role, TEXT, b"came before"))
            .unwrap();
        assert_eq!(reader.recv().unwrap(), Some(Message::text("came before")));
        sender.send(vec![0; 2000]).unwrap();
        let waiting = {
            let sender = sender.clone();
            thread::spawn(move || unsent(sender.send("waits")))
        };
        let reading = thread::spawn(move || reader.recv());
        thread::sleep(SHORT);
        assert!(!waiting.is_finished() && !reading.is_finished());
        drop(writer);
        assert_eq!(in_time(|| waiting.join().unwrap()).error, SendError::Closed);
        assert!(in_time(|| reading.join().unwrap()).is_err());
        assert!(!sender.outcome().unwrap().clean);
        assert_eq!(rest(&mut peer), []);
    }
}

/// Without a Reader what was sent goes out, and then the connection ends.
#[test]
fn dropping_the_reader_closes_the_connection() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        end.sender.send(vec![5; FAR_TOO_MUCH]).unwrap();
        drop(end.reader);
        assert_eq!(unsent(end.sender.send("x")).error, SendError::Closed);
        let frames = rest(&mut end.peer);
        assert_eq!(frames[0].payload.len(), FAR_TOO_MUCH);
        assert_eq!(
            (frames[1].first, &frames[1].payload),
            (CLOSE, &close_body(1001, ""))
        );
        let outcome = in_time(|| end.writing.join().unwrap());
        assert_eq!(outcome.initiator, Initiator::Local);
        assert!(!outcome.clean);
    }
}

/// Without Senders the connection goes on.
#[test]
fn dropping_the_senders_changes_nothing() {
    for role in ROLES {
        let mut end = split(role, &timeless());
        drop(end.sender);
        end.peer.write_all(&frame_to(role, PING, b"!")).unwrap();
        end.peer.write_all(&frame_to(role, TEXT, b"more")).unwrap();
        assert_eq!(end.reader.recv().unwrap(), Some(Message::text("more")));
        assert_eq!(next_frame(&mut end.peer).payload, b"!");
        end.peer.write_all(&close_to(role, 1000, "")).unwrap();
        let reading = thread::spawn(move || end.reader.recv());
        assert_eq!(next_frame(&mut end.peer).first, CLOSE);
        drop(end.peer);
        assert_eq!(reading.join().unwrap().unwrap(), None);
        assert!(end.writing.join().unwrap().clean);
    }
}

/// A loop of one's own instead of a thread that runs the Writer.
#[test]
fn a_writer_is_pumped() {
    for role in ROLES {
        let (mut reader, sender, mut writer, mut peer) = parts(role, &timeless());
        assert_eq!(writer.pump(Duration::ZERO), None);
        sender.send("one").unwrap();
        sender.send("two").unwrap();
        assert_eq!(writer.pump(Duration::ZERO), None);
        assert_eq!(next_frame(&mut peer).payload, b"one");
        assert_eq!(next_frame(&mut peer).payload, b"two");
        let later = thread::spawn(move || {
            thread::sleep(SHORT);
            sender.send("three").unwrap();
            sender
        });
        assert_eq!(writer.pump(Duration::from_secs(3600)), None); // until there is something
        assert_eq!(next_frame(&mut peer).payload, b"three");
        let sender = later.join().unwrap();
        sender.close(CloseCode::NORMAL, "").unwrap();
        let reading = thread::spawn(move || reader.recv());
        assert_eq!(writer.pump(Duration::ZERO), None);
        assert_eq!(next_frame(&mut peer).first, CLOSE);
        peer.write_all(&close_to(role, 1000, "")).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        let outcome = in_time(move || {
            loop {
                if let Some(outcome) = writer.pump(Duration::from_millis(1)) {
                    // It stays over.
                    assert_eq!(
                        writer.pump(Duration::from_secs(3600)),
                        Some(outcome.clone())
                    );
                    break outcome;
                }
            }
        });
        assert!(outcome.clean);
        assert_eq!(reading.join().unwrap().unwrap(), None);
    }
}

/// Memory that panics when it is given back takes its thread with it, and nobody else.
#[test]
fn a_panic_under_the_lock_is_not_passed_on() {
    struct Trap(Vec<u8>);
    impl AsRef<[u8]> for Trap {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Trap {
        fn drop(&mut self) {
            panic!("a trap");
        }
    }
    let mut end = split(Role::Server, &timeless());
    thread::spawn(move || read_to_end(&mut end.peer));
    let trap = Bytes::from_owner(Trap(vec![0; 100_000]));
    end.sender.send(Message::Binary(trap)).unwrap();
    assert!(in_time(|| end.writing.join()).is_err());
    let read = in_time(move || end.reader.recv());
    assert!(matches!(read, Err(Error::Receive(_) | Error::Io(_))));
    assert_eq!(unsent(end.sender.send("x")).error, SendError::Closed);
    assert!(!end.sender.outcome().unwrap().clean);
}

fn keepalive(interval: Duration, timeout: Duration) -> Config {
    let mut config = timeless();
    config.timeouts.keepalive = Some(Keepalive { interval, timeout });
    config.timeouts.close = Some(SHORT);
    config
}

/// A peer that is silent is asked for a sign of life, and given up.
#[test]
fn keepalive_works_after_a_split() {
    for role in ROLES {
        let mut end = split(role, &keepalive(SHORT, SHORT));
        let reading = thread::spawn(move || end.reader.recv());
        for _ in 0..3 {
            assert_eq!(next_frame(&mut end.peer).first, PING);
            end.peer.write_all(&frame_to(role, PONG, b"")).unwrap();
        }
        assert_eq!(next_frame(&mut end.peer).first, PING);
        assert!(matches!(
            in_time(|| reading.join().unwrap()),
            Err(Error::Receive(ReceiveError::KeepaliveTimeout))
        ));
        let outcome = end.writing.join().unwrap();
        assert_eq!(outcome.cause, Some(ReceiveError::KeepaliveTimeout));
    }
}

/// A peer that takes nothing is given up although the Writer is in the middle of a write.
#[test]
fn keepalive_notices_a_peer_that_takes_nothing() {
    for role in ROLES {
        let mut end = split(role, &keepalive(SHORT, SHORT));
        end.sender.send(vec![0; FAR_TOO_MUCH]).unwrap();
        let reading = thread::spawn(move || end.reader.recv());
        assert!(matches!(
            in_time(|| reading.join().unwrap()),
            Err(Error::Receive(ReceiveError::KeepaliveTimeout))
        ));
        let outcome = in_time(|| end.writing.join().unwrap());
        assert_eq!(outcome.cause, Some(ReceiveError::KeepaliveTimeout));
    }
}

/// An application that takes its time for a message does not lose the connection for that.
#[test]
fn a_pong_that_nobody_reads_is_not_missed() {
    for role in ROLES {
        let mut end = split(role, &keepalive(SHORT, SHORT));
        assert_eq!(next_frame(&mut end.peer).first, PING);
        end.peer.write_all(&frame_to(role, PONG, b"")).unwrap();
        end.peer.write_all(&frame_to(role, TEXT, b"here")).unwrap();
        thread::sleep(SHORT * 5);
        assert_eq!(end.reader.recv().unwrap(), Some(Message::text("here")));
        end.sender.send("and here").unwrap();
        assert_eq!(next_frame(&mut end.peer).payload, b"and here");
    }
}

#[test]
fn an_idle_connection_is_closed_after_a_split() {
    for role in ROLES {
        let mut config = timeless();
        config.timeouts.idle = Some(SHORT);
        let mut end = split(role, &config);
        let reading = thread::spawn(move || end.reader.recv());
        assert_eq!(
            next_frame(&mut end.peer).payload,
            close_body(1001, "idle timeout")
        );
        end.peer.write_all(&close_to(role, 1001, "")).unwrap();
        end.peer.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(reading.join().unwrap().unwrap(), None);
        assert!(end.writing.join().unwrap().clean);
    }
}

/// A peer that never answers our Close frame, or does not even take it, is waited for only so long.
#[test]
fn the_close_deadline_works_after_a_split() {
    let mut config = timeless();
    config.timeouts.close = Some(SHORT);
    for role in ROLES {
        for size in [0, FAR_TOO_MUCH] {
            let mut end = split(role, &config);
            let reading = thread::spawn(move || end.reader.recv());
            end.sender.send(vec![0; size]).unwrap();
            end.sender.close(CloseCode::NORMAL, "").unwrap();
            assert!(matches!(
                in_time(|| reading.join().unwrap()),
                Err(Error::Receive(ReceiveError::CloseTimeout))
            ));
            let outcome = in_time(|| end.writing.join().unwrap());
            assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
            drop(end.peer);
        }
    }
}

/// A read timeout that the WebSocket had still lets the Reader return, and nothing is lost.
#[test]
fn a_read_timeout_stays() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &timeless());
        socket.set_read_timeout(Some(Duration::from_millis(5)));
        let (mut reader, _sender, writer) = socket.split().unwrap();
        thread::spawn(|| writer.run());
        let frame = frame_to(role, TEXT, b"hello");
        let (half, other) = frame.split_at(4);
        peer.write_all(half).unwrap();
        assert!(reader.recv().unwrap_err().is_would_block());
        peer.write_all(other).unwrap();
        let message = loop {
            match reader.recv() {
                Ok(message) => break message,
                Err(error) => assert!(error.is_would_block()),
            }
        };
        assert_eq!(message, Some(Message::text("hello")));
    }
}
