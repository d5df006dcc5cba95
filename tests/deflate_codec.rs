//! The codec of permessage-deflate, against octets on the wire (RFC 7692, sections 7.2 and 8).
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that is wrong about its data is to fail"
)]

mod codec;

use codec::{Random, agreement, deflater, inflater, receive, receive_by, send};
use fullduplex::deflate::codec::{Deflater, End, Inflater};
use fullduplex::deflate::{ContextTakeover, DeflateError, Level, MemoryLevel};

const CHUNKS: [usize; 6] = [1, 2, 3, 7, 64, usize::MAX];

/// Asserts what a sequence of messages inflates to, for all pieces of input and of output.
#[track_caller]
fn assert_received(takeover: ContextTakeover, messages: &[(&[u8], &str)]) {
    for chunk in CHUNKS {
        for room in [1, 2, 3, 5, 64, 4096] {
            let mut inflater = inflater(takeover);
            for (payload, expected) in messages {
                let message = receive_by(&mut inflater, payload, chunk, room);
                let message = message.map(|message| String::from_utf8(message).unwrap());
                assert_eq!(
                    message.as_deref(),
                    Ok(*expected),
                    "{payload:x?} {chunk} {room}"
                );
            }
        }
    }
}

/// Asserts that a message fails, for all pieces of input.
#[track_caller]
fn assert_refused(payload: &[u8], error: DeflateError) {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        for chunk in CHUNKS {
            let refused = receive_by(&mut inflater(takeover), payload, chunk, 64);
            assert_eq!(refused, Err(error), "{payload:x?} {chunk} {takeover:?}");
        }
    }
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" by reference to the "Hello" before it.
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";
const HELLO_STORED: &[u8] = b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
const HELLO_FINAL: &[u8] = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
const HELLO_TWO_BLOCKS: &[u8] = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";

/// R7692-7.2.3-T, R7692-7.2.2-01: the examples of RFC 7692 inflate, with takeover and without.
#[test]
fn examples_of_the_rfc_inflate() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        for payload in [HELLO, HELLO_STORED, HELLO_FINAL, HELLO_TWO_BLOCKS] {
            assert_received(takeover, &[(payload, "Hello"), (payload, "Hello")]);
        }
    }
    assert_received(
        ContextTakeover::On,
        &[
            (HELLO, "Hello"),
            (HELLO_AGAIN, "Hello"),
            (HELLO_AGAIN, "Hello"),
        ],
    );
}

/// R7692-7.2.3-T, R7692-7.2.1-01: the same as we write them.
#[test]
fn examples_of_the_rfc_are_what_is_sent() {
    // Level 1 writes an equally short match in place of the example's literal and match.
    let balanced = |takeover| {
        Deflater::new(
            &agreement(15, takeover),
            Level::BALANCED,
            MemoryLevel::DEFAULT,
        )
    };
    let mut taking_over = balanced(ContextTakeover::On);
    assert_eq!(send(&mut taking_over, b"Hello"), HELLO);
    assert_eq!(send(&mut taking_over, b"Hello"), HELLO_AGAIN);
    let mut starting_over = balanced(ContextTakeover::Off);
    assert_eq!(send(&mut starting_over, b"Hello"), HELLO);
    assert_eq!(send(&mut starting_over, b"Hello"), HELLO);
}

/// R7692-7.2.1-03: without takeover a message cannot refer to an earlier one, and the pooled state
/// that inflates it holds nothing of what it inflated before, be it another connection's.
#[test]
fn without_takeover_nothing_is_left_of_other_messages() {
    let mut one = inflater(ContextTakeover::Off);
    let mut other = inflater(ContextTakeover::Off);
    assert_eq!(receive(&mut one, HELLO).as_deref(), Ok(b"Hello".as_slice()));
    assert_eq!(receive(&mut one, HELLO_AGAIN), Err(DeflateError::Corrupt));
    assert_eq!(receive(&mut other, HELLO_AGAIN), Err(DeflateError::Corrupt));
    let mut taking_over = inflater(ContextTakeover::On);
    assert!(receive(&mut taking_over, HELLO).is_ok());
    let mut fresh = inflater(ContextTakeover::On);
    assert_eq!(receive(&mut fresh, HELLO_AGAIN), Err(DeflateError::Corrupt));
}

/// D4, R7692-7.2.3.6-01: an empty message is the single octet 00, wherever it stands.
#[test]
fn empty_messages_are_sent_as_one_octet() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        let mut deflater = deflater(takeover);
        assert_eq!(send(&mut deflater, b""), b"\x00");
        assert_eq!(send(&mut deflater, b""), b"\x00");
        assert_eq!(send(&mut deflater, b"ab"), b"\x4a\x4c\x02\x00");
        assert_eq!(send(&mut deflater, b""), b"\x00");
        assert_eq!(send(&mut deflater, b"ab").len(), 4);
        assert_eq!(send(&mut deflater, b""), b"\x00");
        assert_eq!(send(&mut deflater, b""), b"\x00");
    }
}

/// D4, R7692-7.2.3.6-01: whatever an empty message looks like, the window stays in step.
#[test]
fn empty_messages_of_all_kinds_are_received() {
    let kinds: [&[u8]; 8] = [
        b"\x00",
        b"",
        b"\x02\x00",
        b"\x03\x00",
        b"\x03\x00\x00",
        b"\x01",
        b"\x01\x00",
        b"\x00\x00\x00\xff\xff\x00",
    ];
    for empty in kinds {
        assert_received(
            ContextTakeover::Off,
            &[(empty, ""), (HELLO, "Hello"), (empty, "")],
        );
        assert_received(
            ContextTakeover::On,
            &[
                (empty, ""),
                (HELLO, "Hello"),
                (empty, ""),
                (HELLO_AGAIN, "Hello"),
                (empty, ""),
                (empty, ""),
                (HELLO_AGAIN, "Hello"),
            ],
        );
    }
}

/// D5, R7692-7.2.2-03, R7692-7.2.1-02: a final block ends neither the message nor the history.
#[test]
fn final_blocks_keep_the_history() {
    let again_final = b"\xf3\x00\x11\x00\x00";
    for first in [HELLO_FINAL, b"\xf3\x48\xcd\xc9\xc9\x07\x00"] {
        assert_received(
            ContextTakeover::On,
            &[
                (first, "Hello"),
                (HELLO_AGAIN, "Hello"),
                (again_final, "Hello"),
                (b"", ""),
                (HELLO_AGAIN, "Hello"),
            ],
        );
    }
    // Within one message, takeover or not: a final block, the reference to it, a final block, an
    // empty final stored block, and the reference again.
    let message = [
        b"\xf3\x48\xcd\xc9\xc9\x07\x00".as_slice(),
        b"\xf3\x00\x11\x00",
        b"\x01\x00\x00\xff\xff",
        HELLO_AGAIN,
    ]
    .concat();
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        assert_received(takeover, &[(&message, "HelloHelloHello")]);
    }
}

/// D5: references across a final block reach the whole window, also where it has wrapped, and with
/// every window size that was agreed.
#[test]
fn history_across_final_blocks_is_a_whole_window() {
    // A stored block of one window, a final empty block, then a match with the largest distance.
    for bits in 8..=15u8 {
        let size = 1usize << bits;
        for shift in [0, 1, size / 2 + 3] {
            let mut inflater = Inflater::new(&agreement(bits, ContextTakeover::On));
            let text: Vec<u8> = (0..size + shift).map(|i| (i * 7 + i / 251) as u8).collect();
            let mut payload = Vec::new();
            for block in text.chunks(0xffff) {
                let length = u16::try_from(block.len()).unwrap();
                payload.push(0);
                payload.extend(length.to_le_bytes());
                payload.extend((!length).to_le_bytes());
                payload.extend(block);
            }
            payload.extend(b"\x03\x00");
            payload.extend(copy_three_from(size));
            let expected = [text.as_slice(), &text[shift..shift + 3]].concat();
            let message = receive_by(&mut inflater, &payload, 1000, 700);
            assert_eq!(message, Ok(expected), "{bits} {shift}");
            // The next message refers to the window as it is now.
            let next = receive(&mut inflater, &copy_three_from(size));
            assert_eq!(
                next.as_deref(),
                Ok(&text[shift + 3..shift + 6]),
                "{bits} {shift}"
            );
        }
    }
}

/// R7692-7.2.2-02, R7692-7.2.2-03: what a message may refer to of those before it does not depend on
/// what the backend happens to remember: twice the agreed window is refused.
#[test]
fn references_beyond_the_window_are_refused() {
    for bits in 9..=14u8 {
        let agreement = agreement(bits, ContextTakeover::On);
        let text = Random(2).noise(100_000);
        let mut deflater = Deflater::new(&agreement, Level::FASTEST, MemoryLevel::DEFAULT);
        let payload = send(&mut deflater, &text);
        for (reach, accepted) in [(1 << bits, true), (2 << bits, false)] {
            let mut inflater = Inflater::new(&agreement);
            assert_eq!(receive(&mut inflater, &payload).as_ref(), Ok(&text));
            let start = text.len() - reach;
            let expected = if accepted {
                Ok(text[start..start + 3].to_vec())
            } else {
                Err(DeflateError::Corrupt)
            };
            assert_eq!(receive(&mut inflater, &copy_three_from(reach)), expected);
        }
    }
}

/// A fixed block that copies three octets from a distance that is a power of two, and the empty
/// stored block's header.
fn copy_three_from(distance: usize) -> Vec<u8> {
    let extra = distance.ilog2() - 2;
    let mut bits = Bits::default();
    bits.push(0b010, 3); // not final, fixed codes
    bits.push_code(1, 7); // length 3
    // The code before the one that starts with `distance + 1`; its extra bits are all set.
    bits.push_code(distance.ilog2() * 2 - 1, 5);
    bits.push((1 << extra) - 1, extra);
    bits.push_code(0, 7); // end of block
    bits.push(0, 3);
    bits.octets
}

#[derive(Default)]
struct Bits {
    octets: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in 0..count {
            if self.used.is_multiple_of(8) {
                self.octets.push(0);
            }
            *self.octets.last_mut().unwrap() |= u8::from(value >> bit & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    /// Huffman codes are packed starting with their most significant bit.
    fn push_code(&mut self, code: u32, count: u32) {
        for bit in (0..count).rev() {
            self.push(code >> bit, 1);
        }
    }
}

/// D6, R7692-7.2.2-03: a message that ends inside a block is refused, wherever it is cut. A cut is
/// no error only where what is left is itself the end of a message.
#[test]
fn truncated_messages_are_refused() {
    let text = Random(7).text(2000);
    for level in [1, 6, 9] {
        let mut deflater = Deflater::new(
            &agreement(15, ContextTakeover::Off),
            Level::new(level).unwrap(),
            MemoryLevel::DEFAULT,
        );
        let payload = send(&mut deflater, &text);
        for takeover in [ContextTakeover::On, ContextTakeover::Off] {
            for end in 1..payload.len() - 1 {
                let message = receive(&mut inflater(takeover), &payload[..end]);
                assert_eq!(
                    message,
                    Err(DeflateError::Truncated),
                    "{level} {end} {payload:x?}"
                );
            }
            let message = receive(&mut inflater(takeover), &payload);
            assert_eq!(message.as_deref(), Ok(text.as_slice()));
        }
    }
    for payload in [
        b"\x00\x05\x00\xfa\xff\x48".as_slice(), // inside a stored block's data
        b"\x00\x05\x00",                        // inside its lengths
        b"\x05",                                // inside a dynamic block's header
        b"\x05\xe0\x81\x08",
        b"\xf2\x48\xcd\xc9\xc9\x07", // before the flush
        b"\x01\x00\x00",             // cut short, and then some
        b"\x00\x00",
        b"\x00\x00\x00\xff\xff", // the tail was not removed
    ] {
        assert_refused(payload, DeflateError::Truncated);
    }
}

/// D6, R7692-7.2.2-03: garbage is refused, after a final block as well.
#[test]
fn garbage_is_refused() {
    for payload in [
        b"\x07".as_slice(), // block type 3
        b"\xff\xff\xff\xff",
        b"\x00\x05\x00\x05\x00Hello\x00",    // the lengths disagree
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07", // after a final block
        b"\xf3\x48\xcd\xc9\xc9\x07\x00Hello",
        b"\xf2\x00\x11\x00\x00",         // beyond the start
        b"\x04\xff\xff\xff\xff\xff\xff", // too many codes
    ] {
        assert_refused(payload, DeflateError::Corrupt);
    }
    // Padding after a final block: zeros that are not an empty block are its beginning.
    for padding in [2, 3, 4, 5, 6] {
        let payload = [HELLO_FINAL, vec![0; padding].as_slice()].concat();
        let refused = receive(&mut inflater(ContextTakeover::Off), &payload);
        assert!(refused.is_err(), "{padding}");
    }
}

/// R7692-6-02, R7692-7.2.1-04: after a message that was compressed but is not sent, the next one
/// does not refer to it.
#[test]
fn abandoned_messages_are_forgotten() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        let mut deflater = deflater(takeover);
        let mut inflater = inflater(takeover);
        let first = send(&mut deflater, b"first message");
        assert_eq!(receive(&mut inflater, &first).unwrap(), b"first message");
        let mut lost = Vec::new();
        deflater
            .compress(b"lost message", &mut lost, End::Fragment)
            .unwrap();
        deflater.abandon();
        for _ in 0..2 {
            let next = send(&mut deflater, b"first lost message");
            assert_eq!(
                receive(&mut inflater, &next).unwrap(),
                b"first lost message"
            );
        }
    }
}

/// R7692-6-04, R7692-7.2.1-01: fragments can be inflated up to their end as they come; the tail is
/// removed once, from the last; an empty last one is a single octet.
#[test]
fn fragments_are_flushed() {
    for takeover in [ContextTakeover::On, ContextTakeover::Off] {
        let mut deflater = deflater(takeover);
        let mut inflater = inflater(takeover);
        for last in [b"third".as_slice(), b""] {
            let mut buffer = [0; 64];
            for text in [b"first".as_slice(), b"", b"second first"] {
                let mut payload = Vec::new();
                deflater
                    .compress(text, &mut payload, End::Fragment)
                    .unwrap();
                assert_eq!(payload.is_empty(), text.is_empty());
                assert!(payload.is_empty() || payload.ends_with(b"\x00\x00\xff\xff"));
                let written = inflater
                    .inflate(&mut payload.as_slice(), &mut buffer)
                    .unwrap();
                assert_eq!(&buffer[..written], text);
            }
            let mut payload = Vec::new();
            deflater.compress(last, &mut payload, End::Message).unwrap();
            assert_eq!(payload == b"\x00", last.is_empty());
            let mut piece = payload.as_slice();
            let written = inflater.inflate(&mut piece, &mut buffer).unwrap();
            assert_eq!(&buffer[..written], last);
            let finish = inflater.finish(&mut buffer).unwrap();
            assert_eq!((finish.written, finish.done), (0, true));
        }
    }
}

/// D6: wherever the compressed output fills the room that was made for it, a flush comes out
/// complete and once stripped. Lengths around the steps, data that does not shrink.
#[test]
fn full_output_buffers_are_no_trap() {
    let data = Random(1).noise(70_000);
    let mut inflater = inflater(ContextTakeover::On);
    let mut deflater = deflater(ContextTakeover::On);
    let near_steps = (16_000..16_400)
        .chain(32_600..32_800)
        .chain([65_535, 65_536, 70_000]);
    for length in (1..600).chain(near_steps) {
        let payload = send(&mut deflater, &data[..length]);
        let message = receive_by(&mut inflater, &payload, usize::MAX, 65_536).unwrap();
        assert_eq!(message, &data[..length]);
    }
}

/// D1, R7692-7.2.2-04: inflating stops where the room ends, so a bomb costs no more than that.
#[test]
fn bombs_are_inflated_into_the_room_given() {
    let mut deflater = Deflater::new(
        &agreement(15, ContextTakeover::Off),
        Level::SMALLEST,
        MemoryLevel::DEFAULT,
    );
    let mut bomb = Vec::new();
    let zeros = vec![0; 1 << 20];
    for _ in 0..63 {
        deflater.compress(&zeros, &mut bomb, End::Fragment).unwrap();
    }
    deflater.compress(&zeros, &mut bomb, End::Message).unwrap();
    assert!(bomb.len() < 1 << 17, "{}", bomb.len());
    for chunk in [bomb.len(), bomb.len() / 1000] {
        let mut inflater = inflater(ContextTakeover::Off);
        let limit = 100_000;
        let mut left = limit;
        let mut buffer = [1; 4096];
        'message: for mut piece in bomb.chunks(chunk) {
            while !piece.is_empty() {
                let room = left.min(buffer.len());
                let written = inflater.inflate(&mut piece, &mut buffer[..room]).unwrap();
                assert!(buffer[..written].iter().all(|octet| *octet == 0));
                left -= written;
                if left == 0 {
                    break 'message;
                }
            }
        }
        assert_eq!(left, 0);
    }
}

/// D7: the backend gets by with a small stack.
#[test]
fn a_small_stack_is_enough() {
    let thread = std::thread::Builder::new()
        .stack_size(128 * 1024)
        .spawn(|| {
            let text = "small stack ".repeat(10_000);
            for level in [1, 6, 9] {
                let mut deflater = Deflater::new(
                    &agreement(15, ContextTakeover::On),
                    Level::new(level).unwrap(),
                    MemoryLevel::MAX,
                );
                let mut inflater = inflater(ContextTakeover::On);
                let payload = send(&mut deflater, text.as_bytes());
                assert_eq!(receive(&mut inflater, &payload).unwrap(), text.as_bytes());
            }
        });
    thread.unwrap().join().unwrap();
}

/// D2, R7692-7.2.2-04: payloads that inflate to nothing are got through in one call, also where
/// every block is final and the backend must be restarted with a full window.
#[test]
fn blocks_without_data_are_bounded() {
    let mut inflater = inflater(ContextTakeover::On);
    let window = vec![b'x'; 32 * 1024];
    let payload = send(&mut deflater(ContextTakeover::On), &window);
    assert_eq!(
        receive_by(&mut inflater, &payload, 100, 4096).unwrap(),
        window
    );
    for block in [
        b"\x03\x00".as_slice(),
        b"\x02\x08\x20\x80\x00",
        b"\x00\x00\x00\xff\xff",
    ] {
        let payload = [block.repeat(20_000).as_slice(), b"\x00"].concat();
        assert_eq!(receive(&mut inflater, &payload).unwrap(), b"");
    }
}
