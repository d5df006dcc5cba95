//! permessage-deflate in the sending half (RFC 7692, section 7.2.1).

use alloc::vec::Vec;

use super::error::SendError;
use crate::deflate::codec::{Deflater, End};
use crate::deflate::{Agreement, Compress, Deflate};

/// A compressor, and when it is used.
#[derive(Debug)]
pub(super) struct Compression {
    settings: Deflate,
    deflater: Deflater,
}

impl Compression {
    pub(super) fn new(settings: &Deflate, agreement: Agreement) -> Self {
        Self {
            deflater: settings.deflater(&agreement),
            settings: settings.clone(),
        }
    }

    /// Whether a message of `length` bytes is compressed, by its own choice or by the connection's.
    pub(super) fn applies(&self, choice: Option<Compress>, length: usize) -> bool {
        match choice {
            Some(choice) => choice.applies(length),
            None => self.settings.compresses(length),
        }
    }

    /// The compressed payload. It has to be sent, since the peer's window will be expected to hold
    /// it.
    pub(super) fn compress(&mut self, payload: &[u8], end: End) -> Result<Vec<u8>, SendError> {
        let mut compressed = Vec::new();
        match self.deflater.compress(payload, &mut compressed, end) {
            Ok(()) => Ok(compressed),
            Err(_) => Err(SendError::Compression),
        }
    }
}
