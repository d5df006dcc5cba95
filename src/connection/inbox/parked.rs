//! What a connection leaves behind when another one gets the inbox.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use super::Inbox;

/// What is parked of this size on is not copied. Below, the copy is cheap, and what is parked takes
/// no more than its own size.
const PARK_WHOLE: usize = 64 * 1024;

/// What a connection left in an [`Inbox`] that was handed on to another one.
///
/// Not much larger than the bytes it holds; empty, it holds no heap memory. From 64 KiB on it may
/// have taken the inbox's memory along instead of a copy, so that a large message is not copied in
/// every turn that its connection gets.
///
/// ```
/// use fullduplex::Inbox;
///
/// let mut inbox = Inbox::from(&b"\x81"[..]); // half a header
/// let parked = inbox.park();
/// assert!(inbox.unread().is_empty());
/// inbox.resume(parked);
/// assert_eq!(inbox.unread(), b"\x81");
/// ```
#[derive(Default)]
pub struct Parked(Option<Box<Contents>>);

enum Contents {
    /// A copy of what was held.
    Copied {
        bytes: Vec<u8>,
        /// How much of it is the message being assembled.
        message: usize,
        wanted: usize,
        gathered: Option<(String, Vec<u8>)>,
    },
    Whole(Inbox),
}

impl Inbox {
    /// Takes out everything that belongs to the current connection, so that another one can use
    /// the inbox. Allocates only when a frame or message is incomplete.
    pub fn park(&mut self) -> Parked {
        let held = self.held() + self.gathered();
        // As much as an inbox may take for one connection, and nothing that another one's message
        // has grown.
        let most = held.saturating_mul(2).saturating_add(PARK_WHOLE);
        if held >= PARK_WHOLE && self.footprint() <= most {
            self.fresh = false;
            return Parked(Some(Box::new(Contents::Whole(mem::take(self)))));
        }
        let parked = if self.is_vacant() {
            Parked::default()
        } else {
            let mut bytes = Vec::with_capacity(self.held());
            bytes.extend_from_slice(self.slice(self.message..self.message_end));
            bytes.extend_from_slice(self.unread());
            Parked(Some(Box::new(Contents::Copied {
                message: self.message_end - self.message,
                bytes,
                wanted: self.wanted,
                gathered: self.gathering.then(|| self.take_gathered()),
            })))
        };
        self.clear();
        parked
    }

    /// Puts back what [`park`](Self::park) took out. Anything the inbox held before is dropped.
    #[inline]
    pub fn resume(&mut self, parked: Parked) {
        self.clear();
        if let Some(contents) = parked.0 {
            self.put_back(*contents);
        }
    }

    #[inline(never)]
    fn put_back(&mut self, contents: Contents) {
        match contents {
            Contents::Whole(whole) => {
                let buffer = self.take_buffer();
                *self = whole;
                self.buffer = buffer;
            }
            Contents::Copied {
                bytes,
                message,
                wanted,
                gathered,
            } => {
                self.extend(&bytes);
                self.message_end = message.min(self.end);
                self.next = self.message_end;
                self.wanted = wanted;
                if let Some((text, bytes)) = gathered {
                    self.start_gathering();
                    if !text.is_empty() {
                        self.text = text;
                    }
                    if !bytes.is_empty() {
                        self.bytes = bytes;
                    }
                }
            }
        }
    }

    /// All memory that it holds.
    fn footprint(&self) -> usize {
        self.block.capacity() + self.text.capacity() + self.bytes.capacity()
    }

    /// Takes out what has been gathered, in memory of its own size; what is empty leaves its memory
    /// here.
    fn take_gathered(&mut self) -> (String, Vec<u8>) {
        let (mut text, mut bytes) = (String::new(), Vec::new());
        if !self.text.is_empty() {
            mem::swap(&mut text, &mut self.text);
        }
        if !self.bytes.is_empty() {
            mem::swap(&mut bytes, &mut self.bytes);
        }
        text.shrink_to_fit();
        bytes.shrink_to_fit();
        (text, bytes)
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match self.0.as_deref() {
            None => 0,
            Some(Contents::Copied { bytes, .. }) => bytes.len(),
            Some(Contents::Whole(inbox)) => inbox.held(),
        };
        f.debug_struct("Parked")
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}
