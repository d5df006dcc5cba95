//! What the load generator sends, made once, and what has to come back.

use std::ops::Range;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Binary,
    Text,
}

/// So many messages, written at once, and their echoes.
pub struct Traffic {
    pub messages: usize,
    pub request: Vec<u8>,
    pub reply: Vec<u8>,
}

impl Traffic {
    /// Frames as a client sends them, each under its own masking key.
    pub fn frames(kind: Kind, size: usize, messages: usize) -> Self {
        let (mut request, mut reply) = (Vec::new(), Vec::new());
        let mut random = Random(size as u64);
        for _ in 0..messages {
            let payload: Vec<u8> = (0..size)
                .map(|_| match kind {
                    Kind::Binary => random.byte(0..256),
                    Kind::Text => random.byte(0x20..0x7f),
                })
                .collect();
            push_frame(
                kind,
                Some(random.next().to_be_bytes()),
                &payload,
                &mut request,
            );
            push_frame(kind, None, &payload, &mut reply);
        }
        Self {
            messages,
            request,
            reply,
        }
    }

    /// The same numbers of bytes without any meaning, for servers without a protocol.
    pub fn raw(&self) -> Self {
        Self {
            messages: self.messages,
            request: vec![b'x'; self.request.len()],
            reply: vec![b'x'; self.reply.len()],
        }
    }

    /// `IN:OUT` of one message.
    pub fn bytes(&self) -> String {
        let (request, reply) = (&self.request, &self.reply);
        let each = |bytes: &[u8]| bytes.len() / self.messages;
        format!("{}:{}", each(request), each(reply))
    }
}

/// A frame with FIN set; with a masking key it is a client's.
fn push_frame(kind: Kind, key: Option<[u8; 8]>, payload: &[u8], out: &mut Vec<u8>) {
    out.push(match kind {
        Kind::Text => 0x81,
        Kind::Binary => 0x82,
    });
    let masked = if key.is_some() { 0x80 } else { 0 };
    let length = payload.len();
    if let (Ok(short), true) = (u8::try_from(length), length < 126) {
        out.push(masked | short);
    } else if let Ok(medium) = u16::try_from(length) {
        out.push(masked | 126);
        out.extend(medium.to_be_bytes());
    } else {
        out.push(masked | 127);
        out.extend((length as u64).to_be_bytes());
    }
    match key {
        None => out.extend(payload),
        Some(key) => {
            let key = &key[..4];
            out.extend(key);
            let mask = key.iter().cycle();
            out.extend(payload.iter().zip(mask).map(|(byte, key)| byte ^ key));
        }
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
            assert_eq!(traffic.reply.len(), 3 * (header + size));
            assert_eq!(traffic.request.len(), 3 * (header + 4 + size));
            let sizes = format!("{}:{}", header + 4 + size, header + size);
            assert_eq!(traffic.bytes(), sizes);
        }
    }
}
