//! Whole messages through the codec of permessage-deflate.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its share")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

use std::io::Write as _;

use fullduplex::deflate::codec::{Deflater, End, Inflater};
use fullduplex::deflate::{
    Agreement, ContextTakeover, DeflateError, Direction, Level, MemoryLevel, WindowBits,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// What is left out at the end of a message.
pub const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

pub fn agreement(bits: u8, takeover: ContextTakeover) -> Agreement {
    let direction = Direction::new(WindowBits::new(bits).unwrap(), takeover);
    Agreement::new(direction, direction)
}

pub fn inflater(takeover: ContextTakeover) -> Inflater {
    Inflater::new(&agreement(15, takeover))
}

pub fn deflater(takeover: ContextTakeover) -> Deflater {
    Deflater::new(
        &agreement(15, takeover),
        Level::FASTEST,
        MemoryLevel::DEFAULT,
    )
}

/// Inflates one message, cut into pieces of at most `chunk` octets, into buffers of `room`.
pub fn receive_by(
    inflater: &mut Inflater,
    payload: &[u8],
    chunk: usize,
    room: usize,
) -> Result<Vec<u8>, DeflateError> {
    let mut message = Vec::new();
    let mut buffer = vec![0xaa; room];
    for mut piece in payload.chunks(chunk.min(payload.len().max(1))) {
        loop {
            let written = inflater.inflate(&mut piece, &mut buffer)?;
            message.extend_from_slice(&buffer[..written]);
            // What is held back for want of room comes with the next piece, or at the end.
            if piece.is_empty() && (written < room || chunk.is_multiple_of(2)) {
                break;
            }
        }
    }
    loop {
        let finish = inflater.finish(&mut buffer)?;
        message.extend_from_slice(&buffer[..finish.written]);
        if finish.done {
            return Ok(message);
        }
    }
}

pub fn receive(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, DeflateError> {
    receive_by(inflater, payload, usize::MAX, 4096)
}

pub fn send(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    deflater
        .compress(message, &mut payload, End::Message)
        .unwrap();
    payload
}

/// An inflater whose only memory is a window of the agreed size, or of the 256 octets that are the
/// least it can have: a reference beyond it finds other octets, which the comparison shows.
pub struct SmallWindow {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
}

impl SmallWindow {
    pub fn new(bits: u8) -> Self {
        Self {
            state: Box::default(),
            window: vec![0; 1 << bits],
            at: 0,
        }
    }

    pub fn receive(&mut self, payload: &[u8]) -> Vec<u8> {
        let input = [payload, &TAIL].concat();
        let mut input = input.as_slice();
        let mut message = Vec::new();
        loop {
            const MORE: u32 = miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
            let (status, consumed, written) =
                decompress(&mut self.state, input, &mut self.window, self.at, MORE);
            message.extend_from_slice(&self.window[self.at..self.at + written]);
            self.at = (self.at + written) % self.window.len();
            input = &input[consumed..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() => return message,
                other => panic!("{other:?} with {} octets left", input.len()),
            }
        }
    }
}

/// A generator of test data, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound
    }

    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// What no compressor makes shorter.
    pub fn noise(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// What compresses well, and resembles other text of the kind.
    pub fn text(&mut self, length: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(length + 64);
        while text.len() < length {
            let item = self.below(500);
            let square = item * item;
            write!(text, "{{\"id\":{item},\"of\":\"item {square}\"}},").unwrap();
        }
        text.truncate(length);
        text
    }

    /// A message: empty or of any length; noise, repetition, or text.
    pub fn message(&mut self) -> Vec<u8> {
        let length = match self.below(16) {
            0 | 1 => 0,
            2..=9 => self.below(400),
            10..=14 => self.below(4000),
            _ => self.below(70_000),
        };
        match self.below(4) {
            0 => self.noise(length),
            1 => vec![self.next() as u8; length],
            _ => self.text(length),
        }
    }
}
