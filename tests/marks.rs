//! What changes at a size: sending on either side of each mark.

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use bytes::{Buf, Bytes};
use common::pair::{End, PING, PONG, timeless};
use fullduplex::{Message, Role};

const KIB: usize = 1024;

/// The header of what a server sends, with a length of two bytes.
const HEADER: usize = 4;

fn pongs(server: &mut End) -> Vec<Vec<u8>> {
    let frames = server.write_frames().into_iter();
    frames
        .filter(|frame| frame.first == PONG)
        .map(|frame| frame.payload)
        .collect()
}

/// While less than 1 KiB waits, each Ping gets its Pong; from then on, the latest.
#[test]
fn pings_are_answered_one_by_one_below_1_kib() {
    for (waiting, answered) in [
        (KIB - 1, vec![b"first".to_vec(), b"latest".to_vec()]),
        (KIB, vec![b"latest".to_vec()]),
    ] {
        let mut server = End::new(Role::Server, &timeless());
        let payload = vec![0; waiting - HEADER];
        server.connection.send_binary(&payload).unwrap();
        assert_eq!(server.connection.outgoing().len(), waiting);
        for payload in ["first", "second", "latest"] {
            server.receive_frame(PING, payload.as_bytes());
        }
        assert_eq!(pongs(&mut server), answered, "{waiting}");
    }
}

/// A Pong that had to wait is ready as soon as less than 1 KiB is before it.
#[test]
fn a_pong_goes_out_when_less_than_1_kib_is_before_it() {
    let mut server = End::new(Role::Server, &timeless());
    server.connection.send_binary(&[0; 2 * KIB]).unwrap();
    server.receive_frame(PING, b"ping");
    server.connection.outgoing().advance(KIB + HEADER);
    assert_eq!(server.connection.outgoing().len(), KIB);
    server.connection.outgoing().advance(1);
    assert_eq!(server.connection.outgoing().len(), KIB - 1 + 2 + 4);
}

/// Fragments of a long message are made while less than 64 KiB of them wait.
#[test]
fn fragments_are_made_up_to_64_kib_ahead() {
    for (frame, ready) in [(64 * KIB, 64 * KIB), (64 * KIB - 1, 2 * (64 * KIB - 1))] {
        let mut config = timeless();
        config.max_frame_payload = Some(frame - HEADER);
        let mut server = End::new(Role::Server, &config);
        let message = vec![0; 10 * frame];
        server.connection.send(message).unwrap();
        assert_eq!(server.connection.outgoing().len(), ready, "{frame}");
    }
}

/// A server writes a payload of 16 KiB from where it is, and copies a shorter one.
#[test]
fn payloads_are_written_from_where_they_are_from_16_kib_on() {
    for (length, in_place) in [(16 * KIB - 1, false), (16 * KIB, true)] {
        let payload = Bytes::from(vec![7; length]);
        let place = payload.as_ptr();
        // At once, and behind a message that is cut.
        for cut in [false, true] {
            let mut config = timeless();
            config.max_frame_payload = Some(20_000);
            let mut server = End::new(Role::Server, &config);
            if cut {
                server.connection.send_binary(&[0; 20_001]).unwrap();
            }
            let message = Message::Binary(payload.clone());
            server.connection.send(message).unwrap();
            let outgoing = server.connection.outgoing();
            let before = outgoing.len() - length;
            outgoing.advance(before);
            assert_eq!(outgoing.chunk().len(), length);
            let same = std::ptr::eq(outgoing.chunk().as_ptr(), place);
            assert_eq!(same, in_place, "{length}, {cut}");
        }
    }
}
