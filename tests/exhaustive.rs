//! Whole input spaces against oracles written from the RFC: headers, close codes, UTF-8.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod common;

use common::feed::{Feed, KEY, ROLES, Seen, connection, frame};
use fullduplex::frame::{FrameError, Header, Rules};
use fullduplex::utf8::Decoder;
use fullduplex::{CloseCode, Config, ReceiveError, Role, SendError};

/// RFC 6455, section 5.2 and 11.8: what each opcode is.
const OPCODES: [Kind; 16] = {
    use Kind::{Continuation, Control, Data, Reserved};
    [
        Continuation,
        Data,
        Data,
        Reserved,
        Reserved,
        Reserved,
        Reserved,
        Reserved,
        Control,
        Control,
        Control,
        Reserved,
        Reserved,
        Reserved,
        Reserved,
        Reserved,
    ]
};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Continuation,
    Data,
    Control,
    Reserved,
}

/// A rule of RFC 6455: the byte that can break it, the fault, and whether these bytes break it.
type Rule = (usize, FrameError, fn(u8, u8, Situation) -> bool);

#[derive(Clone, Copy, Debug)]
struct Situation {
    role: Role,
    in_message: bool,
    rsv1: bool,
}

const fn kind(first: u8) -> Kind {
    OPCODES[(first & 15) as usize]
}

const RULES: [Rule; 9] = [
    (1, FrameError::UnknownOpcode(0), |first, _, _| {
        kind(first) == Kind::Reserved
    }),
    (1, FrameError::ReservedBits(0), |first, _, _| {
        first & 0b0011_0000 != 0
    }),
    (1, FrameError::ReservedBits(0), |first, _, now| {
        first & 0b0100_0000 != 0 && !(now.rsv1 && kind(first) == Kind::Data)
    }),
    (1, FrameError::FragmentedControl, |first, _, _| {
        kind(first) == Kind::Control && first < 128
    }),
    (1, FrameError::UnexpectedContinuation, |first, _, now| {
        kind(first) == Kind::Continuation && !now.in_message
    }),
    (1, FrameError::ExpectedContinuation, |first, _, now| {
        kind(first) == Kind::Data && now.in_message
    }),
    (2, FrameError::Unmasked, |_, second, now| {
        now.role == Role::Server && second < 128
    }),
    (2, FrameError::Masked, |_, second, now| {
        now.role == Role::Client && second >= 128
    }),
    (2, FrameError::ControlTooLong, |first, second, _| {
        kind(first) == Kind::Control && second % 128 > 125
    }),
];

/// The first byte that breaks a rule, with all faults that it shows.
fn verdict(first: u8, second: u8, now: Situation) -> Option<(usize, Vec<FrameError>)> {
    let broken: Vec<_> = RULES
        .iter()
        .filter(|(_, _, breaks)| breaks(first, second, now))
        .collect();
    let at = broken.iter().map(|(at, ..)| *at).min()?;
    let faults = broken.iter().filter(|(when, ..)| *when == at);
    let faults = faults.map(|(_, fault, _)| match fault {
        FrameError::UnknownOpcode(_) => FrameError::UnknownOpcode(first & 15),
        FrameError::ReservedBits(_) => FrameError::ReservedBits(first >> 4 & 7),
        other => *other,
    });
    Some((at, faults.collect()))
}

fn all_headers() -> impl Iterator<Item = (u8, u8)> {
    (0..=u16::MAX).map(|both| ((both >> 8) as u8, both as u8))
}

/// R6455-5.1-02, R6455-5.2-01, R6455-5.2-02, R6455-5.4-02, R6455-5.5-01, RIANA-01, F6, F7.
#[test]
fn each_two_byte_header_is_judged_as_the_rfc_says() {
    for (role, in_message, rsv1) in ROLES.into_iter().flat_map(|role| {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(in_message, rsv1)| (role, in_message, rsv1))
    }) {
        let now = Situation {
            role,
            in_message,
            rsv1,
        };
        let mut rules = Rules::new(role);
        rules.in_message = in_message;
        rules.rsv1 = rsv1;
        for (first, second) in all_headers() {
            let one = Header::decode(&[first], rules);
            let two = Header::decode(&[first, second], rules);
            match verdict(first, second, now) {
                Some((1, faults)) => {
                    assert!(faults.contains(&one.unwrap_err()), "{first:02x} {now:?}");
                    assert_eq!(one, two);
                }
                Some((_, faults)) => {
                    assert_eq!(one, Ok(None), "{first:02x} {now:?}");
                    let fault = two.unwrap_err();
                    assert!(faults.contains(&fault), "{first:02x} {second:02x} {now:?}");
                }
                None => {
                    assert_eq!(one, Ok(None), "{first:02x} {now:?}");
                    assert_legal(first, second, rules);
                }
            }
        }
    }
}

/// The header is complete when length and key are there, and says what its bytes say.
fn assert_legal(first: u8, second: u8, rules: Rules) {
    let (extension, length): (&[u8], u64) = match second % 128 {
        126 => (&[0, 126], 126),
        127 => (&[0, 0, 0, 0, 0, 1, 0, 0], 65536),
        short => (&[], short.into()),
    };
    let mut bytes = [&[first, second], extension].concat();
    if second >= 128 {
        bytes.extend(KEY);
    }
    for end in 2..bytes.len() {
        assert_eq!(Header::decode(&bytes[..end], rules), Ok(None));
    }
    let (header, size) = Header::decode(&bytes, rules).unwrap().unwrap();
    assert_eq!((size, header.length), (bytes.len(), length));
    assert_eq!(header.fin, first >= 128);
    assert_eq!(header.rsv1, first & 0b0100_0000 != 0);
    assert_eq!(header.opcode.bits(), first & 15);
    assert_eq!(header.key, (second >= 128).then_some(KEY));
}

/// What a connection that is idle, or has had "so far" of a message of `open`, makes of a legal
/// frame whose payload is `payload`, which is ASCII.
fn event(first: u8, open: Option<u8>, payload: &[u8]) -> Result<Option<Seen>, ReceiveError> {
    let fin = first >= 128;
    let so_far: &[u8] = if open.is_some() { b"so far" } else { b"" };
    let opcode = match (first % 16, open) {
        (0, Some(kind)) => kind,
        (opcode, _) => opcode,
    };
    Ok(match opcode {
        1 | 2 if !fin => None,
        1 => Some(Seen::Text(
            String::from_utf8([so_far, payload].concat()).unwrap(),
        )),
        2 => Some(Seen::Binary([so_far, payload].concat())),
        8 => match payload {
            [] => Some(Seen::Close(1005, String::new())),
            [_] => return Err(ReceiveError::CloseTooShort),
            [a, b, reason @ ..] => Some(Seen::Close(
                u16::from(*a) << 8 | u16::from(*b),
                str::from_utf8(reason).unwrap().into(),
            )),
        },
        9 => Some(Seen::Ping(payload.to_vec())),
        10 => Some(Seen::Pong(payload.to_vec())),
        _ => unreachable!("the frame is legal"),
    })
}

/// R6455-5.4-01, R6455-5.4-03, R6455-5.5.1-01, and the rules of the test above, for a connection in
/// each state. The payload is two bytes that are both text and close code 3967, and then letters.
#[test]
fn a_connection_in_each_state_judges_each_two_byte_header() {
    let config = Config::default();
    let payload = [b"\x0f\x7f", &[b'x'; 123][..]].concat();
    for role in ROLES {
        for open in [None, Some(1), Some(2)] {
            let before = open.map_or(Vec::new(), |opcode| frame(role, opcode, b"so far"));
            let now = Situation {
                role,
                in_message: open.is_some(),
                rsv1: false,
            };
            for (first, second) in all_headers() {
                let mut feed = Feed::new(role, &config);
                feed.push(&before);
                feed.push(&[first, second]);
                let place = format_args!("{first:02x} {second:02x} {role:?} {open:?}").to_string();
                let length = usize::from(second % 128);
                match verdict(first, second, now) {
                    Some((_, faults)) => match feed.error {
                        Some(ReceiveError::Frame(fault)) => {
                            assert!(faults.contains(&fault), "{place}");
                        }
                        other => panic!("{other:?} for {place}"),
                    },
                    None if length > 125 => {
                        assert_eq!((feed.error, feed.events.len()), (None, 0), "{place}");
                    }
                    None => {
                        feed.push(&frame(role, first, &payload[..length])[2..]);
                        match event(first, open, &payload[..length]) {
                            Ok(event) => {
                                assert_eq!(feed.error, None, "{place}");
                                assert_eq!(feed.events, Vec::from_iter(event), "{place}");
                            }
                            Err(error) => {
                                assert_eq!(feed.error, Some(error), "{place}");
                                assert_eq!(feed.events, [], "{place}");
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The rows of RFC 6455, section 7.4, and of the registry as of 2026: first code, last code, whether
/// it may stand on the wire.
const CLOSE_CODES: [(u16, u16, bool); 9] = [
    (0, 999, false),
    (1000, 1003, true),
    (1004, 1004, false),
    (1005, 1006, false),
    (1007, 1014, true),
    (1015, 1015, false),
    (1016, 2999, false),
    (3000, 4999, true),
    (5000, 65535, false),
];

/// R6455-7.4.1-01, R6455-7.4.2-01, RIANA-04, U2.
#[test]
fn each_close_code_is_received_or_refused_as_the_registry_says() {
    let config = Config::default();
    let mut codes = 0;
    for (first, last, legal) in CLOSE_CODES {
        for code in first..=last {
            codes += 1;
            assert_eq!(CloseCode::from(code).is_receivable(), legal, "{code}");
            for role in ROLES {
                let mut feed = Feed::new(role, &config);
                feed.push(&frame(role, 0x88, &code.to_be_bytes()));
                if legal {
                    assert_eq!(feed.error, None);
                    assert_eq!(feed.events, [Seen::Close(code, String::new())]);
                } else {
                    assert_eq!(feed.error, Some(ReceiveError::InvalidCloseCode(code)));
                    assert_eq!(feed.events, []);
                }
            }
        }
    }
    assert_eq!(codes, 65_536);
}

/// R6455-7.4.1-01, R6455-7.4.1-02, R6455-7.4.2-01, RIANA-06.
#[test]
fn each_close_code_is_sent_or_refused_as_the_registry_says() {
    let config = Config::default();
    for (first, last, legal) in CLOSE_CODES {
        for number in first..=last {
            for role in ROLES {
                let code = CloseCode::from(number);
                let legal = legal && (number != 1010 || role == Role::Client);
                assert_eq!(code.is_sendable(role), legal, "{number} {role:?}");
                let mut connection = connection(role, &config);
                let closed = connection.close(code, "");
                if legal {
                    assert_eq!(closed, Ok(()));
                } else {
                    assert_eq!(closed, Err(SendError::InvalidCloseCode(code)));
                }
                assert_eq!(connection.wants_write(), legal);
            }
        }
    }
}

/// What the decoder says of `pieces`: how many pieces it took before it failed, and where; and what
/// it handed on.
fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    out: &mut String,
) -> Result<(), (usize, u64)> {
    out.clear();
    let mut decoder = Decoder::new();
    let mut count = 0;
    for piece in pieces {
        decoder
            .push(piece, |text| out.push_str(text))
            .map_err(|error| (count, error.valid_up_to))?;
        count += 1;
    }
    decoder.finish().map_err(|error| (count, error.valid_up_to))
}

/// Compares with `str::from_utf8`: at once and byte by byte, verdict, position and text. The bytes
/// fail one by one at the first that makes a prefix hopeless.
fn assert_agrees(bytes: &[u8], out: &mut String) {
    let expected = str::from_utf8(bytes);
    let position = expected.map_err(|error| error.valid_up_to() as u64);
    let valid = position.map_or_else(|at| at as usize, |_| bytes.len());
    let text = str::from_utf8(&bytes[..valid]).unwrap();

    let whole = decode([bytes], out);
    assert_eq!(
        whole.map_err(|(_, at)| at),
        position.map(|_| ()),
        "{bytes:x?}"
    );
    assert_eq!(out, text, "{bytes:x?}");

    let cut = decode(bytes.chunks(1), out);
    let hopeless = (1..=bytes.len()).position(|end| {
        str::from_utf8(&bytes[..end]).is_err_and(|error| error.error_len().is_some())
    });
    let expected = position
        .map(|_| ())
        .map_err(|at| (hopeless.unwrap_or(bytes.len()), at));
    assert_eq!(cut, expected, "{bytes:x?}");
    assert_eq!(out, text, "{bytes:x?}");
}

/// R6455-5.6-01, U1: all 1,112,064 of them, cut at every position.
#[test]
fn each_scalar_is_accepted_however_it_is_cut() {
    let mut count = 0;
    let mut out = String::new();
    let mut buffer = [0; 4];
    for scalar in '\0'..=char::MAX {
        count += 1;
        let bytes = scalar.encode_utf8(&mut buffer).as_bytes();
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(decode([head, tail], &mut out), Ok(()), "{scalar:?}");
            assert!(out.chars().eq([scalar]));
        }
        assert_eq!(decode(bytes.chunks(1), &mut out), Ok(()), "{scalar:?}");
        assert!(out.chars().eq([scalar]));
    }
    assert_eq!(count, 1_112_064);
}

/// R6455-5.6-01, R6455-8.1-01, U1.
#[test]
fn each_sequence_of_one_or_two_bytes_is_judged_as_by_the_standard_library() {
    let mut out = String::new();
    for a in 0..=255 {
        assert_agrees(&[a], &mut out);
        for b in 0..=255 {
            assert_agrees(&[a, b], &mut out);
        }
    }
}

/// R6455-5.6-01, R6455-8.1-01, U1. Two threads share the 16.7 million sequences.
#[test]
fn each_sequence_of_three_bytes_is_judged_as_by_the_standard_library() {
    let judge = |firsts: core::ops::RangeInclusive<u8>| {
        let mut out = String::new();
        for a in firsts {
            for (b, c) in all_headers() {
                assert_agrees(&[a, b, c], &mut out);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| judge(0..=127));
        judge(128..=255);
    });
}

/// R6455-5.6-01, R6455-8.1-01, U1: overlong forms, surrogates, beyond the last scalar, broken off.
/// The bytes after the second are taken from both sides of each boundary that any rule has.
#[test]
fn sequences_of_four_bytes_are_judged_as_by_the_standard_library() {
    const EDGES: [u8; 12] = [
        0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xf0, 0xff,
    ];
    let mut out = String::new();
    for a in [0x00, 0x7f].into_iter().chain(0xc0..=0xff) {
        for b in 0..=255 {
            for c in EDGES {
                for d in EDGES {
                    assert_agrees(&[a, b, c, d], &mut out);
                }
            }
        }
    }
}
