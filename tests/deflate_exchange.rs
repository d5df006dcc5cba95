//! Random sequences of messages between connections that agreed on random parameters, cut anywhere,
//! in both directions, against a compressor and an inflater that share no code with ours.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;
mod common;
mod deflated;

use codec::{Random, SmallWindow, TAIL};
use common::feed::{Feed, ROLES, Seen, Sent, frame, sent_frames};
use deflated::{BINARY, OFF, ON, TEXT, Terms};
use flate2::{Compression, FlushCompress};
use fullduplex::deflate::{
    Compress, ContextTakeover, Deflate, Direction, Level, MemoryLevel, WindowBits,
};
use fullduplex::{Delivery, Message, MessageKind, Role};

/// Sequences of each of the two tests.
const SEQUENCES: usize = 5000;

/// What both ends are told, and what they agree on: our direction and the peer's.
fn terms(random: &mut Random) -> (Terms, Direction, Direction) {
    let mut direction = |least: usize| {
        let bits = WindowBits::new((least + random.below(16 - least)) as u8).unwrap();
        Direction::new(bits, random.pick(&[ON, OFF]))
    };
    let (own, peer) = (direction(9), direction(9));
    let mut side = |own: Direction, peer: Direction| {
        Deflate::new()
            .level(Level::new(1 + random.below(9) as u8).unwrap())
            .memory_level(MemoryLevel::new(1 + random.below(9) as u8).unwrap())
            .compress(random.pick(&[Compress::Always, Compress::Above(100)]))
            .takeover(own.takeover)
            .peer_takeover(peer.takeover)
            .max_window_bits(own.window_bits)
            .peer_max_window_bits(peer.window_bits)
    };
    let mut terms = Terms::of(side(own, peer), side(peer, own));
    for config in [&mut terms.ours, &mut terms.theirs] {
        config.delivery = random.pick(&[Delivery::Whole, Delivery::Pieces]);
        let limit = 1 + random.below(300);
        config.max_frame_payload = random.pick(&[None, None, Some(limit)]);
    }
    (terms, own, peer)
}

/// A message of at most a few hundred octets, most of the time.
fn message(random: &mut Random) -> (MessageKind, Vec<u8>) {
    let length = match random.below(20) {
        0..=3 => 0,
        4..=18 => random.below(300),
        _ => random.below(8000),
    };
    let text = random.text(length);
    match random.below(4) {
        0 => (MessageKind::Binary, random.noise(length)),
        1 => (MessageKind::Binary, text),
        _ => (MessageKind::Text, text),
    }
}

/// What a peer that reads `frames` without this crate makes of them.
struct Reader {
    window: SmallWindow,
    direction: Direction,
    open: Option<(u8, Vec<u8>)>,
}

impl Reader {
    fn new(direction: Direction) -> Self {
        Self {
            window: SmallWindow::new(direction.window_bits.bits()),
            direction,
            open: None,
        }
    }

    fn read(&mut self, frames: Vec<Sent>) -> Vec<(MessageKind, Vec<u8>)> {
        let mut messages = Vec::new();
        for Sent { first, payload, .. } in frames {
            assert_eq!(first & 0x30, 0, "RSV2 and RSV3 are never set");
            if first & 8 != 0 {
                assert_eq!(first, 0x89, "the only control frame that was asked for");
                continue;
            }
            match &mut self.open {
                None => self.open = Some((first, payload)),
                Some((_, message)) => {
                    assert_eq!(first & 0x7f, 0, "a continuation without RSV1");
                    message.extend(payload);
                }
            }
            if first & 0x80 == 0 {
                continue;
            }
            let (start, payload) = self.open.take().unwrap();
            let kind = match start & 0x0f {
                1 => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            if start & 0x40 == 0 {
                messages.push((kind, payload));
                continue;
            }
            if self.direction.takeover == ContextTakeover::Off {
                self.window = SmallWindow::new(self.direction.window_bits.bits());
            }
            messages.push((kind, self.window.receive(&payload)));
        }
        messages
    }
}

/// What `feed` has received, without Pings and Pongs, whatever the delivery was.
fn messages(feed: &Feed) -> Vec<(MessageKind, Vec<u8>)> {
    let mut messages: Vec<(MessageKind, Vec<u8>)> = Vec::new();
    for event in &feed.events {
        match event {
            Seen::Text(text) => messages.push((MessageKind::Text, text.clone().into())),
            Seen::Binary(bytes) => messages.push((MessageKind::Binary, bytes.clone())),
            Seen::Pieces {
                kind, bytes, first, ..
            } if *first => {
                messages.push((*kind, bytes.clone()));
            }
            Seen::Pieces { bytes, .. } => messages.last_mut().unwrap().1.extend(bytes),
            Seen::Ping(_) | Seen::Pong(_) => {}
            other @ Seen::Close(..) => panic!("{other:?}"),
        }
    }
    messages
}

fn deliver(random: &mut Random, to: &mut Feed, mut bytes: &[u8]) {
    let longest = random.pick(&[1, 3, 50, 1000, 100_000]);
    while !bytes.is_empty() {
        let count = bytes.len().min(1 + random.below(longest));
        to.push(&bytes[..count]);
        bytes = &bytes[count..];
    }
    assert_eq!(to.error, None);
}

/// Sends a message in one of the ways there are.
fn send(random: &mut Random, from: &mut Feed, kind: MessageKind, bytes: &[u8]) {
    let connection = &mut from.connection;
    let text = || str::from_utf8(bytes).unwrap();
    let message = || match kind {
        MessageKind::Text => Message::text(text().to_owned()),
        MessageKind::Binary => Message::binary(bytes.to_vec()),
    };
    match (random.below(6), kind) {
        (0, MessageKind::Text) => connection.send_text(text()).unwrap(),
        (0, MessageKind::Binary) => connection.send_binary(bytes).unwrap(),
        (1, _) => connection.send(message()).unwrap(),
        (2, _) => connection.send_with(message(), Compress::Always).unwrap(),
        (3, _) => connection.send_with(message(), Compress::Never).unwrap(),
        _ => {
            let mut rest = bytes;
            while random.below(3) != 0 {
                let (fragment, after) = rest.split_at(random.below(rest.len() + 1));
                connection.send_fragment(kind, fragment, false).unwrap();
                rest = after;
                if random.below(4) == 0 {
                    connection.ping(b"between").unwrap();
                }
            }
            connection.send_fragment(kind, rest, true).unwrap();
        }
    }
}

/// R7692-7.2.1-01, R7692-7.2.1-03, R7692-7.2.2-01, R7692-7.2.2-02, R7692-6-02: two connections
/// understand each other, and an independent reader of both wires, whose window has the agreed size
/// and not an octet more, reads the same.
#[test]
fn connections_and_an_independent_reader_agree() {
    let mut random = Random(0x5eed_0011);
    for sequence in 0..SEQUENCES {
        let role = ROLES[sequence % 2];
        let (terms, own, peer) = terms(&mut random);
        let (end, other) = terms.open_both(role);
        let mut ends = [(end, Reader::new(own)), (other, Reader::new(peer))];
        let mut expected = [Vec::new(), Vec::new()];
        let mut read = [Vec::new(), Vec::new()];
        for _ in 0..=random.below(8) {
            let from = random.below(2);
            for _ in 0..=random.below(3) {
                let (kind, bytes) = message(&mut random);
                send(&mut random, &mut ends[from].0, kind, &bytes);
                expected[from].push((kind, bytes));
            }
            let wire = ends[from].0.take_outgoing();
            let frames = sent_frames(ends[from].0.connection.role(), &wire);
            let frames = frames.into_iter().filter(|frame| frame.first != 0x8a);
            read[from].extend(ends[from].1.read(frames.collect()));
            deliver(&mut random, &mut ends[1 - from].0, &wire);
        }
        for from in 0..2 {
            let case = format!("{sequence}: {role:?} {terms:?}");
            assert!(read[from] == expected[from], "{case}");
            assert!(messages(&ends[1 - from].0) == expected[from], "{case}");
        }
    }
}

/// R7692-7.2.2-01, R7692-7.2.2-03, R7692-6-04: what an independent compressor sends to a connection
/// is received, flushed or with final blocks, as a whole or in fragments with Pings between,
/// compressed or not, and cut anywhere.
#[test]
fn connections_read_an_independent_compressor() {
    let mut random = Random(0x5eed_0012);
    for sequence in 0..SEQUENCES {
        let role = ROLES[sequence % 2];
        let takeover = random.pick(&[ON, OFF]);
        let mut terms = Terms::new(random.pick(&[ON, OFF]), takeover);
        terms.ours.delivery = random.pick(&[Delivery::Whole, Delivery::Pieces]);
        let mut end = terms.open(role);
        let level = Compression::new(random.below(10) as u32);
        let mut compressor = flate2::Compress::new(level, false);
        let mut wire = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..=random.below(10) {
            let (kind, bytes) = message(&mut random);
            let compressed = random.below(4) != 0;
            let payload = if compressed {
                compress(&mut random, &mut compressor, takeover, &bytes)
            } else {
                bytes.clone()
            };
            let first = match (kind, compressed) {
                (MessageKind::Text, true) => TEXT,
                (MessageKind::Binary, true) => BINARY,
                (MessageKind::Text, false) => 0x81,
                (MessageKind::Binary, false) => 0x82,
            };
            fragment(&mut random, role, first, &payload, &mut wire);
            expected.push((kind, bytes));
        }
        deliver(&mut random, &mut end, &wire);
        assert!(messages(&end) == expected, "{sequence}: {role:?} {terms:?}");
    }
}

/// A message as an independent compressor writes it.
fn compress(
    random: &mut Random,
    compressor: &mut flate2::Compress,
    takeover: ContextTakeover,
    message: &[u8],
) -> Vec<u8> {
    if takeover == ContextTakeover::Off {
        compressor.reset();
    }
    let mut payload = Vec::with_capacity(message.len() * 2 + 1000);
    let finals = random.below(8) == 0;
    let flush = if finals {
        FlushCompress::Finish
    } else {
        FlushCompress::Sync
    };
    compressor
        .compress_vec(message, &mut payload, flush)
        .unwrap();
    if finals {
        compressor.reset();
        payload.extend([0].iter().take(random.below(2)));
    } else {
        payload.truncate(payload.len() - TAIL.len());
    }
    payload
}

/// The frames of a message, to an end in `role`.
fn fragment(random: &mut Random, role: Role, first: u8, mut payload: &[u8], wire: &mut Vec<u8>) {
    let mut start = first & 0x7f;
    while random.below(2) == 0 {
        let (part, rest) = payload.split_at(random.below(payload.len() + 1));
        wire.extend(frame(role, start, part));
        if random.below(4) == 0 {
            wire.extend(frame(role, 0x89, b"between"));
        }
        start = 0;
        payload = rest;
    }
    wire.extend(frame(role, 0x80 | start, payload));
}
