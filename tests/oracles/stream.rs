//! What follows the opening handshake.

use bytes::Buf;
use fullduplex::{
    Config, Connection, Delivery, Event, Inbox, MaskKeys, MessageKind, ReceiveError, Role, State,
};

use super::{Input, Options};

/// An event, owned. Pieces of a message that come with nothing in between count as one.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(MessageKind, Vec<u8>),
    Pieces(MessageKind, Vec<u8>, bool, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
}

/// All that came of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace {
    events: Vec<Seen>,
    error: Option<ReceiveError>,
    outgoing: Vec<u8>,
}

/// What the answers take besides the inbox: Pongs that wait, the Close frame and its reason.
const ANSWERS: usize = 2 * 1024;

/// However a stream is cut, the same events, error and answers come of it; an error comes with the
/// same byte and is final; and what the inbox holds stays within twice the bytes it was fed plus
/// 64 KiB.
///
/// Options: bit 0: in pieces; 1: no limits; 2: small limits; 3: the inbox is parked between reads.
/// `measure` tells how many bytes its argument held at once.
///
/// # Panics
///
/// If that does not hold.
pub fn stream(role: Role, data: &[u8], measure: impl Fn(&mut dyn FnMut()) -> usize) {
    let Some(Input {
        options,
        sizes,
        bytes,
    }) = Input::split(data)
    else {
        return;
    };
    let config = config(&options);

    let whole = trace(role, &config, &options, bytes, &[]).0;
    let sizes = if sizes.is_empty() { &[1] } else { &sizes[..] };
    let (cut, failing_read) = trace(role, &config, &options, bytes, sizes);
    assert_eq!(
        cut, whole,
        "reads of {sizes:?} (left) differ from one (right)"
    );
    if let Some(start) = failing_read {
        let before = trace(role, &config, &options, &bytes[..start], &[]).0;
        assert_eq!(before.error, None, "it came with an earlier read");
    }
    assert_final(role, &config, bytes, &whole);

    let keys = MaskKeys::seeded([7; 32]);
    let mut connection = connection(role, &config, keys);
    let held = measure(&mut || swallow(&mut connection, bytes, sizes));
    let budget = 2 * bytes.len() + 64 * 1024 + ANSWERS;
    assert!(held <= budget, "{held} bytes held for {} fed", bytes.len());
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    if options.bit(0) {
        config.delivery = Delivery::Pieces;
    }
    if options.bit(1) {
        config.limits.max_frame = u64::MAX;
        config.limits.max_message = u64::MAX;
        config.limits.max_fragments = u32::MAX;
    } else if options.bit(2) {
        config.limits.max_frame = 100;
        config.limits.max_message = 300;
        config.limits.max_fragments = 4;
    }
    config
}

fn connection(role: Role, config: &Config, keys: MaskKeys) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => Connection::client(config, keys),
    }
}

/// Feeds `bytes` in reads of `sizes`, over and over; in one without sizes. Tells where the read
/// starts that it failed with, too.
fn trace(
    role: Role,
    config: &Config,
    options: &Options,
    bytes: &[u8],
    sizes: &[usize],
) -> (Trace, Option<usize>) {
    let mut connection = connection(role, config, MaskKeys::seeded([7; 32]));
    let mut inbox = Inbox::new();
    let mut trace = Trace::default();
    let mut failing_read = None;
    let mut sizes = sizes.iter().cycle();
    let (mut fed, mut reads) = (0, 0);
    while fed < bytes.len() {
        let size = sizes.next().copied().unwrap_or(usize::MAX);
        let read = &bytes[fed..][..size.min(bytes.len() - fed)];
        inbox.spare(read.len())[..read.len()].copy_from_slice(read);
        inbox.received(read.len());
        poll(&mut connection, &mut inbox, &mut trace);
        if trace.error.is_some() {
            failing_read.get_or_insert(fed);
        }
        fed += read.len();
        reads += 1;
        // Parking copies what is held: not after every byte of a long message.
        if options.bit(3) && (reads < 500 || reads % 500 == 0) {
            let parked = connection.park(&mut inbox);
            inbox.resume(parked);
        }
    }
    while connection.outgoing().has_remaining() {
        let outgoing = connection.outgoing();
        trace.outgoing.extend(outgoing.chunk());
        let length = outgoing.chunk().len();
        outgoing.advance(length);
    }
    (trace, failing_read)
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
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(frame) => Seen::Close(frame.code.into(), frame.reason.clone()),
        other => panic!("unknown event {other:?}"),
    };
    events.push(seen);
}

/// An error has told the peer so, once, and leaves nothing to be received or sent.
fn assert_final(role: Role, config: &Config, bytes: &[u8], whole: &Trace) {
    let closed = matches!(whole.events.last(), Some(Seen::Close(..)));
    if whole.error.is_none() && !closed {
        return;
    }
    let mut connection = connection(role, config, MaskKeys::seeded([7; 32]));
    let mut inbox = Inbox::from(bytes);
    let mut trace = Trace::default();
    poll(&mut connection, &mut inbox, &mut trace);
    assert_eq!(connection.state(), State::Closing);
    assert!(connection.send_text("").is_err());
    let length = connection.outgoing().remaining();
    for _ in 0..2 {
        let more: &[u8] = match role {
            Role::Server => &[0x89, 0x80, 0, 0, 0, 0],
            Role::Client => &[0x89, 0x00],
        };
        inbox.spare(more.len())[..more.len()].copy_from_slice(more);
        inbox.received(more.len());
        poll(&mut connection, &mut inbox, &mut trace);
        assert!(inbox.unread().is_empty());
    }
    assert_eq!((&trace.events, trace.error), (&whole.events, whole.error));
    assert_eq!(connection.outgoing().remaining(), length);
}

/// Receives as a driver does that writes at once and keeps nothing.
fn swallow(connection: &mut Connection, mut bytes: &[u8], sizes: &[usize]) {
    let mut inbox = Inbox::new();
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let room = inbox.spare(0);
        let size = sizes.next().copied().unwrap_or(usize::MAX);
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
