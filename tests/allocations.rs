//! What takes no allocation in steady state, counted: messages that are decoded and lent, those that
//! are answered, and those that arrive in pieces.
#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::time::Duration;

use allocation_counter::measure;
use bytes::Buf;
use common::pair::{BINARY, CONTINUATION, FIN, PING, ROLES, TEXT, frame_to, timeless};
use fullduplex::{Connection, Event, Inbox, MaskKeys, Role};

fn connection(role: Role) -> Connection {
    match role {
        Role::Client => Connection::client(&timeless(), MaskKeys::thread()),
        Role::Server => Connection::server(&timeless()),
    }
}

/// Reads `bytes` in pieces of at most `size`, answers every message, and writes all of it. Tells
/// how many events there were.
fn answer(connection: &mut Connection, inbox: &mut Inbox, bytes: &[u8], size: usize) -> usize {
    let mut events = 0;
    for piece in bytes.chunks(size) {
        inbox.spare(piece.len())[..piece.len()].copy_from_slice(piece);
        inbox.received(piece.len());
        while let Some(event) = connection.poll_event(inbox).unwrap() {
            match event {
                Event::Binary(bytes) => connection.send_binary(&bytes).unwrap(),
                Event::Text(text) => connection.send_text(&text).unwrap(),
                _ => {}
            }
            events += 1;
        }
        while connection.wants_write() {
            let outgoing = connection.outgoing();
            outgoing.advance(outgoing.remaining());
        }
        connection.handle_timeout(Duration::ZERO);
    }
    events
}

/// Asserts that so many messages, again and again, take no allocation once buffers have their size.
fn assert_no_allocation(role: Role, bytes: &[u8], size: usize, messages: usize) {
    let (mut connection, mut inbox) = (connection(role), Inbox::new());
    let mut round = || assert_eq!(answer(&mut connection, &mut inbox, bytes, size), messages);
    (0..8).for_each(|_| round());
    let info = measure(|| (0..100).for_each(|_| round()));
    assert_eq!(
        info.count_total,
        0,
        "{role:?}, {:x?}, in {size}",
        &bytes[..2]
    );
}

/// In either role, whole.
#[test]
fn a_small_message_takes_no_allocation() {
    for role in ROLES {
        for (first, sizes) in [
            (BINARY, &[0, 16, 125, 1024][..]),
            (TEXT, &[0, 16, 125, 1024]),
            (PING, &[0, 16, 125]),
        ] {
            for &size in sizes {
                let bytes = frame_to(role, first, &vec![b'x'; size]).repeat(50);
                assert_no_allocation(role, &bytes, bytes.len(), 50);
            }
        }
    }
}

/// In fragments, and in reads that end anywhere.
#[test]
fn a_small_message_in_pieces_takes_no_allocation() {
    for role in ROLES {
        for first in [BINARY, TEXT] {
            let piece = [b'x'; 512];
            let fragments = [
                frame_to(role, first & !FIN, &piece),
                frame_to(role, CONTINUATION, &piece),
            ];
            let fragmented = fragments.concat().repeat(50);
            assert_no_allocation(role, &fragmented, fragmented.len(), 50);
            let whole = frame_to(role, first, &[b'x'; 1024]).repeat(50);
            assert_no_allocation(role, &whole, 997, 50);
            assert_no_allocation(role, &whole, 7, 50);
        }
    }
}
