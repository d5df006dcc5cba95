//! The frame header (RFC 6455, section 5.2): FIN, RSV, opcode, mask bit, length, masking key.
//!
//! A [`Header`] that exists is legal for the receiver that decoded it. Rules about the first two
//! bytes are checked as each of them comes, those about a longer length once the length is whole (a
//! top bit that is set, too), and none waits for the masking key. So a verdict depends on the bytes
//! alone and never on how they were cut.

use alloc::vec::Vec;

use super::Opcode;
use crate::Role;

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const MAX_HEADER: usize = 14;

/// The longest payload of a control frame (RFC 6455, section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

pub(super) const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV: u8 = 0x70;
pub(super) const MASK: u8 = 0x80;
pub(super) const LENGTH: u8 = 0x7f;
pub(super) const LENGTH_16: u8 = 126;
pub(super) const LENGTH_64: u8 = 127;

/// A decoded or to be encoded frame header.
///
/// ```
/// use fullduplex::Role;
/// use fullduplex::frame::{Header, Opcode, Rules};
///
/// let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f];
/// let (header, size) = Header::decode(&bytes, Rules::new(Role::Server))?.expect("a whole header");
/// assert_eq!((header.opcode, header.length, size), (Opcode::Text, 5, 6));
///
/// let mut out = Vec::new();
/// header.encode(&mut out);
/// assert_eq!(out, bytes[..6]);
/// # Ok::<(), fullduplex::frame::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the header's layout is fixed by the RFC"
)]
pub struct Header {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The first reserved bit: set on the first frame of a compressed message (RFC 7692).
    pub rsv1: bool,
    /// What the frame carries.
    pub opcode: Opcode,
    /// The masking key: present on every frame of a client and on none of a server.
    pub key: Option<[u8; 4]>,
    /// The payload's length in bytes; below 2^63.
    pub length: u64,
}

/// What the receiver of a frame knows that the header itself does not say.
///
/// ```
/// use fullduplex::Role;
/// use fullduplex::frame::{FrameError, Header, Rules};
///
/// // A server refuses an unmasked frame as soon as it sees the mask bit.
/// let refused = Header::decode(&[0x82, 0x05], Rules::new(Role::Server));
/// assert_eq!(refused, Err(FrameError::Unmasked));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// Who is receiving: a server demands masked frames, a client unmasked ones.
    pub role: Role,
    /// Whether an extension that defines RSV1 was negotiated.
    pub rsv1: bool,
    /// Whether a fragmented message is open, so that the next data frame has to continue it.
    pub in_message: bool,
}

impl Rules {
    /// The rules at the start of a connection without extensions.
    pub const fn new(role: Role) -> Self {
        Self {
            role,
            rsv1: false,
            in_message: false,
        }
    }
}

/// Why a frame header is illegal. Each is a protocol error (close code 1002).
///
/// ```
/// use fullduplex::frame::FrameError;
///
/// assert_eq!(FrameError::UnknownOpcode(3).to_string(), "opcode 0x3 is reserved");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set that no negotiated extension defines, or RSV1 stands on a control
    /// frame or a continuation (RFC 6455, section 5.2; RFC 7692, section 6). Holds the three bits.
    #[error("reserved bits {0:#05b} are set without an extension that defines them")]
    ReservedBits(u8),
    /// The opcode is not defined (RFC 6455, section 5.2).
    #[error("opcode {0:#x} is reserved")]
    UnknownOpcode(u8),
    /// A control frame has FIN clear (RFC 6455, section 5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A control frame announces more than 125 bytes (RFC 6455, section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A continuation came with no message open (RFC 6455, section 5.4).
    #[error("a continuation frame has no message to continue")]
    UnexpectedContinuation,
    /// A new data frame came while a fragmented message was open (RFC 6455, section 5.4).
    #[error("a new message starts inside a fragmented one")]
    ExpectedContinuation,
    /// A server received a frame that is not masked (RFC 6455, section 5.1).
    #[error("a frame from the client is not masked")]
    Unmasked,
    /// A client received a frame that is masked (RFC 6455, section 5.1).
    #[error("a frame from the server is masked")]
    Masked,
    /// The length is not written in the shortest form (RFC 6455, section 5.2).
    #[error("the payload length is not in its minimal form")]
    NonMinimalLength,
    /// The top bit of a 64-bit length is set (RFC 6455, section 5.2).
    #[error("the payload length has its top bit set")]
    LengthTopBit,
}

impl Header {
    /// Decodes the header at the start of `bytes`, with its size in bytes. `None` means that more
    /// bytes are needed.
    ///
    /// # Errors
    ///
    /// The first rule of RFC 6455, section 5, that the bytes break, whether or not the header is
    /// complete by then.
    #[inline]
    pub fn decode(bytes: &[u8], rules: Rules) -> Result<Option<(Self, usize)>, FrameError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let (fin, rsv1) = (first & FIN != 0, first & RSV1 != 0);
        let opcode = check_first(first, rules)?;

        let Some((&second, rest)) = rest.split_first() else {
            return Ok(None);
        };
        match (rules.role, second & MASK != 0) {
            (Role::Server, true) | (Role::Client, false) => {}
            (Role::Server, false) => return Err(FrameError::Unmasked),
            (Role::Client, true) => return Err(FrameError::Masked),
        }
        let (length, rest, size) = match second & LENGTH {
            LENGTH_16 | LENGTH_64 if opcode.is_control() => return Err(FrameError::ControlTooLong),
            LENGTH_16 => {
                let Some((bytes, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (
                    long_length(u64::from(u16::from_be_bytes(*bytes)), 125)?,
                    rest,
                    4,
                )
            }
            LENGTH_64 => {
                let Some((bytes, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (long_length(u64::from_be_bytes(*bytes), 0xffff)?, rest, 10)
            }
            short => (u64::from(short), rest, 2),
        };
        let (key, size) = match rules.role {
            Role::Client => (None, size),
            Role::Server => {
                let Some(key) = rest.first_chunk() else {
                    return Ok(None);
                };
                (Some(*key), size + 4)
            }
        };
        Ok(Some((
            Self {
                fin,
                rsv1,
                opcode,
                key,
                length,
            },
            size,
        )))
    }

    /// Appends the header to `out`, its length in the minimal form.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) {
        // Appending a known number of bytes takes a store and not a call.
        let first = self.first();
        if let Ok(short @ ..=125) = u8::try_from(self.length) {
            match self.key {
                None => out.extend_from_slice(&[first, short]),
                Some([a, b, c, d]) => out.extend_from_slice(&[first, short | MASK, a, b, c, d]),
            }
        } else if let Ok(medium) = u16::try_from(self.length) {
            let [high, low] = medium.to_be_bytes();
            match self.key {
                None => out.extend_from_slice(&[first, LENGTH_16, high, low]),
                Some([a, b, c, d]) => {
                    out.extend_from_slice(&[first, LENGTH_16 | MASK, high, low, a, b, c, d]);
                }
            }
        } else {
            self.encode_long(out);
        }
    }

    /// Not inlined, so that the short way stays short.
    #[inline(never)]
    fn encode_long(&self, out: &mut Vec<u8>) {
        let mask = if self.key.is_some() { MASK } else { 0 };
        out.extend_from_slice(&[self.first(), LENGTH_64 | mask]);
        out.extend_from_slice(&self.length.to_be_bytes());
        if let Some(key) = self.key {
            out.extend_from_slice(&key);
        }
    }

    #[inline]
    fn first(&self) -> u8 {
        u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode.bits()
    }
}

/// Everything that the first byte alone can break.
#[inline]
fn check_first(first: u8, rules: Rules) -> Result<Opcode, FrameError> {
    let Some(opcode) = Opcode::from_bits(first) else {
        return Err(FrameError::UnknownOpcode(first & 0x0f));
    };
    let starts_message = matches!(opcode, Opcode::Text | Opcode::Binary);
    let allowed = if rules.rsv1 && starts_message {
        RSV1
    } else {
        0
    };
    if first & RSV & !allowed != 0 {
        return Err(FrameError::ReservedBits((first & RSV) >> 4));
    }
    match (opcode, rules.in_message) {
        (Opcode::Continuation, false) => Err(FrameError::UnexpectedContinuation),
        (Opcode::Text | Opcode::Binary, true) => Err(FrameError::ExpectedContinuation),
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) if first & FIN == 0 => {
            Err(FrameError::FragmentedControl)
        }
        _ => Ok(opcode),
    }
}

/// A length of the 16- or 64-bit form, which has to exceed what the next shorter form can hold.
#[inline]
fn long_length(length: u64, shorter_form: u64) -> Result<u64, FrameError> {
    if length >> 63 != 0 {
        return Err(FrameError::LengthTopBit);
    }
    if length <= shorter_form {
        return Err(FrameError::NonMinimalLength);
    }
    Ok(length)
}
