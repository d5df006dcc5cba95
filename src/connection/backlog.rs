//! Messages that wait to be cut into frames.

use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;

use crate::frame::Opcode;

/// Messages in the order in which they were queued; the first may have been cut already.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    queue: VecDeque<Unframed>,
    bytes: usize,
}

/// A message, or what is left of it, or a part of it that fits a frame.
pub(super) struct Unframed {
    pub(super) opcode: Opcode,
    /// Whether the end of `payload` ends the message.
    pub(super) fin: bool,
    pub(super) payload: Bytes,
}

impl Backlog {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Payload bytes that wait.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the backlog takes apart from payload bytes. An empty message takes something too.
    #[inline]
    pub(super) fn overhead(&self) -> usize {
        self.queue.len() * size_of::<Unframed>()
    }

    pub(super) fn push(&mut self, unframed: Unframed) {
        self.bytes += unframed.payload.len();
        self.queue.push_back(unframed);
    }

    /// Cuts the next fragment, of at most `size` bytes, off the first message.
    pub(super) fn cut(&mut self, size: usize) -> Option<Unframed> {
        let front = self.queue.front_mut()?;
        let payload = front.payload.split_to(front.payload.len().min(size));
        let done = front.payload.is_empty();
        let fragment = Unframed {
            opcode: front.opcode,
            fin: front.fin && done,
            payload,
        };
        front.opcode = Opcode::Continuation;
        if done {
            self.queue.pop_front();
        }
        self.bytes -= fragment.payload.len();
        Some(fragment)
    }

    /// Drops everything and gives the memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Without the payload, which does not belong in a log.
impl fmt::Debug for Unframed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.opcode, self.payload.len())
    }
}
