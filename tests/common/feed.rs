//! Feeds bytes to a connection in every way they can be cut, and demands one outcome.
//!
//! The frames here are written and read by hand, not by the crate under test.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use core::mem;

use bytes::Buf;
use fullduplex::{
    CloseCode, Config, Connection, Event, Inbox, MaskKeys, MessageKind, ReceiveError, Role,
    SendError, State,
};

pub const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// The key of every frame that [`frame`] masks, from the examples of RFC 6455, section 5.7.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Inputs up to this length are split at every single position.
const EVERY_SPLIT: usize = 300;

/// An event, owned.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    /// Pieces of one message that came with nothing in between, joined: where they were cut has no
    /// meaning.
    Pieces {
        kind: MessageKind,
        bytes: Vec<u8>,
        first: bool,
        last: bool,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// All that a connection made of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub events: Vec<Seen>,
    pub error: Option<ReceiveError>,
    pub outgoing: Vec<u8>,
}

/// A connection and its inbox, fed by hand.
#[derive(Debug)]
pub struct Feed {
    pub connection: Connection,
    pub inbox: Inbox,
    pub events: Vec<Seen>,
    pub error: Option<ReceiveError>,
}

impl Feed {
    pub fn new(role: Role, config: &Config) -> Self {
        Self {
            connection: connection(role, config),
            inbox: Inbox::new(),
            events: Vec::new(),
            error: None,
        }
    }

    /// Reads all of `bytes` at once, then takes every event there is.
    pub fn push(&mut self, bytes: &[u8]) {
        self.inbox.spare(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.inbox.received(bytes.len());
        self.poll();
    }

    /// Reads `bytes` as a transport would that has them all ready: as much as there is room for.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.inbox.spare(0);
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.inbox.received(count);
            bytes = &bytes[count..];
            self.poll();
        }
    }

    /// Takes every event there is, and insists that an error is repeated.
    pub fn poll(&mut self) {
        loop {
            match self.connection.poll_event(&mut self.inbox) {
                Ok(Some(event)) => {
                    assert_eq!(self.error, None, "an event came after the error");
                    record(&mut self.events, &event);
                }
                Ok(None) => {
                    assert_eq!(self.error, None, "the error was forgotten");
                    return;
                }
                Err(error) => {
                    assert_eq!(*self.error.get_or_insert(error), error, "another error");
                    return;
                }
            }
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Seen> {
        mem::take(&mut self.events)
    }

    /// Writes all that is to be written.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        while self.connection.outgoing().has_remaining() {
            let chunk = self.connection.outgoing().chunk().to_vec();
            self.connection.outgoing().advance(chunk.len());
            written.extend(chunk);
        }
        written
    }
}

fn record(events: &mut Vec<Seen>, event: &Event<'_>) {
    let seen = match event {
        Event::Text(text) => Seen::Text(text.to_string()),
        Event::Binary(binary) => Seen::Binary(binary.to_vec()),
        Event::Piece(piece) => {
            let text = piece.as_text().map(str::as_bytes);
            assert_eq!(text.is_some(), piece.kind() == MessageKind::Text);
            assert_eq!(text.unwrap_or(piece.as_bytes()), piece.as_bytes());
            assert!(
                !piece.as_bytes().is_empty() || piece.is_last(),
                "an empty piece ends nothing"
            );
            if let Some(Seen::Pieces {
                kind,
                bytes,
                last: last @ false,
                ..
            }) = events.last_mut()
            {
                assert!(
                    *kind == piece.kind() && !piece.is_first(),
                    "{piece:?} does not continue"
                );
                bytes.extend_from_slice(piece.as_bytes());
                *last = piece.is_last();
                return;
            }
            Seen::Pieces {
                kind: piece.kind(),
                bytes: piece.as_bytes().to_vec(),
                first: piece.is_first(),
                last: piece.is_last(),
            }
        }
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(frame) => Seen::Close(frame.code.into(), frame.reason.clone()),
        other => panic!("unknown event {other:?}"),
    };
    events.push(seen);
}

pub fn connection(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, MaskKeys::seeded([7; 32])),
    }
}

/// Feeds `bytes` whole, byte by byte, split at every position (or, where there are too many, in
/// pieces of several sizes) and at random, and returns what each of the ways led to.
pub fn trace(role: Role, config: &Config, bytes: &[u8]) -> Trace {
    let whole = trace_in(role, config, bytes, &[bytes.len()]);
    let mut ways: Vec<Vec<usize>> = [1, 2, 7, 1024].map(|size| vec![size]).into();
    if bytes.len() <= EVERY_SPLIT {
        ways.extend((1..bytes.len()).map(|first| vec![first, bytes.len()]));
    }
    let mut random = bytes.len() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    ways.extend((0..8).map(|round| {
        let mut below = |limit: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % limit as u64).unwrap()
        };
        let widest = if round % 2 == 0 {
            20
        } else {
            bytes.len() / 3 + 1
        };
        (0..64).map(|_| 1 + below(widest)).collect()
    }));
    for way in ways {
        let cut = trace_in(role, config, bytes, &way);
        let shown = &way[..way.len().min(8)];
        assert_eq!(
            cut, whole,
            "{role:?}: reads of {shown:?} bytes (left) and a single read (right) differ"
        );
    }
    whole
}

/// Feeds `bytes` in chunks of `sizes`, over and over.
fn trace_in(role: Role, config: &Config, mut bytes: &[u8], sizes: &[usize]) -> Trace {
    let mut feed = Feed::new(role, config);
    for size in sizes.iter().cycle() {
        let (chunk, rest) = bytes.split_at(bytes.len().min(*size));
        feed.push(chunk);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    Trace {
        outgoing: feed.take_outgoing(),
        events: feed.events,
        error: feed.error,
    }
}

/// How many bytes it takes until the connection fails, if it does.
pub fn fails_after(role: Role, config: &Config, bytes: &[u8]) -> Option<usize> {
    let mut feed = Feed::new(role, config);
    (1..=bytes.len()).find(|end| {
        feed.push(&bytes[end - 1..*end]);
        feed.error.is_some()
    })
}

/// `bytes` are legal, and `events` are what they say.
#[track_caller]
pub fn assert_receives(role: Role, config: &Config, bytes: &[u8], events: &[Seen]) {
    let trace = trace(role, config, bytes);
    assert_eq!(trace.error, None, "{role:?}");
    assert!(
        trace.events == events,
        "{role:?} received {:?}, not {events:?}",
        trace.events
    );
}

/// `bytes` fail the connection with `error`, and with their last byte: not earlier, not later.
#[track_caller]
pub fn assert_fails(role: Role, bytes: &[u8], error: impl Into<ReceiveError>, code: u16) {
    let config = Config::default();
    assert_eq!(
        fails_after(role, &config, bytes),
        Some(bytes.len()),
        "{role:?}: how many bytes it takes to fail"
    );
    assert_fails_with(role, &config, bytes, error, code);
}

/// `bytes` fail the connection with `error`: a single Close frame with `code` is the last thing
/// sent, the error is repeated for ever, and nothing more is read or sent. Returns the events before.
#[track_caller]
pub fn assert_fails_with(
    role: Role,
    config: &Config,
    bytes: &[u8],
    error: impl Into<ReceiveError>,
    code: u16,
) -> Vec<Seen> {
    let error = error.into();
    let seen = trace(role, config, bytes);
    assert_eq!(seen.error, Some(error), "{role:?}");
    assert_eq!(error.close_code(), Some(CloseCode::from(code)));
    let sent = sent_frames(role, &seen.outgoing);
    let closes: Vec<_> = sent.iter().filter(|sent| sent.first == 0x88).collect();
    assert!(closes.len() == 1 && sent.last() == Some(closes[0]));
    assert_eq!(closes[0].payload[..2], code.to_be_bytes(), "{role:?}");
    assert!(!closes[0].payload[2..].is_empty(), "the fault is not told");
    assert!(str::from_utf8(&closes[0].payload[2..]).is_ok());

    let mut more = bytes.to_vec();
    more.extend(frame(role, 0x89, b"ping"));
    more.extend(frame(role, 0x88, &[0x03, 0xe8]));
    assert_eq!(
        trace(role, config, &more),
        seen,
        "{role:?}: what follows the fault is read"
    );

    let mut feed = Feed::new(role, config);
    feed.push(bytes);
    assert_eq!(feed.connection.state(), State::Closing);
    assert_eq!(feed.connection.send_text("more"), Err(SendError::Closed));
    assert_eq!(feed.connection.ping(b""), Err(SendError::Closed));
    assert!(feed.connection.wants_write() && !feed.connection.wants_shutdown());
    feed.take_outgoing();
    assert!(!feed.connection.wants_write() && feed.connection.wants_shutdown());
    for _ in 0..3 {
        feed.push(&frame(role, 0x89, b"ping"));
        assert_eq!(feed.connection.outgoing().remaining(), 0);
        assert!(
            feed.inbox.unread().is_empty(),
            "what follows the fault is kept"
        );
    }
    seen.events
}

/// A frame as `receiver`'s peer sends it, its length in the minimal form.
pub fn frame(receiver: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(receiver, first, payload.len() as u64);
    let key = match receiver {
        Role::Server => KEY,
        Role::Client => [0; 4],
    };
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k));
    bytes
}

/// The header of a frame as `receiver`'s peer sends it, its length in the minimal form.
pub fn header(receiver: Role, first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(length as u8),
        126..=0xffff => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if receiver == Role::Server {
        bytes[1] |= 0x80;
        bytes.extend(KEY);
    }
    bytes
}

/// A frame that was sent, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub first: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

/// The frames in what an endpoint in `role` sent, each masked if and only if the role demands it.
pub fn sent_frames(role: Role, mut bytes: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while bytes.has_remaining() {
        let (first, second) = (bytes.get_u8(), bytes.get_u8());
        let length = match second & 0x7f {
            126 => u64::from(bytes.get_u16()),
            127 => bytes.get_u64(),
            short => u64::from(short),
        };
        let masked = second & 0x80 != 0;
        assert_eq!(masked, role == Role::Client, "only a client masks");
        let key = masked.then(|| bytes.get_u32().to_be_bytes());
        let (payload, rest) = bytes.split_at(length.try_into().unwrap());
        let key_bytes = key.unwrap_or_default();
        frames.push(Sent {
            first,
            key,
            payload: payload
                .iter()
                .zip(key_bytes.iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .collect(),
        });
        bytes = rest;
    }
    frames
}

/// Bytes written as pairs of hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    digits
        .split_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits"))
        .collect()
}

pub fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

pub fn binary(bytes: impl Into<Vec<u8>>) -> Seen {
    Seen::Binary(bytes.into())
}

/// Long payloads would bury what a failed assertion has to say.
impl core::fmt::Debug for Seen {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (name, bytes) = match self {
            Self::Text(text) => ("Text", text.as_bytes()),
            Self::Binary(bytes) => ("Binary", &bytes[..]),
            Self::Pieces {
                kind,
                bytes,
                first,
                last,
            } => {
                write!(f, "{kind:?}(first: {first}, last: {last})")?;
                ("Pieces", &bytes[..])
            }
            Self::Ping(payload) => ("Ping", &payload[..]),
            Self::Pong(payload) => ("Pong", &payload[..]),
            Self::Close(code, reason) => return write!(f, "Close({code}, {reason:?})"),
        };
        let shown = bytes[..bytes.len().min(40)].escape_ascii();
        write!(f, "{name}({} bytes: {shown})", bytes.len())
    }
}
