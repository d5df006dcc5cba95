//! When a buffer that a burst has grown is given back.

/// Buffers up to this size are kept: they serve the ordinary reads and writes.
pub(super) const KEPT: usize = 64 * 1024;

/// So many uses in a row that a smaller buffer could have served end the retention of a large one.
/// One use alone must not: a stream of large messages would take and free the memory each time.
const SMALL_USES: u8 = 16;

/// Watches how a buffer is used.
#[derive(Debug, Default)]
pub(super) struct Retention {
    small_uses: u8,
}

impl Retention {
    /// Called when the buffer has become empty, with the most it held since the last time.
    #[inline]
    pub(super) fn is_over(&mut self, peak: usize, capacity: usize) -> bool {
        if capacity <= KEPT {
            return false;
        }
        self.small_uses = if peak > capacity / 4 {
            0
        } else {
            self.small_uses + 1
        };
        let over = self.small_uses >= SMALL_USES;
        if over {
            self.small_uses = 0; // the next buffer is judged anew
        }
        over
    }
}
