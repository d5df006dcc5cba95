//! What another implementation makes of the same bytes: tungstenite.
//!
//! Where it may differ, and how:
//!
//!  - It takes a length that is not in its shortest form. We refuse that (RFC 6455, section 5.2).
//!  - It takes a Close frame with a code that may not be sent, and reports one with 1002 in its
//!    place. We fail the connection (section 7.4). It takes 1014 for such a code.
//!  - It judges a frame when it is whole. We refuse what is wrong when it comes, so that it may
//!    still be waiting for the rest of the frame.
//!  - It allocates the length that a frame declares, so that it can be asked with limits only.

use std::io::{self, Read, Write};

use fullduplex::frame::FrameError;
use fullduplex::{Config, Connection, Event, Inbox, MaskKeys, ReceiveError, Role};
use tungstenite::protocol::{self, CloseFrame, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use super::Input;

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// The crate and tungstenite receive the same messages, and refuse the same streams, but for what
/// is listed above.
///
/// Options: bit 0: a client receives; 1: small limits.
///
/// # Panics
///
/// If they do not.
pub fn diff_tungstenite(data: &[u8]) {
    let Some(Input {
        options,
        sizes,
        bytes,
    }) = Input::split(data)
    else {
        return;
    };
    let limit = if options.bit(1) { 200 } else { 64 * 1024 };
    let (role, their_role) = if options.bit(0) {
        (Role::Client, protocol::Role::Client)
    } else {
        (Role::Server, protocol::Role::Server)
    };
    let (mut ours, error) = receive(role, limit, bytes, &sizes);
    let (mut theirs, their_error) = ask_tungstenite(their_role, limit, bytes, &sizes);

    let Some(error) = error else {
        forgive_1014(&mut ours);
        assert_eq!(ours, theirs);
        assert!(their_error.is_none(), "{their_error:?}");
        return;
    };
    let more = theirs.split_off(theirs.len().min(ours.len()));
    assert_eq!(ours, theirs, "before {error}");
    let frame = failing_frame(role, limit, bytes);
    match error {
        // What is wrong with a control frame is its length, in whatever form.
        ReceiveError::Frame(FrameError::NonMinimalLength | FrameError::ControlTooLong)
            if is_long_winded(frame) => {}
        // They look at the reason first.
        ReceiveError::InvalidCloseCode(_) if their_error.is_none() => {
            let close = Seen::Close(1002, "Protocol violation".into());
            assert_eq!(more, [close]);
        }
        _ => {
            assert_eq!(more, [], "after {error}");
            let is_cut = size_of_frame(frame).is_none_or(|size| size > frame.len());
            assert!(their_error.is_some() || is_cut, "they put up with {error}");
        }
    }
}

/// In their eyes 1014 is a code that may not be sent.
fn forgive_1014(ours: &mut [Seen]) {
    if let Some(Seen::Close(code @ 1014, reason)) = ours.last_mut() {
        (*code, *reason) = (1002, "Protocol violation".into());
    }
}

fn config(limit: usize) -> Config {
    let mut config = Config::default();
    config.limits.max_frame = limit as u64;
    config.limits.max_message = limit as u64;
    config.limits.max_fragments = u32::MAX;
    config
}

fn connection(role: Role, limit: usize) -> Connection {
    match role {
        Role::Server => Connection::server(&config(limit)),
        Role::Client => Connection::client(&config(limit), MaskKeys::seeded([7; 32])),
    }
}

fn receive(
    role: Role,
    limit: usize,
    bytes: &[u8],
    sizes: &[usize],
) -> (Vec<Seen>, Option<ReceiveError>) {
    let mut connection = connection(role, limit);
    let mut inbox = Inbox::new();
    let mut seen = Vec::new();
    for read in Reads::new(bytes, sizes) {
        inbox.spare(read.len())[..read.len()].copy_from_slice(read);
        inbox.received(read.len());
        loop {
            match connection.poll_event(&mut inbox) {
                Ok(Some(event)) => seen.push(own(&event)),
                Ok(None) => break,
                Err(error) => return (seen, Some(error)),
            }
        }
    }
    (seen, None)
}

fn own(event: &Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Text(text.to_string()),
        Event::Binary(binary) => Seen::Binary(binary.to_vec()),
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(frame) => Seen::Close(frame.code.into(), frame.reason.clone()),
        other => panic!("unexpected event {other:?}"),
    }
}

/// From the frame on that holds the first wrong byte. Every frame before it is there.
fn failing_frame(role: Role, limit: usize, mut bytes: &[u8]) -> &[u8] {
    let ends: Vec<usize> = (1..=bytes.len()).collect();
    let mut fails_at = 1 + ends.partition_point(|end| {
        let (_, error) = receive(role, limit, &bytes[..*end], &[]);
        error.is_none()
    });
    while let Some(size) = size_of_frame(bytes).filter(|size| *size < fails_at) {
        bytes = &bytes[size..];
        fails_at -= size;
    }
    bytes
}

/// What the first bytes of a frame say about the sizes of its header and its payload.
fn sizes_of_frame(bytes: &[u8]) -> Option<(usize, u64)> {
    let number = |bytes: &[u8]| {
        let digits = bytes.iter();
        digits.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    let second = *bytes.get(1)?;
    let (header, payload) = match second & 0x7f {
        126 => (4, number(bytes.get(2..4)?)),
        127 => (10, number(bytes.get(2..10)?)),
        short => (2, u64::from(short)),
    };
    Some((header + usize::from(second >> 7) * 4, payload))
}

fn size_of_frame(bytes: &[u8]) -> Option<usize> {
    let (header, payload) = sizes_of_frame(bytes)?;
    usize::try_from(payload).ok()?.checked_add(header)
}

/// Whether a frame could say its length in fewer bytes.
fn is_long_winded(bytes: &[u8]) -> bool {
    let payload = sizes_of_frame(bytes).map(|(_, payload)| payload);
    match (bytes[1] & 0x7f, payload) {
        (126, Some(payload)) => payload < 126,
        (127, Some(payload)) => payload < 65_536,
        _ => false,
    }
}

/// `bytes` in reads of `sizes`, over and over; in one without sizes.
struct Reads<'a> {
    bytes: &'a [u8],
    sizes: core::iter::Cycle<core::slice::Iter<'a, usize>>,
}

impl<'a> Reads<'a> {
    fn new(bytes: &'a [u8], sizes: &'a [usize]) -> Self {
        let sizes = sizes.iter().cycle();
        Self { bytes, sizes }
    }
}

impl<'a> Iterator for Reads<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let size = self.sizes.next().copied().unwrap_or(usize::MAX);
        let (read, rest) = self.bytes.split_at(self.bytes.len().min(size));
        self.bytes = rest;
        (!read.is_empty()).then_some(read)
    }
}

/// A stream that swallows what is written, and waits when all was read.
struct Stream<'a>(Reads<'a>, &'a [u8]);

impl Read for Stream<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.next().ok_or(io::ErrorKind::WouldBlock)?;
        }
        self.1.read(room)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ask_tungstenite(
    role: protocol::Role,
    limit: usize,
    bytes: &[u8],
    sizes: &[usize],
) -> (Vec<Seen>, Option<Error>) {
    let config = WebSocketConfig::default()
        .read_buffer_size(256)
        .write_buffer_size(0)
        .max_frame_size(Some(limit))
        .max_message_size(Some(limit));
    let stream = Stream(Reads::new(bytes, sizes), &[]);
    let mut socket = WebSocket::from_raw_socket(stream, role, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => {
                let close = |frame: CloseFrame| (frame.code.into(), frame.reason.to_string());
                let (code, reason) = frame.map_or((1005, String::new()), close);
                seen.push(Seen::Close(code, reason));
                return (seen, None);
            }
            Ok(Message::Frame(_)) => panic!("a raw frame"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (seen, None);
            }
            Err(error) => return (seen, Some(error)),
        });
    }
}
