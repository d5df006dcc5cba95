//! The blocking adapter over real TCP: deadlines, the ways a peer can end, and both at once.
//!
//! Deadlines here are some tens of milliseconds. What is asserted are outcomes, not times.
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

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use common::net::{self, LONG, SHORT, in_time, open, read_to_end};
use common::pair::{
    BINARY, CLOSE, PING, ROLES, TEXT, close_body, close_to, frame_to, own, parse_frames, timeless,
};
use fullduplex::blocking::{Error, WebSocket};
use fullduplex::{CloseCode, Config, Keepalive, Message, Outcome, ReceiveError, Role, State};

type Socket = WebSocket<TcpStream>;

fn closing_within(limit: Duration) -> Config {
    let mut config = timeless();
    config.timeouts.close = Some(limit);
    config
}

fn read_until_end(socket: &mut Socket) -> Result<usize, Error> {
    let mut messages = 0;
    while socket.recv()?.is_some() {
        messages += 1;
    }
    Ok(messages)
}

/// W7: a peer that never answers our Close frame is given up at the deadline.
#[test]
fn closing_towards_a_silent_peer_ends_at_the_deadline() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &closing_within(SHORT));
        let outcome = socket.close(CloseCode::NORMAL, "bye").unwrap();
        assert!(!outcome.clean);
        assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
        assert_eq!(outcome.sent.as_ref().unwrap().reason, "bye");
        assert_eq!(socket.outcome(), Some(outcome));
        assert!(matches!(
            socket.recv(),
            Err(Error::Receive(ReceiveError::CloseTimeout))
        ));
        drop(socket);
        let bytes = read_to_end(&mut peer);
        assert_eq!(parse_frames(&bytes).0[0].payload, close_body(1000, "bye"));
    }
}

/// W7: so is one that sends all kinds of things and no Close frame, for as long as it likes.
#[test]
fn closing_towards_a_flood_ends_at_the_deadline() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &closing_within(SHORT));
        let flood = thread::spawn(move || {
            let frames = frame_to(role, BINARY, &vec![0; 60_000]).repeat(10);
            while peer.write_all(&frames).is_ok() {}
        });
        let outcome = in_time(move || socket.close(CloseCode::NORMAL, "").unwrap());
        assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
        flood.join().unwrap();
    }
}

/// W7, R6455-5.5.1-06: both ends close at once, each sends one Close frame, and both end clean.
#[test]
fn a_close_race_is_clean() {
    for _ in 0..20 {
        let (mut client, mut server) = net::pair(&timeless(), &timeless());
        let other = thread::spawn(move || server.close(CloseCode::GOING_AWAY, "server").unwrap());
        let ours = in_time(move || client.close(CloseCode::NORMAL, "client").unwrap());
        let theirs = other.join().unwrap();
        assert!(ours.clean && theirs.clean, "{ours:?}, {theirs:?}");
        let said = |outcome: &Outcome| outcome.received.as_ref().unwrap().code;
        assert_eq!(said(&theirs), ours.sent.as_ref().unwrap().code);
        assert_eq!(said(&ours), theirs.sent.as_ref().unwrap().code);
    }
}

/// How a peer ends the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Its side first, then reading on.
    Half,
    /// Altogether.
    Full,
    /// With a reset: its system sends one when it closes over unread bytes.
    Reset,
}

fn end(mut peer: TcpStream, how: End) {
    match how {
        End::Half => {
            peer.shutdown(Shutdown::Write).unwrap();
            read_to_end(&mut peer);
        }
        End::Full => {
            // What is there is read, so that this is no reset.
            peer.set_nonblocking(true).unwrap();
            while matches!(peer.read(&mut [0; 1000]), Ok(1..)) {}
        }
        End::Reset => {
            peer.peek(&mut [0]).unwrap(); // there is something unread
        }
    }
}

/// W8: after the closing handshake it does not matter how the stream ends, in whatever state.
#[test]
fn any_end_after_the_closing_handshake_is_clean() {
    for role in ROLES {
        for how in [End::Half, End::Full, End::Reset] {
            // The peer closes, and ends the stream before or after it has our answer.
            for wait in [false, true] {
                let (mut socket, mut peer) = open(role, &closing_within(LONG));
                if how == End::Reset {
                    socket.send("unread").unwrap();
                }
                peer.write_all(&frame_to(role, TEXT, b"last")).unwrap();
                peer.write_all(&close_to(role, 1001, "")).unwrap();
                let peer = thread::spawn(move || {
                    if wait {
                        peer.peek(&mut [0]).unwrap();
                    }
                    end(peer, how);
                });
                if !wait {
                    thread::sleep(Duration::from_millis(5));
                }
                let what = format!("{role:?} {how:?} {wait}");
                assert_eq!(socket.recv().expect(&what), Some(Message::text("last")));
                assert_eq!(socket.recv().expect(&what), None);
                let outcome = socket.outcome().unwrap();
                assert!(outcome.clean, "{what}: {outcome}");
                assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
                drop(socket);
                peer.join().unwrap();
            }
            // We close, the peer answers and ends the stream.
            let (mut socket, mut peer) = open(role, &closing_within(LONG));
            let peer = thread::spawn(move || {
                peer.peek(&mut [0]).unwrap();
                peer.write_all(&close_to(role, 1000, "")).unwrap();
                end(peer, how);
            });
            let outcome = socket.close(CloseCode::NORMAL, "").unwrap();
            assert!(outcome.clean, "{role:?} {how:?}: {outcome}");
            drop(socket);
            peer.join().unwrap();
        }
    }
}

/// R6455-7.2.1-01: without the peer's Close frame the end of the stream is a failure, whether we
/// had begun to close or not; what came before is delivered.
#[test]
fn any_end_without_a_close_frame_is_a_failure() {
    for role in ROLES {
        for how in [End::Half, End::Full, End::Reset] {
            let (mut socket, mut peer) = open(role, &closing_within(LONG));
            socket.send("hello").unwrap();
            peer.write_all(&frame_to(role, TEXT, b"last")).unwrap();
            let peer = thread::spawn(move || end(peer, how));
            if how != End::Half {
                thread::sleep(Duration::from_millis(20));
            }
            let what = format!("{role:?} {how:?}");
            assert_eq!(socket.recv().expect(&what), Some(Message::text("last")));
            let error = socket.recv().unwrap_err();
            match how {
                End::Reset => assert!(matches!(error, Error::Io(_)), "{what}: {error:?}"),
                _ => assert!(
                    matches!(error, Error::Receive(ReceiveError::UnexpectedEof)),
                    "{what}: {error:?}"
                ),
            }
            let outcome = socket.outcome().unwrap();
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
            assert!(!outcome.clean);
            drop(socket);
            peer.join().unwrap();

            let (mut socket, peer) = open(role, &closing_within(LONG));
            let peer = thread::spawn(move || {
                peer.peek(&mut [0]).unwrap(); // our Close frame
                end(peer, how);
            });
            let outcome = socket.close(CloseCode::NORMAL, "").unwrap();
            assert!(!outcome.clean, "{what}");
            assert_eq!(outcome.cause, Some(ReceiveError::UnexpectedEof), "{what}");
            drop(socket);
            peer.join().unwrap();
        }
    }
}

/// R6455-7.1.1-01, R6455-7.1.1-02, R6455-5.5.1-07: after the closing handshake the server ends the
/// stream, and the client waits for that, whoever began.
#[test]
fn the_server_ends_the_stream_first() {
    let (mut socket, mut peer) = net::server(&closing_within(LONG));
    peer.write_all(&close_to(Role::Server, 1000, "")).unwrap();
    assert_eq!(socket.recv().unwrap(), None);
    // It has ended its side although the socket still exists, and although the client has not.
    let bytes = read_to_end(&mut peer);
    assert_eq!(parse_frames(&bytes).0.len(), 1);
    drop(socket);

    for client_begins in [true, false] {
        let (mut socket, mut peer) = net::client(&closing_within(LONG));
        if !client_begins {
            peer.write_all(&close_to(Role::Client, 1000, "")).unwrap();
        }
        let closing = thread::spawn(move || socket.close(CloseCode::NORMAL, "").unwrap());
        let mut frame = [0; 8];
        peer.read_exact(&mut frame).unwrap();
        assert_eq!(parse_frames(&frame).0[0].first, CLOSE);
        if client_begins {
            peer.write_all(&close_to(Role::Client, 1000, "")).unwrap();
        }
        peer.set_read_timeout(Some(SHORT)).unwrap();
        let error = peer.read(&mut frame).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
        assert!(!closing.is_finished());
        drop(peer);
        assert!(closing.join().unwrap().clean);
    }
}

/// R6455-7.1.7-01, R6455-7.1.7-02: a fault of the peer is answered with its Close code and the end
/// of the stream; of what follows nothing is processed.
#[test]
fn failing_tells_the_peer_and_ends_the_stream() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &closing_within(LONG));
        peer.write_all(&frame_to(role, TEXT, b"good")).unwrap();
        peer.write_all(&frame_to(role, 0x83, b"bad")).unwrap();
        peer.write_all(&frame_to(role, TEXT, b"ignored")).unwrap();
        peer.write_all(&close_to(role, 1000, "")).unwrap();
        let peer = thread::spawn(move || {
            let mut bytes = [0; 1000];
            let mut length = 0;
            loop {
                match peer.read(&mut bytes[length..]).unwrap() {
                    0 => return bytes[..length].to_vec(),
                    count => length += count,
                }
            }
        });
        assert_eq!(socket.recv().unwrap(), Some(Message::text("good")));
        assert!(matches!(
            socket.recv(),
            Err(Error::Receive(ReceiveError::Frame(_)))
        ));
        let bytes = peer.join().unwrap();
        let (frames, _) = parse_frames(&bytes);
        assert_eq!((frames.len(), frames[0].first), (1, CLOSE));
        assert_eq!(frames[0].payload[..2], 1002_u16.to_be_bytes());
        assert_eq!(socket.connection().state(), State::Closed);
        assert!(socket.outcome().unwrap().received.is_none());
    }
}

/// R6455-7.1.1-01: our Close frame reaches a peer that had sent a lot when it was told.
#[test]
fn the_close_frame_survives_unread_bytes() {
    for role in ROLES {
        let (mut socket, mut peer) = open(role, &closing_within(LONG));
        peer.write_all(&frame_to(role, 0x83, b"bad")).unwrap();
        peer.write_all(&vec![0; 300_000]).unwrap();
        let closed = thread::spawn(move || {
            read_until_end(&mut socket).unwrap_err();
        });
        let bytes = read_to_end(&mut peer);
        drop(peer);
        assert_eq!(parse_frames(&bytes).0.len(), 1, "{role:?}");
        closed.join().unwrap();
    }
}

/// A peer that is gone is asked for a sign of life, and given up without one.
#[test]
fn a_silent_peer_fails_keepalive() {
    for role in ROLES {
        let mut config = closing_within(SHORT);
        config.timeouts.keepalive = Some(Keepalive {
            interval: SHORT,
            timeout: SHORT,
        });
        let (mut socket, mut peer) = open(role, &config);
        let error = socket.recv().unwrap_err();
        assert!(matches!(
            error,
            Error::Receive(ReceiveError::KeepaliveTimeout)
        ));
        drop(socket);
        let bytes = read_to_end(&mut peer);
        let firsts: Vec<u8> = parse_frames(&bytes).0.iter().map(|f| f.first).collect();
        assert_eq!(firsts, [PING, CLOSE]);
    }
}

/// One that lives stays, however long nothing else is said.
#[test]
fn a_live_peer_passes_keepalive() {
    let mut config = timeless();
    config.timeouts.keepalive = Some(Keepalive {
        interval: Duration::from_millis(10),
        timeout: LONG,
    });
    let (mut client, mut server) = net::pair(&timeless(), &config);
    let other = thread::spawn(move || read_until_end(&mut client).unwrap());
    let mut pongs = 0;
    while pongs < 5 {
        let (event, _) = server.next_event().unwrap().unwrap();
        assert_eq!(own(event), common::pair::Seen::Pong(Vec::new()));
        pongs += 1;
    }
    assert!(server.close(CloseCode::NORMAL, "").unwrap().clean);
    assert_eq!(other.join().unwrap(), 0);
}

/// W1: sending to a peer that does not read ends, and not as if it had been sent.
#[test]
fn sending_to_a_peer_that_does_not_read_fails() {
    for role in ROLES {
        let mut config = closing_within(SHORT);
        config.timeouts.keepalive = Some(Keepalive {
            interval: SHORT,
            timeout: SHORT,
        });
        let (mut socket, peer) = open(role, &config);
        socket.set_read_timeout(Some(Duration::from_millis(1)));
        assert!(socket.recv().unwrap_err().is_would_block()); // starts the clock
        let error = in_time(move || socket.send(vec![0; 64 << 20]).unwrap_err());
        assert!(
            matches!(error, Error::Receive(ReceiveError::KeepaliveTimeout)),
            "{error:?}"
        );
        drop(peer);
    }
}
