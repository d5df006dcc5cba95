//! Recorded traffic of real clients and servers, from behind the opening handshake on.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use std::fs;
use std::path::Path;

use bytes::Buf;
use common::feed::{Seen, trace};
use fullduplex::frame::FrameError;
use fullduplex::{Config, ReceiveError, Role};

const COMPRESSED: u8 = 0b0100_0000;

/// What a stream says, read by a few lines that share nothing with the crate.
#[derive(Default)]
struct Expected {
    events: Vec<Seen>,
    /// Whether a compressed message follows, which nobody negotiated here.
    compressed: bool,
}

fn expected(mut bytes: &[u8]) -> Expected {
    let mut expected = Expected::default();
    let mut message = Vec::new();
    let mut kind = 0;
    while let Some((first, payload)) = next_frame(&mut bytes) {
        if first & COMPRESSED != 0 {
            expected.compressed = true;
            break;
        }
        match first & 15 {
            8 => {
                let (code, reason) = payload.split_first_chunk().unwrap_or((&[3, 237], &[]));
                let reason = String::from_utf8(reason.to_vec()).unwrap();
                let code = u16::from_be_bytes(*code);
                expected.events.push(Seen::Close(code, reason));
                return expected;
            }
            9 => expected.events.push(Seen::Ping(payload)),
            10 => expected.events.push(Seen::Pong(payload)),
            opcode => {
                if opcode != 0 {
                    (kind, message) = (opcode, Vec::new());
                }
                message.extend(payload);
                if first & 128 != 0 {
                    expected.events.push(match kind {
                        1 => Seen::Text(String::from_utf8(message.clone()).unwrap()),
                        _ => Seen::Binary(message.clone()),
                    });
                }
            }
        }
    }
    expected.compressed |= bytes.first().is_some_and(|first| first & COMPRESSED != 0);
    expected
}

/// The first byte and the payload of a frame, if it is all there.
fn next_frame(bytes: &mut &[u8]) -> Option<(u8, Vec<u8>)> {
    let mut rest = *bytes;
    let first = rest.try_get_u8().ok()?;
    let second = rest.try_get_u8().ok()?;
    let length = match second & 127 {
        126 => u64::from(rest.try_get_u16().ok()?),
        127 => rest.try_get_u64().ok()?,
        short => u64::from(short),
    };
    let key = match second & 128 {
        0 => [0; 4],
        _ => rest.try_get_u32().ok()?.to_be_bytes(),
    };
    let payload = rest.get(..usize::try_from(length).ok()?)?;
    *bytes = &rest[payload.len()..];
    let unmasked = payload.iter().zip(key.iter().cycle()).map(|(b, k)| b ^ k);
    Some((first, unmasked.collect()))
}

/// R6455-5.2-01, R6455-5.4-03, R6455-5.8-01, R6455-6.2-01: 17 clients and their servers. Streams that
/// compress are understood up to the first compressed message, which is refused for its RSV1.
#[test]
fn recorded_streams_are_understood() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/streams");
    let (mut streams, mut messages, mut compressed, mut closed) = (0, 0, 0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let role = match path.extension().and_then(|name| name.to_str()) {
            Some("c2s") => Role::Server,
            Some("s2c") => Role::Client,
            _ => panic!("{} is no stream", path.display()),
        };
        let bytes = fs::read(&path).unwrap();
        let head = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        let frames = &bytes[head.expect("an HTTP head") + 4..];

        let expected = expected(frames);
        let seen = trace(role, &Config::default(), frames);
        let error = expected
            .compressed
            .then_some(ReceiveError::Frame(FrameError::ReservedBits(4)));
        assert_eq!(seen.error, error, "{}", path.display());
        assert_eq!(seen.events, expected.events, "{}", path.display());

        streams += 1;
        messages += seen.events.len();
        compressed += usize::from(expected.compressed);
        closed += usize::from(matches!(seen.events.last(), Some(Seen::Close(..))));
    }
    // What the recordings are known to hold, so that a reader that skips everything fails.
    assert_eq!((streams, compressed), (68, STREAMS_COMPRESSED));
    assert_eq!((messages, closed), (MESSAGES, CLOSED));
}

const STREAMS_COMPRESSED: usize = 21;
const MESSAGES: usize = 121;
const CLOSED: usize = 34;
