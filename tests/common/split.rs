//! One end split, and a plain socket as its peer.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::io::Read;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use fullduplex::blocking::{Error, Reader, Sender, Writer};
use fullduplex::{Config, Outcome, Role, Unsent};

use super::net::{open, read_to_end};
use super::pair::{Frame, parse_frames, timeless};

/// So much that no two sockets buffer it.
pub const FAR_TOO_MUCH: usize = 64 << 20;

/// Our end, split and with a thread that writes, and a plain socket as its peer.
pub struct Split {
    pub reader: Reader,
    pub sender: Sender,
    pub writing: JoinHandle<Outcome>,
    pub peer: TcpStream,
}

pub fn parts(role: Role, config: &Config) -> (Reader, Sender, Writer, TcpStream) {
    let (socket, peer) = open(role, config);
    let (reader, sender, writer) = socket.split().unwrap();
    (reader, sender, writer, peer)
}

pub fn split(role: Role, config: &Config) -> Split {
    let (reader, sender, writer, peer) = parts(role, config);
    Split {
        reader,
        sender,
        writing: thread::spawn(|| writer.run()),
        peer,
    }
}

/// The next frame that the peer gets.
pub fn next_frame(peer: &mut TcpStream) -> Frame {
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

pub fn rest(peer: &mut TcpStream) -> Vec<Frame> {
    let bytes = read_to_end(peer);
    let (frames, rest) = parse_frames(&bytes);
    assert_eq!(rest, b"", "half a frame");
    frames
}

pub fn unsent(result: Result<(), Error>) -> Unsent {
    match result {
        Err(Error::Unsent(unsent)) => unsent,
        other => panic!("{other:?}"),
    }
}

pub fn small_queue() -> Config {
    let mut config = timeless();
    config.limits.max_outgoing = 1000;
    config
}
