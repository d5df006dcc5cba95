//! What a split connection takes, at most, while it is flooded and its peer does not read.
#![cfg(feature = "std")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use std::alloc::System;
use std::io::Write;
use std::thread;

use cap::Cap;
use common::net::{in_time, open};
use common::pair::{BINARY, PING, ROLES, TEXT, frame_to, timeless};
use fullduplex::{Event, Message};

/// One test in this crate, so that nobody else allocates meanwhile.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const KIB: usize = 1024;
const MAX_OUTGOING: usize = 256 * KIB;
const MESSAGE: usize = 64 * KIB;

/// The peer sends messages and Pings without a pause and reads nothing, and four threads send all
/// they can: memory stays below what [`fullduplex::Limits`] says for both directions, and the
/// Writer's own chunk.
#[test]
fn a_flood_that_nobody_reads_is_bounded() {
    for role in ROLES {
        let mut config = timeless();
        config.limits.max_outgoing = MAX_OUTGOING;
        config.limits.max_message = MESSAGE as u64;
        let (socket, mut peer) = open(role, &config);
        let mut rounds = frame_to(role, PING, &[1; 125]).repeat(1000);
        rounds.extend(frame_to(role, BINARY, &vec![2; MESSAGE]));
        let done = frame_to(role, TEXT, b"done");

        let before = ALLOCATOR.allocated();
        let (mut reader, sender, writer) = socket.split().unwrap();
        let writing = thread::spawn(|| writer.run());
        let sending: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || while sender.send(vec![3; MESSAGE]).is_ok() {})
            })
            .collect();
        let peer = thread::spawn(move || {
            for _ in 0..100 {
                peer.write_all(&rounds).unwrap();
            }
            peer.write_all(&done).unwrap();
            peer
        });
        let (reader, most) = in_time(move || {
            let mut most = 0;
            loop {
                match reader.next_event().unwrap().unwrap() {
                    Event::Text(_) => break,
                    Event::Binary(bytes) => assert_eq!(bytes.len(), MESSAGE),
                    _ => {}
                }
                most = most.max(ALLOCATOR.allocated() - before);
            }
            (reader, most)
        });
        let received = 2 * MESSAGE + 64 * KIB;
        let sent = 2 * (MAX_OUTGOING + MESSAGE);
        let held = 4 * MESSAGE; // in the hands of those who send
        let bound = (received + sent) * 3 / 2 + held + 2 * 64 * KIB;
        assert!(most < bound, "{most} of {bound} bytes");
        assert!(most > MAX_OUTGOING, "{most} bytes: the queue was not full");
        assert!(sender.try_send(Message::text("")).is_err());

        drop((reader, peer.join().unwrap()));
        in_time(move || {
            writing.join().unwrap();
            for thread in sending {
                thread.join().unwrap();
            }
        });
    }
}
