//! Bytes that wait for the transport: one buffer for headers and small payloads, and large payloads
//! that are written from where they are.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
#[cfg(feature = "std")]
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use super::retention::Retention;

/// Written bytes at the front of the buffer are dropped when there are this many and they make up
/// half of it. Before that, moving the rest costs more than the memory is worth.
const COMPACT_FROM: usize = 64 * 1024;

const BEYOND: &str = "advanced beyond the end of the queue";

/// What a connection wants to write, as a [`Buf`]: write any prefix of it, then
/// [`advance`](Buf::advance) by what the transport took.
///
/// ```
/// use bytes::Buf;
/// use fullduplex::{Config, Connection};
///
/// let mut connection = Connection::server(&Config::default());
/// connection.send_text("hi")?;
/// assert_eq!(connection.outgoing().chunk(), b"\x81\x02hi");
/// connection.outgoing().advance(3); // a short write
/// assert_eq!(connection.outgoing().chunk(), b"i");
/// # Ok::<(), fullduplex::SendError>(())
/// ```
#[derive(Default)]
pub struct Outgoing {
    buffer: Vec<u8>,
    /// How much of `buffer` has been written.
    head: usize,
    /// Payloads that go in between. Boxed, since most connections never have one.
    payloads: Option<Box<Payloads>>,
    /// Bytes that the transport has taken since the connection began.
    written: u64,
    /// The most that `buffer` held since it was last empty, in bytes; more than this counts as
    /// this.
    peak: u32,
    retention: Retention,
}

/// Payloads that are written from where they are.
#[derive(Default)]
struct Payloads {
    /// Each with the place in the buffer before which it goes.
    waiting: VecDeque<(usize, Bytes)>,
    /// How much of the first has been written. It stays whole, so that its memory can be used again.
    taken: usize,
    /// What waits of them all, in bytes.
    bytes: usize,
}

impl Outgoing {
    /// A queue that starts with `bytes`, as the response of the opening handshake.
    pub(super) fn starting_with(bytes: Vec<u8>) -> Self {
        Self {
            buffer: bytes,
            ..Self::default()
        }
    }

    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        let payloads = (self.payloads.as_ref()).map_or(0, |payloads| payloads.bytes);
        self.buffer.len() - self.head + payloads
    }

    /// How much is in the buffer, what has been written of it included.
    #[inline]
    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether all that waits is in the buffer, and so in one chunk.
    #[inline]
    pub(crate) fn is_one_buffer(&self) -> bool {
        (self.payloads.as_ref()).is_none_or(|payloads| payloads.waiting.is_empty())
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the transport has taken since the connection began.
    #[inline]
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The buffer, to append to.
    #[inline]
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends a payload without copying it.
    pub(super) fn push_payload(&mut self, payload: Bytes) {
        let payloads = self.payloads.get_or_insert_default();
        payloads.bytes += payload.len();
        (payloads.waiting).push_back((self.buffer.len(), payload));
    }

    pub(super) fn lacks_buffer(&self) -> bool {
        self.buffer.capacity() == 0
    }

    /// Takes over the memory of `buffer`.
    pub(super) fn lend_buffer(&mut self, mut buffer: Vec<u8>) {
        if self.lacks_buffer() {
            buffer.clear();
            self.buffer = buffer;
        }
    }

    /// Takes the buffer, if there is any, and gives the other memory back. Nothing waits.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        // Assigning alone is right, too, but takes longer where there is nothing, as there mostly is.
        if self.payloads.is_some() {
            self.payloads = None;
        }
        (!self.lacks_buffer()).then(|| mem::take(&mut self.buffer))
    }

    /// [`advance`](Buf::advance)s where all [is in one buffer](Self::is_one_buffer).
    ///
    /// # Panics
    ///
    /// If `count` exceeds what is remaining.
    #[inline]
    pub(crate) fn advance_buffer(&mut self, count: usize) {
        assert!(count <= self.buffer.len() - self.head, "{BEYOND}");
        self.written += count as u64; // usize is at most 64 bits wide
        self.head += count;
        if self.head == self.buffer.len() {
            self.drained();
        } else {
            self.compact_if_due();
        }
    }

    /// [`advance`](Buf::advance)s, and returns the last payload that is written now, for the sake of
    /// its memory.
    ///
    /// # Panics
    ///
    /// If `count` exceeds what is remaining.
    pub(crate) fn take_written(&mut self, count: usize) -> Option<Bytes> {
        let Some(payloads) = &mut self.payloads else {
            self.advance_buffer(count);
            return None;
        };
        assert!(
            count <= payloads.bytes + self.buffer.len() - self.head,
            "{BEYOND}"
        );
        self.written += count as u64; // usize is at most 64 bits wide
        let written = payloads.advance(&mut self.head, count);
        if self.is_empty() {
            self.drained();
        } else {
            self.compact_if_due();
        }
        written
    }

    #[inline]
    fn drained(&mut self) {
        let peak = saturated(mem::take(&mut self.head)).max(mem::take(&mut self.peak));
        self.buffer.clear();
        if (self.retention).is_over(peak as usize, self.buffer.capacity()) {
            self.buffer = Vec::new();
        }
    }

    fn compact_if_due(&mut self) {
        if self.head < COMPACT_FROM || self.head < self.buffer.len() / 2 {
            return;
        }
        self.peak = self.peak.max(saturated(self.buffer.len()));
        let head = mem::take(&mut self.head);
        self.buffer.drain(..head);
        let payloads = self.payloads.iter_mut();
        for (place, _) in payloads.flat_map(|payloads| &mut payloads.waiting) {
            *place -= head; // a payload that waits stands at or behind the head
        }
    }
}

impl Payloads {
    /// What waits, each with the place in the buffer before which it goes.
    fn unwritten(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut taken = self.taken;
        (self.waiting.iter()).map(move |(place, payload)| {
            let rest = payload.get(mem::take(&mut taken)..);
            (*place, rest.unwrap_or_default())
        })
    }

    /// Moves `head` on by what of `count` written bytes was in the buffer, and returns the last
    /// payload that is written now.
    fn advance(&mut self, head: &mut usize, count: usize) -> Option<Bytes> {
        let mut written = None;
        let mut rest = count;
        while rest > 0 {
            let Some((place, payload)) = self.waiting.front_mut() else {
                *head += rest;
                break;
            };
            let before = (*place - *head).min(rest);
            *head += before;
            rest -= before;
            if *place == *head {
                let count = (payload.len() - self.taken).min(rest);
                self.taken += count;
                self.bytes -= count;
                rest -= count;
            }
            if self.taken == payload.len() {
                self.taken = 0;
                written = self.waiting.pop_front().map(|(_, payload)| payload);
            }
        }
        written
    }
}

fn saturated(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl Buf for Outgoing {
    #[inline]
    fn remaining(&self) -> usize {
        self.len()
    }

    #[inline]
    fn chunk(&self) -> &[u8] {
        let payloads = self.payloads.as_deref();
        let end = match payloads.and_then(|payloads| payloads.unwritten().next()) {
            Some((place, payload)) if place == self.head => return payload,
            Some((place, _)) => place,
            None => self.buffer.len(),
        };
        self.buffer.get(self.head..end).unwrap_or_default()
    }

    /// # Panics
    ///
    /// If `count` exceeds what is remaining.
    #[inline]
    fn advance(&mut self, count: usize) {
        drop(self.take_written(count));
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut from = self.head;
        let mut count = 0;
        let mut slots = slices.iter_mut();
        let mut put = |bytes: &'a [u8]| {
            if bytes.is_empty() {
                return true;
            }
            let Some(slot) = slots.next() else {
                return false;
            };
            *slot = IoSlice::new(bytes);
            count += 1;
            true
        };
        let payloads = self.payloads.iter();
        for (place, payload) in payloads.flat_map(|payloads| payloads.unwritten()) {
            if !put(self.buffer.get(from..place).unwrap_or_default()) || !put(payload) {
                return count;
            }
            from = place;
        }
        put(self.buffer.get(from..).unwrap_or_default());
        count
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
