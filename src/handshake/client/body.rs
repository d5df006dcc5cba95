//! The body of a response that refuses the handshake (RFC 9112, section 6 and 7.1).

use alloc::vec::Vec;

use crate::handshake::Headers;
use crate::handshake::grammar;
use crate::handshake::head::ResponseHead;

/// A response that refuses the handshake: an error, a redirect, a demand for credentials.
///
/// ```
/// use fullduplex::handshake::{HandshakeError, Step, client};
/// use fullduplex::{Config, Inbox, MaskKeys};
///
/// let request = client::Request::new("ws://example.com/")?;
/// let handshake = client::Handshake::new(request, Config::default(), MaskKeys::seeded([7; 32]));
/// let response = b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nlost\n";
/// let mut inbox = Inbox::new();
/// inbox.spare(response.len())[..response.len()].copy_from_slice(response);
/// inbox.received(response.len());
///
/// let Err(HandshakeError::Rejected(rejection)) = handshake.advance(&mut inbox) else {
///     return Err("not rejected".into());
/// };
/// assert_eq!((rejection.status, &rejection.body[..]), (404, &b"lost\n"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rejection {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body, without its transfer coding, up to `Limits::max_rejection_body`.
    pub body: Vec<u8>,
    /// Whether the body is longer than what was received in time and fits the limit, or broken.
    pub truncated: bool,
}

/// Receives the body.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    /// Bytes received that are no part of the content: limited like the content, or a body of tiny
    /// chunks would take as long as its sender likes.
    overhead: usize,
}

/// How the end of the body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many more bytes.
    Length(u64),
    Chunked(Chunked),
    UntilEof,
    Broken,
}

/// Where in the chunked coding the next byte stands (RFC 9112, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunked {
    /// In the size of a chunk, if one is known already.
    Size(Option<u64>),
    /// Behind the size of a chunk, up to the end of the line.
    Extension(u64),
    Data(u64),
    /// Behind the data of a chunk, up to the end of the line.
    DataEnd,
    /// At the start of a line of the trailer section.
    Trailer,
    /// Inside of such a line.
    TrailerLine,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Wanting,
    Finished,
}

impl Body {
    /// The rules of RFC 9112, 6.3, for the response to a GET request.
    pub(super) fn of(head: &ResponseHead) -> Self {
        let headers = &head.headers;
        let mut codings = headers.elements("Transfer-Encoding");
        let framing = match (codings.next(), codings.next()) {
            _ if matches!(head.status, 204 | 304) => Framing::Length(0),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => {
                Framing::Chunked(Chunked::Size(None))
            }
            // An unknown coding is kept as it is, and so is what comes without a usable length.
            (Some(_), _) => Framing::UntilEof,
            (None, _) => content_length(headers).map_or(Framing::UntilEof, Framing::Length),
        };
        Self {
            framing,
            overhead: 0,
        }
    }

    /// Whether the end of the stream is also the regular end of the body.
    pub(super) const fn ends_at_eof(&self) -> bool {
        matches!(self.framing, Framing::UntilEof)
    }

    /// Takes in bytes; tells how many of them belong to the response and whether it is complete.
    pub(super) fn receive(
        &mut self,
        mut bytes: &[u8],
        limit: usize,
        rejection: &mut Rejection,
    ) -> (usize, Progress) {
        let before = bytes.len();
        loop {
            let wanted = match self.framing {
                Framing::Length(0) | Framing::Chunked(Chunked::End) => {
                    return (before - bytes.len(), Progress::Finished);
                }
                Framing::Broken => {
                    rejection.truncated = true;
                    return (before - bytes.len(), Progress::Finished);
                }
                Framing::Length(left) | Framing::Chunked(Chunked::Data(left)) => left,
                Framing::UntilEof => u64::MAX,
                Framing::Chunked(state) => {
                    let [byte, rest @ ..] = bytes else {
                        return (before, Progress::Wanting);
                    };
                    bytes = rest;
                    self.overhead += 1;
                    self.framing = match state.next(*byte) {
                        Some(state) if self.overhead <= limit => Framing::Chunked(state),
                        _ => Framing::Broken,
                    };
                    continue;
                }
            };
            if bytes.is_empty() {
                return (before, Progress::Wanting);
            }
            let available = usize::try_from(wanted).map_or(bytes.len(), |n| n.min(bytes.len()));
            let room = limit - rejection.body.len().min(limit);
            let (content, rest) = bytes.split_at(available.min(room));
            rejection.body.extend_from_slice(content);
            bytes = rest;
            if room < available {
                self.framing = Framing::Broken;
                continue;
            }
            let left = wanted - available as u64;
            self.framing = match self.framing {
                Framing::Length(_) => Framing::Length(left),
                Framing::Chunked(_) if left == 0 => Framing::Chunked(Chunked::DataEnd),
                Framing::Chunked(_) => Framing::Chunked(Chunked::Data(left)),
                other => other,
            };
        }
    }
}

impl Chunked {
    /// The state behind a byte; `None` when it may not stand there.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(size), _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size(Some(size.unwrap_or(0).checked_mul(16)? | u64::from(digit)))
            }
            (Self::Size(Some(size)) | Self::Extension(size), b'\n') => match size {
                0 => Self::Trailer,
                _ => Self::Data(size),
            },
            (Self::Size(Some(size)), b';' | b' ' | b'\t' | b'\r') | (Self::Extension(size), _) => {
                Self::Extension(size)
            }
            (Self::DataEnd, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(None),
            (Self::Trailer, b'\n') => Self::End,
            (Self::Trailer, b'\r') | (Self::TrailerLine, b'\n') => Self::Trailer,
            (Self::Trailer | Self::TrailerLine, _) => Self::TrailerLine,
            (Self::Size(_) | Self::DataEnd | Self::Data(_) | Self::End, _) => return None,
        })
    }
}

/// The one length that the headers agree on, if they do.
fn content_length(headers: &Headers) -> Option<u64> {
    let mut values = headers.elements("Content-Length");
    let first = values.next()?;
    if !first.iter().all(u8::is_ascii_digit) || values.any(|value| value != first) {
        return None;
    }
    core::str::from_utf8(grammar::trim(first))
        .ok()?
        .parse()
        .ok()
}
