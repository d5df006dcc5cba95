//! Frame headers.

use fullduplex::Role;
use fullduplex::frame::{FrameError, Header, Opcode, Rules};

use super::Options;

/// A header that is decoded is legal, and encoding it yields the bytes it came from; the verdict on
/// a longer prefix is that on the first prefix that has one.
///
/// Input: options (bit 0: the receiver is a client; 1: RSV1 is allowed; 2: a message is open), then
/// the bytes of the header.
///
/// # Panics
///
/// If that does not hold.
pub fn frame_header(data: &[u8]) {
    let Some((options, bytes)) = data.split_first() else {
        return;
    };
    let options = Options(*options);
    let role = if options.bit(0) {
        Role::Client
    } else {
        Role::Server
    };
    let mut rules = Rules::new(role);
    rules.rsv1 = options.bit(1);
    rules.in_message = options.bit(2);

    let verdict = Header::decode(bytes, rules);
    let mut first_verdict = None;
    for end in 0..=bytes.len().min(20) {
        match Header::decode(&bytes[..end], rules) {
            Ok(None) => assert_eq!(first_verdict, None, "a verdict was taken back"),
            told => assert_eq!(*first_verdict.get_or_insert(told), told),
        }
    }
    assert_eq!(first_verdict.unwrap_or(Ok(None)), verdict);

    match verdict {
        Ok(None) => assert!(bytes.len() < 14, "no header is longer than 14 bytes"),
        Ok(Some((header, size))) => {
            let mut encoded = Vec::new();
            header.encode(&mut encoded);
            assert_eq!(encoded, bytes[..size], "the length was not minimal");
            assert_legal(&header, rules);
        }
        Err(error) => assert_justified(error, bytes, rules),
    }
}

/// The rules of RFC 6455, section 5, on a whole header.
fn assert_legal(header: &Header, rules: Rules) {
    assert_eq!(header.key.is_some(), rules.role == Role::Server);
    assert!(header.length < 1 << 63);
    let starts = matches!(header.opcode, Opcode::Text | Opcode::Binary);
    match header.opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong => {
            assert!(header.fin && header.length <= 125);
        }
        Opcode::Continuation => assert!(rules.in_message),
        Opcode::Text | Opcode::Binary => assert!(!rules.in_message),
    }
    assert!(!header.rsv1 || rules.rsv1 && starts);
}

/// What an error says is so.
fn assert_justified(error: FrameError, bytes: &[u8], rules: Rules) {
    let (first, second) = (bytes[0], bytes.get(1).copied().unwrap_or_default());
    let (opcode, short) = (first & 15, second & 127);
    let long = |from: usize, to: usize| {
        let bytes = bytes[from..to].iter();
        bytes.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    assert!(match error {
        FrameError::ReservedBits(bits) => bits == first >> 4 & 7 && bits != 0,
        FrameError::UnknownOpcode(unknown) => {
            unknown == opcode && matches!(opcode, 3..=7 | 11..)
        }
        FrameError::FragmentedControl => opcode >= 8 && first < 128,
        FrameError::ControlTooLong => opcode >= 8 && short > 125,
        FrameError::UnexpectedContinuation => opcode == 0 && !rules.in_message,
        FrameError::ExpectedContinuation => matches!(opcode, 1 | 2) && rules.in_message,
        FrameError::Unmasked => rules.role == Role::Server && second < 128,
        FrameError::Masked => rules.role == Role::Client && second >= 128,
        FrameError::NonMinimalLength => match short {
            126 => long(2, 4) < 126,
            127 => long(2, 10) < 65_536,
            _ => false,
        },
        FrameError::LengthTopBit => short == 127 && bytes[2] >= 128,
        _ => false,
    });
}
