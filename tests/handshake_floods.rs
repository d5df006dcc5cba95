//! Floods before there is a connection, measured: heads without end, headers without number, and
//! clients that dribble.
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use allocation_counter::measure;
use common::handshake::{REQUEST, RESPONSE, head, options};
use fullduplex::handshake::client::{self, Request};
use fullduplex::handshake::{HandshakeError, Step, server};
use fullduplex::{Config, Inbox, MaskKeys};

const KIB: u64 = 1024;

/// What a handshake may take, whatever comes: two reads, the old one being copied, and a head.
const MOST: u64 = 160 * KIB;

/// What became of a handshake.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Done,
    Failed(Option<u16>),
    Waiting,
}

/// Gives `bytes` to a handshake in reads of `step`, as far as it takes them; returns the end and the
/// most that was allocated at once.
fn serve(bytes: &[u8], step: usize) -> (End, u64) {
    let mut end = End::Waiting;
    let info = measure(|| {
        let mut handshake = server::Handshake::new(options());
        let mut inbox = Inbox::new();
        for piece in bytes.chunks(step) {
            put(&mut inbox, piece);
            match handshake.advance(&mut inbox) {
                Ok(Step::Continue(next)) => handshake = next,
                Ok(Step::Done(_)) => return end = End::Done,
                Err(error) => return end = End::Failed(status(&error)),
            }
        }
    });
    (end, info.bytes_max)
}

/// As [`serve`], for a client that gets a response.
fn ask(bytes: &[u8], step: usize) -> (End, u64) {
    let mut end = End::Waiting;
    let info = measure(|| {
        let request = Request::new("ws://example.com/").unwrap();
        let keys = MaskKeys::seeded([7; 32]);
        let mut handshake = client::Handshake::new(request, Config::default(), keys);
        let mut inbox = Inbox::new();
        for piece in bytes.chunks(step) {
            put(&mut inbox, piece);
            match handshake.advance(&mut inbox) {
                Ok(Step::Continue(next)) => handshake = next,
                Ok(Step::Done(_)) => return end = End::Done,
                Err(error) => return end = End::Failed(status(&error)),
            }
        }
    });
    (end, info.bytes_max)
}

fn put(inbox: &mut Inbox, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.received(count);
        bytes = &bytes[count..];
    }
}

fn status(error: &HandshakeError) -> Option<u16> {
    error.response().map(|response| response.status())
}

/// `lines` and so many headers more.
fn with_headers(lines: &[&str], count: usize) -> Vec<u8> {
    let (start, fields) = lines.split_first().unwrap();
    head([&[*start], &vec!["X: y"; count - fields.len()][..], fields].concat())
}

/// `lines` and a header that makes a head of so many bytes.
fn with_length(lines: &[&str], length: usize) -> Vec<u8> {
    let short = head(lines).len() + "X: \r\n".len();
    let long = format!("X: {}", "y".repeat(length - short));
    head([lines, &[&long]].concat())
}

/// H1: a head takes little more than its own size, dribbled or not, and what is longer than the limit
/// takes no more than that.
#[test]
fn the_memory_of_a_head_is_bounded() {
    let limit = Config::default().limits.max_head;
    for step in [1, 7, 1000, usize::MAX] {
        for (length, end) in [
            (limit, End::Done),
            (limit + 1, End::Failed(Some(431))),
            (16 << 20, End::Failed(Some(431))),
        ] {
            // A read may be as large as it likes: what does not come is not looked at.
            let bytes = with_length(&REQUEST, length);
            let bytes = &bytes[..bytes.len().min(2 * limit)];
            let (seen, peak) = serve(bytes, step);
            assert_eq!(seen, end, "{length} in steps of {step}");
            assert!(peak <= MOST, "{peak} for {length} in steps of {step}");

            let (seen, peak) = ask(&with_length(&RESPONSE, length)[..bytes.len()], step);
            assert_ne!(seen, End::Waiting, "{length} in steps of {step}");
            assert!(peak <= MOST, "{peak} for {length} in steps of {step}");
        }
    }
}

/// H2: nor do headers take more for being many.
#[test]
fn the_memory_of_many_headers_is_bounded() {
    for step in [1, 7, 1000, usize::MAX] {
        for (count, end) in [
            (100, End::Done),
            (101, End::Failed(Some(431))),
            (2000, End::Failed(Some(431))),
        ] {
            let (seen, peak) = serve(&with_headers(&REQUEST, count), step);
            assert_eq!(seen, end, "{count} in steps of {step}");
            assert!(peak <= MOST, "{peak} for {count} in steps of {step}");

            let (seen, peak) = ask(&with_headers(&RESPONSE, count), step);
            assert_ne!(seen, End::Waiting, "{count} in steps of {step}");
            assert!(peak <= MOST, "{peak} for {count} in steps of {step}");
        }
    }
}
