//! Feeds bytes to an opening handshake in every way they can be cut, and demands one outcome.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use core::convert::Infallible;
use core::fmt;
use std::fs;
use std::path::Path;

use bytes::Buf;
use fullduplex::handshake::client::{self, Rejection};
use fullduplex::handshake::server::{self, Acceptance, HttpRequest, Incoming, Response, Upgrade};
use fullduplex::handshake::{HandshakeError, Headers, OriginPolicy, Step};
use fullduplex::{Config, Connection, Inbox, MaskKeys};
use rand::{TryCryptoRng, TryRng};

/// The key that [`sample_keys`] makes a client send, and the answer to it (RFC 6455, 1.3).
pub const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The smallest request that is a handshake, line by line.
pub const REQUEST: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The smallest response that answers [`SAMPLE_KEY`], line by line.
pub const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// Lines as the head they make.
pub fn head<L: AsRef<str>>(lines: impl IntoIterator<Item = L>) -> Vec<u8> {
    let mut head = Vec::new();
    for line in lines {
        head.extend_from_slice(line.as_ref().as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// `lines` where the one that starts with `name` is replaced by all of `by`, or `by` is added when
/// there is none.
pub fn replaced<'a>(lines: &[&'a str], name: &str, by: &[&'a str]) -> Vec<&'a str> {
    let at = lines.iter().position(|line| line.starts_with(name));
    let mut all = lines.to_vec();
    match at {
        Some(at) => drop(all.splice(at..=at, by.iter().copied())),
        None => all.extend(by),
    }
    all
}

/// [`REQUEST`] with one line replaced.
pub fn request_with(name: &str, by: &[&str]) -> Vec<u8> {
    head(replaced(&REQUEST, name, by))
}

/// [`RESPONSE`] with one line replaced.
pub fn response_with(name: &str, by: &[&str]) -> Vec<u8> {
    head(replaced(&RESPONSE, name, by))
}

/// The recorded heads whose file names end with `suffix`.
pub fn recorded(suffix: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/handshakes");
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .filter(|(name, _)| name.ends_with(suffix))
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

pub fn push(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.spare(bytes.len())[..bytes.len()].copy_from_slice(bytes);
    inbox.received(bytes.len());
}

pub fn drain(bytes: &mut impl Buf) -> Vec<u8> {
    let mut all = vec![0; bytes.remaining()];
    bytes.copy_to_slice(&mut all);
    all
}

/// Where to cut `length` bytes: nowhere, everywhere, and in two at every position. Of long inputs
/// only every 1009th position is tried, and they come in steps of 13.
fn cuts(length: usize) -> impl Iterator<Item = Vec<usize>> {
    let (stride, step) = if length > 1500 { (1009, 13) } else { (1, 1) };
    let everywhere = (step..length).step_by(step).collect();
    let in_two = (1..length).step_by(stride).map(|at| vec![at]);
    [Vec::new(), everywhere].into_iter().chain(in_two)
}

/// The pieces between the cuts.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts
        .zip(ends)
        .map(|(start, end)| &bytes[start..end])
        .collect()
}

/// What `run` makes of `bytes`, which has to be the same however they are cut.
#[track_caller]
pub fn one_outcome<T: PartialEq + fmt::Debug>(bytes: &[u8], run: impl Fn(&[&[u8]]) -> T) -> T {
    let mut all = cuts(bytes.len()).map(|cuts| (run(&pieces(bytes, &cuts)), cuts));
    let (whole, _) = all.next().unwrap();
    for (outcome, cuts) in all {
        assert!(
            outcome == whole,
            "cut at {cuts:?}: {outcome:?}\nwhole: {whole:?}"
        );
    }
    whole
}

/// What a server made of some bytes, and the bytes it left in the inbox.
#[derive(Debug, PartialEq)]
pub enum Served {
    /// The handshake is valid; the bytes are what accepting it sends.
    Upgrade {
        request: HttpRequest,
        sent: String,
        left: Vec<u8>,
    },
    Http {
        request: HttpRequest,
        left: Vec<u8>,
    },
    Failed(HandshakeError),
    /// More is awaited.
    Pending,
}

pub fn options() -> server::Options {
    server::Options::new(OriginPolicy::any())
}

/// A server's outcome, the same however `bytes` are cut.
#[track_caller]
pub fn serve_with(options: &server::Options, bytes: &[u8]) -> Served {
    one_outcome(bytes, |pieces| serve_pieces(options, pieces))
}

#[track_caller]
pub fn serve(bytes: &[u8]) -> Served {
    serve_with(&options(), bytes)
}

pub fn serve_pieces(options: &server::Options, pieces: &[&[u8]]) -> Served {
    let mut inbox = Inbox::new();
    let mut handshake = server::Handshake::new(options.clone());
    for (index, piece) in pieces.iter().enumerate() {
        push(&mut inbox, piece);
        let incoming = match handshake.advance(&mut inbox) {
            Ok(Step::Continue(same)) => {
                handshake = same;
                continue;
            }
            Ok(Step::Done(incoming)) => incoming,
            Err(error) => return Served::Failed(error),
        };
        let left = [inbox.unread(), &pieces[index + 1..].concat()].concat();
        return match incoming {
            Incoming::Http(request) => Served::Http { request, left },
            Incoming::Upgrade(upgrade) => {
                let request = upgrade.request().clone();
                let mut connection = upgrade.accept(Acceptance::new()).unwrap();
                let sent = String::from_utf8(drain(connection.outgoing())).unwrap();
                Served::Upgrade {
                    request,
                    sent,
                    left,
                }
            }
        };
    }
    handshake.received_eof();
    let error = handshake.advance(&mut inbox).err();
    assert_eq!(
        error,
        Some(HandshakeError::ConnectionClosed),
        "at the end of the stream"
    );
    Served::Pending
}

/// The valid handshake that `bytes` hold.
#[track_caller]
pub fn upgrade(bytes: &[u8]) -> Upgrade {
    let mut inbox = Inbox::new();
    push(&mut inbox, bytes);
    match server::Handshake::new(options()).advance(&mut inbox) {
        Ok(Step::Done(Incoming::Upgrade(upgrade))) => upgrade,
        other => panic!("no handshake: {other:?}"),
    }
}

#[track_caller]
pub fn assert_accepted(bytes: &[u8]) -> HttpRequest {
    match serve(bytes) {
        Served::Upgrade { request, .. } => request,
        other => panic!("{:?} gives {other:?}", bytes.escape_ascii().to_string()),
    }
}

/// Asserts that the request fails with `error`, and that its answer has `status` and closes.
#[track_caller]
pub fn assert_refused(bytes: &[u8], error: &HandshakeError, status: u16) -> Response {
    let outcome = serve(bytes);
    let shown = bytes.escape_ascii().to_string();
    assert_eq!(outcome, Served::Failed(error.clone()), "{shown:.300}");
    let response = error.response().expect("a server owes an answer");
    assert_eq!(response.status(), status);
    assert_closes(&response);
    response
}

/// Asserts that the response tells the client that the connection ends, and where its body does.
#[track_caller]
pub fn assert_closes(response: &Response) {
    let bytes = response.to_bytes();
    let mut slots = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Response::new(&mut slots);
    let length = parsed.parse(&bytes).unwrap().unwrap();
    assert_eq!(parsed.code, Some(response.status()));
    let headers: Headers = parsed
        .headers
        .iter()
        .map(|field| (field.name, field.value))
        .collect();
    assert!(
        headers
            .elements("connection")
            .any(|option| option == b"close"),
        "{headers:?}"
    );
    let announced: usize = headers.text("content-length").unwrap().parse().unwrap();
    assert_eq!(announced, bytes.len() - length);
}

/// What a client made of some bytes, and the bytes it left in the inbox.
#[derive(Debug, PartialEq)]
pub enum Met {
    Established {
        headers: Headers,
        subprotocol: Option<String>,
        left: Vec<u8>,
    },
    Failed(HandshakeError),
    /// More is awaited; the outcome if none comes.
    Pending(HandshakeError),
}

/// A client's outcome, the same however `bytes` are cut.
#[track_caller]
pub fn meet_with(request: &client::Request, config: &Config, bytes: &[u8]) -> Met {
    one_outcome(bytes, |pieces| meet_pieces(request, config, pieces))
}

#[track_caller]
pub fn meet(bytes: &[u8]) -> Met {
    meet_with(&ask(), &Config::default(), bytes)
}

pub fn ask() -> client::Request {
    client::Request::new("ws://example.com/chat").unwrap()
}

fn meet_pieces(request: &client::Request, config: &Config, pieces: &[&[u8]]) -> Met {
    let mut inbox = Inbox::new();
    let mut handshake = client::Handshake::new(request.clone(), config.clone(), sample_keys());
    drain(handshake.outgoing());
    for (index, piece) in pieces.iter().enumerate() {
        push(&mut inbox, piece);
        match handshake.advance(&mut inbox) {
            Ok(Step::Continue(same)) => handshake = same,
            Ok(Step::Done(established)) => {
                let left = [inbox.unread(), &pieces[index + 1..].concat()].concat();
                let client::Established {
                    headers,
                    subprotocol,
                    ..
                } = established;
                return Met::Established {
                    headers,
                    subprotocol,
                    left,
                };
            }
            Err(error) => return Met::Failed(error),
        }
    }
    handshake.received_eof();
    Met::Pending(
        handshake
            .advance(&mut inbox)
            .expect_err("the stream has ended"),
    )
}

/// A client's connection, opened by [`RESPONSE`] and what comes behind it.
pub fn established(bytes: &[u8]) -> (Connection, Inbox) {
    let mut inbox = Inbox::new();
    push(&mut inbox, bytes);
    let mut handshake = client::Handshake::new(ask(), Config::default(), sample_keys());
    drain(handshake.outgoing());
    match handshake.advance(&mut inbox) {
        Ok(Step::Done(established)) => (established.connection, inbox),
        other => panic!("not established: {other:?}"),
    }
}

#[track_caller]
pub fn assert_established(bytes: &[u8]) {
    let outcome = meet(bytes);
    let shown = bytes.escape_ascii().to_string();
    assert!(
        matches!(outcome, Met::Established { .. }),
        "{shown} gives {outcome:?}"
    );
}

#[track_caller]
pub fn assert_fails(bytes: &[u8], error: &HandshakeError) {
    let shown = bytes.escape_ascii().to_string();
    assert_eq!(meet(bytes), Met::Failed(error.clone()), "{shown:.300}");
}

#[track_caller]
pub fn assert_rejected(bytes: &[u8]) -> Rejection {
    match meet(bytes) {
        Met::Failed(HandshakeError::Rejected(rejection)) => *rejection,
        other => panic!("{:?} gives {other:?}", bytes.escape_ascii().to_string()),
    }
}

/// Keys whose first 16 bytes are those of RFC 6455, 1.3.
pub fn sample_keys() -> MaskKeys {
    MaskKeys::from_rng(Repeated)
}

/// A generator that is none: it always fills with the start of the same text.
struct Repeated;

impl TryRng for Repeated {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0x2065_6874)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0x6173_2065_6874)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for (byte, sample) in bytes.iter_mut().zip(b"the sample nonce".iter().cycle()) {
            *byte = *sample;
        }
        Ok(())
    }
}

impl TryCryptoRng for Repeated {}
