//! Text (RFC 6455, sections 5.6 and 8.1): valid as a whole, refused at the first bad byte.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod common;

use common::feed::{
    Feed, ROLES, assert_fails, assert_fails_with, assert_receives, frame, header, text, trace,
};
use fullduplex::utf8::{Decoder, Utf8Error};
use fullduplex::{Config, MessageKind, ReceiveError, Role, SendError};
use proptest::prelude::*;

/// Characters of one to four bytes, those next to each boundary of the encoding included.
const LEGAL: &str = "a\0\u{7f}\u{80}é\u{7ff}\u{800}€\u{d7ff}\u{e000}\u{ffff}\u{10000}😀\u{10ffff}z";

/// Bytes that no text holds, with how many of them it takes to know, and how many are valid.
const ILLEGAL: [(&[u8], usize, u64); 18] = [
    (b"\x80", 1, 0),
    (b"\xbf", 1, 0),
    (b"ab\xc0\xaf", 3, 2),   // overlong: the first byte alone is never legal
    (b"\xc1\xbf", 1, 0),     // overlong
    (b"\xe0\x80\xaf", 2, 0), // overlong
    (b"\xe0\x9f\xbf", 2, 0), // overlong
    (b"\xf0\x80\x80\xaf", 2, 0), // overlong
    (b"\xf0\x8f\xbf\xbf", 2, 0), // overlong
    (b"\xed\xa0\x80", 2, 0), // a surrogate
    (b"\xed\xbf\xbf", 2, 0), // a surrogate
    (b"\xf4\x90\x80\x80", 2, 0), // beyond the last scalar
    (b"\xf5\x80\x80\x80", 1, 0), // beyond the last scalar
    (b"\xff", 1, 0),
    (b"\xfe", 1, 0),
    (b"\xc3a", 2, 0),
    (b"\xe2\x82a", 3, 0),
    (b"\xf0\x9f\x98a", 4, 0),
    (
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80",
        13,
        11,
    ),
];

fn invalid(valid_up_to: u64) -> ReceiveError {
    let mut decoder = Decoder::new();
    let valid = vec![b'a'; usize::try_from(valid_up_to).unwrap()];
    decoder.push(&valid, |_| {}).unwrap();
    let error = decoder.push(b"\xff", |_| {}).unwrap_err();
    assert_eq!(error.valid_up_to, valid_up_to);
    ReceiveError::InvalidUtf8(error)
}

/// R6455-5.6-01, U1.
#[test]
fn characters_of_every_length_arrive_however_they_are_cut() {
    for role in ROLES {
        let bytes = frame(role, 0x81, LEGAL.as_bytes());
        assert_receives(role, &Config::default(), &bytes, &[text(LEGAL)]);
    }
}

/// R6455-5.6-01, U1: a fragment may end inside a character, at every place.
#[test]
fn a_fragment_may_split_a_character() {
    for role in ROLES {
        for at in 0..=LEGAL.len() {
            let (head, tail) = LEGAL.as_bytes().split_at(at);
            let bytes = [
                frame(role, 0x01, head),
                frame(role, 0x89, b"between"),
                frame(role, 0x80, tail),
            ];
            let config = Config::default();
            let seen = trace(role, &config, &bytes.concat());
            assert_eq!((seen.error, seen.events.last()), (None, Some(&text(LEGAL))));
        }
        let bytes: Vec<u8> = (0..LEGAL.len())
            .flat_map(|i| frame(role, u8::from(i == 0), &LEGAL.as_bytes()[i..=i]))
            .chain(frame(role, 0x80, b""))
            .collect();
        assert_receives(role, &Config::default(), &bytes, &[text(LEGAL)]);
    }
}

/// R6455-5.6-01, R6455-8.1-01, R6455-7.4-02, U1: not when the message ends, but at the first byte.
#[test]
fn invalid_text_is_refused_at_its_first_bad_byte() {
    for role in ROLES {
        for (bytes, known, valid) in ILLEGAL {
            // The frame announces far more than ever comes.
            let mut masked = frame(role, 0x81, &[&bytes[..known], &[0; 1000]].concat());
            masked.truncate(masked.len() - 1000);
            assert_fails(role, &masked, invalid(valid), 1007);
            let begun = [
                frame(role, 0x01, b"so far "),
                frame(role, 0x00, &bytes[..known]),
            ];
            assert_fails(role, &begun.concat(), invalid(7 + valid), 1007);
        }
    }
}

/// R6455-5.6-01, U1: a whole frame is judged as one that came in pieces.
#[test]
fn invalid_text_is_refused_with_the_position_of_its_first_bad_byte() {
    let config = Config::default();
    for role in ROLES {
        for (bytes, _, valid) in ILLEGAL {
            let first_byte = frame(role, 0x81, bytes);
            assert_fails_with(role, &config, &first_byte, invalid(valid), 1007);
            let behind = frame(role, 0x81, &[LEGAL.as_bytes(), bytes, b"tail"].concat());
            let position = valid + LEGAL.len() as u64;
            assert_fails_with(role, &config, &behind, invalid(position), 1007);
        }
    }
}

/// R6455-5.6-01, U1.
#[test]
fn a_text_that_ends_inside_a_character_is_refused_with_its_last_byte() {
    for role in ROLES {
        for broken in [&b"\xc3"[..], b"\xe2\x82", b"\xe2", b"\xf0\x9f\x98", b"\xf0"] {
            let whole = frame(role, 0x81, &[b"ab", broken].concat());
            assert_fails(role, &whole, invalid(2), 1007);
            let parts = [frame(role, 0x01, b"ab"), frame(role, 0x80, broken)];
            assert_fails(role, &parts.concat(), invalid(2), 1007);
            let ended = [
                frame(role, 0x01, &[b"ab", broken].concat()),
                frame(role, 0x80, b""),
            ];
            assert_fails(role, &ended.concat(), invalid(2), 1007);
        }
    }
}

/// R6455-5.6-01: what the next message starts with has nothing to do with how the last one ended.
#[test]
fn each_message_is_validated_from_its_start() {
    for role in ROLES {
        let half = [frame(role, 0x81, b"ok"), frame(role, 0x81, b"\xa9")].concat();
        assert_fails_with(role, &Config::default(), &half, invalid(0), 1007);
        let parts = [
            frame(role, 0x01, b"caf\xc3"),
            frame(role, 0x80, b"\xa9"),
            frame(role, 0x01, b"na\xc3"),
            frame(role, 0x80, b"\xafve"),
        ];
        let events = [text("café"), text("naïve")];
        assert_receives(role, &Config::default(), &parts.concat(), &events);
    }
}

/// R6455-5.6-01: only text has to be UTF-8.
#[test]
fn binary_messages_and_control_frames_are_not_validated() {
    for role in ROLES {
        let bytes = [
            frame(role, 0x82, b"\xff\xfe"),
            frame(role, 0x89, b"\xc0"),
            frame(role, 0x8a, b"\xed\xa0\x80"),
            frame(role, 0x02, b"\xff"),
            frame(role, 0x80, b"\xff"),
        ];
        let seen = trace(role, &Config::default(), &bytes.concat());
        assert_eq!((seen.error, seen.events.len()), (None, 4));
    }
}

/// R6455-5.6-01: texts of lengths around every threshold, valid and with a bad byte at the end.
#[test]
fn long_texts_are_validated_to_their_last_byte() {
    for role in ROLES {
        for length in [4095, 4096, 16_383, 16_384, 65_536, 100_000] {
            let mut long = "é".repeat(length / 2) + if length % 2 == 0 { "" } else { "x" };
            let bytes = frame(role, 0x81, long.as_bytes());
            assert_receives(role, &Config::default(), &bytes, &[text(&long)]);
            long.pop();
            let broken = [long.as_bytes(), b"\xff"].concat();
            let bytes = frame(role, 0x81, &broken);
            let error = invalid(long.len() as u64);
            assert_fails_with(role, &Config::default(), &bytes, error, 1007);
        }
    }
}

/// R6455-5.6-01, U1: long texts, which are validated in vectors, are judged as by the standard
/// library wherever the bad byte stands, and however little of a vector is left behind it.
#[test]
fn a_bad_byte_is_found_anywhere_in_a_long_text() {
    let judge = |bytes: &[u8]| {
        let mut decoder = Decoder::new();
        let mut seen = 0;
        let pushed = decoder.push(bytes, |text| seen += text.len());
        let judged = pushed.and_then(|()| decoder.finish());
        let expected = str::from_utf8(bytes).map_err(|error| error.valid_up_to());
        let found = judged.map_err(|error| usize::try_from(error.valid_up_to).unwrap());
        assert_eq!(found, expected.map(|_| ()), "{bytes:x?}");
        assert_eq!(seen, found.err().unwrap_or(bytes.len()));
    };
    for length in [126, 127, 128, 129, 191, 192, 193, 255, 256, 257, 320] {
        for filling in ["x", "é", "€", "😀"] {
            let text = filling.repeat(length / filling.len());
            judge(text.as_bytes());
            for at in (0..=text.len()).step_by(filling.len()) {
                let (head, tail) = text.as_bytes().split_at(at);
                for (bad, ..) in ILLEGAL {
                    judge(&[head, bad, tail].concat());
                }
                judge(&[head, &tail[tail.len().min(1)..]].concat()); // a character is cut
            }
        }
    }
}

/// R6455-5.6-01: the text that arrives is bounded by what came, not by what was announced.
#[test]
fn a_long_text_that_is_announced_takes_no_memory() {
    let mut feed = Feed::new(Role::Server, &Config::default());
    feed.push(&header(Role::Server, 0x81, 16 * 1024 * 1024));
    assert_eq!(feed.error, None);
    assert!(feed.inbox.spare(0).len() <= 64 * 1024);
}

/// R6455-8.1-01: the application cannot send what it would not be allowed to receive.
#[test]
fn invalid_text_is_not_sent() {
    let mut feed = Feed::new(Role::Server, &Config::default());
    for (bytes, _, valid) in ILLEGAL {
        let sent = feed
            .connection
            .send_fragment(MessageKind::Text, bytes, true);
        let Err(SendError::InvalidUtf8(Utf8Error { valid_up_to, .. })) = sent else {
            panic!("{sent:?} for {bytes:x?}")
        };
        assert_eq!(valid_up_to, valid);
    }
    assert!(feed.take_outgoing().is_empty());
}

#[test]
fn a_decoder_tells_the_position_also_after_an_end_inside_a_character() {
    let mut decoder = Decoder::new();
    let mut seen = String::new();
    decoder
        .push(b"ab\xe2\x82", |text| seen.push_str(text))
        .unwrap();
    assert_eq!(seen, "ab");
    assert_eq!(decoder.finish().unwrap_err().valid_up_to, 2);
    decoder.push(b"\xac", |text| seen.push_str(text)).unwrap();
    assert_eq!((decoder.finish(), &*seen), (Ok(()), "ab€"));
}

/// Bytes in which every kind of fault, and none, is likely.
fn mostly_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => ".{0,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => prop::sample::select(ILLEGAL.map(|(bytes, ..)| bytes.to_vec()).to_vec()),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// R6455-5.6-01, U1: verdict, position and text are those of the standard library.
    #[test]
    fn chunks_are_judged_as_by_the_standard_library(
        bytes in mostly_text(), sizes in prop::collection::vec(0..9_usize, 1..9),
    ) {
        let mut decoder = Decoder::new();
        let mut seen = String::new();
        let mut judged = Ok(());
        let mut fed = 0;
        for size in sizes.into_iter().cycle().chain([1]).take(bytes.len() + 9) {
            let end = bytes.len().min(fed + size);
            judged = decoder.push(&bytes[fed..end], |text| seen.push_str(text));
            let hopeless = str::from_utf8(&bytes[..end]).is_err_and(|e| e.error_len().is_some());
            prop_assert_eq!(judged.is_err(), hopeless, "not at the first bad byte");
            if judged.is_err() {
                break;
            }
            fed = end;
        }
        if judged.is_ok() {
            judged = decoder.push(&bytes[fed..], |text| seen.push_str(text));
        }
        if judged.is_ok() {
            judged = decoder.finish();
        }
        let expected = str::from_utf8(&bytes);
        let position = expected.map_err(|error| error.valid_up_to() as u64);
        prop_assert_eq!(judged.map_err(|error| error.valid_up_to), position.map(|_| ()));
        let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        prop_assert_eq!(seen, valid);
    }

    /// R6455-5.6-01, R6455-8.1-01, U1: a connection agrees too, whatever the fragments.
    #[test]
    fn messages_are_judged_as_by_the_standard_library(
        bytes in mostly_text(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        for role in ROLES {
            let mut wire = Vec::new();
            let mut from = 0;
            for (i, to) in cuts.iter().copied().enumerate() {
                wire.extend(frame(role, u8::from(i == 0), &bytes[from..to]));
                from = to;
            }
            wire.extend(frame(role, 0x80 | u8::from(cuts.is_empty()), &bytes[from..]));
            let seen = trace(role, &Config::default(), &wire);
            match str::from_utf8(&bytes) {
                Ok(valid) => prop_assert_eq!((seen.error, seen.events), (None, vec![text(valid)])),
                Err(error) => {
                    let error = invalid(error.valid_up_to() as u64);
                    prop_assert_eq!((seen.error, seen.events), (Some(error), vec![]));
                }
            }
        }
    }
}
