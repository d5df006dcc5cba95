//! The last octets of a direction, kept outside of the backend.
//!
//! The backend's window cannot be read back, and it is emptied when the backend is restarted. So
//! the history is kept here as well: to restart after a final block, and to let a connection own
//! nothing else between two messages.

use alloc::vec::Vec;
use core::fmt;

/// At most `limit` octets; the memory follows what has been seen.
///
/// ```text
///   filling:  | oldest ... newest |        at == 0, len < limit
///   full:     | newer ... newest | oldest ... |
///                                ^ at            len == limit
/// ```
pub(super) struct History {
    octets: Vec<u8>,
    at: usize,
    limit: usize,
}

impl History {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            octets: Vec::new(),
            at: 0,
            limit,
        }
    }

    /// Starts with an empty history in memory that was used for another.
    pub(super) fn recycle(&mut self, mut octets: Vec<u8>) {
        octets.clear();
        octets.shrink_to(self.limit);
        self.octets = octets;
        self.at = 0;
    }

    /// Gives the memory away.
    pub(super) fn release(&mut self) -> Vec<u8> {
        self.at = 0;
        core::mem::take(&mut self.octets)
    }

    pub(super) fn push(&mut self, new: &[u8]) {
        // Of more than a window only the end counts.
        let new = new
            .get(new.len().saturating_sub(self.limit)..)
            .unwrap_or(new);
        let room = self.limit - self.octets.len();
        let (filling, wrapping) = new.split_at(new.len().min(room));
        if !filling.is_empty() {
            let needed = self.octets.len() + filling.len();
            if needed > self.octets.capacity() {
                // Doubling, but never beyond the limit as `Vec` would.
                let capacity = needed.next_power_of_two().min(self.limit);
                self.octets.reserve_exact(capacity - self.octets.len());
            }
            self.octets.extend_from_slice(filling);
        }
        if !wrapping.is_empty() {
            let (first, second) = wrapping.split_at(wrapping.len().min(self.limit - self.at));
            overwrite(&mut self.octets, self.at, first);
            overwrite(&mut self.octets, 0, second);
            self.at = (self.at + wrapping.len()) % self.limit;
        }
    }

    /// The octets, the older part first.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.octets.split_at(self.at);
        [older, newer]
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("len", &self.octets.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

fn overwrite(octets: &mut [u8], at: usize, new: &[u8]) {
    if let Some(old) = octets.get_mut(at..at + new.len()) {
        old.copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R7692-7.2.2-02: exactly the last window is kept, however it came, in memory of that size.
    #[test]
    fn the_last_octets_are_kept() {
        let octets: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for limit in [1, 2, 7, 64, 100] {
            for step in [1, 3, 6, 7, 8, 50, 63, 64, 65, 99, 100, 101, 500] {
                let mut history = History::new(limit);
                let mut seen = 0;
                for new in octets.chunks(step) {
                    history.push(new);
                    history.push(&[]);
                    seen += new.len();
                    let expected = &octets[seen.saturating_sub(limit)..seen];
                    assert_eq!(history.parts().concat(), expected, "{limit} {step} {seen}");
                    assert!(history.octets.capacity() <= limit, "{limit} {step} {seen}");
                }
            }
        }
    }

    /// The memory of a long history serves a shorter one, and holds nothing of it.
    #[test]
    fn recycled_memory_is_empty() {
        let mut long = History::new(100);
        long.push(&[1; 150]);
        let mut short = History::new(10);
        short.recycle(long.release());
        assert_eq!(short.parts().concat(), []);
        assert_eq!(long.parts().concat(), []);
        assert!(short.octets.capacity() <= 10);
    }
}
