//! The codec of permessage-deflate against a compressor and an inflater that share no code with it:
//! random sequences of messages, parameters and cuts, in both directions.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use codec::{Random, SmallWindow, TAIL, agreement, receive_by};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use fullduplex::deflate::codec::{Deflater, End, Inflater};
use fullduplex::deflate::{ContextTakeover, Level, MemoryLevel};

const TAKEOVER: [ContextTakeover; 2] = [ContextTakeover::On, ContextTakeover::Off];

/// R7692-7.2.1-01, R7692-7.2.1-03, R7692-7.1.2-03, R7692-7.2.1-04: what we send an independent
/// inflater reads, with no more window than was agreed; for 8 bits, 256 octets.
#[test]
fn what_is_sent_is_read_by_others() {
    let mut random = Random(0x5eed_0001);
    for sequence in 0..5000 {
        let bits = 8 + random.below(8) as u8;
        let takeover = random.pick(&TAKEOVER);
        let level = Level::new(1 + random.below(9) as u8).unwrap();
        let memory_level = MemoryLevel::new(1 + random.below(9) as u8).unwrap();
        let case = format!("{sequence}: {bits} {takeover:?} {level:?} {memory_level:?}");
        let mut deflater = Deflater::new(&agreement(bits, takeover), level, memory_level);
        let mut window = SmallWindow::new(bits);
        for _ in 0..=random.below(6) {
            let message = random.message();
            let mut payload = Vec::new();
            let mut rest = message.as_slice();
            while random.below(3) == 0 {
                let (fragment, after) = rest.split_at(random.below(rest.len() + 1));
                deflater
                    .compress(fragment, &mut payload, End::Fragment)
                    .unwrap();
                rest = after;
                if random.below(20) == 0 {
                    // Given up: nothing of it was received.
                    deflater.abandon();
                    payload.clear();
                    rest = &message;
                }
            }
            deflater.compress(rest, &mut payload, End::Message).unwrap();
            if takeover == ContextTakeover::Off {
                window = SmallWindow::new(bits);
            }
            assert!(window.receive(&payload) == message, "{case}");
        }
    }
}

/// R7692-7.2.2-01, R7692-6-04: what an independent compressor sends we read, cut anywhere; flushed
/// or with final blocks, with and without takeover.
#[test]
fn what_others_send_is_read() {
    let mut random = Random(0x5eed_0002);
    for sequence in 0..5000 {
        let takeover = random.pick(&TAKEOVER);
        let level = random.below(10) as u32;
        let case = format!("{sequence}: {takeover:?} {level}");
        let mut compressor = Compress::new(Compression::new(level), false);
        let mut inflater = Inflater::new(&agreement(15, takeover));
        for _ in 0..=random.below(6) {
            let message = random.message();
            if takeover == ContextTakeover::Off {
                compressor.reset();
            }
            let finals = random.below(8) == 0;
            let flush = if finals {
                FlushCompress::Finish
            } else {
                FlushCompress::Sync
            };
            let mut payload = Vec::with_capacity(message.len() * 2 + 1000);
            compressor
                .compress_vec(&message, &mut payload, flush)
                .unwrap();
            if finals {
                compressor.reset();
                payload.extend([0].iter().take(random.below(2)));
            } else {
                assert_eq!(payload[payload.len() - 4..], TAIL, "{case}");
                payload.truncate(payload.len() - 4);
            }
            let longest = random.pick(&[1, 2, 10, 1000, 100_000]);
            let chunk = 1 + random.below(longest);
            // One octet at a time is for what is short.
            let room = random.pick(&[1, 3, 100, 5000]).max(message.len() / 1000);
            let received = receive_by(&mut inflater, &payload, chunk, room);
            assert!(received.as_ref() == Ok(&message), "{case} {received:?}");
        }
    }
}

/// R7692-6-02, D10: both ends stay in step over mixed messages, and a one-shot inflater agrees.
#[test]
fn both_ends_stay_in_step() {
    let mut random = Random(0x5eed_0003);
    for sequence in 0..1000 {
        let bits = 8 + random.below(8) as u8;
        let takeover = random.pick(&TAKEOVER);
        let agreement = agreement(bits, takeover);
        let mut deflater = Deflater::new(&agreement, Level::BALANCED, MemoryLevel::DEFAULT);
        let mut inflater = Inflater::new(&agreement);
        let mut one_shot = Decompress::new(false);
        for _ in 0..=random.below(8) {
            let message = random.message();
            if random.below(3) == 0 {
                continue; // This one goes uncompressed, past both.
            }
            let mut payload = Vec::new();
            deflater
                .compress(&message, &mut payload, End::Message)
                .unwrap();
            let chunk = 1 + random.below(2000);
            let received = receive_by(&mut inflater, &payload, chunk, 3000);
            assert!(
                received.as_ref() == Ok(&message),
                "{sequence} {bits} {takeover:?}"
            );
            if takeover == ContextTakeover::Off {
                one_shot.reset(false);
            }
            payload.extend(TAIL);
            let mut output = Vec::with_capacity(message.len() + 100);
            one_shot
                .decompress_vec(&payload, &mut output, FlushDecompress::Sync)
                .unwrap();
            assert!(output == message, "{sequence} {bits} {takeover:?}");
        }
    }
}
