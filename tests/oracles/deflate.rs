//! What has to hold for any compressed input. The fuzz targets call these functions with what
//! libFuzzer finds, and `tests/fuzz_seeds.rs` calls them with the seeds, on a stable toolchain.
use bytes::Buf;
use fullduplex::deflate::codec::{Deflater, End, Inflater};
use fullduplex::deflate::{
    Agreement, Compress, ContextTakeover, Deflate, DeflateError, Direction, Level, MemoryLevel,
    WindowBits,
};
use fullduplex::handshake::OriginPolicy;
use fullduplex::handshake::server::{
    Acceptance, HttpRequest, Incoming, Options as Accepting, Upgrade,
};
use fullduplex::{Config, Connection, Delivery, Event, Inbox, MessageKind, ReceiveError};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::Options;

const KIB: usize = 1024;

/// What is left out at the end of a message.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// No DEFLATE data grows by more.
const MOST_GROWTH: usize = 1032;

/// What the core takes besides the messages and what it was fed: the decompressor, its history
/// twice (the pool's spare one, and a connection's), the least room to inflate into, answers.
pub const OVERHEAD: usize = (48 + 2 * 32 + 32 + 4) * KIB;

const fn takeover(off: bool) -> ContextTakeover {
    if off {
        ContextTakeover::Off
    } else {
        ContextTakeover::On
    }
}

/// An event, owned. Pieces of a message that come with nothing in between count as one.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(MessageKind, Vec<u8>),
    Pieces(MessageKind, Vec<u8>, bool, bool),
    Other(String),
}

/// All that came of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    events: Vec<Seen>,
    error: Option<ReceiveError>,
    outgoing: Vec<u8>,
}

/// However compressed frames to a server are cut, the same events, error and answers come of them,
/// and memory stays within twice the largest message, twice what was fed, and a constant.
///
/// Input: options (bit 0: in pieces; 1: no limits; 2: small limits; 3: the inbox is parked between
/// reads; 4: without context takeover; 5: a small window), the size of the reads, and then frames:
/// first byte, length in one byte, payload, all but the mask. `measure` tells how many bytes its
/// argument held at once.
///
/// # Panics
///
/// If that does not hold.
pub fn stream(data: &[u8], measure: impl Fn(&mut dyn FnMut()) -> usize) {
    let [options, size, frames @ ..] = data else {
        return;
    };
    let options = Options(*options);
    let bytes = masked(frames);
    let whole = trace(&options, &bytes, bytes.len().max(1));
    let cut = trace(&options, &bytes, usize::from(*size) + 1);
    assert_eq!(cut, whole, "reads of {size} (left) differ from one (right)");
    let config = config(&options);
    let mut connection = connection(&options);
    let held = measure(&mut || swallow(&mut connection, &bytes, usize::from(*size) + 1));
    let limit = usize::try_from(config.limits.max_message).unwrap_or(usize::MAX);
    let message = match config.delivery {
        Delivery::Pieces => 0,
        _ => limit.min(MOST_GROWTH * bytes.len()),
    };
    let budget = 2 * bytes.len() + 64 * KIB + 2 * message + OVERHEAD;
    assert!(held <= budget, "{held} bytes held for {} fed", bytes.len());
}

/// The frames as a client sends them, with a mask that changes nothing. A length byte of 126 and
/// more, which would need more bytes, is taken for that much less.
fn masked(mut frames: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [first, length, rest @ ..] = frames {
        let length = length % 126;
        let (payload, rest) = rest.split_at(rest.len().min(length.into()));
        bytes.extend([*first, 0x80 | length, 0, 0, 0, 0]);
        bytes.extend(payload);
        frames = rest;
    }
    bytes
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    let bits = if options.bit(5) { 9 } else { 15 };
    config.deflate = WindowBits::new(bits).map(|bits| {
        Deflate::new()
            .compress(Compress::Always)
            .peer_takeover(takeover(options.bit(4)))
            .peer_max_window_bits(bits)
    });
    if options.bit(0) {
        config.delivery = Delivery::Pieces;
    }
    if options.bit(1) {
        config.limits.max_message = u64::MAX;
    } else if options.bit(2) {
        config.limits.max_frame = 100;
        config.limits.max_message = 300;
        config.limits.max_fragments = 6;
    }
    config
}

fn connection(options: &Options) -> Connection {
    agreed(&config(options))
}

/// A server's end that agreed on compression.
pub fn agreed(config: &Config) -> Connection {
    let headers = [
        ("Host", "example.com"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
        (
            "Sec-WebSocket-Extensions",
            "permessage-deflate; client_max_window_bits",
        ),
    ];
    let request = HttpRequest::new("GET", "/", headers.into_iter().collect());
    let accepting = Accepting::new(OriginPolicy::any()).config(config.clone());
    let upgrade = match Upgrade::negotiate(request, accepting) {
        Ok(Incoming::Upgrade(upgrade)) => upgrade,
        other => panic!("the handshake is refused: {other:?}"),
    };
    let accepted = upgrade.accept(Acceptance::new());
    let mut connection = accepted.unwrap_or_else(|error| panic!("{error}"));
    let response = connection.outgoing().chunk().to_vec();
    let text = String::from_utf8_lossy(&response);
    assert!(text.contains("permessage-deflate"), "{text}");
    connection.outgoing().advance(response.len());
    connection
}

fn trace(options: &Options, bytes: &[u8], size: usize) -> Trace {
    let mut connection = connection(options);
    let mut inbox = Inbox::new();
    let mut trace = Trace::default();
    for read in bytes.chunks(size) {
        inbox.spare(read.len())[..read.len()].copy_from_slice(read);
        inbox.received(read.len());
        poll(&mut connection, &mut inbox, &mut trace);
        if options.bit(3) {
            let parked = connection.park(&mut inbox);
            inbox.resume(parked);
        }
    }
    while connection.outgoing().has_remaining() {
        let chunk = connection.outgoing().chunk().to_vec();
        connection.outgoing().advance(chunk.len());
        trace.outgoing.extend(chunk);
    }
    trace
}

fn poll(connection: &mut Connection, inbox: &mut Inbox, trace: &mut Trace) {
    loop {
        match connection.poll_event(inbox) {
            Ok(Some(event)) => {
                assert_eq!(trace.error, None, "an event came after an error");
                record(&mut trace.events, &event);
            }
            Ok(None) => {
                assert_eq!(trace.error, None, "an error was forgotten");
                return;
            }
            Err(error) => {
                assert_eq!(*trace.error.get_or_insert(error), error);
                return;
            }
        }
    }
}

fn record(events: &mut Vec<Seen>, event: &Event<'_>) {
    let seen = match event {
        Event::Text(text) => Seen::Message(MessageKind::Text, text.as_bytes().to_vec()),
        Event::Binary(binary) => Seen::Message(MessageKind::Binary, binary.to_vec()),
        Event::Piece(piece) => {
            assert!(!piece.as_bytes().is_empty() || piece.is_last());
            assert_eq!(piece.as_text().is_some(), piece.kind() == MessageKind::Text);
            if let Some(Seen::Pieces(kind, bytes, _, last @ false)) = events.last_mut() {
                assert!(*kind == piece.kind() && !piece.is_first());
                bytes.extend_from_slice(piece.as_bytes());
                *last = piece.is_last();
                return;
            }
            let bytes = piece.as_bytes().to_vec();
            Seen::Pieces(piece.kind(), bytes, piece.is_first(), piece.is_last())
        }
        other => Seen::Other(format!("{other:?}")),
    };
    events.push(seen);
}

/// Receives as a driver does that writes at once and keeps nothing.
fn swallow(connection: &mut Connection, mut bytes: &[u8], size: usize) {
    let mut inbox = Inbox::new();
    while !bytes.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(bytes.len()).min(size);
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.received(count);
        bytes = &bytes[count..];
        while matches!(connection.poll_event(&mut inbox), Ok(Some(_))) {
            let count = connection.outgoing().remaining();
            connection.outgoing().advance(count);
        }
    }
}

/// The codec and an inflater that shares no code with it agree: on what the codec compresses, with
/// a window of the agreed size; and on any payload, where the other one finds no final block.
///
/// Input: options (bit 0: what follows are payloads and not messages; 4: without context takeover,
/// and so a single payload; 1 to 3: window bits less 8), level and memory level in one byte, and
/// then the payload, or payloads or messages with their length in front in one byte, of which the
/// top bit says that a fragment ends there and not the message.
///
/// # Panics
///
/// If they do not.
pub fn diff(data: &[u8]) {
    let [options, levels, rest @ ..] = data else {
        return;
    };
    let options = Options(*options);
    let Some(bits) = WindowBits::new(8 + (options.0 >> 1 & 7)) else {
        return;
    };
    let direction = Direction::new(bits, takeover(options.bit(4)));
    let agreement = Agreement::new(direction, direction);
    match (options.bit(0), options.bit(4)) {
        (true, true) => return payload_means_the_same(rest),
        (true, false) => return payloads_mean_the_same(rest),
        (false, _) => {}
    }
    let (Some(level), Some(memory_level)) = (
        Level::new(levels % 9 + 1),
        MemoryLevel::new(levels / 9 % 9 + 1),
    ) else {
        return;
    };
    let mut deflater = Deflater::new(&agreement, level, memory_level);
    messages_are_understood(&mut deflater, agreement, rest);
}

fn messages_are_understood(deflater: &mut Deflater, agreement: Agreement, mut rest: &[u8]) {
    let mut inflater = Inflater::new(&agreement);
    let mut window = Window::new(agreement.send.window_bits);
    let (mut message, mut payload) = (Vec::new(), Vec::new());
    while let [length, after @ ..] = rest {
        let (part, after) = after.split_at(after.len().min((length & 127).into()));
        rest = after;
        message.extend(part);
        let last = length & 128 == 0 || rest.is_empty();
        let end = if last { End::Message } else { End::Fragment };
        assert_eq!(deflater.compress(part, &mut payload, end), Ok(()));
        if !last {
            continue;
        }
        if agreement.send.takeover == ContextTakeover::Off {
            window = Window::new(agreement.send.window_bits);
        }
        assert_eq!(window.receive(&payload), message);
        assert_eq!(inflate(&mut inflater, &payload, 7).as_ref(), Ok(&message));
        message.clear();
        payload.clear();
    }
}

/// Payloads that refer to those before them, up to the first that is damaged for both, or has a
/// final block, with which a stream of its own would end.
fn payloads_mean_the_same(mut rest: &[u8]) {
    let direction = Direction::new(WindowBits::MAX, ContextTakeover::On);
    let mut inflater = Inflater::new(&Agreement::new(direction, direction));
    let mut state = DecompressorOxide::new();
    let mut output = Vec::new();
    let mut at = 0;
    while let [length, after @ ..] = rest {
        let (payload, after) = after.split_at(after.len().min((length & 127).into()));
        rest = after;
        let ours = inflate(&mut inflater, payload, 7);
        if payload.is_empty() {
            assert_eq!(ours, Ok(Vec::new()));
            continue;
        }
        let input = [payload, &TAIL].concat();
        output.resize(at + MOST_GROWTH * input.len() + 1, 0);
        let flags = TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) = decompress(&mut state, &input, &mut output, at, flags);
        match (status, ours) {
            (TINFLStatus::NeedsMoreInput, Ok(message)) => {
                assert_eq!(message, output[at..at + written]);
                at += written;
            }
            (TINFLStatus::NeedsMoreInput, Err(error)) => return assert_stricter(error),
            (TINFLStatus::Done, _) | (_, Err(_)) => return,
            (_, Ok(_)) if payload == [1, 0] || payload == [1] => return, // a final block, cut short
            (_, Ok(message)) => panic!("{status:?}, but {} bytes for us", message.len()),
        }
    }
}

/// The other does not notice that a payload ends inside a block, and takes sets of codes that are
/// not complete or have none for the end of the block, as zlib does not.
fn assert_stricter(error: DeflateError) {
    let known = matches!(error, DeflateError::Truncated | DeflateError::Corrupt);
    assert!(known, "{error}");
}

/// As far as a payload can be told from a stream of its own, which has no final blocks.
fn payload_means_the_same(payload: &[u8]) {
    let direction = Direction::new(WindowBits::MAX, ContextTakeover::Off);
    let agreement = Agreement::new(direction, direction);
    let ours = inflate(&mut Inflater::new(&agreement), payload, usize::MAX);
    let cut = inflate(&mut Inflater::new(&agreement), payload, 1);
    assert_eq!(cut, ours, "one byte at a time (left) differs");
    if payload.is_empty() {
        return; // the empty message without a byte is not DEFLATE data
    }
    let input = [payload, &TAIL].concat();
    let mut output = vec![0; MOST_GROWTH * input.len() + 1];
    let (status, consumed, written) = decompress(
        &mut DecompressorOxide::new(),
        &input,
        &mut output,
        0,
        TINFL_FLAG_HAS_MORE_INPUT | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    );
    match (status, ours) {
        (TINFLStatus::NeedsMoreInput, Ok(message)) => {
            assert_eq!(consumed, input.len());
            assert_eq!(message, output[..written]);
        }
        (TINFLStatus::NeedsMoreInput, Err(error)) => assert_stricter(error),
        (TINFLStatus::Done, _) | (_, Err(_)) => {} // a final block; damaged for both
        (_, Ok(_)) if payload == [1, 0] || payload == [1] => {}
        (_, Ok(message)) => panic!("{status:?}, but {} bytes for us", message.len()),
    }
}

fn inflate(inflater: &mut Inflater, payload: &[u8], size: usize) -> Result<Vec<u8>, DeflateError> {
    let mut message = Vec::new();
    let mut room = [0; 300];
    for mut piece in payload.chunks(size) {
        loop {
            let written = inflater.inflate(&mut piece, &mut room)?;
            message.extend(&room[..written]);
            if inflater.is_drained() {
                break;
            }
        }
    }
    loop {
        let finish = inflater.finish(&mut room)?;
        message.extend(&room[..finish.written]);
        if finish.done {
            return Ok(message);
        }
    }
}

/// An inflater whose only memory is a window of the agreed size: a reference beyond it finds other
/// bytes.
struct Window {
    state: DecompressorOxide,
    bytes: Vec<u8>,
    at: usize,
}

impl Window {
    fn new(bits: WindowBits) -> Self {
        Self {
            state: DecompressorOxide::new(),
            bytes: vec![0; bits.size()],
            at: 0,
        }
    }

    fn receive(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &TAIL].concat();
        let mut input = input.as_slice();
        let mut message = Vec::new();
        loop {
            let (status, consumed, written) = decompress(
                &mut self.state,
                input,
                &mut self.bytes,
                self.at,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            message.extend_from_slice(&self.bytes[self.at..self.at + written]);
            self.at = (self.at + written) % self.bytes.len();
            input = &input[consumed..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() => return message,
                other => panic!("{other:?} with {} bytes left", input.len()),
            }
        }
    }
}
