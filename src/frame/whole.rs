//! Recognising the common case: a whole message in one frame.

use super::header::{LENGTH, LENGTH_16, LENGTH_64, MASK};
use crate::Role;
use crate::message::MessageKind;

/// A message that is neither fragmented nor compressed and has arrived to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeMessage {
    pub(crate) kind: MessageKind,
    pub(crate) key: Option<[u8; 4]>,
    /// The header's size.
    pub(crate) header: usize,
    /// The payload's length.
    pub(crate) length: usize,
}

impl WholeMessage {
    /// The message at the front of `bytes`, or `None` for anything else, legal or not.
    #[inline]
    pub(crate) fn at_front(bytes: &[u8], role: Role) -> Option<Self> {
        let ([first, second], rest) = bytes.split_first_chunk()?;
        let kind = match first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        let (length, rest, header) = match second & LENGTH {
            LENGTH_16 => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = usize::from(u16::from_be_bytes(*length));
                (Some(length).filter(|length| *length > 125)?, rest, 4)
            }
            LENGTH_64 => {
                let (length, rest) = rest.split_first_chunk()?;
                let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
                (Some(length).filter(|length| *length > 0xffff)?, rest, 10)
            }
            short => (usize::from(short), rest, 2),
        };
        let (key, rest, header) = match (role, second & MASK != 0) {
            (Role::Server, true) => {
                let (key, rest) = rest.split_first_chunk()?;
                (Some(*key), rest, header + 4)
            }
            (Role::Client, false) => (None, rest, header),
            _ => return None,
        };
        // The bytes are there, so a length with its top bit set has been ruled out as well.
        (rest.len() >= length).then_some(Self {
            kind,
            key,
            header,
            length,
        })
    }
}
