//! The common case: a whole message in one frame.

use alloc::vec::Vec;

use super::header::{FIN, LENGTH, LENGTH_16, MASK};
use super::{Opcode, apply_mask};
use crate::Role;
use crate::message::MessageKind;

/// A message that is neither fragmented nor compressed and has arrived to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeMessage {
    pub(crate) kind: MessageKind,
    /// The header's size.
    pub(crate) header: usize,
    /// The payload's length.
    pub(crate) length: usize,
}

impl WholeMessage {
    /// Unmasks the message at the front of `bytes` if it is shorter than `below`, or returns `None`
    /// for anything else, legal or not.
    #[inline]
    pub(crate) fn unmask_front(bytes: &mut [u8], role: Role, below: u64) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else {
            return None;
        };
        let kind = match *first {
            0x81 => MessageKind::Text,
            0x82 => MessageKind::Binary,
            _ => return None,
        };
        let masked = match role {
            Role::Server => MASK,
            Role::Client => 0,
        };
        if *second & MASK != masked {
            return None;
        }
        let short = *second & LENGTH;
        let (length, header, rest) = if short < LENGTH_16 {
            (usize::from(short), 2, rest)
        } else {
            let (length, header) = long_length(short, rest)?;
            (length, header, rest.get_mut(header - 2..)?)
        };
        if length as u64 >= below {
            return None;
        }
        let header = match role {
            Role::Client => {
                rest.get(..length)?;
                header
            }
            Role::Server => {
                let (key, rest) = rest.split_first_chunk_mut()?;
                apply_mask(rest.get_mut(..length)?, *key, 0);
                header + 4
            }
        };
        Some(Self {
            kind,
            header,
            length,
        })
    }
}

/// The longest payload whose length fits into the second byte of its frame.
pub(crate) const LONGEST_SHORT: usize = LENGTH_16 as usize - 1;

/// Appends a frame of its own without a mask, unless its payload is longer than
/// [`LONGEST_SHORT`]. There is no [`Header`](super::Header) to be put together, and one look at how
/// much room there is.
#[inline]
pub(crate) fn append_short(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) -> bool {
    append(FIN | opcode.bits(), payload, out)
}

#[inline(never)]
fn append(first: u8, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(length @ ..LENGTH_16) = u8::try_from(payload.len()) else {
        return false;
    };
    let header = [first, length];
    out.extend(header.into_iter().chain(payload.iter().copied()));
    true
}

/// The length at the front of `bytes`, in the form that `code` tells, and the size of the header with
/// it.
fn long_length(code: u8, bytes: &[u8]) -> Option<(usize, usize)> {
    if code == LENGTH_16 {
        let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
        (length > 125).then_some((length, 4))
    } else {
        // One with its top bit set is longer than any memory.
        let length = usize::try_from(u64::from_be_bytes(*bytes.first_chunk()?)).ok()?;
        (length > 0xffff).then_some((length, 10))
    }
}
