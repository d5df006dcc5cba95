//! The opening handshake of a client.

use std::sync::OnceLock;

use bytes::Buf;
use fullduplex::handshake::client::{Established, Handshake, Rejection, Request};
use fullduplex::handshake::{HandshakeError, Headers, Step};
use fullduplex::{Config, Inbox, MaskKeys};

use super::http::{self, Feeder, Head};
use super::{Input, Options};

/// The `Sec-WebSocket-Accept` of the example in RFC 6455, 1.3. In an input it stands for the right
/// answer to the key of this request.
const SAMPLE: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The right answer: always the same, since each request draws its key from the same generator.
static ACCEPT: OnceLock<[u8; 28]> = OnceLock::new();

/// How many interim responses a client puts up with.
const MAX_INTERIM: usize = 8;

/// All that came of an input.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    verdict: Result<(Headers, Option<String>), HandshakeError>,
    /// Bytes behind what was read of the response.
    left: usize,
}

/// However a response is cut, the same verdict comes of it and the same bytes are left; a parser
/// that is not ours agrees with it; a connection is opened by nothing but status 101 with the right
/// `Sec-WebSocket-Accept`; and what is held stays in bounds.
///
/// Options: bit 0: the inbox is parked between reads; 1: no limits; 2: small limits; 3: a
/// subprotocol is demanded; 4: the request has not been written. `measure` tells how many bytes its
/// argument held at once. The result is whether the connection was opened.
///
/// # Panics
///
/// If that does not hold.
pub fn client_handshake(data: &[u8], measure: impl Fn(&mut dyn FnMut()) -> usize) -> bool {
    let Some(Input {
        options,
        sizes,
        bytes,
    }) = Input::split(data)
    else {
        return false;
    };
    let config = http::config(&options);
    let accept = *ACCEPT.get_or_init(|| http::accept_for(&key(&options, &config)));
    let bytes = &replace_sample(bytes, accept)[..];

    let whole = trace(&options, &config, bytes, &[]);
    let sizes = if sizes.is_empty() { &[1] } else { &sizes[..] };
    let cut = trace(&options, &config, bytes, sizes);
    assert_eq!(
        cut, whole,
        "reads of {sizes:?} (left) differ from one (right)"
    );

    let most = measure(&mut || swallow(start(&options, &config), bytes, sizes));
    let budget = http::budget(bytes.len(), &config);
    assert!(most <= budget, "{most} bytes held for {} fed", bytes.len());

    let (interim, rest) = skip_interim(bytes);
    let head = http::response(rest);
    match &whole.verdict {
        Ok((headers, subprotocol)) => {
            let head = head.expect("accepted what is no response");
            assert!(!options.bit(4) && interim <= MAX_INTERIM);
            assert_eq!(head.size, rest.len() - whole.left, "where the head ends");
            assert!(head.size <= config.limits.max_head);
            assert!(head.headers.len() <= config.limits.max_headers);
            assert!(head.agrees(headers));
            assert!(rest.starts_with(b"HTTP/1.1 101 ") || rest.starts_with(b"HTTP/1.1 101\r\n"));
            assert!(head.is("Upgrade", "websocket") && head.lists("Connection", "upgrade"));
            assert_eq!(head.only("Sec-WebSocket-Accept"), Some(&accept[..]));
            assert!(head.all("Sec-WebSocket-Extensions").is_empty());
            let chosen = subprotocol.as_ref().map(String::as_bytes);
            assert_eq!(head.only("Sec-WebSocket-Protocol"), chosen);
            assert!(match chosen {
                Some(name) => matches!(name, b"chat" | b"superchat"),
                None => !options.bit(3),
            });
        }
        Err(HandshakeError::Rejected(rejection)) => {
            let head = head.expect("was refused by what is no response");
            assert_rejected(rejection, &head, rest, &config);
        }
        Err(error) => {
            let found = Found {
                bytes,
                interim,
                rest,
                head: head.as_ref(),
                accept,
            };
            assert_justified(error, &found, &options, &config);
            let plain = head.is_some_and(|head| is_plain(&head, rest, accept, &config));
            let awaited = interim == 0 && !options.bit(3) && !options.bit(4);
            assert!(!plain || !awaited, "{error}: {bytes:?}");
        }
    }
    whole.verdict.is_ok()
}

/// A handshake that has not written anything.
fn prepare(options: &Options, config: &Config) -> Handshake {
    let request = Request::new("ws://example.com/chat")
        .and_then(|request| request.subprotocol("chat"))
        .and_then(|request| request.subprotocol("superchat"))
        .expect("a valid request");
    let request = if options.bit(3) {
        request.require_subprotocol()
    } else {
        request
    };
    Handshake::new(request, config.clone(), MaskKeys::seeded([7; 32]))
}

/// A handshake whose request is on its way, if the options say so.
fn start(options: &Options, config: &Config) -> Handshake {
    let mut handshake = prepare(options, config);
    if !options.bit(4) {
        let length = handshake.outgoing().remaining();
        handshake.outgoing().advance(length);
    }
    handshake
}

/// The key of the request, which depends on nothing but the generator.
fn key(options: &Options, config: &Config) -> Vec<u8> {
    let mut handshake = prepare(options, config);
    let length = handshake.outgoing().remaining();
    let bytes = handshake.outgoing().copy_to_bytes(length);
    let request = http::request(&bytes).expect("no HTTP request");
    assert_eq!(request.size, bytes.len());
    let key = request.only("Sec-WebSocket-Key").expect("a key");
    assert!(http::is_key(key));
    key.to_vec()
}

fn replace_sample(bytes: &[u8], accept: [u8; 28]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(place) = bytes.get_mut(at..at + SAMPLE.len()) {
        if place == SAMPLE {
            place.copy_from_slice(&accept);
        }
        at += 1;
    }
    bytes
}

fn trace(options: &Options, config: &Config, bytes: &[u8], sizes: &[usize]) -> Trace {
    let mut handshake = start(options, config);
    let mut inbox = Inbox::new();
    let mut feeder = Feeder::new(bytes, sizes);
    let verdict = loop {
        let more = feeder.read(&mut inbox);
        if options.bit(0) {
            feeder.park(&mut inbox);
        }
        if !more {
            handshake.received_eof();
        }
        match handshake.advance(&mut inbox) {
            Ok(Step::Continue(next)) => {
                assert!(more, "waits for what cannot come");
                handshake = next;
            }
            Ok(Step::Done(established)) => {
                let Established {
                    headers,
                    subprotocol,
                    ..
                } = established;
                break Ok((headers, subprotocol));
            }
            Err(error) => break Err(error),
        }
    };
    Trace {
        verdict,
        left: feeder.left(&inbox),
    }
}

/// How many interim responses there are (RFC 9110, 15.2), and what follows them.
fn skip_interim(mut bytes: &[u8]) -> (usize, &[u8]) {
    let mut count = 0;
    while let Some(head) = http::response(bytes) {
        if !matches!(head.status, 100 | 102..=199) || count > MAX_INTERIM {
            break;
        }
        count += 1;
        bytes = &bytes[head.size..];
    }
    (count, bytes)
}

/// A refusal comes with its head and as much of its body as there is and the limit allows.
fn assert_rejected(rejection: &Rejection, head: &Head<'_>, rest: &[u8], config: &Config) {
    let limit = config.limits.max_rejection_body;
    assert_eq!(rejection.status, head.status);
    assert_ne!(rejection.status, 101);
    assert!(head.agrees(&rejection.headers));
    let behind = &rest[head.size..];
    assert!(rejection.body.len() <= limit.min(behind.len()));
    if !head.all("Transfer-Encoding").is_empty() {
        return;
    }
    let announced = match head.only("Content-Length") {
        _ if matches!(head.status, 204 | 304) => Some(0),
        Some([digit @ b'0'..=b'9']) => Some(usize::from(digit - b'0')),
        None if head.all("Content-Length").is_empty() => None,
        _ => return,
    };
    let length = announced.unwrap_or(behind.len());
    let expected = &behind[..length.min(limit).min(behind.len())];
    assert_eq!(rejection.body, expected);
    assert_eq!(rejection.truncated, expected.len() < length);
}

/// What was found in an input.
struct Found<'a> {
    bytes: &'a [u8],
    interim: usize,
    rest: &'a [u8],
    head: Option<&'a Head<'a>>,
    accept: [u8; 28],
}

/// What an error says is so.
fn assert_justified(error: &HandshakeError, found: &Found<'_>, options: &Options, config: &Config) {
    let Found {
        bytes,
        interim,
        rest,
        head,
        accept,
    } = *found;
    let limits = &config.limits;
    let consent = || {
        let head = head.expect("judged what is no response");
        assert_eq!(head.status, 101);
        head
    };
    assert!(
        match *error {
            HandshakeError::Malformed(syntax) => {
                // Interim responses are read like others, but a parser reads more than they may be.
                let parses = head.is_some() && bytes.first() == Some(&b'H') && interim == 0;
                return http::assert_malformed(syntax, bytes, parses);
            }
            HandshakeError::HeadTooLarge => bytes.len() >= limits.max_head,
            HandshakeError::TooManyHeaders =>
                http::line_feeds(bytes) > limits.max_headers.saturating_add(1),
            HandshakeError::ConnectionClosed => head.is_none(),
            HandshakeError::TooManyInterimResponses => interim > MAX_INTERIM,
            HandshakeError::EarlyResponse => options.bit(4),
            HandshakeError::HttpVersion => head.is_none_or(|head| head.minor_version != 1),
            HandshakeError::MissingHeader(name) => consent().all(name).is_empty(),
            HandshakeError::RepeatedHeader(name) => consent().all(name).len() > 1,
            HandshakeError::InvalidHeader(name) => match name {
                "Upgrade" => !consent().is(name, "websocket"),
                "Connection" => !consent().lists(name, "upgrade"),
                _ => !consent().all(name).is_empty(),
            },
            HandshakeError::WrongAccept =>
                consent().only("Sec-WebSocket-Accept") != Some(&accept[..]),
            HandshakeError::ExtensionNotOffered =>
                !consent().all("Sec-WebSocket-Extensions").is_empty(),
            HandshakeError::SubprotocolNotOffered => !matches!(
                consent().only("Sec-WebSocket-Protocol"),
                None | Some(b"chat" | b"superchat")
            ),
            HandshakeError::SubprotocolMissing =>
                options.bit(3) && consent().all("Sec-WebSocket-Protocol").is_empty(),
            _ => false, // only a server meets the rest
        },
        "{error}: {rest:?}"
    );
}

/// Whether a response is one that has to be accepted, if nothing more was asked for: an oracle that
/// knows only what has to be refused would let all be refused.
fn is_plain(head: &Head<'_>, rest: &[u8], accept: [u8; 28], config: &Config) -> bool {
    let limits = &config.limits;
    head.size <= limits.max_head
        && head.headers.len() <= limits.max_headers
        && rest.starts_with(b"HTTP/1.1 101 ")
        && http::has_strict_lines(&rest[..head.size])
        && head.is("Upgrade", "websocket")
        && head.is("Connection", "Upgrade")
        && head.only("Sec-WebSocket-Accept") == Some(&accept[..])
        && head.all("Sec-WebSocket-Extensions").is_empty()
        && head.all("Sec-WebSocket-Protocol").is_empty()
}

/// Receives as a driver does that keeps nothing.
fn swallow(mut handshake: Handshake, bytes: &[u8], sizes: &[usize]) {
    let mut inbox = Inbox::new();
    let mut feeder = Feeder::new(bytes, sizes);
    while feeder.read_what_fits(&mut inbox) {
        match handshake.advance(&mut inbox) {
            Ok(Step::Continue(next)) => handshake = next,
            _ => return,
        }
    }
    let _ = handshake.advance(&mut inbox);
}
