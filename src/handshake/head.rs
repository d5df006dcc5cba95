//! Finds the end of an HTTP/1.1 head in bytes that arrive in pieces, and parses it once it is
//! whole (RFC 9112, sections 2 to 5).
//!
//! The scanner remembers how far it has looked, so that a head that comes byte by byte costs as
//! much as one that comes at once: each byte is looked at here once and by the parser once. Byte
//! and line limits are enforced while scanning, before anything is parsed or copied. It is
//! stricter than the grammar that RFC 9112 lets recipients tolerate: every line ends with CR LF, no
//! line is folded, and nothing but empty lines stands before a request line. What was refused
//! depends only on the bytes, never on how they were cut.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::MaybeUninit;

use super::error::{HandshakeError, Syntax};
use super::grammar::is_token_byte;
use super::headers::Headers;
use crate::connection::Limits;

/// Which of the two kinds of head is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
}

/// Looks for the empty line that ends a head.
#[derive(Debug)]
pub(super) struct Scanner {
    kind: Kind,
    /// Bytes looked at so far.
    scanned: usize,
    /// Where the line begins whose end has not been found.
    line: usize,
    /// Where the start line begins: empty lines before a request line are skipped.
    start: usize,
    /// Lines found so far: the start line and the header lines.
    lines: usize,
    #[cfg(any(test, fuzzing))]
    pub(super) work: usize,
}

/// A whole head: where it lies in the unread bytes and how many header lines it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    start: usize,
    pub(super) end: usize,
    headers: usize,
}

/// What a response's head says.
#[derive(Debug)]
pub(super) struct ResponseHead {
    pub(super) minor_version: u8,
    pub(super) status: u16,
    pub(super) headers: Headers,
}

/// What a request's head says.
#[derive(Debug)]
pub(super) struct RequestHead {
    pub(super) minor_version: u8,
    /// The method and, from `method_len` on, the request target.
    pub(super) line: String,
    pub(super) method_len: usize,
    pub(super) headers: Headers,
}

impl Scanner {
    pub(super) const fn new(kind: Kind) -> Self {
        Self {
            kind,
            scanned: 0,
            line: 0,
            start: 0,
            lines: 0,
            #[cfg(any(test, fuzzing))]
            work: 0,
        }
    }

    /// Looks at the bytes that have come since the last call.
    pub(super) fn advance(
        &mut self,
        unread: &[u8],
        limits: &Limits,
    ) -> Result<Option<Head>, HandshakeError> {
        let window = unread.get(..limits.max_head).unwrap_or(unread);
        while let Some(line_feed) = self.find_line_feed(window) {
            let line = window.get(self.line..line_feed).unwrap_or_default();
            if self.lines == 0 && !self.may_start(line) {
                return Err(Syntax::StartLine.into());
            }
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Syntax::BareLineFeed.into());
            };
            self.line = line_feed + 1;
            match (line, self.lines, self.kind) {
                // RFC 9112, 2.2: a server is to ignore empty lines before the request line. They
                // count as bytes of the head, so there cannot be many.
                ([], 0, Kind::Request) => self.start = self.line,
                ([], 0, Kind::Response) | ([b'\r', ..], 0, _) => {
                    return Err(Syntax::StartLine.into());
                }
                ([], lines, _) => {
                    let headers = lines - 1;
                    return Ok(Some(Head {
                        start: self.start,
                        end: self.line,
                        headers,
                    }));
                }
                // RFC 9112, 2.2 and 5.2: white space before the first header and folded lines
                // hide headers from one of two readers.
                ([b' ' | b'\t', ..], _, _) => return Err(Syntax::Folding.into()),
                (_, lines, _) if lines > limits.max_headers => {
                    return Err(HandshakeError::TooManyHeaders);
                }
                _ => self.lines += 1,
            }
        }
        if self.lines == 0 && !self.may_start(window.get(self.line..).unwrap_or_default()) {
            return Err(Syntax::StartLine.into());
        }
        if window.len() >= limits.max_head {
            return Err(HandshakeError::HeadTooLarge);
        }
        Ok(None)
    }

    fn find_line_feed(&mut self, window: &[u8]) -> Option<usize> {
        let rest = window.get(self.scanned..).unwrap_or_default();
        let found = position(rest, b'\n');
        let looked_at = found.map_or(rest.len(), |offset| offset + 1);
        #[cfg(any(test, fuzzing))]
        {
            self.work += looked_at;
        }
        self.scanned += looked_at;
        found.map(|_| self.scanned - 1)
    }

    /// Whether a line may be the start line, going by its first byte. What cannot, such as a TLS
    /// handshake on a port without TLS, is refused at once instead of waiting for its end.
    fn may_start(&self, line: &[u8]) -> bool {
        match (self.kind, line) {
            (_, [] | [b'\r', ..]) => true,
            (Kind::Request, [first, ..]) => is_token_byte(*first),
            (Kind::Response, [first, ..]) => *first == b'H',
        }
    }
}

/// Finds a byte, looking at eight of them at a time, which is five times as fast as one by one.
fn position(haystack: &[u8], needle: u8) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_le_bytes([0x80; 8]);
    let (words, rest) = haystack.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // The needle becomes a zero byte. Subtracting one sets the top bit of the first zero byte;
        // it may do so in bytes behind a zero byte, but never before it.
        let word = u64::from_le_bytes(*word) ^ (ONES * u64::from(needle));
        let zeros = word.wrapping_sub(ONES) & !word & TOPS;
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let offset = rest.iter().position(|byte| *byte == needle)?;
    Some(haystack.len() - rest.len() + offset)
}

/// Headers that are parsed without a heap allocation; browsers send about 17.
const ON_STACK: usize = 32;

type Slot<'a> = MaybeUninit<httparse::Header<'a>>;

impl Head {
    pub(super) fn parse_request(self, unread: &[u8]) -> Result<RequestHead, HandshakeError> {
        let bytes = self.bytes(unread);
        let mut stack: [Slot<'_>; ON_STACK] = [const { MaybeUninit::uninit() }; ON_STACK];
        let mut heap = self.heap();
        let slots = if heap.is_empty() {
            &mut stack[..]
        } else {
            &mut heap[..]
        };
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed
            .parse_with_uninit_headers(bytes, slots)
            .map_err(HandshakeError::from_parser)?;
        let (Some(method), Some(target), Some(minor_version)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(Syntax::StartLine.into());
        };
        self.check_agreement(status)?;
        let mut line = String::with_capacity(method.len() + target.len());
        line.push_str(method);
        line.push_str(target);
        Ok(RequestHead {
            minor_version,
            line,
            method_len: method.len(),
            headers: Headers::from_parsed(bytes, parsed.headers),
        })
    }

    pub(super) fn parse_response(self, unread: &[u8]) -> Result<ResponseHead, HandshakeError> {
        let bytes = self.bytes(unread);
        let mut stack: [Slot<'_>; ON_STACK] = [const { MaybeUninit::uninit() }; ON_STACK];
        let mut heap = self.heap();
        let slots = if heap.is_empty() {
            &mut stack[..]
        } else {
            &mut heap[..]
        };
        let mut parsed = httparse::Response::new(&mut []);
        let status = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut parsed, bytes, slots)
            .map_err(HandshakeError::from_parser)?;
        let (Some(minor_version), Some(code)) = (parsed.version, parsed.code) else {
            return Err(Syntax::StartLine.into());
        };
        self.check_agreement(status)?;
        let headers = Headers::from_parsed(bytes, parsed.headers);
        Ok(ResponseHead {
            minor_version,
            status: code,
            headers,
        })
    }

    fn bytes(self, unread: &[u8]) -> &[u8] {
        unread.get(self.start..self.end).unwrap_or_default()
    }

    /// Room for more headers than the stack holds. Their number has been counted and is limited.
    fn heap<'a>(self) -> Vec<Slot<'a>> {
        let mut slots = Vec::new();
        if self.headers > ON_STACK {
            slots.resize_with(self.headers, MaybeUninit::uninit);
        }
        slots
    }

    /// The parser has to see the head end where the scanner did; two opinions about it would be
    /// what request smuggling lives on.
    fn check_agreement(self, status: httparse::Status<usize>) -> Result<(), HandshakeError> {
        match status {
            httparse::Status::Complete(length) if length == self.end - self.start => Ok(()),
            _ => Err(Syntax::StartLine.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn limits() -> Limits {
        Limits::default()
    }

    /// H1: scanning looks at every byte once, however long the head is, however many lines it has,
    /// and however it is cut. Parsing, which comes once, when the head is whole, looks once more.
    #[test]
    fn the_work_of_scanning_is_the_length_of_the_head_whatever_the_chunking() {
        let mut limits = limits();
        (limits.max_head, limits.max_headers) = (64 * 1024, 64 * 1024);
        for (kind, start) in [
            (Kind::Request, "GET / HTTP/1.1\r\n"),
            (Kind::Request, "\r\n\r\nGET / HTTP/1.1\r\n"),
            (Kind::Response, "HTTP/1.1 101 \r\n"),
        ] {
            for value in [0, 1, 30, 300, 4000] {
                let line = format!("A:{}\r\n", "a".repeat(value));
                for length in [500, 1000, 2000, 4000, 8000, 16_000] {
                    let lines = line.repeat((length / line.len()).max(1));
                    let head = [start, &lines, "\r\n"].concat();
                    for step in [1, 2, 7, 64, 509, head.len()] {
                        let mut scanner = Scanner::new(kind);
                        let mut found = None;
                        let mut fed = 0;
                        while found.is_none() {
                            fed = (fed + step).min(head.len());
                            let unread = &head.as_bytes()[..fed];
                            found = scanner.advance(unread, &limits).unwrap();
                        }
                        assert_eq!(found.unwrap().end, head.len());
                        assert_eq!(scanner.work, head.len(), "{line:?} in steps of {step}");
                    }
                }
            }
        }
    }

    /// H1: no more than the limit is ever looked at, and a head of exactly the limit passes.
    #[test]
    fn scanning_stops_at_the_limit() {
        let max_head = limits().max_head;
        for (length, expected) in [
            (max_head - 1, Ok(true)),
            (max_head, Ok(true)),
            (max_head + 1, Err(HandshakeError::HeadTooLarge)),
            (16 << 20, Err(HandshakeError::HeadTooLarge)),
        ] {
            let start = "GET / HTTP/1.1\r\nA: ";
            let head = format!("{start}{}\r\n\r\n", "a".repeat(length - start.len() - 4));
            assert_eq!(head.len(), length);
            let mut scanner = Scanner::new(Kind::Request);
            let outcome = scanner.advance(head.as_bytes(), &limits());
            assert_eq!(outcome.map(|head| head.is_some()), expected, "{length}");
            assert!(scanner.work <= max_head);
        }
    }

    #[test]
    fn the_fast_search_finds_what_the_plain_one_finds() {
        let mut bytes = [b'x'; 100];
        for at in 0..bytes.len() {
            bytes[at] = b'\n';
            for start in 0..=at {
                assert_eq!(position(&bytes[start..], b'\n'), Some(at - start));
                assert_eq!(position(&bytes[start..at], b'\n'), None);
            }
            bytes[at] = b'x';
        }
    }
}
