//! What the benches share: streams of frames, and the loop of a driver without a transport.

#![forbid(unsafe_code)]

pub mod handshakes;
pub mod json;
pub mod paths;
pub mod server;

use std::hint::black_box;

use bytes::Buf;
use fullduplex::frame::{Header, Opcode, apply_mask};
use fullduplex::{Config, Connection, Event, Inbox, MaskKeys, Role};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// So many bytes of stream are read at once, where messages are small.
pub const READ: usize = 60 * 1024;

/// How many messages of `size` bytes go into one read.
pub fn batch(size: usize) -> usize {
    (READ / (size + 8)).max(1)
}

/// Text without and with characters beyond ASCII, `size` bytes or up to three less.
pub fn texts(size: usize) -> [String; 2] {
    const MIXED: &str = "{\"name\":\"김철수\",\"note\":\"naïve café\",\"n\":12345}";
    let mut mixed = MIXED.repeat(size.div_ceil(MIXED.len()));
    mixed.truncate(mixed.floor_char_boundary(size));
    ["x".repeat(size), mixed]
}

/// A masked binary message of 16 bytes.
pub const FRAME: &[u8; 22] = b"\x82\x90\0\0\0\0sixteen octets !";

/// `count` messages as a peer of `receiver` would send them, each in `fragments` frames.
pub fn stream(
    receiver: Role,
    opcode: Opcode,
    payload: &[u8],
    fragments: usize,
    count: usize,
) -> Vec<u8> {
    let mut message = Vec::new();
    let size = payload.len().div_ceil(fragments).max(1);
    let mut pieces = payload.chunks(size).enumerate().peekable();
    if payload.is_empty() {
        push_frame(receiver, true, opcode, payload, &mut message);
    }
    while let Some((index, piece)) = pieces.next() {
        let opcode = match index {
            0 => opcode,
            _ => Opcode::Continuation,
        };
        let fin = pieces.peek().is_none();
        push_frame(receiver, fin, opcode, piece, &mut message);
    }
    message.repeat(count)
}

fn push_frame(receiver: Role, fin: bool, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let key = match receiver {
        Role::Server => Some(KEY),
        Role::Client => None,
    };
    let header = Header {
        fin,
        rsv1: false,
        opcode,
        key,
        length: payload.len() as u64,
    };
    header.encode(out);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = key {
        apply_mask(&mut out[start..], key, 0);
    }
}

/// A connection and its inbox.
pub struct Lane {
    pub connection: Connection,
    pub inbox: Inbox,
}

impl Lane {
    pub fn new(role: Role) -> Self {
        let config = Config::default();
        Self {
            connection: match role {
                Role::Client => Connection::client(&config, MaskKeys::seeded([7; 32])),
                Role::Server => Connection::server(&config),
            },
            inbox: Inbox::new(),
        }
    }

    /// One read of all of `bytes`, and `act` on every event. Returns how many there were.
    #[inline]
    pub fn receive(
        &mut self,
        bytes: &[u8],
        mut act: impl FnMut(&mut Connection, Event<'_>),
    ) -> usize {
        let room = self.inbox.spare(bytes.len());
        room[..bytes.len()].copy_from_slice(bytes);
        self.inbox.received(bytes.len());
        self.drain(&mut act)
    }

    /// Reads as large as the inbox asks for.
    #[inline]
    pub fn receive_in_reads(
        &mut self,
        bytes: &[u8],
        act: impl FnMut(&mut Connection, Event<'_>),
    ) -> usize {
        self.receive_in_pieces(bytes, usize::MAX, act)
    }

    /// The same, of at most `size` bytes.
    #[inline]
    pub fn receive_in_pieces(
        &mut self,
        mut bytes: &[u8],
        size: usize,
        mut act: impl FnMut(&mut Connection, Event<'_>),
    ) -> usize {
        let mut events = 0;
        while !bytes.is_empty() {
            let room = self.inbox.spare(0);
            let count = room.len().min(bytes.len()).min(size);
            room[..count].copy_from_slice(&bytes[..count]);
            self.inbox.received(count);
            bytes = &bytes[count..];
            events += self.drain(&mut act);
        }
        events
    }

    #[inline]
    fn drain(&mut self, act: &mut impl FnMut(&mut Connection, Event<'_>)) -> usize {
        let mut events = 0;
        while let Some(event) = self.connection.poll_event(&mut self.inbox).unwrap() {
            act(&mut self.connection, event);
            events += 1;
        }
        events
    }

    /// The transport takes everything that waits.
    #[inline]
    pub fn flush(&mut self) -> usize {
        let outgoing = self.connection.outgoing();
        let count = outgoing.remaining();
        outgoing.advance(count);
        count
    }
}

/// Looks at the payload where it is lent, as an application does. To hide the whole event from the
/// optimiser would measure how an event is copied.
#[inline]
pub fn look(_: &mut Connection, event: Event<'_>) {
    match event {
        Event::Binary(bytes) => _ = black_box(&*bytes),
        Event::Text(text) => _ = black_box(&*text),
        other => _ = black_box(other),
    }
}

/// Takes what was received over, and drops it.
#[inline]
pub fn detach(_: &mut Connection, event: Event<'_>) {
    match event {
        Event::Binary(bytes) => _ = black_box(&*bytes.into_bytes()),
        Event::Text(text) => _ = black_box(&*text.into_bytes()),
        other => _ = black_box(other.into_message()),
    }
}

/// Sends a message back as it came.
#[inline]
pub fn echo(connection: &mut Connection, event: Event<'_>) {
    match event {
        Event::Binary(bytes) => connection.send_binary(&bytes).unwrap(),
        Event::Text(text) => connection.send_text(&text).unwrap(),
        _ => {}
    }
}
