//! UTF-8 that arrives in pieces (RFC 6455, sections 5.6 and 8.1).
//!
//! A text message has to be valid as a whole, while a frame, or what one read returned, may end
//! inside a character. The first byte that cannot belong to any valid text is refused when it
//! arrives, not when the message ends.

use core::{fmt, str};

/// Texts from this size on are validated in vectors. Below it, setting those up takes longer than
/// `core` takes for ASCII.
const VECTORS_FROM: usize = 128;

/// Validates a text, or a part of one that neither starts nor ends inside a character.
#[inline]
pub(crate) fn validate(bytes: &[u8]) -> Result<&str, str::Utf8Error> {
    if bytes.len() >= VECTORS_FROM
        && let Ok(text) = simdutf8::basic::from_utf8(bytes)
    {
        return Ok(text);
    }
    str::from_utf8(bytes) // which also tells where the fault is
}

/// Validates text piece by piece and agrees with [`str::from_utf8`] on the position of an error.
///
/// ```
/// use fullduplex::utf8::Decoder;
///
/// let mut text = String::new();
/// let mut decoder = Decoder::new();
/// decoder.push(b"caf\xc3", |piece| text.push_str(piece))?; // ends inside the é
/// decoder.push(b"\xa9", |piece| text.push_str(piece))?;
/// decoder.finish()?;
/// assert_eq!(text, "café");
/// # Ok::<(), fullduplex::utf8::Utf8Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Decoder {
    /// The bytes of a character that has begun and not ended.
    carry: [u8; 4],
    carried: u8,
    /// Bytes before the carry, all valid.
    valid: u64,
}

/// Text that is not UTF-8 (close code 1007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid UTF-8 after {valid_up_to} bytes")]
#[non_exhaustive]
pub struct Utf8Error {
    /// The bytes of the message before the first character that is invalid or incomplete.
    pub valid_up_to: u64,
}

impl From<str::Utf8Error> for Utf8Error {
    fn from(error: str::Utf8Error) -> Self {
        Self {
            valid_up_to: error.valid_up_to() as u64,
        } // usize is at most 64 bits wide
    }
}

impl Decoder {
    /// A decoder at the start of a text.
    pub const fn new() -> Self {
        Self {
            carry: [0; 4],
            carried: 0,
            valid: 0,
        }
    }

    /// Takes the next piece and hands what it completes to `sink`, in at most two parts.
    ///
    /// # Errors
    ///
    /// At the first byte that no valid text can hold there. What came before it has been handed on.
    #[inline]
    pub fn push(&mut self, piece: &[u8], mut sink: impl FnMut(&str)) -> Result<(), Utf8Error> {
        let rest = if self.carried == 0 {
            piece
        } else {
            self.complete_carry(piece, &mut sink)?
        };
        let (body, tail) = rest.split_at(rest.len() - incomplete_suffix(rest));
        match validate(body) {
            Ok(text) => {
                if !text.is_empty() {
                    sink(text);
                }
                self.valid += body.len() as u64; // usize is at most 64 bits wide
            }
            Err(error) => {
                let valid = body.utf8_chunks().next();
                if let Some(text) = valid.map(|chunk| chunk.valid())
                    && !text.is_empty()
                {
                    sink(text);
                }
                return Err(self.error_at(error.valid_up_to()));
            }
        }
        for &byte in tail {
            self.carry_byte(byte)?;
        }
        Ok(())
    }

    /// Ends the text.
    ///
    /// # Errors
    ///
    /// The text ends inside a character.
    pub fn finish(&mut self) -> Result<(), Utf8Error> {
        if self.carried == 0 {
            Ok(())
        } else {
            Err(self.error_at(0))
        }
    }

    /// Feeds bytes of `piece` to the character that has begun until it is complete.
    fn complete_carry<'a>(
        &mut self,
        mut piece: &'a [u8],
        sink: &mut impl FnMut(&str),
    ) -> Result<&'a [u8], Utf8Error> {
        while let Some((&byte, rest)) = piece.split_first() {
            piece = rest;
            if self.carry_byte(byte)? {
                let carry = self.carry;
                let character = carry.get(..usize::from(self.carried)).unwrap_or_default();
                sink(str::from_utf8(character).unwrap_or_default());
                self.valid += u64::from(self.carried);
                self.carried = 0;
                break;
            }
        }
        Ok(piece)
    }

    /// Adds a byte to the carry and tells whether that completes a character.
    fn carry_byte(&mut self, byte: u8) -> Result<bool, Utf8Error> {
        let Some(place) = self.carry.get_mut(usize::from(self.carried)) else {
            return Err(self.error_at(0)); // a fourth byte always completes or breaks a character
        };
        *place = byte;
        self.carried += 1;
        let character = self
            .carry
            .get(..usize::from(self.carried))
            .unwrap_or_default();
        match str::from_utf8(character) {
            Ok(_) => Ok(true),
            Err(error) if error.error_len().is_none() => Ok(false),
            Err(_) => Err(self.error_at(0)),
        }
    }

    fn error_at(&self, offset: usize) -> Utf8Error {
        Utf8Error {
            valid_up_to: self.valid + offset as u64,
        }
    }
}

/// Without the bytes, which are part of a text.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("valid", &self.valid)
            .field("carried", &self.carried)
            .finish_non_exhaustive()
    }
}

/// How many of the last three bytes start a character that does not end within `bytes`.
#[inline]
fn incomplete_suffix(bytes: &[u8]) -> usize {
    for (back, &byte) in bytes.iter().rev().take(3).enumerate() {
        let width = match byte {
            0x80..=0xbf => continue, // inside a character: look further back for its first byte
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if width > back + 1 { back + 1 } else { 0 };
    }
    0
}
