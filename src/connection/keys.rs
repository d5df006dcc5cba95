//! Where masking keys come from (RFC 6455, sections 5.3 and 10.3).

use alloc::boxed::Box;
use core::fmt;

use rand::rngs::StdRng;
use rand::{CryptoRng, Rng, SeedableRng};

/// The source of a client's masking keys and of the key of its opening handshake.
///
/// Keys must be unpredictable for whoever chooses the payload, so only cryptographic generators
/// are taken. A server holds no such source.
///
/// ```
/// use fullduplex::MaskKeys;
///
/// let mut keys = MaskKeys::seeded([7; 32]); // a real seed comes from the operating system
/// assert_ne!(keys.next_key(), keys.next_key());
/// ```
pub struct MaskKeys(Source);

enum Source {
    #[cfg(feature = "std")]
    Thread,
    /// Boxed twice: every client has the room for this, and few have one.
    Owned(Box<Box<dyn CryptoRng + Send + Sync>>),
}

impl MaskKeys {
    /// The generator of the current thread, seeded by the operating system. Takes no memory per
    /// connection.
    #[cfg(feature = "std")]
    pub const fn thread() -> Self {
        Self(Source::Thread)
    }

    /// A ChaCha generator that starts from `seed`, which has to be secret and used once.
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self::from_rng(StdRng::from_seed(seed))
    }

    /// Any cryptographic generator.
    pub fn from_rng(rng: impl CryptoRng + Send + Sync + 'static) -> Self {
        Self(Source::Owned(Box::new(Box::new(rng))))
    }

    /// A fresh key for one frame.
    #[inline]
    pub fn next_key(&mut self) -> [u8; 4] {
        let key = match &mut self.0 {
            #[cfg(feature = "std")]
            Source::Thread => rand::rng().next_u32(),
            Source::Owned(rng) => rng.next_u32(),
        };
        key.to_ne_bytes()
    }

    /// Fills `bytes` with unpredictable bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        match &mut self.0 {
            #[cfg(feature = "std")]
            Source::Thread => rand::rng().fill_bytes(bytes),
            Source::Owned(rng) => rng.fill_bytes(bytes),
        }
    }
}

impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKeys") // neither state nor seed may reach a log
    }
}
