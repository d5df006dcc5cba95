//! Frames written and read by hand, not by the crate.

use fullduplex::Role;

/// A frame as `receiver`'s peer sends it, with a mask that changes nothing. The payload is short.
pub fn frame_to(receiver: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    assert!(length < 126);
    let mut frame = match receiver {
        Role::Client => vec![first, length],
        Role::Server => vec![first, 0x80 | length, 0, 0, 0, 0],
    };
    frame.extend(payload);
    frame
}

/// The first byte and the payload of each whole frame that `sender` wrote, and how many bytes are
/// behind them.
pub fn parse(sender: Role, mut bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, usize) {
    let mut frames = Vec::new();
    while let Some((first, payload, rest)) = parse_one(sender, bytes) {
        frames.push((first, payload));
        bytes = rest;
    }
    (frames, bytes.len())
}

fn parse_one(sender: Role, bytes: &[u8]) -> Option<(u8, Vec<u8>, &[u8])> {
    let [first, second, rest @ ..] = bytes else {
        return None;
    };
    let masked = second & 0x80 != 0;
    assert_eq!(masked, sender == Role::Client, "who masks");
    let (length, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let (key, rest) = if masked {
        let (key, rest) = rest.split_first_chunk()?;
        (*key, rest)
    } else {
        ([0; 4], rest)
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    let unmasked = payload.iter().zip(key.iter().cycle());
    Some((
        *first,
        unmasked.map(|(byte, key)| byte ^ key).collect(),
        rest,
    ))
}
