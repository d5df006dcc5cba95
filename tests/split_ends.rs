//! How a connection on several threads ends when nobody closes it: roles that are dropped, peers that
//! are gone, deadlines.
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

use std::io::Write;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use common::net::{SHORT, in_time, open, read_to_end};
use common::pair::{CLOSE, PING, PONG, ROLES, TEXT, close_body, close_to, frame_to, timeless};
use common::split::{FAR_TOO_MUCH, next_frame, parts, rest, small_queue, split, unsent};
use fullduplex::blocking::Error;
use fullduplex::{CloseCode, Config, Initiator, Keepalive, Message, ReceiveError, Role, SendError};

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

/// Who looks for messages now and then notices a peer that is gone, too.
#[test]
fn keepalive_works_for_who_polls() {
    for role in ROLES {
        let (mut socket, _peer) = open(role, &keepalive(SHORT, SHORT));
        socket.set_read_timeout(Some(Duration::from_millis(5)));
        let (mut reader, _sender, writer) = socket.split().unwrap();
        let writing = thread::spawn(|| writer.run());
        let error = in_time(move || {
            loop {
                match reader.recv() {
                    Err(Error::WouldBlock) => thread::sleep(Duration::from_millis(5)),
                    result => break result.unwrap_err(),
                }
            }
        });
        let timeout = ReceiveError::KeepaliveTimeout;
        assert!(matches!(error, Error::Receive(error) if error == timeout));
        assert_eq!(in_time(|| writing.join().unwrap()).cause, Some(timeout));
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
