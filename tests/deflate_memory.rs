//! What permessage-deflate allocates, against the formula in its documentation.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use std::sync::{Mutex, PoisonError};

use allocation_counter::measure;
use codec::{agreement, receive, send};
use fullduplex::deflate::codec::{Deflater, End, Inflater, clear_pools};
use fullduplex::deflate::{Agreement, ContextTakeover, Level, MemoryLevel};

static ALONE: Mutex<()> = Mutex::new(());

const INFLATER: i64 = 47_552;
const KIB: i64 = 1024;

fn deflater_of(bits: u8, memory_level: u8) -> i64 {
    134_272 + (4 << bits) + (7 << (memory_level + 6))
}

/// Runs while nothing else does and nothing is pooled, on a thread of its own.
fn on_a_new_thread(test: impl FnOnce() + Send) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    clear_pools();
    std::thread::scope(|scope| {
        scope.spawn(test);
    });
    clear_pools();
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|i| b'a' + (i * i % 23) as u8).collect()
}

fn deflater(agreement: Agreement, memory_level: u8) -> Deflater {
    Deflater::new(
        &agreement,
        Level::FASTEST,
        MemoryLevel::new(memory_level).unwrap(),
    )
}

/// D8: nothing is allocated before the first compressed message, nor for empty ones.
#[test]
fn nothing_is_allocated_before_the_first_message() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        let mut output = Vec::with_capacity(16);
        let info = measure(|| {
            let agreement = agreement(15, takeover);
            let mut deflater = deflater(agreement, 8);
            let mut inflater = Inflater::new(&agreement);
            deflater.compress(b"", &mut output, End::Message).unwrap();
            deflater.abandon();
            assert_eq!(inflater.inflate(&mut [].as_slice(), &mut [0; 4]), Ok(0));
            assert!(inflater.finish(&mut [0; 4]).unwrap().done);
        });
        assert_eq!(info.count_total, 0);
    }
}

/// D8: a compressor costs what the formula says, for every window and memory level.
#[test]
fn compressors_cost_what_the_formula_says() {
    for bits in 9..=15 {
        for memory_level in 1..=9 {
            on_a_new_thread(move || {
                let agreement = agreement(bits, ContextTakeover::On);
                let mut deflater = deflater(agreement, memory_level);
                let info = measure(|| {
                    for _ in 0..10 {
                        send(&mut deflater, b"hello");
                    }
                });
                let expected = deflater_of(bits, memory_level);
                let slack = info.bytes_current - expected;
                assert!((0..KIB).contains(&slack), "{bits} {memory_level} {info:?}");
            });
        }
    }
}

/// D8: with takeover, too, connections share a compressor: each owns the end of what it has sent,
/// 4 KiB of it at most.
#[test]
fn takeover_costs_four_kib_of_what_was_sent() {
    for bits in 8..=15 {
        on_a_new_thread(move || {
            let agreement = agreement(bits, ContextTakeover::On);
            let mut deflaters = Vec::with_capacity(100);
            let message = text(10_000);
            let info = measure(|| {
                for _ in 0..100 {
                    let mut deflater = deflater(agreement, 8);
                    for length in [100, 10_000] {
                        send(&mut deflater, &message[..length]);
                    }
                    deflaters.push(deflater);
                }
            });
            let window = 1 << bits.max(9);
            let expected = deflater_of(bits.max(9), 8) + 100 * window.min(4 * KIB);
            let slack = info.bytes_current - expected;
            assert!((0..KIB).contains(&slack), "{bits} {info:?}");
        });
    }
}

/// D8: between messages a connection with takeover owns the end of what it received and no more,
/// and in the middle of one a decompressor besides; the pool keeps that.
#[test]
fn takeover_costs_one_window_between_messages() {
    for bits in 8..=15 {
        on_a_new_thread(move || {
            let agreement = agreement(bits, ContextTakeover::On);
            let mut deflater = deflater(agreement, 1);
            let payloads = [&text(100), &text(200_000)].map(|text| send(&mut deflater, text));
            let mut inflater = Inflater::new(&agreement);
            let mut buffer = vec![0; 1000];
            let info = measure(|| {
                inflate_all(&mut inflater, &payloads[0], &mut buffer);
            });
            let slack = info.bytes_current - INFLATER - 128;
            assert!((0..KIB).contains(&slack), "{bits} {info:?}");
            let info = measure(|| {
                inflate_all(&mut inflater, &payloads[1], &mut buffer);
                inflate_all(&mut inflater, b"\x00", &mut buffer);
            });
            assert_eq!(info.bytes_current, (1 << bits) - 128);
            let info = measure(|| drop(inflater));
            assert_eq!(info.bytes_current, -(1 << bits));
        });
    }
}

/// D8: without takeover a connection owns nothing between two messages: hundreds of them cost as
/// much as one.
#[test]
fn without_takeover_connections_share_their_states() {
    for bits in 9..=15 {
        on_a_new_thread(move || {
            let agreement = agreement(bits, ContextTakeover::Off);
            let mut pairs = Vec::with_capacity(300);
            let info = measure(|| {
                for _ in 0..300 {
                    let mut deflater = deflater(agreement, 8);
                    let mut inflater = Inflater::new(&agreement);
                    let payload = send(&mut deflater, b"hello hello");
                    assert!(receive(&mut inflater, &payload).is_ok());
                    pairs.push((deflater, inflater));
                }
            });
            let slack = info.bytes_current - INFLATER - deflater_of(bits, 8);
            assert!((0..KIB).contains(&slack), "{bits} {info:?}");
        });
    }
}

/// D8: without takeover, messages use the memory of those before them.
#[test]
fn without_takeover_a_message_takes_no_allocation() {
    on_a_new_thread(|| {
        let agreement = agreement(15, ContextTakeover::Off);
        let payload = send(&mut deflater(agreement, 8), &text(20_000));
        let mut inflater = Inflater::new(&agreement);
        let mut buffer = vec![0; 1000];
        inflate_all(&mut inflater, &payload, &mut buffer);
        let info = measure(|| {
            for _ in 0..10 {
                inflate_all(&mut inflater, &payload, &mut buffer);
            }
        });
        assert_eq!(info.count_total, 0, "{info:?}");
    });
}

/// D8: a compressor serves one message after the other, whosever they are. Only one of level 9 is not
/// used again by another connection.
#[test]
fn compressors_are_used_again_below_level_9() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        for level in 1..=9 {
            on_a_new_thread(move || {
                let level = Level::new(level).unwrap();
                let agreement = agreement(15, takeover);
                let new = || Deflater::new(&agreement, level, MemoryLevel::DEFAULT);
                let mut output = Vec::with_capacity(10 * KIB as usize);
                let mut send = |deflater: &mut Deflater| {
                    output.clear();
                    let message = [b'x'; KIB as usize];
                    deflater
                        .compress(&message, &mut output, End::Message)
                        .unwrap();
                };
                let [mut first, mut second] = [new(), new()];
                for _ in 0..4 {
                    send(&mut first);
                    send(&mut second); // until each has its history
                }
                let info = measure(|| {
                    send(&mut first);
                    send(&mut second);
                });
                let is_used_again = level != Level::SMALLEST;
                assert_eq!(info.count_total == 0, is_used_again, "{level:?}: {info:?}");
            });
        }
    }
}

/// D1, D8: in the middle of a message without takeover a connection owns less than 64 KiB, for any
/// agreed window and however long the message is: 1 GiB of zeros in fragments.
#[test]
fn a_bomb_costs_less_than_64_kib() {
    for (bits, pieces) in [(15, 1), (15, 1000), (9, 1000)] {
        on_a_new_thread(move || {
            let agreement = agreement(bits, ContextTakeover::Off);
            let bomb = bomb();
            let mut inflater = Inflater::new(&agreement);
            let mut buffer = vec![0; 65_536];
            let mut total = 0;
            let info = measure(|| {
                for mut piece in bomb.chunks(bomb.len().div_ceil(pieces)) {
                    loop {
                        let written = inflater.inflate(&mut piece, &mut buffer).unwrap();
                        total += written;
                        if piece.is_empty() && written < buffer.len() {
                            break;
                        }
                    }
                }
                assert!(inflater.finish(&mut buffer).unwrap().done);
            });
            assert_eq!(total, 1 << 30);
            assert!(info.bytes_max < 64 * 1024, "{bits} {info:?}");
        });
    }
}

/// D8: what a pool keeps for later is bounded, however many connections it has served.
#[test]
fn the_pool_is_bounded() {
    on_a_new_thread(|| {
        let info = measure(|| {
            let mut inflaters = Vec::new();
            let mut deflaters = Vec::new();
            for number in 0..100 {
                let agreement = agreement(9 + number % 7, ContextTakeover::Off);
                let mut inflater = Inflater::new(&agreement);
                let mut piece = b"\xf2\x48".as_slice();
                inflater.inflate(&mut piece, &mut [0; 10]).unwrap();
                inflaters.push(inflater);
                let mut deflater = deflater(agreement, 1 + number % 9);
                deflater
                    .compress(b"a", &mut Vec::new(), End::Fragment)
                    .unwrap();
                deflaters.push(deflater);
            }
            // All states are in use here, so that all come back.
            for inflater in &mut inflaters {
                inflate_all(inflater, b"\xcd\xc9\xc9\x07\x00", &mut [0; 10]);
            }
            for deflater in &mut deflaters {
                deflater.abandon();
            }
        });
        let most = 64 * (INFLATER + KIB) + 64 * (deflater_of(15, 9) + KIB);
        assert!(info.bytes_current < most, "{info:?}");
        assert!(
            info.bytes_current > 64 * INFLATER + 64 * deflater_of(9, 1),
            "{info:?}"
        );
    });
}

fn inflate_all(inflater: &mut Inflater, mut payload: &[u8], buffer: &mut [u8]) {
    loop {
        let written = inflater.inflate(&mut payload, buffer).unwrap();
        if payload.is_empty() && written < buffer.len() {
            break;
        }
    }
    assert!(inflater.finish(buffer).unwrap().done);
}

/// 1 GiB of zeros, in about 1 MiB.
fn bomb() -> Vec<u8> {
    let agreement = agreement(15, ContextTakeover::Off);
    let mut deflater = Deflater::new(&agreement, Level::SMALLEST, MemoryLevel::DEFAULT);
    let zeros = vec![0; 1 << 20];
    let mut bomb = Vec::new();
    deflater.compress(&zeros, &mut bomb, End::Fragment).unwrap();
    // From here on each part repeats what was before it, so that one stands for all.
    let mut part = Vec::new();
    deflater.compress(&zeros, &mut part, End::Fragment).unwrap();
    bomb.extend(part.repeat(1023));
    bomb.push(0);
    bomb
}
