//! Halves of a transport that are anything but a socket that blocks.
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

use std::collections::VecDeque;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::net::{SHORT, in_time};
use common::pair::{CLOSE, ROLES, TEXT, close_to, frame_to, parse_frames, timeless};
use fullduplex::blocking::{self, Error};
use fullduplex::{Config, Connection, Inbox, MaskKeys, Message, ReceiveError, Role};

fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
        Role::Server => Connection::server(config),
    }
}

/// A byte at a time, and in between an error that says to come again.
struct Drips(VecDeque<u8>, u8);

impl Read for Drips {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.1 = (self.1 + 1) % 4;
        match self.1 {
            1 => Err(ErrorKind::WouldBlock.into()),
            2 => Err(ErrorKind::Interrupted.into()),
            3 => Err(ErrorKind::TimedOut.into()),
            _ => self.0.read(&mut room[..1]),
        }
    }
}

/// Takes a byte at a time and only when asked again; fails after so many.
#[derive(Clone)]
struct Sips(Arc<Mutex<Vec<u8>>>, u8, usize);

impl Write for Sips {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1 = (self.1 + 1) % 4;
        let mut taken = self.0.lock().unwrap();
        match self.1 {
            1 => Err(ErrorKind::WouldBlock.into()),
            2 => Err(ErrorKind::Interrupted.into()),
            3 => Err(ErrorKind::TimedOut.into()),
            _ if taken.len() == self.2 => Err(ErrorKind::ConnectionReset.into()),
            _ => {
                taken.push(bytes[0]);
                Ok(1)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.1 = (self.1 + 1) % 4;
        if self.1 == 1 {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(())
    }
}

/// Byte by byte, with empty-handed calls between: everything arrives and everything leaves, through
/// a writer with a buffer of its own, too.
#[test]
fn halves_that_do_not_block() {
    for role in ROLES {
        let mut input = frame_to(role, TEXT, b"hello");
        input.extend(close_to(role, 1000, ""));
        let taken = Arc::new(Mutex::new(Vec::new()));
        let write = BufWriter::new(Sips(Arc::clone(&taken), 0, usize::MAX));
        let (mut reader, sender, writer) = blocking::split_over(
            Drips(input.into(), 0),
            write,
            |_| Ok(()),
            connection(role, &timeless()),
            Inbox::new(),
        );
        sender.send("to the peer").unwrap();
        let writing = thread::spawn(|| writer.run());
        let mut again = 0;
        let mut messages = Vec::new();
        loop {
            match reader.recv() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    assert!(error.is_would_block());
                    again += 1;
                }
            }
        }
        assert_eq!(messages, [Message::text("hello")]);
        assert!(again > 0);
        let outcome = in_time(|| writing.join().unwrap());
        assert!(outcome.clean, "{outcome}");
        let taken = taken.lock().unwrap();
        let (frames, rest) = parse_frames(&taken);
        assert_eq!((frames.len(), rest), (2, &b""[..]));
        assert_eq!(frames[0].payload, b"to the peer");
    }
}

/// Holds back what it has taken until it has been asked often enough.
struct Hoards {
    held: Vec<u8>,
    taken: Arc<Mutex<Vec<u8>>>,
    /// How often it has been asked to let go.
    asked: Arc<AtomicUsize>,
}

impl Write for Hoards {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.asked.fetch_add(1, Ordering::SeqCst) < PATIENCE {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.taken.lock().unwrap().append(&mut self.held);
        Ok(())
    }
}

const PATIENCE: usize = 50;

/// Comes to its end when the other half has been asked for its bytes often enough.
struct Ends(Vec<u8>, Arc<AtomicUsize>);

impl Read for Ends {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len();
        room[..count].copy_from_slice(&self.0);
        self.0.clear();
        while count == 0 && self.1.load(Ordering::SeqCst) < PATIENCE / 5 {
            thread::yield_now();
        }
        Ok(count)
    }
}

/// R6455-5.5.1-05: the answer to a Close frame leaves although the peer has ended its side when the
/// transport has taken it and not yet let go of it. Found by injecting faults into TLS.
#[test]
fn an_answer_that_is_held_back_leaves_after_the_end() {
    for role in ROLES {
        let (taken, asked) = (Arc::default(), Arc::default());
        let write = Hoards {
            held: Vec::new(),
            taken: Arc::clone(&taken),
            asked: Arc::clone(&asked),
        };
        let (mut reader, sender, writer) = blocking::split_over(
            Ends(close_to(role, 1000, ""), asked),
            write,
            |_| Ok(()),
            connection(role, &timeless()),
            Inbox::new(),
        );
        sender.send("before").unwrap();
        let writing = thread::spawn(|| writer.run());
        assert_eq!(reader.recv().unwrap(), None);
        assert!(in_time(|| writing.join().unwrap()).clean);
        let taken = taken.lock().unwrap();
        let (frames, rest) = parse_frames(&taken);
        let frames: Vec<_> = frames.iter().map(|frame| frame.first).collect();
        assert_eq!((&frames[..], rest.len()), (&[TEXT, CLOSE][..], 0));
    }
}

/// A write that fails ends writing; what comes is still read, and the error is told then.
#[test]
fn an_error_at_each_byte_written() {
    for role in ROLES {
        for place in 0..20 {
            let taken = Arc::new(Mutex::new(Vec::new()));
            let (read, mut peer) = io::pipe().unwrap();
            let (mut reader, sender, writer) = blocking::split_over(
                read,
                Sips(Arc::clone(&taken), 0, place),
                |_| Ok(()),
                connection(role, &timeless()),
                Inbox::new(),
            );
            sender.send("x".repeat(20)).unwrap();
            let writing = thread::spawn(|| writer.run());
            while sender.try_send("").is_ok() {
                thread::yield_now(); // until the error is noticed
            }
            peer.write_all(&frame_to(role, TEXT, b"came")).unwrap();
            assert_eq!(reader.recv().unwrap(), Some(Message::text("came")));
            drop(peer);
            let Err(Error::Io(error)) = in_time(move || reader.recv()) else {
                panic!("the error is lost");
            };
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(!in_time(|| writing.join().unwrap()).clean);
            assert_eq!(taken.lock().unwrap().len(), place);
        }
    }
}

/// Halves that claim more than they were given, or take nothing.
#[test]
fn halves_that_lie() {
    struct Liar(usize);
    impl Read for Liar {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            Ok(room.len() + self.0)
        }
    }
    impl Write for Liar {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(if self.0 == 0 { 0 } else { bytes.len() + self.0 })
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut config = timeless();
    config.timeouts.close = Some(SHORT); // such a stream never ends by itself
    for lie in [0, 1, usize::MAX / 2] {
        let connection = connection(Role::Server, &config);
        let (mut reader, sender, writer) =
            blocking::split_over(Liar(lie), Liar(lie), |_| Ok(()), connection, Inbox::new());
        sender.send("x").unwrap();
        let writing = thread::spawn(|| writer.run());
        let read = in_time(move || reader.recv()); // the zeros are not masked
        assert!(matches!(read, Err(Error::Receive(_) | Error::Io(_))));
        assert!(!in_time(|| writing.join().unwrap()).clean);
    }
}

/// The transport is ended once in each way, and a transport that cannot be ended has ended.
#[test]
fn how_the_transport_is_ended() {
    for fails in [false, true] {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&calls);
        let shutdown = move |how| {
            noted.lock().unwrap().push(how);
            if fails {
                return Err(ErrorKind::NotConnected.into());
            }
            Ok(())
        };
        let input = close_to(Role::Server, 1000, "");
        let (mut reader, _sender, writer) = blocking::split_over(
            io::Cursor::new(input),
            io::sink(),
            shutdown,
            connection(Role::Server, &timeless()),
            Inbox::new(),
        );
        let writing = thread::spawn(|| writer.run());
        assert_eq!(reader.recv().unwrap(), None);
        assert!(writing.join().unwrap().clean);
        let calls = calls.lock().unwrap();
        assert!(calls.ends_with(&[Shutdown::Both]), "{calls:?}");
        assert!(calls.len() <= 2, "{calls:?}");
    }
}

/// A connection that was driven by another clock starts its deadlines anew.
#[test]
fn deadlines_start_anew() {
    let mut config = timeless();
    config.timeouts.close = Some(SHORT);
    let mut connection = connection(Role::Server, &config);
    let day = Duration::from_secs(86_400);
    connection.handle_timeout(day);
    connection.close(fullduplex::CloseCode::NORMAL, "").unwrap();
    connection.handle_timeout(day);
    let (read, peer) = io::pipe().unwrap();
    let peer = Mutex::new(Some(peer));
    let shutdown = move |how| {
        if how == Shutdown::Both {
            drop(peer.lock().unwrap().take());
        }
        Ok(())
    };
    let (mut reader, _sender, writer) =
        blocking::split_over(read, io::sink(), shutdown, connection, Inbox::new());
    let writing = thread::spawn(|| writer.run());
    assert!(matches!(
        in_time(move || reader.recv()),
        Err(Error::Receive(ReceiveError::CloseTimeout))
    ));
    let outcome = writing.join().unwrap();
    assert_eq!(outcome.cause, Some(ReceiveError::CloseTimeout));
}
