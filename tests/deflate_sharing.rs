//! permessage-deflate where connections take turns with one compressor and keep their context.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use codec::{Random, SmallWindow, agreement, inflater, receive, send};
use fullduplex::deflate::codec::{Deflater, End};
use fullduplex::deflate::{ContextTakeover, Level, MemoryLevel};

/// R7692-7.2.1-03, D8: whichever connection used the compressor last, what is sent refers to the
/// connection's own messages and to nothing outside of the agreed window; what is abandoned is
/// forgotten. Read by an inflater that has this window and no more.
#[test]
fn connections_keep_their_own_windows() {
    let mut random = Random(0x5eed_0004);
    for sequence in 0..60 {
        let bits = 8 + random.below(8) as u8;
        let level = Level::new(1 + random.below(9) as u8).unwrap();
        let memory_level = MemoryLevel::new(1 + random.below(6) as u8).unwrap();
        let takeover = random.pick(&[
            ContextTakeover::On,
            ContextTakeover::On,
            ContextTakeover::Off,
        ]);
        let case = format!("{sequence}: {bits} {level:?} {memory_level:?} {takeover:?}");
        let count = 1 + random.below(4);
        let mut connections: Vec<_> = (0..count)
            .map(|_| {
                let deflater = Deflater::new(&agreement(bits, takeover), level, memory_level);
                (deflater, SmallWindow::new(bits))
            })
            .collect();
        for number in 0..40 {
            let (deflater, reader) = &mut connections[random.below(count)];
            let message = random.message();
            let mut payload = Vec::new();
            if random.below(8) == 0 {
                let lost = random.message();
                deflater
                    .compress(&lost, &mut payload, End::Fragment)
                    .unwrap();
                deflater.abandon();
                payload.clear();
            }
            let cut = random.below(message.len() + 1);
            let (first, last) = match random.below(4) {
                0 => message.split_at(cut),
                _ => ([].as_slice(), message.as_slice()),
            };
            deflater
                .compress(first, &mut payload, End::Fragment)
                .unwrap();
            deflater.compress(last, &mut payload, End::Message).unwrap();
            assert!(reader.receive(&payload) == message, "{case}, {number}");
        }
    }
}

/// The tests run at the same time and may share a pool. Only those with the same settings share
/// compressors, so each test that cares has a memory level that no other has.
fn deflater_of_its_own(memory_level: u8) -> Deflater {
    let agreement = agreement(15, ContextTakeover::On);
    let memory_level = MemoryLevel::new(memory_level).unwrap();
    Deflater::new(&agreement, Level::FASTEST, memory_level)
}

/// With context takeover a message gets shorter by what it shares with those before it, although
/// another connection has had the compressor since.
#[test]
fn a_primed_compressor_refers_to_earlier_messages() {
    let mut random = Random(0x5eed_0005);
    let message = random.noise(500);
    let other = random.noise(500);
    for (takeover, shorter) in [(ContextTakeover::On, true), (ContextTakeover::Off, false)] {
        let agreement = agreement(15, takeover);
        let new = || Deflater::new(&agreement, Level::FASTEST, MemoryLevel::new(7).unwrap());
        let (mut one, mut two) = (new(), new());
        let mut reader = inflater(takeover);
        let first = send(&mut one, &message);
        assert!(first.len() >= message.len());
        assert_eq!(receive(&mut reader, &first).unwrap(), message);
        for _ in 0..3 {
            send(&mut two, &other);
            let again = send(&mut one, &message);
            assert_eq!(again.len() < message.len() / 10, shorter, "{takeover:?}");
            assert_eq!(receive(&mut reader, &again).unwrap(), message);
        }
    }
}

/// A compressor is primed with the last 4 KiB: what begins there shortens a message, and what ends
/// before does not.
#[test]
fn priming_goes_back_four_kib() {
    const PRIMED: usize = 4096;
    let mut random = Random(0x5eed_0006);
    let phrase = random.noise(200);
    for (behind, found) in [(PRIMED - phrase.len(), true), (PRIMED, false)] {
        let (mut one, mut two) = (deflater_of_its_own(8), deflater_of_its_own(8));
        send(&mut one, &[phrase.clone(), random.noise(behind)].concat());
        send(&mut two, b"something else");
        let length = send(&mut one, &phrase).len();
        assert_eq!(length < 20, found, "{behind}: {length}");
        assert_eq!(length > phrase.len(), !found, "{behind}: {length}");
    }
}

/// A connection that nobody took the compressor from refers to the whole window.
#[test]
fn a_compressor_of_ones_own_has_the_whole_window() {
    let mut random = Random(0x5eed_0007);
    let phrase = random.noise(200);
    let mut deflater = deflater_of_its_own(9);
    send(
        &mut deflater,
        &[phrase.clone(), random.noise(10_000)].concat(),
    );
    assert!(send(&mut deflater, &phrase).len() < 20);
}

/// Found by fuzzing: at level 9 zlib-rs follows its chains of matches through places that its own
/// reset leaves as they were, and after some thousand short messages takes one for a match that
/// begins behind what it is to copy. The next connection gets a new compressor instead.
#[test]
fn a_compressor_of_level_9_is_not_used_again_by_another_connection() {
    let mut x = 1_u32;
    let mut below = |limit: u32| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((x >> 16) % limit) as usize
    };
    let memory_level = MemoryLevel::new(7).unwrap();
    for _ in 0..4_500 {
        let agreement = agreement(9, ContextTakeover::On);
        let mut deflater = Deflater::new(&agreement, Level::SMALLEST, memory_level);
        let mut inflater = inflater(ContextTakeover::On);
        for _ in 0..below(200) + 20 {
            let byte = [4, 4, 4, 4, 29, 0][below(6)];
            let length = if below(10) == 0 { below(60) } else { 4 };
            let mut message = vec![byte; length];
            if below(8) == 0 {
                message.extend([below(256) as u8, below(256) as u8]);
            }
            let payload = send(&mut deflater, &message);
            assert_eq!(receive(&mut inflater, &payload), Ok(message));
        }
    }
}
