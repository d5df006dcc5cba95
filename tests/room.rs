//! The room that an inbox offers to read into, and the memory that it takes for it: as its
//! documentation has it, to the byte.
//!
//! The counting allocator counts per thread, so the tests do not disturb each other.

#![allow(
    clippy::indexing_slicing,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

mod common;

use allocation_counter::measure;
use common::pair::{BINARY, CONTINUATION, FIN, TEXT, frame_to, timeless};
use fullduplex::{Connection, Inbox, Role};

const KIB: usize = 1024;

/// A server and its inbox.
struct Reading {
    connection: Connection,
    inbox: Inbox,
}

impl Reading {
    fn new() -> Self {
        Self {
            connection: Connection::server(&timeless()),
            inbox: Inbox::new(),
        }
    }

    /// One read of `bytes`, for which there is room, and how many events follow from it.
    fn read(&mut self, bytes: &[u8]) -> usize {
        self.inbox.spare(0)[..bytes.len()].copy_from_slice(bytes);
        self.inbox.received(bytes.len());
        let mut events = 0;
        while self
            .connection
            .poll_event(&mut self.inbox)
            .unwrap()
            .is_some()
        {
            events += 1;
        }
        events
    }

    fn room(&mut self) -> usize {
        self.inbox.spare(0).len()
    }

    /// Reads that fill the largest room there is without a frame that needs more.
    fn warm_up(&mut self) {
        while self.room() < 64 * KIB {
            let room = self.room();
            self.inbox.received(room);
            self.inbox.consume(room);
        }
    }
}

fn frame(first: u8, size: usize) -> Vec<u8> {
    frame_to(Role::Server, first, &vec![b'x'; size])
}

/// From 4 KiB up to 64; a read that leaves a byte of its room free changes nothing.
#[test]
fn a_read_that_fills_its_room_doubles_the_next() {
    let mut inbox = Inbox::new();
    for room in [4, 8, 16, 32, 64, 64].map(|kib| kib * KIB) {
        for short in [1, 0] {
            assert_eq!(inbox.spare(0).len(), room);
            inbox.received(room - short);
            inbox.consume(room);
        }
    }
}

/// What an inbox starts with stands where reads go on.
#[test]
fn an_inbox_that_starts_with_bytes_is_read_into() {
    let mut inbox = Inbox::from(&b"first"[..]);
    inbox.consume(5);
    inbox.spare(0)[..6].copy_from_slice(b"second");
    inbox.received(6);
    assert_eq!(inbox.unread(), b"second");
}

/// Room for the rest of the frame and one more header, wherever in the block the frame begins: 64
/// KiB with what is held or, from 32 KiB on, twice that.
#[test]
fn the_room_holds_the_rest_of_the_frame_as_far_as_the_bound_allows() {
    const HEADER: usize = 14; // of the next frame
    for (held, bound) in [(100, 64 * KIB), (40_000, 84_096), (60_000, 124_096)] {
        for before in [0, 1, 1000, 30_000] {
            for (payload, whole) in [
                (bound - HEADER, true),
                (bound - HEADER + 1, false),
                (10 * bound, false),
            ] {
                let mut reading = Reading::new();
                reading.warm_up();
                let message = frame(BINARY, before);
                let next = frame(BINARY, payload);
                let mut bytes = message.clone();
                bytes.extend(&next[..next.len() - payload + held]);
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let count = reading.room().min(rest.len());
                    reading.read(&rest[..count]);
                    rest = &rest[count..];
                }
                let wanted = payload - held + HEADER;
                let room = reading.room();
                if whole {
                    assert!(room >= wanted, "{held} {before} {payload}: {room}");
                } else {
                    // Half of what is allowed is worth a read, too.
                    let least = ((bound - held) / 2).min(64 * KIB);
                    assert!(room >= least, "{held} {before} {payload}: {room}");
                }
                assert!(room + held <= bound);
            }
        }
    }
}

/// What is gathered outside the block adds half of itself to the bound, which ends at 256 KiB.
#[test]
fn the_room_grows_with_a_text() {
    const HEADER: usize = 14; // of the next frame
    for (gathered, bound) in [(100_000, 64 * KIB + 50_000), (500_000, 256 * KIB)] {
        for (payload, whole) in [
            (gathered + bound - HEADER, true),
            (gathered + bound - HEADER + 1, false),
        ] {
            let mut reading = Reading::new();
            reading.warm_up();
            let bytes = frame(TEXT, payload);
            let mut rest = &bytes[..bytes.len() - payload + gathered];
            while !rest.is_empty() {
                let count = reading.room().min(rest.len());
                reading.read(&rest[..count]);
                rest = &rest[count..];
            }
            let room = reading.room();
            assert_eq!(
                room >= payload - gathered + HEADER,
                whole,
                "{payload}: {room}"
            );
        }
    }
}

/// A frame that fits the block to the byte is moved in it and takes no other.
#[test]
fn a_frame_that_fits_the_block_takes_no_memory() {
    for before in [0, 1, 1000] {
        let mut reading = Reading::new();
        reading.warm_up();
        let held = 100;
        let payload = 64 * KIB - 14; // and the header of the next one
        let next = frame(BINARY, payload);
        let mut bytes = frame(BINARY, before);
        bytes.extend(&next[..next.len() - payload + held]);
        let info = measure(|| {
            assert_eq!(reading.read(&bytes), 1);
            assert_eq!(reading.room(), 64 * KIB - held);
        });
        assert!(info.bytes_total < KIB as u64, "{before}: {info:?}");
    }
}

/// Memory grows with what comes and not by the same amount again and again: however a message of 1
/// MiB is cut and read, it is moved to other memory a few times and not for each read.
#[test]
fn small_reads_do_not_grow_the_block_each_time() {
    const LENGTH: usize = KIB * KIB;
    for first in [BINARY, TEXT] {
        for (fragment, read) in [
            (LENGTH, 1000),
            (KIB, 64 * KIB),
            (KIB, 100),
            (60 * KIB, 1000),
        ] {
            let mut wire = frame(first & !FIN, fragment);
            let more = frame(CONTINUATION & !FIN, fragment);
            wire.extend(more.repeat(LENGTH / fragment - 1));
            for warm in [false, true] {
                let mut reading = Reading::new();
                if warm {
                    reading.warm_up();
                }
                let info = measure(|| {
                    let mut rest = &wire[..];
                    while !rest.is_empty() {
                        let count = reading.room().min(read).min(rest.len());
                        assert_eq!(reading.read(&rest[..count]), 0);
                        rest = &rest[count..];
                    }
                });
                let count = info.count_total;
                assert!(
                    count <= 25,
                    "{first:#x}, {fragment} in {read}, {warm}: {count}"
                );
            }
        }
    }
}

/// A text that comes in pieces grows by half as much again, and what fits takes no allocation.
#[test]
fn a_text_that_grows_has_room_for_half_as_much_again() {
    let mut reading = Reading::new();
    reading.warm_up();
    let mut piece = |first, size, allocations| {
        let bytes = frame(first & !FIN, size);
        let info = measure(|| assert_eq!(reading.read(&bytes), 0));
        assert_eq!(info.count_total, allocations, "{size}: {info:?}");
    };
    piece(TEXT, 0, 1); // where the message stands
    piece(CONTINUATION, 1000, 1);
    piece(CONTINUATION, 500, 0);
    piece(CONTINUATION, 1, 1);
}

/// What stands between the pieces of a message takes no room.
#[test]
fn headers_of_fragments_take_no_room() {
    let mut reading = Reading::new();
    reading.read(&frame(BINARY & !FIN, 10));
    let room = reading.room();
    for count in 1..=20 {
        reading.read(&frame(CONTINUATION & !FIN, 10));
        assert_eq!(reading.room(), room - 10 * count);
    }
}
