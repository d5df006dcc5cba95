//! permessage-deflate in the receiving half (RFC 7692, sections 6.2 and 7.2.2).
//!
//! What is inflated is charged against the message limit while it is inflated, and memory grows
//! with it: a small message that inflates to a large one costs no more than the limit.

use alloc::boxed::Box;
use alloc::string::String;
use core::mem;

use super::assembling::{Assembly, Step};
use super::config::Delivery;
use super::error::ReceiveError;
use super::inbox::Inbox;
use super::receiver::{End, Place, Ready, Receiver};
use super::settings::Settings;
use crate::deflate::codec::Inflater;
use crate::deflate::{Agreement, DeflateError};
use crate::frame::MAX_HEADER;
use crate::message::MessageKind;
use crate::utf8::Utf8Error;

/// A compressed message may take twice its limit on the wire, and this: what inflates to nothing
/// has to end, too, while stored blocks and flushes make small messages larger.
const WIRE_SLACK: u64 = 64 * 1024;

/// By how much the first message is expected to grow, and any at most. To expect too much costs the
/// zeroing of room that stays empty.
const FIRST_GROWTH: u8 = 4;
const MOST_GROWTH: u8 = 16;

/// The decompressor, and how far it is with the frame at hand.
#[derive(Debug)]
pub(super) struct Inflating {
    inflater: Inflater,
    /// Unread bytes of the frame that have been unmasked and not been taken yet.
    unmasked: usize,
    /// Everything that was taken has come out.
    drained: bool,
    /// Bytes of the message that came over the wire.
    wire: u64,
    /// By how much messages grow: one that grows as the last one did needs no second step.
    growth: u8,
}

/// What one step of inflating did.
struct Progress {
    taken: usize,
    produced: usize,
    message_end: bool,
}

impl Inflating {
    pub(super) fn new(agreement: Agreement) -> Self {
        Self {
            inflater: Inflater::new(&agreement),
            unmasked: 0,
            drained: true,
            wire: 0,
            growth: FIRST_GROWTH,
        }
    }

    /// A compressed message begins.
    pub(super) fn start(&mut self) {
        (self.unmasked, self.drained, self.wire) = (0, true, 0);
    }

    /// Takes note of the length of a whole message.
    fn learn(&mut self, length: u64) {
        let growth = length.saturating_add(length / 4) / self.wire.max(1) + 1;
        self.growth = u8::try_from(growth).unwrap_or(MOST_GROWTH).min(MOST_GROWTH);
    }

    /// Inflates up to `room` bytes of `available` unread ones, or ends the message with `ending`.
    fn step(
        &mut self,
        inbox: &mut Inbox,
        available: usize,
        room: usize,
        ending: bool,
    ) -> Result<Progress, DeflateError> {
        let (mut input, output) = inbox.inflating(available, room);
        if ending {
            let finish = self.inflater.finish(output)?;
            return Ok(Progress {
                taken: 0,
                produced: finish.written,
                message_end: finish.done,
            });
        }
        let produced = self.inflater.inflate(&mut input, output)?;
        self.drained = self.inflater.is_drained();
        Ok(Progress {
            taken: available - input.len(),
            produced,
            message_end: false,
        })
    }
}

impl Receiver {
    /// Takes what has arrived of a compressed frame's payload and inflates it: all of it, or with
    /// [`Delivery::Pieces`] up to the next piece.
    pub(super) fn take_compressed(&mut self, inbox: &mut Inbox) -> Result<Step, ReceiveError> {
        let (Some(assembly), Some(inflating)) = (&mut self.assembly, &mut self.inflating) else {
            return Ok(Step::FrameEnd);
        };
        let Some(frame) = &mut assembly.frame else {
            return Ok(Step::FrameEnd);
        };
        let Settings {
            max_message,
            delivery,
            ..
        } = *self.settings;
        let message = &mut assembly.message;
        let available = frame.unmask(inbox, inflating.unmasked);
        inflating.unmasked = available;

        if delivery == Delivery::Pieces {
            inbox.bytes.clear();
        }
        let before = inbox.bytes.len();
        let wire_limit = max_message.saturating_mul(2).saturating_add(WIRE_SLACK);
        let mut frame_end = false;
        let mut message_end = false;
        let mut starved = false;
        let mut fault = None;
        while !message_end {
            let ending = frame.remaining == 0 && inflating.drained;
            if ending && !frame.fin {
                frame_end = true;
                break;
            }
            if !ending && inflating.drained && inflating.unmasked == 0 {
                let rest = usize::try_from(frame.remaining).unwrap_or(usize::MAX);
                inbox.want(rest.saturating_add(MAX_HEADER));
                starved = true;
                break;
            }
            // One byte more than each limit allows, so that exceeding it shows.
            let left = one_more(max_message, message.length);
            let available = inflating.unmasked.min(one_more(wire_limit, inflating.wire));
            let likely = available.saturating_mul(inflating.growth.into());
            let room = inbox.room_to_inflate(available, likely).min(left);
            inbox.grow_bytes(room, left);
            let Ok(step) = inflating.step(inbox, available, room, ending) else {
                inbox.inflated(0, room);
                fault = Some(ReceiveError::InvalidDeflate);
                break;
            };
            let Progress {
                taken, produced, ..
            } = step;
            inbox.inflated(taken, room - produced);
            message_end = step.message_end;
            inflating.unmasked -= taken;
            inflating.wire += taken as u64; // usize is at most 64 bits wide
            frame.remaining -= taken as u64;
            message.length += produced as u64;
            if message.length > max_message {
                inbox.inflated(0, 1);
            }
            if message.length > max_message || inflating.wire > wire_limit {
                let limit = max_message;
                fault = Some(ReceiveError::MessageTooBig { limit });
                break;
            }
            if delivery == Delivery::Pieces && produced > 0 {
                break;
            }
        }
        if let Some(error) = fault {
            let ready = assembly.take_inflated(inbox, delivery, before, false, &mut self.end)?;
            // After what precedes it: neither what is delivered nor which of two faults counts may
            // depend on how the bytes were cut.
            let Some(ready) = ready else {
                return Err(error);
            };
            (self.end).get_or_insert_with(|| Box::new(End::Failing(error)));
            return Ok(Step::Ready(ready));
        }
        if message_end {
            inflating.learn(message.length);
        }
        if frame_end || message_end {
            assembly.frame = None;
        }
        match assembly.take_inflated(inbox, delivery, before, message_end, &mut self.end)? {
            Some(ready) => Ok(Step::Ready(ready)),
            None if frame_end => Ok(Step::FrameEnd),
            None if starved => Ok(Step::Starved),
            // A piece that was no more than a part of a character: there may be another.
            None => self.take_compressed(inbox),
        }
    }
}

impl Assembly {
    /// Takes note of what was added behind `before`; what there is to report.
    fn take_inflated(
        &mut self,
        inbox: &mut Inbox,
        delivery: Delivery,
        before: usize,
        last: bool,
        end: &mut Option<Box<End>>,
    ) -> Result<Option<Ready>, ReceiveError> {
        match delivery {
            Delivery::Whole => self.assemble_inflated(inbox, before, last),
            Delivery::Pieces => self.deliver_inflated(inbox, last, end),
        }
    }

    /// Checks what was added behind `before` and returns the message when it is whole.
    fn assemble_inflated(
        &mut self,
        inbox: &mut Inbox,
        before: usize,
        last: bool,
    ) -> Result<Option<Ready>, ReceiveError> {
        let kind = self.message.kind;
        match (kind, last) {
            (MessageKind::Text, false) => {
                let added = inbox.bytes.get(before..).unwrap_or_default();
                self.decoder.push(added, |_| {})?;
            }
            (MessageKind::Text, true) => {
                // Validated once more as a whole if it came in parts: safe code knows no other way
                // to a string, and it costs little next to inflating.
                let bytes = mem::take(&mut inbox.bytes);
                inbox.text =
                    String::from_utf8(bytes).map_err(|e| Utf8Error::from(e.utf8_error()))?;
            }
            (MessageKind::Binary, _) => {}
        }
        if !last {
            return Ok(None);
        }
        inbox.end_gathering();
        Ok(Some(Ready::Message(kind, Place::Gathered)))
    }

    /// Hands on what was inflated, unless it completes nothing.
    fn deliver_inflated(
        &mut self,
        inbox: &mut Inbox,
        last: bool,
        end: &mut Option<Box<End>>,
    ) -> Result<Option<Ready>, ReceiveError> {
        // What is handed on is gone: nothing of it is kept when the inbox is.
        inbox.end_gathering();
        if self.message.kind == MessageKind::Binary {
            let empty = inbox.bytes.is_empty();
            return Ok(self.piece(Place::Gathered, empty, last));
        }
        let (bytes, text) = (&mut inbox.bytes, &mut inbox.text);
        text.clear();
        let valid = self.decoder.push(bytes, |piece| text.push_str(piece));
        bytes.clear();
        self.text_piece(inbox, valid, last, end)
    }
}

/// How far `done` is from one more than `limit`.
fn one_more(limit: u64, done: u64) -> usize {
    let left = limit.saturating_sub(done).saturating_add(1);
    usize::try_from(left).unwrap_or(usize::MAX)
}
