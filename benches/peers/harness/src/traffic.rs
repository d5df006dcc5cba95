//! What the load generator sends, made once, and what has to come back.

use std::ops::Range;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::Result;
use crate::json;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Text,
}

/// What a connection writes at once, turn by turn, and what answers it.
pub struct Traffic {
    /// In each turn.
    pub messages: usize,
    pub requests: Vec<Vec<u8>>,
    pub replies: Replies,
}

pub enum Replies {
    /// Always these bytes.
    Exactly(Vec<u8>),
    /// A compressed frame, shorter than 64 KiB.
    Compressed,
}

impl Traffic {
    /// Frames as a client sends them, each under its own masking key.
    pub fn frames(kind: Kind, size: usize, messages: usize) -> Self {
        let (mut request, mut reply) = (Vec::new(), Vec::new());
        let mut random = Random(size as u64);
        let first = match kind {
            Kind::Text => TEXT,
            Kind::Binary => BINARY,
        };
        for _ in 0..messages {
            let payload: Vec<u8> = (0..size)
                .map(|_| match kind {
                    Kind::Binary => random.byte(0..256),
                    Kind::Text => random.byte(0x20..0x7f),
                })
                .collect();
            push_frame(first, Some(random.key()), &payload, &mut request);
            push_frame(first, None, &payload, &mut reply);
        }
        Self {
            messages,
            requests: vec![request],
            replies: Replies::Exactly(reply),
        }
    }

    /// As many bytes one way and the other, without any meaning: for servers without a protocol.
    pub fn raw(messages: usize, request: usize, reply: usize) -> Self {
        Self {
            messages,
            requests: vec![vec![b'x'; request]],
            replies: Replies::Exactly(vec![b'x'; reply]),
        }
    }

    /// The same for what these frames are.
    pub fn as_raw(&self) -> Self {
        Self::raw(self.messages, self.requests[0].len(), self.reply().len())
    }

    /// The JSON messages, each compressed independently. Returns them as well.
    pub fn compressed() -> Result<(Self, Vec<String>)> {
        let texts = json::thousand();
        let mut random = Random(1);
        let mut requests = Vec::new();
        for text in &texts {
            let mut request = Vec::new();
            let key = Some(random.key());
            push_frame(
                COMPRESSED_TEXT,
                key,
                &deflate(text.as_bytes())?,
                &mut request,
            );
            requests.push(request);
        }
        let traffic = Self {
            messages: 1,
            requests,
            replies: Replies::Compressed,
        };
        Ok((traffic, texts))
    }

    pub fn reply(&self) -> &[u8] {
        match &self.replies {
            Replies::Exactly(reply) => reply,
            Replies::Compressed => &[],
        }
    }

    /// `IN:OUT` of one message.
    pub fn bytes(&self) -> String {
        let (request, reply) = (self.requests[0].len(), self.reply().len());
        format!("{}:{}", request / self.messages, reply / self.messages)
    }
}

/// The first bytes of whole messages: FIN, RSV1 where they are compressed, and the opcode.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const COMPRESSED_TEXT: u8 = 0xc1;

fn push_frame(first: u8, key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    let masked = if key.is_some() { 0x80 } else { 0 };
    let length = payload.len();
    if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        out.push(masked + short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(masked + 126);
        out.extend(medium.to_be_bytes());
    } else {
        out.push(masked + 127);
        out.extend((length as u64).to_be_bytes());
    }
    match key {
        None => out.extend(payload),
        Some(key) => {
            out.extend(key);
            let mask = key.iter().cycle();
            out.extend(payload.iter().zip(mask).map(|(byte, key)| byte ^ key));
        }
    }
}

/// The size of the header and that of the payload of a compressed frame that starts so; nothing as
/// long as too little of it is there.
pub fn compressed_frame(head: &[u8]) -> Result<Option<(usize, usize)>> {
    match head {
        [] | [COMPRESSED_TEXT] | [COMPRESSED_TEXT, 126] | [COMPRESSED_TEXT, 126, _] => Ok(None),
        [COMPRESSED_TEXT, 126, high, low, ..] => {
            Ok(Some((4, u16::from_be_bytes([*high, *low]).into())))
        }
        [COMPRESSED_TEXT, length @ 0..126, ..] => Ok(Some((2, usize::from(*length)))),
        _ => Err("the echo is no compressed text".into()),
    }
}

/// A message without a context, as permessage-deflate has it.
fn deflate(text: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut deflater = Compress::new(Compression::new(6), false);
    deflater.compress_vec(text, &mut out, FlushCompress::Sync)?;
    out.truncate(out.len() - TAIL.len());
    Ok(out)
}

/// What a sender leaves out at the end of each message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A connection's received messages, decompressed one after the other.
pub struct Inflater(Decompress);

impl Inflater {
    pub fn new() -> Self {
        Self(Decompress::new(false))
    }

    pub fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(64 * 1024);
        for part in [payload, &TAIL] {
            self.0
                .decompress_vec(part, &mut out, FlushDecompress::Sync)?;
        }
        Ok(out)
    }
}

/// Xorshift: the same traffic in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn key(&mut self) -> [u8; 4] {
        let [_, _, key @ .., _, _] = self.next().to_be_bytes();
        key
    }

    fn byte(&mut self, range: Range<u64>) -> u8 {
        let width = range.end - range.start;
        u8::try_from(range.start + (self.next() >> 20) % width).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_lengths_of_the_rfc() {
        for (size, header) in [(16, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let traffic = Traffic::frames(Kind::Binary, size, 3);
            assert_eq!(traffic.reply().len(), 3 * (header + size));
            assert_eq!(traffic.requests[0].len(), 3 * (header + 4 + size));
            let sizes = format!("{}:{}", header + 4 + size, header + size);
            assert_eq!(traffic.bytes(), sizes);
        }
    }

    #[test]
    fn what_is_deflated_inflates() {
        let text = json::message(7);
        let mut inflater = Inflater::new();
        for _ in 0..3 {
            let payload = deflate(text.as_bytes()).unwrap();
            assert_eq!(inflater.inflate(&payload).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn headers_are_waited_for() {
        assert_eq!(compressed_frame(&[0xc1]).unwrap(), None);
        assert_eq!(compressed_frame(&[0xc1, 126, 1]).unwrap(), None);
        assert_eq!(
            compressed_frame(&[0xc1, 126, 1, 2]).unwrap(),
            Some((4, 258))
        );
        assert_eq!(compressed_frame(&[0xc1, 5]).unwrap(), Some((2, 5)));
        assert!(compressed_frame(&[0x81, 5]).is_err());
    }
}
