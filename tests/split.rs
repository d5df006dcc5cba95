//! A connection on several threads over TCP: who reads, who sends, who writes, who closes.
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
use std::thread;
use std::time::Duration;

use common::net::{SHORT, in_time};
use common::pair::{
    BINARY, CLOSE, PING, PONG, ROLES, TEXT, close_body, close_to, frame_to, timeless,
};
use common::split::{FAR_TOO_MUCH, next_frame, parts, rest, small_queue, split, unsent};
use fullduplex::blocking::{Error, Reader, Sender, Writer};
use fullduplex::{CloseCode, Event, Initiator, Message, Role, SendError};

#[test]
fn the_roles_move_to_threads() {
    fn is_send<T: Send + 'static>() {}
    fn is_shared<T: Clone + Sync>() {}
    is_send::<Reader>();
    is_send::<Sender>();
    is_shared::<Sender>();
    is_send::<Writer>();
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
            for thread in waiting {
                thread.join().unwrap();
            }
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
    let sender = end.sender;
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
