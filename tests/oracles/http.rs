//! What both opening handshakes are checked with. It shares the HTTP parser and the hash with the
//! crate, and nothing that the crate itself says about a head.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fullduplex::handshake::{Headers, Syntax};
use fullduplex::{Config, Inbox};
use sha1::{Digest as _, Sha1};

use super::Options;

/// What the least read and a handshake's own state take.
const SLACK: usize = 68 * 1024;

/// What a byte of the head may cost while it is judged: most in a list of extensions, where two
/// bytes can be an element and each is held in a growing list. A head has a limit, so this has.
const PER_HEAD_BYTE: usize = 64;

/// How many bytes may be held at once when `fed` were.
pub fn budget(fed: usize, config: &Config) -> usize {
    2 * fed + SLACK + PER_HEAD_BYTE * fed.min(config.limits.max_head)
}

/// The head at the start of some bytes.
pub struct Head<'a> {
    /// Method and target, of a request.
    pub line: Option<(&'a str, &'a str)>,
    /// Of a response.
    pub status: u16,
    pub minor_version: u8,
    pub size: usize,
    pub headers: Vec<(&'a str, &'a [u8])>,
}

pub fn line_feeds(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

fn slots(bytes: &[u8]) -> Vec<httparse::Header<'_>> {
    vec![httparse::EMPTY_HEADER; line_feeds(bytes)]
}

fn fields<'a>(parsed: &[httparse::Header<'a>]) -> Vec<(&'a str, &'a [u8])> {
    let field = |header: &httparse::Header<'a>| (header.name, header.value);
    parsed.iter().map(field).collect()
}

/// The request at the start of `bytes`, if there is one and it is whole.
pub fn request(bytes: &[u8]) -> Option<Head<'_>> {
    let mut slots = slots(bytes);
    let mut parsed = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(size) = parsed.parse(bytes).ok()? else {
        return None;
    };
    Some(Head {
        line: parsed.method.zip(parsed.path),
        status: 0,
        minor_version: parsed.version?,
        size,
        headers: fields(parsed.headers),
    })
}

/// The response at the start of `bytes`, if there is one and it is whole.
pub fn response(bytes: &[u8]) -> Option<Head<'_>> {
    let mut slots = slots(bytes);
    let mut parsed = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(size) = parsed.parse(bytes).ok()? else {
        return None;
    };
    Some(Head {
        line: None,
        status: parsed.code?,
        minor_version: parsed.version?,
        size,
        headers: fields(parsed.headers),
    })
}

impl<'a> Head<'a> {
    pub fn all(&self, name: &str) -> Vec<&'a [u8]> {
        let of_that_name = |field: &&(&str, &[u8])| field.0.eq_ignore_ascii_case(name);
        let found = self.headers.iter().filter(of_that_name);
        found.map(|field| field.1.trim_ascii()).collect()
    }

    /// The value of a header that came once.
    pub fn only(&self, name: &str) -> Option<&'a [u8]> {
        match self.all(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Whether the only header of that name is this word.
    pub fn is(&self, name: &str, word: &str) -> bool {
        self.only(name)
            .is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether the lists of that name hold this word.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        let is_word = |part: &[u8]| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes());
        let mut values = self.all(name).into_iter();
        values.any(|value| value.split(|byte| *byte == b',').any(is_word))
    }

    /// Whether the crate has read the same fields.
    pub fn agrees(&self, headers: &Headers) -> bool {
        self.headers.len() == headers.len()
            && self
                .headers
                .iter()
                .zip(headers.iter())
                .all(|(ours, theirs)| ours.0 == theirs.0 && ours.1.trim_ascii() == theirs.1)
    }
}

/// RFC 6455, 4.2.2, item 5.4.
pub fn accept_for(key: &[u8]) -> [u8; 28] {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let mut accept = [0; 28];
    assert_eq!(STANDARD.encode_slice(digest, &mut accept), Ok(28));
    accept
}

/// Whether a value is 22 characters of base64 and the padding that makes them 16 bytes.
pub fn is_key(value: &[u8]) -> bool {
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = value.strip_suffix(b"==").unwrap_or_default();
    digits.len() == 22 && digits.iter().all(of_base64)
}

/// What an error about the grammar says of `bytes` is so; `parses` tells whether a parser that
/// knows less strict rules reads them.
pub fn assert_malformed(syntax: Syntax, bytes: &[u8], parses: bool) {
    let pair = |found: fn(u8, u8) -> bool| bytes.windows(2).any(|two| found(two[0], two[1]));
    assert!(match syntax {
        Syntax::BareLineFeed =>
            bytes.first() == Some(&b'\n') || pair(|before, byte| byte == b'\n' && before != b'\r'),
        Syntax::Folding => pair(|before, byte| before == b'\n' && matches!(byte, b' ' | b'\t')),
        _ => !parses,
    });
}

/// Whether the lines end as RFC 9112, 2.2, wants it, which parsers do not insist on.
pub fn has_strict_lines(bytes: &[u8]) -> bool {
    let pairs = bytes.windows(2).filter(|two| two == b"\r\n").count();
    line_feeds(bytes) == pairs
}

/// Limits: bit 1 of the options takes them off, bit 2 makes them small.
pub fn config(options: &Options) -> Config {
    let mut config = Config::default();
    if options.bit(1) {
        config.limits.max_head = usize::MAX;
        config.limits.max_headers = usize::MAX;
        config.limits.max_rejection_body = usize::MAX;
    } else if options.bit(2) {
        config.limits.max_head = 300;
        config.limits.max_headers = 8;
        config.limits.max_rejection_body = 50;
    }
    config
}

/// Feeds an inbox in reads of some sizes, over and over.
pub struct Feeder<'a> {
    bytes: &'a [u8],
    sizes: core::iter::Cycle<core::slice::Iter<'a, usize>>,
    fed: usize,
    reads: usize,
}

impl<'a> Feeder<'a> {
    pub fn new(bytes: &'a [u8], sizes: &'a [usize]) -> Self {
        Self {
            bytes,
            sizes: sizes.iter().cycle(),
            fed: 0,
            reads: 0,
        }
    }

    /// The next read, whatever its size; all there is without sizes. Tells whether there is more.
    pub fn read(&mut self, inbox: &mut Inbox) -> bool {
        self.fill(inbox, usize::MAX)
    }

    /// The next read of a driver, which takes the room that the inbox offers.
    pub fn read_what_fits(&mut self, inbox: &mut Inbox) -> bool {
        let room = inbox.spare(0).len();
        self.fill(inbox, room)
    }

    fn fill(&mut self, inbox: &mut Inbox, room: usize) -> bool {
        let rest = &self.bytes[self.fed..];
        let size = self.sizes.next().copied().unwrap_or(usize::MAX);
        let count = rest.len().min(size).min(room);
        inbox.spare(count)[..count].copy_from_slice(&rest[..count]);
        inbox.received(count);
        self.fed += count;
        self.reads += 1;
        count < rest.len()
    }

    /// How many bytes have been fed.
    pub fn fed(&self) -> usize {
        self.fed
    }

    /// Lends the inbox to another connection and gets it back: not after every byte of a long
    /// input, since it copies.
    pub fn park(&self, inbox: &mut Inbox) {
        if self.reads < 500 || self.reads.is_multiple_of(500) {
            let parked = inbox.park();
            inbox.resume(parked);
        }
    }

    /// How many bytes are left when the handshake is done. Those in the inbox are those that were
    /// fed last.
    pub fn left(&self, inbox: &Inbox) -> usize {
        let unread = inbox.unread();
        assert!(self.bytes[..self.fed].ends_with(unread));
        unread.len() + self.bytes.len() - self.fed
    }
}
