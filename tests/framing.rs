//! Frame headers (RFC 6455, sections 5.1, 5.2, 5.5 and 5.7).
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::feed::{
    Feed, ROLES, Seen, assert_fails, assert_fails_with, assert_receives, binary, frame, header,
    hex, text,
};
use fullduplex::frame::{FrameError, Header, MAX_HEADER, Opcode, Rules};
use fullduplex::{Config, ReceiveError, Role};
use proptest::prelude::*;

/// The lengths around which the form changes, with the header in hex as a server sends it.
const LENGTHS: [(u64, &str); 9] = [
    (0, "82 00"),
    (1, "82 01"),
    (125, "82 7d"),
    (126, "82 7e 00 7e"),
    (127, "82 7e 00 7f"),
    (65535, "82 7e ff ff"),
    (65536, "82 7f 00 00 00 00 00 01 00 00"),
    (1 << 32, "82 7f 00 00 00 01 00 00 00 00"),
    ((1 << 63) - 1, "82 7f 7f ff ff ff ff ff ff ff"),
];

fn unlimited() -> Config {
    let mut config = Config::default();
    config.limits.max_frame = u64::MAX;
    config.limits.max_message = u64::MAX;
    config.limits.max_fragments = u32::MAX;
    config
}

/// R6455-5.2-03, R6455-5.3-02, R6455-6.2-01: the examples of RFC 6455, section 5.7.
#[test]
fn the_examples_of_the_rfc_are_understood() {
    let config = Config::default();
    for (role, bytes, event) in [
        (Role::Client, "81 05 48 65 6c 6c 6f", text("Hello")),
        (
            Role::Server,
            "81 85 37 fa 21 3d 7f 9f 4d 51 58",
            text("Hello"),
        ),
        (Role::Client, "01 03 48 65 6c 80 02 6c 6f", text("Hello")),
        (
            Role::Client,
            "89 05 48 65 6c 6c 6f",
            Seen::Ping(b"Hello".to_vec()),
        ),
        (
            Role::Server,
            "8a 85 37 fa 21 3d 7f 9f 4d 51 58",
            Seen::Pong(b"Hello".to_vec()),
        ),
    ] {
        assert_receives(role, &config, &hex(bytes), &[event]);
    }
    for (head, length) in [
        ("82 7e 01 00", 256),
        ("82 7f 00 00 00 00 00 01 00 00", 65536),
    ] {
        let payload: Vec<u8> = (0..length).map(|i: u32| i as u8).collect();
        let bytes = [hex(head), payload.clone()].concat();
        assert_receives(Role::Client, &config, &bytes, &[binary(payload)]);
    }
}

/// R6455-5.2-03, R6455-5.2-05: each length form at its first and last value.
#[test]
fn a_header_is_decoded_and_encoded_in_each_length_form() {
    for (length, hexed) in LENGTHS {
        for (role, key) in [(Role::Client, None), (Role::Server, Some([1, 2, 3, 4]))] {
            let mut bytes = hex(hexed);
            if let Some(key) = key {
                bytes[1] |= 0x80;
                bytes.extend(key);
            }
            let expected = Header {
                fin: true,
                rsv1: false,
                opcode: Opcode::Binary,
                key,
                length,
            };
            let mut encoded = Vec::new();
            expected.encode(&mut encoded);
            assert_eq!(encoded, bytes);
            for end in 0..bytes.len() {
                let decoded = Header::decode(&bytes[..end], Rules::new(role));
                assert_eq!(decoded, Ok(None), "{end} bytes of {hexed}");
            }
            let size = bytes.len();
            bytes.extend(b"payload");
            let decoded = Header::decode(&bytes, Rules::new(role));
            assert_eq!(decoded, Ok(Some((expected, size))), "{hexed}");
        }
    }
}

/// R6455-5.2-05, R6455-5.2-06: without an extension the whole payload is application data.
#[test]
fn a_message_of_each_boundary_length_arrives_whole() {
    for role in ROLES {
        for (length, _) in &LENGTHS[..7] {
            let payload: Vec<u8> = (0..*length).map(|i| (i % 251) as u8).collect();
            let bytes = frame(role, 0x82, &payload);
            assert_receives(role, &Config::default(), &bytes, &[binary(payload)]);

            let payload = "x".repeat(*length as usize);
            let bytes = frame(role, 0x81, payload.as_bytes());
            assert_receives(role, &Config::default(), &bytes, &[text(&payload)]);
        }
    }
}

/// R6455-5.2-05: a zero length is legal for every opcode.
#[test]
fn a_frame_of_any_opcode_may_be_empty() {
    for role in ROLES {
        for (opcode, event) in [
            (0x81, text("")),
            (0x82, binary("")),
            (0x88, Seen::Close(1005, String::new())),
            (0x89, Seen::Ping(Vec::new())),
            (0x8a, Seen::Pong(Vec::new())),
        ] {
            let bytes = frame(role, opcode, b"");
            assert_receives(role, &Config::default(), &bytes, &[event]);
        }
        let continued = [frame(role, 0x02, b""), frame(role, 0x80, b"")].concat();
        assert_receives(role, &Config::default(), &continued, &[binary("")]);
    }
}

/// R6455-5.2-05, R6455-10.4-01, L5: a length beyond 32 bits is neither wrapped nor allocated for.
#[test]
fn a_length_of_four_gigabytes_is_compared_before_it_is_used() {
    for role in ROLES {
        for length in [1 << 32, (1 << 32) + 5, (1 << 63) - 1] {
            let bytes = header(role, 0x82, length);
            let limit = Config::default().limits.max_frame;
            assert_fails(
                role,
                &bytes,
                ReceiveError::FrameTooBig { length, limit },
                1009,
            );

            let mut feed = Feed::new(role, &unlimited());
            feed.push(&bytes);
            feed.push(b"five!");
            assert_eq!((feed.error, feed.events.len()), (None, 0));
            let room = feed.inbox.spare(0).len();
            assert!(room <= 64 * 1024, "{room} bytes for 5 received ones");
        }
    }
}

/// R6455-5.2-03, L4: a length that a shorter form could hold is refused with the length's last byte.
#[test]
fn a_length_that_is_not_minimal_is_refused() {
    for (mask, role) in [(0x80, Role::Server), (0, Role::Client)] {
        for length in [0, 1, 5, 124, 125_u16] {
            let bytes = [&[0x82, mask | 0x7e], &length.to_be_bytes()[..]].concat();
            assert_fails(role, &bytes, FrameError::NonMinimalLength, 1002);
        }
        for length in [0, 5, 125, 126, 127, 65534, 65535_u64] {
            let bytes = [&[0x82, mask | 0x7f], &length.to_be_bytes()[..]].concat();
            assert_fails(role, &bytes, FrameError::NonMinimalLength, 1002);
        }
    }
}

/// R6455-5.2-03, L4: so it is when all of the message is there, which is read in a shorter way.
/// A mutant found this untested.
#[test]
fn a_whole_message_of_a_length_that_is_not_minimal_is_refused() {
    for (mask, role) in [(0x80, Role::Server), (0, Role::Client)] {
        for (length, code) in [(125_u64, 126), (125, 127), (65535, 127)] {
            let mut bytes = vec![0x82, mask | code];
            match code {
                126 => bytes.extend((length as u16).to_be_bytes()),
                _ => bytes.extend(length.to_be_bytes()),
            }
            if role == Role::Server {
                bytes.extend([0; 4]);
            }
            bytes.resize(bytes.len() + length as usize, b'x');
            assert_fails_with(
                role,
                &Config::default(),
                &bytes,
                FrameError::NonMinimalLength,
                1002,
            );
        }
    }
}

/// R6455-5.2-04, L1: the verdict falls with the tenth byte; neither key nor payload is awaited.
#[test]
fn a_length_with_its_top_bit_set_is_refused() {
    for (bytes, role) in [
        ("82 ff 80 00 00 00 00 00 00 01", Role::Server),
        ("82 ff ff ff ff ff ff ff ff ff", Role::Server),
        ("82 ff 80 00 00 00 00 00 00 00", Role::Server),
        ("82 7f 80 00 00 00 00 00 00 01", Role::Client),
        ("81 7f ff ff ff ff ff ff ff ff", Role::Client),
    ] {
        assert_fails(role, &hex(bytes), FrameError::LengthTopBit, 1002);
        let mut feed = Feed::new(role, &unlimited());
        feed.push(&hex(bytes));
        assert_eq!(feed.error, Some(FrameError::LengthTopBit.into()));
        assert!(feed.inbox.spare(0).len() <= 4 * 1024, "room for a payload");
    }
}

/// L2: sums of length, header and key that overflow elsewhere.
#[test]
fn lengths_next_to_an_overflow_are_refused() {
    let poc = hex("0a ff ff ff ff ff ff ff ff ff ff eb 0e 8f");
    let config = Config::default();
    assert_fails_with(
        Role::Server,
        &config,
        &poc,
        FrameError::FragmentedControl,
        1002,
    );

    let longest = hex("82 ff 7f ff ff ff ff ff ff ff 00 00 00 00");
    let (length, limit) = ((1 << 63) - 1, config.limits.max_frame);
    let error = ReceiveError::FrameTooBig { length, limit };
    assert_fails(Role::Server, &longest, error, 1009);

    // Without limits the sum of a message's frames must not overflow either.
    let mut feed = Feed::new(Role::Server, &unlimited());
    feed.push(
        &[
            frame(Role::Server, 0x02, b"abc"),
            hex("80 ff 7f ff ff ff ff ff ff ff"),
        ]
        .concat(),
    );
    feed.push(&[[0; 4].as_slice(), &[0; 100]].concat());
    assert_eq!((feed.error, feed.events.len()), (None, 0));
}

/// R6455-5.2-01, R6455-5.8-01, F6: no extension was negotiated, so no reserved bit has a meaning.
#[test]
fn reserved_bits_are_refused_with_the_first_byte() {
    for role in ROLES {
        for rsv in 1..=7 {
            for opcode in [0x1, 0x2, 0x8, 0x9, 0xa] {
                let first = 0x80 | rsv << 4 | opcode;
                assert_fails(role, &[first], FrameError::ReservedBits(rsv), 1002);
            }
            let bytes = [frame(role, 0x01, b"a"), vec![0x80 | rsv << 4]].concat();
            assert_fails(role, &bytes, FrameError::ReservedBits(rsv), 1002);
        }
    }
}

/// R6455-5.2-02, RIANA-01, F6.
#[test]
fn unknown_opcodes_are_refused_with_the_first_byte() {
    for role in ROLES {
        for opcode in (0x3..=0x7).chain(0xb..=0xf) {
            for fin in [0x00, 0x80] {
                let error = FrameError::UnknownOpcode(opcode);
                assert_fails(role, &[fin | opcode], error, 1002);
                let bytes = [frame(role, 0x01, b"a"), vec![fin | opcode]].concat();
                assert_fails(role, &bytes, error, 1002);
            }
        }
    }
}

/// R6455-5.1-02, F7: a server takes masked frames only.
#[test]
fn a_server_refuses_unmasked_frames() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01] {
        for second in [0x00, 0x05, 0x7d] {
            assert_fails(Role::Server, &[first, second], FrameError::Unmasked, 1002);
        }
    }
    for second in [0x7e, 0x7f] {
        assert_fails(Role::Server, &[0x82, second], FrameError::Unmasked, 1002);
    }
}

/// R6455-5.1-02, F7: a client takes unmasked frames only.
#[test]
fn a_client_refuses_masked_frames() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a, 0x01] {
        for second in [0x80, 0x85, 0xfd] {
            assert_fails(Role::Client, &[first, second], FrameError::Masked, 1002);
        }
    }
    for second in [0xfe, 0xff] {
        assert_fails(Role::Client, &[0x82, second], FrameError::Masked, 1002);
    }
}

/// R6455-5.5-01, F6: the payload is not awaited.
#[test]
fn a_control_frame_longer_than_125_bytes_is_refused() {
    for (mask, role) in [(0x80, Role::Server), (0, Role::Client)] {
        for first in [0x88, 0x89, 0x8a] {
            for code in [126, 127] {
                let bytes = [first, mask | code];
                assert_fails(role, &bytes, FrameError::ControlTooLong, 1002);
            }
        }
        let ping = frame(role, 0x89, &[7; 125]);
        assert_receives(role, &Config::default(), &ping, &[Seen::Ping(vec![7; 125])]);
        let answer = frame(role, 0x8a, &[7; 125]);
        assert_receives(
            role,
            &Config::default(),
            &answer,
            &[Seen::Pong(vec![7; 125])],
        );
    }
}

/// R6455-5.5-01, F6.
#[test]
fn a_fragmented_control_frame_is_refused_with_the_first_byte() {
    for role in ROLES {
        for first in [0x08, 0x09, 0x0a] {
            assert_fails(role, &[first], FrameError::FragmentedControl, 1002);
        }
    }
}

/// R6455-6.2-01: whatever is read at once is delivered in order.
#[test]
fn many_frames_in_one_read_arrive_in_order() {
    for role in ROLES {
        let mut bytes = Vec::new();
        let mut events = Vec::new();
        for i in 0..200_u8 {
            let payload = vec![i; usize::from(i)];
            bytes.extend(frame(role, 0x82, &payload));
            events.push(binary(payload));
            bytes.extend(frame(role, 0x81, i.to_string().as_bytes()));
            events.push(text(&i.to_string()));
            bytes.extend(frame(role, 0x8a, &[i]));
            events.push(Seen::Pong(vec![i]));
        }
        assert_receives(role, &Config::default(), &bytes, &events);
    }
}

fn opcodes() -> impl Strategy<Value = Opcode> {
    prop::sample::select(vec![
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Close,
        Opcode::Ping,
        Opcode::Pong,
    ])
}

proptest! {
    /// R6455-5.2-03: what is encoded is decoded, in at most the size that the crate documents.
    #[test]
    fn a_legal_header_survives_encoding(
        fin: bool, rsv1: bool, opcode in opcodes(), key: Option<[u8; 4]>, bits in 0..64_u32,
        number: u64,
    ) {
        let control = opcode.is_control();
        let starts = matches!(opcode, Opcode::Text | Opcode::Binary);
        let length = (number >> 1) >> bits.min(62);
        let header = Header {
            fin: fin || control,
            rsv1: rsv1 && starts,
            opcode,
            key,
            length: if control { length % 126 } else { length },
        };
        let mut bytes = Vec::new();
        header.encode(&mut bytes);
        prop_assert!(bytes.len() <= MAX_HEADER);
        let mut rules = Rules::new(if key.is_some() { Role::Server } else { Role::Client });
        rules.rsv1 = true;
        rules.in_message = opcode == Opcode::Continuation;
        prop_assert_eq!(Header::decode(&bytes, rules), Ok(Some((header, bytes.len()))));
    }
}
