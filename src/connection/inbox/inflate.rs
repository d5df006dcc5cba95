//! Room for what a compressed message inflates to.

use core::mem;

use super::Inbox;

/// The least and, for the start, the most room that is worth a call of the decompressor.
const LEAST_TO_INFLATE: usize = 256;
const STEP_TO_INFLATE: usize = 16 * 1024;
/// What one byte can inflate to: matches of 258 bytes, in two bits each (RFC 1951, 3.2.5).
const MOST_FROM_A_BYTE: usize = 4 * 258;
/// Bytes that the decompressor has taken and not looked at.
const HELD_BACK: usize = 8;

impl Inbox {
    /// How much room to inflate `available` bytes into at a time: as much as is `likely` to be
    /// filled, not much more than what has been inflated before, and not more than can be filled,
    /// since room that stays empty was zeroed in vain.
    pub(in super::super) fn room_to_inflate(&self, available: usize, likely: usize) -> usize {
        let most = available
            .saturating_add(HELD_BACK)
            .saturating_mul(MOST_FROM_A_BYTE);
        likely
            .max(self.bytes.len() / 2)
            .max(LEAST_TO_INFLATE)
            .min(STEP_TO_INFLATE.max(self.bytes.len()))
            .min(most)
    }

    /// Reserves room for `room` more gathered bytes. Doubles the memory that is filled, but leaves
    /// room for no more than `left`.
    pub(in super::super) fn grow_bytes(&mut self, room: usize, left: usize) {
        if self.bytes.capacity() == 0 {
            // A text that was inflated before took the memory with it.
            self.bytes = mem::take(&mut self.text).into_bytes();
            self.bytes.clear();
        }
        let needed = self.bytes.len() + room;
        if needed > self.bytes.capacity() {
            let limit = self.bytes.len().saturating_add(left);
            let doubled = self.bytes.len().saturating_mul(2);
            let capacity = doubled.min(limit).max(needed);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// `available` unread bytes to inflate, and `room` for what they inflate to.
    pub(in super::super) fn inflating(
        &mut self,
        available: usize,
        room: usize,
    ) -> (&[u8], &mut [u8]) {
        let filled = self.bytes.len();
        self.bytes.resize(filled + room, 0);
        let unread = self.block.get(self.next..self.end).unwrap_or_default();
        let output = self.bytes.get_mut(filled..).unwrap_or_default();
        (unread.get(..available).unwrap_or_default(), output)
    }

    /// Consumes what was inflated, and gives back room that was not filled.
    pub(in super::super) fn inflated(&mut self, taken: usize, unfilled: usize) {
        self.consume(taken);
        self.bytes.truncate(self.bytes.len() - unfilled);
    }
}
