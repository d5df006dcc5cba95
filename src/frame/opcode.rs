//! Opcodes (RFC 6455, sections 5.2 and 11.8).

/// What a frame carries.
///
/// Opcodes 3 to 7 and B to F are reserved and have no value here: a header that names one is
/// refused while it is decoded.
///
/// ```
/// use fullduplex::frame::Opcode;
///
/// assert_eq!(Opcode::from_bits(0x9), Some(Opcode::Ping));
/// assert_eq!(Opcode::from_bits(0x3), None);
/// assert!(Opcode::Ping.is_control());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the registry has been closed since 2011"
)]
pub enum Opcode {
    /// A further fragment of the message that is open.
    Continuation,
    /// A text message, or its first fragment.
    Text,
    /// A binary message, or its first fragment.
    Binary,
    /// The closing handshake.
    Close,
    /// Asks the peer for a Pong.
    Ping,
    /// Answers a Ping, or comes unasked as a sign of life.
    Pong,
}

impl Opcode {
    /// The opcode of the four low bits of `bits`, or `None` where they are reserved.
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits & 0x0f {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// The four bits that stand on the wire.
    #[inline]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether this is Close, Ping or Pong (RFC 6455, section 5.5).
    #[inline]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}
