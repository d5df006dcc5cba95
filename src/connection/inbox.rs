//! Stand-in.
use alloc::vec::Vec;

/// Bytes received and not yet consumed.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// An empty inbox.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room to read into.
    #[allow(clippy::indexing_slicing)]
    pub fn spare(&mut self, hint: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.bytes.len() < self.end + hint {
            self.bytes.resize(self.end + hint, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Reports that the first `n` bytes of the spare room were filled.
    pub fn received(&mut self, n: usize) {
        self.end += n;
    }

    /// Bytes received and not yet consumed.
    #[allow(clippy::indexing_slicing)]
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Drops the first `n` unread bytes.
    pub fn consume(&mut self, n: usize) {
        self.start += n;
    }
}
