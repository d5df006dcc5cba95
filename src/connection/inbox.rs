//! The receive memory: bytes that were read and not yet consumed, and the message being assembled.
//!
//! One block serves both. A binary message is assembled where its bytes arrived; only what stands
//! between its pieces (headers of fragments, control frames) makes later pieces move down:
//!
//! ```text
//!   block    | consumed | message so far | gap | unread bytes | room, initialised | spare capacity
//!                       ^message         ^message_end ^next     ^end                ^block.len()
//! ```
//!
//! Text that arrives in pieces is gathered in a `String` instead, since a `str` can be lent again
//! and again without being validated again only from there.

mod detached;
#[cfg(feature = "deflate")]
mod inflate;
mod parked;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::ops::Range;

use bytes::{Bytes, BytesMut};

pub use parked::Parked;

use super::retention::Retention;
use crate::utf8::{Decoder, Utf8Error};

/// The size of the first read. Small, since most connections carry small messages; a read that
/// fills its room doubles the next one.
const FIRST_READ: usize = 4 * 1024;

/// The largest read that is offered without a frame in progress that needs more, and the room that
/// such a frame gets before as much of it has come.
const LARGEST_READ: usize = 64 * 1024;

/// The largest read where the memory is not the connection's own and reads come back full. Streams of
/// messages of 16 KiB take a sixth less time than with half of that, since fewer messages are cut and
/// fewer system calls made; twice as much changes nothing and leaves the second-level cache.
const LONGEST_READ: usize = 128 * 1024;

/// Buffers to queue into are kept up to this size: as much as is written at a time, and as much
/// again.
pub(crate) const LARGEST_BUFFER: usize = 256 * 1024;

/// The largest read while a message is gathered outside the block.
const LARGEST_GATHERING_READ: usize = 256 * 1024;

/// Receive memory for one connection, or for many that take turns.
///
/// The owner reads from the transport into [`spare`](Self::spare), reports the count with
/// [`received`](Self::received), and hands the inbox to
/// [`Connection::poll_event`](crate::Connection::poll_event), which consumes whole frames, lends
/// their payloads, and leaves what is incomplete for the next read.
///
/// An inbox takes memory only for bytes that have come: at most twice what it holds plus 64 KiB,
/// whatever length a peer declares. To share one inbox between connections, [`park`](Self::park)
/// what belongs to the current one and [`resume`](Self::resume) it later.
///
/// ```
/// use fullduplex::Inbox;
///
/// let mut inbox = Inbox::new();
/// let room = inbox.spare(0);
/// room[..2].copy_from_slice(b"hi");
/// inbox.received(2);
/// assert_eq!(inbox.unread(), b"hi");
/// inbox.consume(1);
/// assert_eq!(inbox.unread(), b"i");
/// ```
#[derive(Default)]
pub struct Inbox {
    /// Its length is what has been initialised so far, so that no room is ever zeroed twice.
    block: BytesMut,
    /// The size of the memory that the block is a part of: messages that were detached have the
    /// rest, for as long as the block is there.
    allocated: usize,
    message: usize,
    message_end: usize,
    next: usize,
    end: usize,
    /// What the frame in progress still needs, and a header more.
    wanted: usize,
    next_read: usize,
    /// The most that was held since the inbox was last empty.
    peak: usize,
    retention: Retention,
    /// Whether bytes have come that no connection was told of; see [`Self::take_fresh`].
    fresh: bool,
    /// Whether a message is being gathered in `text` or `bytes`.
    gathering: bool,
    /// Text that arrived in pieces.
    pub(super) text: String,
    /// Bytes that are not in the block, because they were inflated.
    pub(super) bytes: Vec<u8>,
    /// Memory to queue into, for the connection that has its turn.
    buffer: Vec<u8>,
}

impl Inbox {
    /// An inbox that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Initialised room to read into, at least `at_least` bytes and never empty.
    ///
    /// The room grows to hold the rest of the frame in progress and one more header, as far as
    /// twice the bytes held so far allow, and adapts to how full earlier reads came back. With 0
    /// the inbox decides alone.
    #[inline]
    pub fn spare(&mut self, at_least: usize) -> &mut [u8] {
        if self.held() == 0 {
            self.start_over();
            let next_read = self.next_read.min(LARGEST_READ);
            let enough = next_read.max(self.wanted).max(at_least);
            if self.block.len() >= enough.max(FIRST_READ) {
                return &mut self.block;
            }
        }
        self.spare_behind(at_least)
    }

    /// As [`spare`](Self::spare), in memory that is the connection's only while it works: longer reads
    /// where they come back full.
    #[cfg(feature = "std")]
    #[inline(always)]
    pub(crate) fn long_spare(&mut self) -> &mut [u8] {
        let at_least = if self.next_read > LARGEST_READ && self.held() < LARGEST_READ {
            LONGEST_READ
        } else {
            0
        };
        self.spare(at_least)
    }

    /// Room behind what is held, or in a block that has to grow.
    #[inline(never)]
    fn spare_behind(&mut self, at_least: usize) -> &mut [u8] {
        if self.next == self.end && self.message < self.message_end {
            // Nothing unread: the next piece of the message can arrive right behind the last.
            self.next = self.message_end;
            self.end = self.message_end;
        }
        let (held, wanted) = (self.held(), self.wanted);
        // What is gathered has taken up to half as much again; the block may take the other half.
        let allowed = LARGEST_READ
            .saturating_add(self.gathered() / 2)
            .min(LARGEST_GATHERING_READ)
            .saturating_sub(held)
            .max(held.saturating_add(FIRST_READ));
        // A frame of many reads gets some room more, since its memory may serve for the next one.
        let slack = if wanted > LARGEST_READ { FIRST_READ } else { 0 };
        let next_read = self.next_read.min(LARGEST_READ);
        let room = next_read
            .max(wanted.saturating_add(slack))
            .min(allowed)
            .max(at_least)
            .max(FIRST_READ);
        let rest = self.block.len() - self.end;
        let enough = if held >= LARGEST_READ && (1..=rest).contains(&wanted) {
            wanted.max(at_least) // to read a little less costs less than to move all of it
        } else {
            // Half of that will do in a block of a read's size, or it would grow again for the few
            // bytes that each read adds to what is held; but not less than the frame needs to its
            // end, if that is in reach.
            let end = Some(wanted).filter(|wanted| *wanted <= allowed);
            (room / 2)
                .min(LARGEST_READ)
                .max(next_read.saturating_sub(held))
                .max(end.unwrap_or_default())
                .max(at_least)
        };
        if self.block.len() - self.end < enough {
            self.make_room(enough, room);
        }
        self.block.get_mut(self.end..).unwrap_or_default()
    }

    /// Reports that the first `count` bytes of [`spare`](Self::spare) were filled.
    ///
    /// A count larger than the room, as a broken reader may return, is cut to it.
    #[inline]
    pub fn received(&mut self, count: usize) {
        let room = self.block.len() - self.end;
        self.end += count.min(room);
        self.fresh |= count > 0;
        self.peak = self.peak.max(self.end);
        if count >= room {
            self.next_read = (self.next_read.max(FIRST_READ) * 2).min(LONGEST_READ);
        }
    }

    /// The bytes received and not yet consumed.
    #[inline]
    pub fn unread(&self) -> &[u8] {
        self.block.get(self.next..self.end).unwrap_or_default()
    }

    /// Drops the first `count` unread bytes, or all if there are fewer.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.next = self.end.min(self.next.saturating_add(count));
    }

    /// Gives all memory back, unless it holds bytes of a connection.
    pub fn release(&mut self) {
        if self.held() == 0 && !self.gathering {
            *self = Self::default();
        }
    }

    /// Whether it holds nothing that belongs to a connection.
    #[inline]
    pub(crate) fn is_vacant(&self) -> bool {
        self.held() == 0 && self.wanted == 0 && !self.gathering
    }

    /// Whether it holds nothing at all, not even memory.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.size() == 0 && self.is_vacant()
    }

    /// How many bytes are held for the connection.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn in_use(&self) -> usize {
        let gathered = if self.gathering {
            self.text.len() + self.bytes.len()
        } else {
            0
        };
        self.held() + gathered
    }

    /// Whether it takes more memory than ordinary reads need.
    #[cfg(feature = "std")]
    pub(crate) fn has_grown(&self) -> bool {
        self.size() > super::retention::KEPT
    }

    /// How much memory it takes.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.allocated + self.text.capacity() + self.bytes.capacity()
    }

    /// Keeps the memory of a queue for the next connection.
    pub(super) fn keep_buffer(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= LARGEST_BUFFER {
            self.buffer = buffer;
        }
    }

    /// Memory to queue into, if there is any.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        mem::take(&mut self.buffer)
    }

    /// Forgets every byte; the memory stays.
    #[inline]
    pub(super) fn clear(&mut self) {
        (self.gathering, self.fresh) = (false, false);
        (
            self.message,
            self.message_end,
            self.next,
            self.end,
            self.wanted,
        ) = (0, 0, 0, 0, 0);
    }

    /// Starts to gather a message, or a piece of one, outside the block.
    pub(super) fn start_gathering(&mut self) {
        self.text.clear();
        self.bytes.clear();
        self.gathering = true;
    }

    /// What was gathered is whole; it is forgotten when the next gathering starts.
    pub(super) fn end_gathering(&mut self) {
        self.peak = self.peak.max(self.text.len()).max(self.bytes.len());
        self.gathering = false;
    }

    /// Consumes `count` unread bytes as text and gathers what they complete.
    pub(super) fn gather_text(
        &mut self,
        count: usize,
        decoder: &mut Decoder,
    ) -> Result<(), Utf8Error> {
        let piece = self.take(count);
        let piece = self.block.get(piece).unwrap_or_default();
        let gathered = &mut self.text;
        decoder.push(piece, |text| {
            let needed = gathered.len() + text.len();
            if needed > gathered.capacity() {
                // Half as much again: doubling would leave the block no part of the bound.
                gathered.reserve_exact(text.len() + needed / 2);
            }
            gathered.push_str(text);
        })
    }

    /// What the frame in progress still needs beyond the unread bytes.
    pub(super) fn want(&mut self, rest_of_frame: usize) {
        self.wanted = rest_of_frame;
    }

    /// Whether bytes have come since this was asked last.
    pub(super) fn take_fresh(&mut self) -> bool {
        mem::take(&mut self.fresh)
    }

    /// The unread bytes, to be unmasked in place. It never is `None`; what to do if it were, a caller
    /// says at less cost than this could.
    #[inline]
    pub(super) fn unread_mut(&mut self) -> Option<&mut [u8]> {
        self.block.get_mut(self.next..self.end)
    }

    /// Consumes `count` unread bytes as a payload of their own and tells where they stand.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.next;
        self.consume(count);
        start..self.next
    }

    /// Consumes `skipped` unread bytes and `count` behind them, all of which are there, and tells
    /// where those stand.
    #[inline]
    pub(super) fn take_behind(&mut self, skipped: usize, count: usize) -> Range<usize> {
        let start = self.next + skipped;
        self.next = start + count;
        start..self.next
    }

    /// Consumes `count` unread bytes as the next piece of the message being assembled.
    pub(super) fn append_to_message(&mut self, count: usize) {
        let piece = self.take(count);
        if self.message == self.message_end {
            (self.message, self.message_end) = (piece.start, piece.end);
            return;
        }
        let end = self.message_end + piece.len();
        if self.message_end != piece.start {
            self.block.copy_within(piece, self.message_end);
        }
        self.message_end = end;
    }

    /// Ends the message being assembled and tells where it stands.
    pub(super) fn take_message(&mut self) -> Range<usize> {
        let range = self.message..self.message_end;
        self.message = self.next;
        self.message_end = self.next;
        range
    }

    /// Bytes at a place that [`take`](Self::take) or [`take_message`](Self::take_message) told.
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.block.get(range).unwrap_or_default()
    }

    /// Bytes of the message that is being gathered outside the block.
    fn gathered(&self) -> usize {
        if self.gathering {
            self.text.len() + self.bytes.len()
        } else {
            0
        }
    }

    /// Message bytes and unread bytes together.
    #[inline]
    fn held(&self) -> usize {
        (self.message_end - self.message) + (self.end - self.next)
    }

    #[inline]
    fn start_over(&mut self) {
        if self.end == 0 && self.peak == 0 {
            return; // as it was the last time
        }
        (self.message, self.message_end, self.next, self.end) = (0, 0, 0, 0);
        if self.gathering {
            return;
        }
        let largest = self
            .block
            .len()
            .max(self.text.capacity())
            .max(self.bytes.capacity());
        if self.retention.is_over(mem::take(&mut self.peak), largest) {
            self.release();
        }
    }

    /// Moves what is held to the front and, if that does not make `enough` room, grows the block to
    /// make at least `room`.
    fn make_room(&mut self, enough: usize, room: usize) {
        let message = self.message_end - self.message;
        let unread = self.end - self.next;
        if self.message > 0 {
            self.block.copy_within(self.message..self.message_end, 0);
        }
        if self.next > message {
            self.block.copy_within(self.next..self.end, message);
        }
        (self.message, self.message_end) = (0, message);
        (self.next, self.end) = (message, message + unread);
        if self.block.len() - self.end < enough {
            // So that many small steps do not add up.
            let least = if enough < self.held() / 8 {
                self.held() / 2
            } else {
                0
            };
            self.grow(enough, room.max(least));
        }
    }

    /// Grows the block to exactly `room` behind what it holds, or less if there is `enough` already.
    /// Left to itself, `BytesMut` would double its capacity, which already includes the room.
    fn grow(&mut self, enough: usize, room: usize) {
        self.block.truncate(self.end);
        let mut memory = Vec::from(mem::take(&mut self.block)); // starts at its start again
        if memory.capacity() - memory.len() < enough {
            memory.reserve_exact(room);
        }
        let room = room.min(memory.capacity() - memory.len());
        memory.resize(self.end + room, 0);
        self.allocated = memory.capacity();
        self.block = BytesMut::from(Bytes::from(memory));
    }

    fn extend(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(room) = self.spare(bytes.len()).get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
        }
        self.end += bytes.len();
    }
}

/// An inbox that has received `bytes`.
impl From<&[u8]> for Inbox {
    fn from(bytes: &[u8]) -> Self {
        let mut inbox = Self::new();
        inbox.extend(bytes);
        inbox.fresh = !bytes.is_empty();
        inbox
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("unread", &self.unread().len())
            .field("message", &(self.message_end - self.message))
            .field("block", &self.block.len())
            .finish_non_exhaustive()
    }
}
