//! Stand-in for the connection, until the real one is merged.
mod config;
mod inbox;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};

pub use config::{Config, Limits};
pub use inbox::Inbox;

use crate::handshake::Extensions;

/// Where masking keys and handshake keys come from.
pub struct MaskKeys(Box<dyn rand::CryptoRng + Send>);

impl MaskKeys {
    /// Takes bytes from a generator of the caller's choice.
    pub fn from_rng(rng: impl rand::CryptoRng + Send + 'static) -> Self {
        Self(Box::new(rng))
    }

    /// A generator started from a seed.
    pub fn seeded(seed: [u8; 32]) -> Self {
        use rand::SeedableRng;
        Self::from_rng(rand::rngs::StdRng::from_seed(seed))
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl fmt::Debug for MaskKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKeys")
    }
}

/// A connection after the opening handshake.
#[derive(Debug)]
pub struct Connection {
    outgoing: Bytes,
    _keys: Option<MaskKeys>,
    _config: Config,
    _extensions: Extensions,
}

impl Connection {
    /// What is to be written.
    pub fn outgoing(&mut self) -> &mut impl Buf {
        &mut self.outgoing
    }

    pub(crate) fn open(
        keys: Option<MaskKeys>,
        config: Config,
        extensions: Extensions,
        head: Vec<u8>,
    ) -> Self {
        Self {
            outgoing: head.into(),
            _keys: keys,
            _config: config,
            _extensions: extensions,
        }
    }
}
