//! Messages that leave the inbox with their memory, and memory that comes back.

use core::mem;
use core::ops::Range;

use bytes::{Buf, Bytes};

use super::{Inbox, LONGEST_READ};
use crate::connection::event::BinaryPlace;

/// Payloads below this are copied when they are detached: a copy of this size costs less than
/// clearing the memory that would take the place of what was split off the block, and a message that
/// is kept does not pin a read block.
const DETACH_BY_COPY: usize = 32 * 1024;

impl Inbox {
    /// An inbox that reads into the memory of `payload`, unless that is small or somebody else has it,
    /// too.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn over(payload: Bytes) -> Option<Self> {
        use super::FIRST_READ;

        if payload.len() <= LONGEST_READ {
            return None;
        }
        let mut block = payload.try_into_mut().ok()?;
        // The last part of something far larger moves to its start, so that all of it is counted.
        let _ = block.try_reclaim(block.capacity() - block.len() + 1);
        let allocated = block.capacity();
        // The header of a message as long as this needs room, too.
        block.resize(allocated.min(block.len() + FIRST_READ), 0);
        Some(Self {
            block,
            allocated,
            next_read: LONGEST_READ,
            ..Self::default()
        })
    }

    /// Lends a binary message at `range`, which ends before the unread bytes.
    #[inline]
    pub(in crate::connection) fn lend(&mut self, range: Range<usize>) -> BinaryPlace<'_> {
        if range.len() < DETACH_BY_COPY || range.end > self.next {
            BinaryPlace::Lent(self.slice(range))
        } else {
            BinaryPlace::Block(self, range)
        }
    }

    /// Detaches a large message, in the memory where it was assembled.
    #[inline(never)]
    pub(in crate::connection) fn detach(&mut self, range: Range<usize>) -> Bytes {
        let rest = self.block.len() - range.end;
        let mut message = if self.held() == 0 && range.len() > LONGEST_READ.max(rest) {
            // Nobody shares the memory of the message then, so that it can be used again.
            self.allocated = 0;
            let mut whole = mem::take(&mut self.block);
            whole.truncate(range.end);
            whole
        } else {
            self.block.split_to(range.end)
        };
        for index in [
            &mut self.message,
            &mut self.message_end,
            &mut self.next,
            &mut self.end,
        ] {
            *index = index.saturating_sub(range.end);
        }
        message.advance(range.start);
        message.freeze()
    }
}
