//! Payloads that arrive in pieces: from the frames of a message to the message, or to the pieces
//! that [`Delivery::Pieces`] hands on.

use alloc::boxed::Box;
use core::fmt;
use core::mem;

use super::config::Delivery;
use super::error::ReceiveError;
use super::event::Position;
use super::inbox::Inbox;
use super::receiver::{End, Place, Ready, Receiver};
use super::settings::Settings;
use crate::frame::{Header, MAX_HEADER, Opcode, apply_mask, rotate_key};
use crate::message::MessageKind;
use crate::utf8::{Decoder, Utf8Error};

/// A message that arrives in pieces.
#[derive(Debug)]
pub(super) struct Assembly {
    /// The data frame whose payload is arriving.
    pub(super) frame: Option<Frame>,
    pub(super) message: Message,
    pub(super) decoder: Decoder,
}

/// A data frame whose header has been consumed.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) fin: bool,
    /// Turned along with the payload, so that it always applies from its first byte.
    key: Option<[u8; 4]>,
    pub(super) remaining: u64,
}

/// The message that is open, if [`Rules::in_message`](crate::frame::Rules::in_message) says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) kind: MessageKind,
    /// Bytes so far, after decompression.
    pub(super) length: u64,
    pub(super) compressed: bool,
    pub(super) fragments: u32,
    /// Whether a piece of it has been delivered.
    delivered: bool,
}

impl Assembly {
    const fn new() -> Self {
        Self {
            frame: None,
            message: Message::new(MessageKind::Binary, false),
            decoder: Decoder::new(),
        }
    }

    /// Checks the header of a data frame against the limits, before anything of its payload is kept
    /// (RFC 6455, section 10.4).
    fn admit(&mut self, header: Header, settings: &Settings) -> Result<(), ReceiveError> {
        if header.length > settings.max_frame {
            let (length, limit) = (header.length, settings.max_frame);
            return Err(ReceiveError::FrameTooBig { length, limit });
        }
        let message = &mut self.message;
        match header.opcode {
            Opcode::Text => *message = Message::new(MessageKind::Text, header.rsv1),
            Opcode::Binary => *message = Message::new(MessageKind::Binary, header.rsv1),
            _ => {}
        }
        message.fragments = message.fragments.saturating_add(1);
        if message.fragments > settings.max_fragments {
            let limit = settings.max_fragments;
            return Err(ReceiveError::TooManyFragments { limit });
        }
        if message.compressed {
            return Ok(()); // what it inflates to is what counts
        }
        let length = message.length.saturating_add(header.length);
        if length > settings.max_message {
            let limit = settings.max_message;
            return Err(ReceiveError::MessageTooBig { limit });
        }
        message.length = length;
        Ok(())
    }
}

impl Receiver {
    /// Starts a data frame with a header of `size` bytes, if that is within the limits. Its payload
    /// is taken as it arrives.
    pub(super) fn open_frame(
        &mut self,
        inbox: &mut Inbox,
        header: Header,
        size: usize,
    ) -> Result<(), ReceiveError> {
        let assembly = (self.assembly).get_or_insert_with(|| Box::new(Assembly::new()));
        assembly.admit(header, &self.settings)?;
        inbox.consume(size);
        let Header {
            fin, key, length, ..
        } = header;
        let message = &assembly.message;
        let gathers = message.kind == MessageKind::Text || message.compressed;
        if header.opcode != Opcode::Continuation && gathers {
            assembly.decoder = Decoder::new();
            inbox.start_gathering();
            #[cfg(feature = "deflate")]
            if let Some(inflating) = &mut self.inflating {
                inflating.start();
            }
        }
        assembly.frame = Some(Frame {
            fin,
            key,
            remaining: length,
        });
        self.rules.in_message = !fin;
        Ok(())
    }

    /// Takes what has arrived of the frame's payload: unmasks it and validates text at once, while
    /// it is in the cache, and so that the first bad byte ends the connection.
    pub(super) fn take_payload(&mut self, inbox: &mut Inbox) -> Result<Step, ReceiveError> {
        let Some(assembly) = &mut self.assembly else {
            return Ok(Step::FrameEnd);
        };
        #[cfg(feature = "deflate")]
        if assembly.message.compressed {
            return self.take_compressed(inbox);
        }
        let Some(frame) = &mut assembly.frame else {
            return Ok(Step::FrameEnd);
        };
        let count = frame.unmask(inbox, 0);
        frame.remaining -= count as u64; // usize is at most 64 bits wide
        let frame_end = frame.remaining == 0;
        let last = frame_end && frame.fin;
        if frame_end {
            assembly.frame = None;
        } else {
            let rest = usize::try_from(frame.remaining).unwrap_or(usize::MAX);
            inbox.want(rest.saturating_add(MAX_HEADER));
        }
        let ready = match self.settings.delivery {
            Delivery::Whole => assembly.assemble(inbox, count, last)?,
            Delivery::Pieces => assembly.deliver_piece(inbox, count, last, &mut self.end)?,
        };
        Ok(match ready {
            Some(ready) => Step::Ready(ready),
            None if frame_end => Step::FrameEnd,
            None => Step::Starved,
        })
    }
}

impl Assembly {
    /// Adds `count` bytes to the message and returns it when it is whole.
    fn assemble(
        &mut self,
        inbox: &mut Inbox,
        count: usize,
        last: bool,
    ) -> Result<Option<Ready>, ReceiveError> {
        let kind = self.message.kind;
        let place = match kind {
            MessageKind::Text => {
                inbox.gather_text(count, &mut self.decoder)?;
                if !last {
                    return Ok(None);
                }
                self.decoder.finish()?;
                inbox.end_gathering();
                Place::Gathered
            }
            MessageKind::Binary => {
                inbox.append_to_message(count);
                if !last {
                    return Ok(None);
                }
                Place::Block(inbox.take_message())
            }
        };
        Ok(Some(Ready::Message(kind, place)))
    }

    /// Hands on `count` bytes as they came, unless they complete nothing.
    fn deliver_piece(
        &mut self,
        inbox: &mut Inbox,
        count: usize,
        last: bool,
        end: &mut Option<Box<End>>,
    ) -> Result<Option<Ready>, ReceiveError> {
        match self.message.kind {
            MessageKind::Text => {
                inbox.start_gathering();
                let valid = inbox.gather_text(count, &mut self.decoder);
                inbox.end_gathering();
                self.text_piece(inbox, valid, last, end)
            }
            MessageKind::Binary => {
                let place = Place::Block(inbox.take(count));
                Ok(self.piece(place, count == 0, last))
            }
        }
    }

    /// Hands on the text that was gathered, as far as it is valid, so that what precedes a fault
    /// does not depend on how the bytes were cut.
    pub(super) fn text_piece(
        &mut self,
        inbox: &Inbox,
        mut valid: Result<(), Utf8Error>,
        mut last: bool,
        end: &mut Option<Box<End>>,
    ) -> Result<Option<Ready>, ReceiveError> {
        if last && valid.is_ok() {
            valid = self.decoder.finish();
        }
        let empty = inbox.text.is_empty();
        if let Err(error) = valid {
            if empty {
                return Err(error.into());
            }
            *end = Some(Box::new(End::Failing(error.into())));
            last = false;
        }
        Ok(self.piece(Place::Gathered, empty, last))
    }

    /// A piece, unless it says nothing.
    pub(super) fn piece(&mut self, place: Place, empty: bool, last: bool) -> Option<Ready> {
        if empty && !last {
            return None;
        }
        let first = !mem::replace(&mut self.message.delivered, true);
        Some(Ready::Piece(
            self.message.kind,
            place,
            Position { first, last },
        ))
    }
}

impl Frame {
    /// Unmasks what has arrived of the payload, but for the first `done` bytes, which have been,
    /// and tells how much that is.
    pub(super) fn unmask(&mut self, inbox: &mut Inbox, done: usize) -> usize {
        let unread = inbox.unread_mut().unwrap_or_default();
        let count = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(unread.len());
        if let (Some(key), Some(fresh)) = (&mut self.key, unread.get_mut(done..count)) {
            apply_mask(fresh, *key, 0);
            *key = rotate_key(*key, fresh.len());
        }
        count
    }
}

/// Without the masking key.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("fin", &self.fin)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

/// What taking a piece of payload led to.
pub(super) enum Step {
    Ready(Ready),
    FrameEnd,
    Starved,
}

impl Message {
    pub(super) const fn new(kind: MessageKind, compressed: bool) -> Self {
        Self {
            kind,
            compressed,
            length: 0,
            fragments: 0,
            delivered: false,
        }
    }
}
