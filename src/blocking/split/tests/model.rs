//! The roles under a scheduler that tries thousands of orders, and notices when nobody can go on:
//!
//!     RUSTFLAGS="--cfg shuttle" cargo test --lib split --target-dir target/shuttle
//!
//! No deadline is set here, so a wake-up that is lost is not made up for by a timeout.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use shuttle::thread;

use crate::blocking::split::sync::{Arc, Condvar, Mutex};
use crate::blocking::{Reader, Sender, Writer, split_over};
use crate::connection::{Config, Connection, Inbox, MaskKeys, Outcome};
use crate::frame::CloseCode;
use crate::message::Message;

/// So little that a frame has to wait for the one before.
const CAPACITY: usize = 6;
const MESSAGES: u8 = 3;

/// One direction of a transport.
#[derive(Clone, Default)]
struct Pipe(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    bytes: VecDeque<u8>,
    ended: bool,
    broken: bool,
}

impl Pipe {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    fn wait<T>(
        &self,
        mut attempt: impl FnMut(&mut State) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let (state, condvar) = &*self.0;
        let mut state = state.lock().unwrap();
        loop {
            if state.broken {
                return Err(ErrorKind::ConnectionReset.into());
            }
            if let Some(result) = attempt(&mut state) {
                condvar.notify_all();
                return result;
            }
            state = condvar.wait(state).unwrap();
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.wait(|state| {
            let count = state.bytes.read(room).unwrap();
            (count > 0 || state.ended).then_some(Ok(count))
        })
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(|state| {
            if state.ended {
                return Some(Err(ErrorKind::BrokenPipe.into()));
            }
            let count = bytes.len().min(CAPACITY - state.bytes.len());
            state.bytes.extend(&bytes[..count]);
            (count > 0).then_some(Ok(count))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Parts = (Reader<Pipe>, Sender, Writer<Pipe>);

/// One end, whose Senders have to wait after each message.
fn end(client: bool, read: &Pipe, write: &Pipe) -> Parts {
    let mut config = Config::default();
    config.timeouts.keepalive = None;
    config.timeouts.close = None;
    config.limits.max_outgoing = 4;
    let connection = if client {
        Connection::client(&config, MaskKeys::seeded([1; 32]))
    } else {
        Connection::server(&config)
    };
    let pipes = (read.clone(), write.clone());
    let shutdown = move |how| {
        pipes.1.change(|state| state.ended = true);
        if how == Shutdown::Both {
            pipes.0.change(|state| state.ended = true);
        }
        Ok(())
    };
    split_over(
        read.clone(),
        write.clone(),
        shutdown,
        connection,
        Inbox::new(),
    )
}

fn ends() -> (Parts, Parts, [Pipe; 2]) {
    let (there, back) = (Pipe::default(), Pipe::default());
    let client = end(true, &back, &there);
    let server = end(false, &there, &back);
    (client, server, [there, back])
}

/// Receives until the end, and tells how many messages came. They are numbered.
fn receive(reader: &mut Reader<Pipe>) -> u8 {
    let mut received = 0;
    while let Ok(Some(message)) = reader.recv() {
        assert_eq!(message, Message::binary(vec![received; 3]));
        received += 1;
    }
    received
}

/// Sends numbered messages and closes; tells how many were taken.
fn send(sender: &Sender) -> u8 {
    let mut sent = 0;
    while sent < MESSAGES && sender.send(vec![sent; 3]).is_ok() {
        sent += 1;
        let _ = sender.ping(b"");
    }
    let _ = sender.close(CloseCode::NORMAL, "");
    sent
}

/// All roles of one end in threads of their own: what was sent, what came, and how it ended.
fn use_all((mut reader, sender, writer): Parts) -> (u8, u8, Outcome) {
    let sending = thread::spawn(move || send(&sender));
    let writing = thread::spawn(|| writer.run());
    let received = receive(&mut reader);
    let outcome = writing.join().unwrap();
    assert_eq!(reader.outcome(), Some(outcome.clone()));
    (sending.join().unwrap(), received, outcome)
}

fn check(scenario: fn()) {
    shuttle::check_random(scenario, 3000);
    shuttle::check_pct(scenario, 3000, 3);
}

/// Whatever was taken arrives, whoever closes first, and all come to an end.
#[test]
fn two_ends_talk_and_close() {
    check(|| {
        let (client, server, _) = ends();
        let other = thread::spawn(|| use_all(server));
        let (sent, received, outcome) = use_all(client);
        let (their_sent, their_received, their_outcome) = other.join().unwrap();
        assert!(
            outcome.clean && their_outcome.clean,
            "{outcome}, {their_outcome}"
        );
        assert_eq!((sent, their_sent), (their_received, received));
    });
}

/// The transport breaks under all of them at any time.
#[test]
fn the_transport_breaks() {
    check(|| {
        let (client, server, pipes) = ends();
        let other = thread::spawn(|| use_all(server));
        let breaking = thread::spawn(move || {
            for pipe in pipes {
                pipe.change(|state| state.broken = true);
            }
        });
        use_all(client);
        other.join().unwrap();
        breaking.join().unwrap();
    });
}

/// A peer goes away in the middle, having read a part.
#[test]
fn the_peer_goes_away() {
    check(|| {
        let (client, server, _) = ends();
        let other = thread::spawn(|| use_all(client));
        let (mut reader, sender, mut writer) = server;
        let reading = thread::spawn(move || reader.recv().is_ok());
        let sending = thread::spawn(move || send(&sender));
        writer.pump(core::time::Duration::ZERO);
        drop(writer);
        reading.join().unwrap();
        sending.join().unwrap();
        other.join().unwrap();
    });
}

/// The Reader is dropped while others still send.
#[test]
fn the_reader_goes_away() {
    check(|| {
        let (client, server, _) = ends();
        let other = thread::spawn(|| use_all(client));
        let (mut reader, sender, writer) = server;
        let sending = thread::spawn(move || send(&sender));
        let writing = thread::spawn(|| writer.run());
        let _ = reader.recv();
        drop(reader);
        writing.join().unwrap();
        sending.join().unwrap();
        other.join().unwrap();
    });
}
