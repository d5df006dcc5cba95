//! What was received, as plain data and then as an event that borrows the inbox.

use core::ops::Range;
use core::str;

use super::event::{Binary, BinaryPlace, Event, Piece, PiecePayload, Position, Text, TextPlace};
use super::inbox::Inbox;
use crate::frame::CloseFrame;
use crate::message::MessageKind;
use crate::utf8::Utf8Error;

/// Texts from this size on are split off the block when they came whole, so that they can be
/// detached without a copy. Below it, the split costs more than the copy.
const SPLIT_TEXT: usize = 16 * 1024;

/// Something received, as plain data.
#[derive(Clone, Debug)]
pub(super) enum Ready {
    Message(MessageKind, Place),
    Piece(MessageKind, Place, Position),
    Ping(Range<usize>),
    Pong(Range<usize>),
    Close(CloseFrame),
}

/// Where a payload stands in the inbox.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In the block; text there has not been validated yet.
    Block(Range<usize>),
    Gathered,
}

impl Ready {
    /// Makes an event of it. A text that stands in the block is validated here.
    #[inline]
    pub(super) fn lend(self, inbox: &mut Inbox) -> Result<Event<'_>, Utf8Error> {
        Ok(match self {
            Self::Message(MessageKind::Binary, Place::Block(range)) => Event::binary(inbox, range),
            Self::Message(MessageKind::Text, Place::Block(range)) => {
                Event::Text(Text(lend_text(inbox, range)?))
            }
            Self::Message(MessageKind::Binary, Place::Gathered) => {
                Event::Binary(Binary(BinaryPlace::Gathered(&mut inbox.bytes)))
            }
            Self::Message(MessageKind::Text, Place::Gathered) => {
                Event::Text(Text(TextPlace::Gathered(&mut inbox.text)))
            }
            Self::Piece(kind, place, position) => {
                let payload = match (kind, place) {
                    (MessageKind::Binary, Place::Block(range)) => {
                        PiecePayload::Binary(inbox.slice(range))
                    }
                    (MessageKind::Binary, Place::Gathered) => PiecePayload::Binary(&inbox.bytes),
                    // The text of a piece is always gathered: it may start inside a character.
                    (MessageKind::Text, _) => PiecePayload::Text(&inbox.text),
                };
                Event::Piece(Piece { payload, position })
            }
            Self::Ping(range) => Event::Ping(inbox.slice(range)),
            Self::Pong(range) => Event::Pong(inbox.slice(range)),
            Self::Close(frame) => Event::Close(frame),
        })
    }
}

/// Validates a text that stands whole in the block, once, and lends it.
#[inline]
fn lend_text(inbox: &mut Inbox, range: Range<usize>) -> Result<TextPlace<'_>, Utf8Error> {
    if range.len() >= SPLIT_TEXT {
        inbox.large_text = inbox.detach(range).try_into()?;
        return Ok(TextPlace::Split(&mut inbox.large_text));
    }
    Ok(TextPlace::Block(str::from_utf8(inbox.slice(range))?))
}
