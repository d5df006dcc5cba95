//! The values that a [`Deflate`](super::Deflate) configuration is made of.

/// The size of a sliding window, as its base-2 logarithm: 8 to 15 (RFC 7692, section 7.1.2).
///
/// ```
/// use fullduplex::deflate::WindowBits;
///
/// let bits = WindowBits::new(12).unwrap();
/// assert_eq!((bits.bits(), bits.size()), (12, 4096));
/// assert_eq!(WindowBits::new(16), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// A window of 256 octets. Accepted where this crate inflates, never asked of its compressor.
    pub const MIN: Self = Self(8);
    /// A window of 32 KiB, which is in force where nothing is said.
    pub const MAX: Self = Self(15);
    /// The smallest window that the backend compresses with.
    pub(super) const NINE: Self = Self(9);

    /// The value, if it is one of 8 to 15.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The value as the parameters write it.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The window's size in octets.
    pub const fn size(self) -> usize {
        1 << self.0
    }

    pub(super) const fn at_least_nine(self) -> Self {
        if self.0 < Self::NINE.0 {
            Self::NINE
        } else {
            self
        }
    }

    /// Parses the value of a parameter: decimal, without a leading zero (RFC 7692, 7.1.2).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let number = value.parse().ok()?;
        // `u8::from_str` takes a sign and zeros in front, the grammar does not.
        Self::new(number).filter(|_| value.len() == 1 + usize::from(number > 9))
    }
}

impl Default for WindowBits {
    /// 15, as in the absence of the parameters.
    fn default() -> Self {
        Self::MAX
    }
}

/// Whether a window outlives a message (RFC 7692, section 7.1.1).
///
/// ```
/// use fullduplex::deflate::{ContextTakeover, Deflate};
///
/// let config = Deflate::new().peer_takeover(ContextTakeover::Off);
/// assert!(config.offer().contains("server_no_context_takeover"));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "there is no third possibility")]
pub enum ContextTakeover {
    /// A message may refer to earlier ones, so both ends keep their window between messages.
    #[default]
    On,
    /// Every message starts with an empty window.
    Off,
}

/// Which messages are compressed.
///
/// ```
/// use fullduplex::deflate::{Compress, Deflate};
///
/// let config = Deflate::new().compress(Compress::Above(1000));
/// assert!(!config.compresses(1000));
/// assert!(config.compresses(1001));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compress {
    /// All, down to the empty one.
    Always,
    /// None. Compressed messages are still received.
    Never,
    /// Those with a payload of more octets than this.
    Above(usize),
}

impl Compress {
    /// Whether this compresses a message with a payload of `length` octets.
    pub const fn applies(self, length: usize) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Above(threshold) => length > threshold,
        }
    }
}

/// How hard the compressor tries: 1 to 9.
///
/// ```
/// use fullduplex::deflate::Level;
///
/// assert_eq!(Level::new(6), Some(Level::BALANCED));
/// assert_eq!(Level::new(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Level 1, the default.
    pub const FASTEST: Self = Self(1);
    /// Level 6, what most other software means by default.
    pub const BALANCED: Self = Self(6);
    /// Level 9.
    pub const SMALLEST: Self = Self(9);

    /// The level, if it is one of 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// The level as a number.
    pub const fn level(self) -> u8 {
        self.0
    }
}

/// How much memory a compressor spends besides its window: 1 to 9.
///
/// ```
/// use fullduplex::deflate::MemoryLevel;
///
/// assert_eq!(MemoryLevel::new(8), Some(MemoryLevel::DEFAULT));
/// assert_eq!(MemoryLevel::new(10), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryLevel(u8);

impl MemoryLevel {
    /// Level 1: the least, at the price of short blocks.
    pub const MIN: Self = Self(1);
    /// Level 8, the default.
    pub const DEFAULT: Self = Self(8);
    /// Level 9.
    pub const MAX: Self = Self(9);

    /// The level, if it is one of 1 to 9.
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }

    /// The level as a number.
    pub const fn level(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R7692-7.1-01: window bits are decimal, 8 to 15, without a leading zero or a sign.
    #[test]
    fn window_bits_are_parsed_strictly() {
        for bits in 8..=15 {
            assert_eq!(
                WindowBits::parse(&bits.to_string()).map(WindowBits::bits),
                Some(bits)
            );
        }
        for value in [
            "",
            "0",
            "7",
            "16",
            "08",
            "015",
            "+9",
            "-9",
            "9.",
            "1e1",
            "0x9",
            "10 ",
            "\u{663}",
            "264",
            "999999999999",
        ] {
            assert_eq!(WindowBits::parse(value), None, "{value}");
        }
    }

    /// R7692-7.1.2-03: this endpoint's compressor is never asked for 8 window bits.
    #[test]
    fn own_window_has_nine_bits_at_least() {
        assert_eq!(WindowBits::MIN.at_least_nine().bits(), 9);
        assert_eq!(WindowBits::MAX.at_least_nine().bits(), 15);
    }

    /// The ranges of RFC 7692, section 7.1.2, and of zlib, and nothing beside them.
    #[test]
    fn each_setting_has_a_range() {
        for number in 0..=20 {
            let bits = WindowBits::new(number).map(WindowBits::bits);
            assert_eq!(bits, (8..=15).contains(&number).then_some(number));
            let level = (1..=9).contains(&number).then_some(number);
            assert_eq!(Level::new(number).map(Level::level), level);
            assert_eq!(MemoryLevel::new(number).map(MemoryLevel::level), level);
        }
        assert_eq!(WindowBits::default().bits(), 15);
    }
}
