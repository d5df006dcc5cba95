//! Two connections and a fake link between them, with virtual time.
//!
//! [`End`] is one connection with its inbox and a record of what it reported and wrote. [`Pair`]
//! joins a client and a server by a link that carries at most a chunk at a time, ends like TCP does
//! and never loses anything. The frames on the wire are read by a parser of the tests' own, so that
//! the crate is not checked against itself.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "each test binary is a crate of its own")]
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::Buf;
use fullduplex::{
    CloseFrame, Config, Connection, Event, Inbox, MaskKeys, ReceiveError, Role, State, Timeouts,
};

/// How many bytes a link carries at once; every protocol test runs for each.
pub const CHUNKS: [usize; 4] = [1, 2, 7, usize::MAX];

pub const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The first byte of a frame: FIN and an opcode, or an opcode alone.
pub const CONTINUATION: u8 = 0x80;
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;
pub const FIN: u8 = 0x80;

/// An event, owned.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// Long payloads are cut, so that a failed comparison can be read.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Text(text) => ("Text", text.as_bytes()),
            Self::Binary(bytes) => ("Binary", &bytes[..]),
            Self::Ping(bytes) => ("Ping", &bytes[..]),
            Self::Pong(bytes) => ("Pong", &bytes[..]),
            Self::Close(code, reason) => return write!(f, "Close({code}, {reason:?})"),
        };
        let start = &payload[..payload.len().min(32)];
        write!(
            f,
            "{name}({}: {:?})",
            payload.len(),
            start.escape_ascii().to_string()
        )
    }
}

pub fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub fn binary(bytes: &[u8]) -> Seen {
    Seen::Binary(bytes.into())
}

pub fn closed(code: u16, reason: &str) -> Seen {
    Seen::Close(code, reason.into())
}

/// A frame as it stood on the wire, its payload unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first: u8,
    pub key: Option<[u8; 4]>,
    /// How many bytes the length took: 0, 2 or 8.
    pub extended: usize,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn size(&self) -> usize {
        2 + self.extended + self.key.map_or(0, |_| 4) + self.payload.len()
    }
}

/// Reads whole frames; what is left of an incomplete one is returned too.
pub fn parse_frames(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some(frame) = parse_frame(bytes) {
        bytes = &bytes[frame.size()..];
        frames.push(frame);
    }
    (frames, bytes)
}

fn parse_frame(bytes: &[u8]) -> Option<Frame> {
    let [first, second] = *bytes.first_chunk()?;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let digits = bytes.get(2..2 + extended)?;
    let length = match extended {
        0 => usize::from(second & 0x7f),
        _ => digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit)),
    };
    let masked = second & 0x80 != 0;
    let start = 2 + extended + if masked { 4 } else { 0 };
    let mut payload = bytes.get(start..start.checked_add(length)?)?.to_vec();
    let key: Option<[u8; 4]> = masked.then(|| bytes[start - 4..start].try_into().unwrap());
    if let Some(key) = key {
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= key[index % 4];
        }
    }
    Some(Frame {
        first,
        key,
        extended,
        payload,
    })
}

/// A frame from the peer of an endpoint in `role`; masked with a fixed key if that is a server.
pub fn frame_to(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = match role {
        Role::Server => 0x80,
        Role::Client => 0,
    };
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(mask | u8::try_from(short).unwrap()),
        medium @ 126..=0xffff => {
            frame.push(mask | 0x7e);
            frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
        long => {
            frame.push(mask | 0x7f);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    if mask == 0 {
        frame.extend(payload);
    } else {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        frame.extend(key);
        frame.extend(payload.iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b));
    }
    frame
}

/// A Close frame from the peer of an endpoint in `role`.
pub fn close_to(role: Role, code: u16, reason: &str) -> Vec<u8> {
    frame_to(role, CLOSE, &close_body(code, reason))
}

pub fn close_body(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// Something that is done to an endpoint.
pub type Act = fn(&mut End);

/// A configuration without deadlines, for tests that do not tell the time.
pub fn timeless() -> Config {
    let mut config = Config::default();
    config.timeouts = no_timeouts();
    config
}

pub fn no_timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    timeouts.handshake = None;
    timeouts.keepalive = None;
    timeouts.idle = None;
    timeouts.close = None;
    timeouts
}

/// One connection, what it reported and what it wrote.
pub struct End {
    pub connection: Connection,
    pub inbox: Inbox,
    pub seen: Vec<Seen>,
    pub error: Option<ReceiveError>,
    /// Everything that the transport took.
    pub wire: Vec<u8>,
}

impl End {
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            connection: match role {
                Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
                Role::Server => Connection::server(config),
            },
            inbox: Inbox::new(),
            seen: Vec::new(),
            error: None,
            wire: Vec::new(),
        }
    }

    /// An endpoint that was told the time 0.
    pub fn started(role: Role, config: &Config) -> Self {
        let mut end = Self::new(role, config);
        end.connection.handle_timeout(Duration::ZERO);
        end
    }

    /// Tells the time and returns the first bytes of the frames that go out, all of which the
    /// transport takes.
    pub fn at(&mut self, now: Duration) -> Vec<u8> {
        self.connection.handle_timeout(now);
        let frames = self.write_frames();
        self.connection.handle_timeout(now);
        if self.connection.state() != State::Open {
            self.poll(); // learns of a fault that time brought
        }
        frames.iter().map(|frame| frame.first).collect()
    }

    pub fn server() -> Self {
        Self::new(Role::Server, &Config::default())
    }

    pub fn client() -> Self {
        Self::new(Role::Client, &Config::default())
    }

    pub fn role(&self) -> Role {
        self.connection.role()
    }

    /// One read that returned `bytes`, and all events that follow from it.
    pub fn receive(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.inbox.spare(0);
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            self.inbox.received(count);
            rest = &rest[count..];
            self.poll();
        }
    }

    /// A frame from the peer.
    pub fn receive_frame(&mut self, first: u8, payload: &[u8]) {
        let frame = frame_to(self.role(), first, payload);
        self.receive(&frame);
    }

    pub fn receive_close(&mut self, code: u16, reason: &str) {
        self.receive_frame(CLOSE, &close_body(code, reason));
    }

    /// Reads of `chunk` bytes that return `bytes`.
    pub fn receive_chunked(&mut self, bytes: &[u8], chunk: usize) {
        for read in bytes.chunks(chunk.min(bytes.len()).max(1)) {
            self.receive(read);
        }
    }

    /// The transport ended.
    pub fn receive_eof(&mut self) {
        self.connection.received_eof();
        self.poll();
    }

    /// Takes all events. An error has to stay the same for ever.
    pub fn poll(&mut self) {
        loop {
            match self.connection.poll_event(&mut self.inbox) {
                Ok(Some(event)) => {
                    assert_eq!(self.error, None, "nothing is reported after an error");
                    self.seen.push(own(event));
                }
                Ok(None) => {
                    assert_eq!(self.error, None, "an error is sticky");
                    return;
                }
                Err(error) => {
                    assert_eq!(self.error.unwrap_or(error), error, "an error is sticky");
                    self.error = Some(error);
                    return;
                }
            }
        }
    }

    /// The transport takes up to `limit` bytes in one write.
    pub fn write(&mut self, limit: usize) -> Vec<u8> {
        if !self.connection.wants_write() {
            return Vec::new();
        }
        let outgoing = self.connection.outgoing();
        let count = outgoing.chunk().len().min(limit);
        assert!(count > 0, "a connection that wants to write has something");
        let bytes = outgoing.chunk()[..count].to_vec();
        outgoing.advance(count);
        self.wire.extend(&bytes);
        bytes
    }

    /// The transport takes everything.
    pub fn write_all(&mut self) -> Vec<u8> {
        let start = self.wire.len();
        while !self.write(usize::MAX).is_empty() {}
        self.wire[start..].to_vec()
    }

    /// The frames that go out now.
    pub fn write_frames(&mut self) -> Vec<Frame> {
        whole_frames(&self.write_all())
    }

    /// The frames that went out since the start.
    pub fn frames(&self) -> Vec<Frame> {
        whole_frames(&self.wire)
    }

    /// What the Close frames said that were written since the start.
    pub fn closes(&self) -> Vec<Vec<u8>> {
        self.frames()
            .into_iter()
            .filter(|frame| frame.first == CLOSE)
            .map(|frame| frame.payload)
            .collect()
    }

    /// Takes what was reported so far.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }
}

fn whole_frames(bytes: &[u8]) -> Vec<Frame> {
    let (frames, rest) = parse_frames(bytes);
    assert_eq!(rest, b"", "the stream ends between frames");
    frames
}

pub fn own(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Text(text.to_string()),
        Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(CloseFrame { code, reason }) => Seen::Close(code.into(), reason),
        other => panic!("no test here asks for {other:?}"),
    }
}

/// A client and a server, and what is under way between them.
pub struct Pair {
    pub client: End,
    pub server: End,
    pub now: Duration,
    chunk: usize,
    to_server: Pipe,
    to_client: Pipe,
}

/// One direction of the link.
#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    /// Its writer ended it.
    ended: bool,
    /// Its reader has seen the end.
    told: bool,
}

impl Pair {
    pub fn new(chunk: usize) -> Self {
        Self::with(&Config::default(), &Config::default(), chunk)
    }

    pub fn with(client: &Config, server: &Config, chunk: usize) -> Self {
        Self {
            client: End::new(Role::Client, client),
            server: End::new(Role::Server, server),
            now: Duration::ZERO,
            chunk,
            to_server: Pipe::default(),
            to_client: Pipe::default(),
        }
    }

    /// Moves bytes until nothing moves any more, as two drivers would.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// One write and one read at each end. Returns whether anything happened.
    pub fn step(&mut self) -> bool {
        let chunk = self.chunk;
        let mut moved = drive(&mut self.client, &mut self.to_server, self.now, chunk);
        moved |= drive(&mut self.server, &mut self.to_client, self.now, chunk);
        moved |= deliver(&mut self.server, &mut self.to_server, chunk);
        moved |= deliver(&mut self.client, &mut self.to_client, chunk);
        moved
    }

    /// Lets time pass up to the earliest deadline of either end, and returns whether there was one.
    pub fn sleep_until_due(&mut self) -> bool {
        let due = [&self.client, &self.server].map(|end| end.connection.poll_timeout());
        let Some(due) = due.into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(due);
        true
    }

    pub fn assert_over(&self) {
        for end in [&self.client, &self.server] {
            assert!(end.connection.outcome().is_some(), "both ends are closed");
        }
    }
}

/// What a driver does at `end`: write, end the transport, tell the time.
fn drive(end: &mut End, pipe: &mut Pipe, now: Duration, chunk: usize) -> bool {
    if end.connection.outcome().is_some() {
        pipe.ended = true;
        return false;
    }
    let bytes = end.write(chunk);
    let mut moved = !bytes.is_empty();
    pipe.bytes.extend(bytes);
    if end.connection.wants_shutdown() && !pipe.ended {
        pipe.ended = true;
        moved = true;
    }
    end.connection.handle_timeout(now);
    if !end.connection.wants_read() && !end.connection.wants_write() {
        end.receive_eof(); // the driver drops the transport
        pipe.ended = true;
        moved = true;
    }
    moved
}

fn deliver(end: &mut End, pipe: &mut Pipe, chunk: usize) -> bool {
    let count = pipe.bytes.len().min(chunk);
    let bytes: Vec<u8> = pipe.bytes.drain(..count).collect();
    if end.connection.outcome().is_some() {
        return false; // nobody reads any more
    }
    if pipe.bytes.is_empty() && pipe.ended && !pipe.told {
        pipe.told = true;
        end.receive(&bytes);
        end.receive_eof();
        return true;
    }
    end.receive(&bytes);
    !bytes.is_empty()
}
