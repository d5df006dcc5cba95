//! The receiving half: frames to events, fragments to messages, faults to errors.
//!
//! Each call works in two steps. [`Receiver::advance`] consumes bytes, unmasks them in place and
//! returns plain data; [`Receiver::view`] makes the borrow from it. A loop that returned borrows
//! could not be written in safe Rust today.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;

use super::assembling::{Assembly, Step};
use super::config::{Delivery, Role};
use super::error::ReceiveError;
use super::event::{Binary, BinaryPlace, Event, Piece, PiecePayload, Position, Text, TextPlace};
use super::inbox::Inbox;
#[cfg(feature = "deflate")]
use super::inflating::Inflating;
use super::settings::Settings;
use crate::frame::{CloseFrame, Header, Opcode, Rules, WholeMessage, apply_mask, parse_close_body};
use crate::handshake::Extensions;
use crate::message::MessageKind;
use crate::utf8::{Utf8Error, validate};

/// The receiving half of a connection: usable on its own thread after
/// [`Connection::split`](crate::Connection::split).
///
/// It answers nothing itself. Hand each [`Event`] to
/// [`Sender::answer`](crate::connection::Sender::answer) and an error to
/// [`Sender::fail`](crate::connection::Sender::fail).
///
/// ```
/// use fullduplex::{Config, Connection, Inbox};
///
/// let (mut receiver, mut sender) = Connection::server(&Config::default()).split();
/// let mut inbox = Inbox::from(&b"\x89\x80\0\0\0\0"[..]); // a Ping
/// while let Some(event) = receiver.poll_event(&mut inbox)? {
///     sender.answer(&event);
/// }
/// assert_eq!(bytes::Buf::chunk(sender.outgoing()), b"\x8a\x00"); // its Pong
/// # Ok::<(), fullduplex::ReceiveError>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    pub(super) settings: Arc<Settings>,
    /// Messages shorter than this can be taken whole: 0 while anything stands against it.
    whole_below: u64,
    pub(super) rules: Rules,
    eof: bool,
    pub(super) end: Option<Box<End>>,
    /// What is known of a message that does not come whole. Most do, and all connections have to
    /// keep the room for it.
    pub(super) assembly: Option<Box<Assembly>>,
    #[cfg(feature = "deflate")]
    pub(super) inflating: Option<Box<Inflating>>,
}

/// Why no more is received.
#[derive(Debug)]
pub(super) enum End {
    /// The peer's Close frame came.
    Closed(CloseFrame),
    /// A fault was found behind a piece that is delivered first; the next call reports it.
    Failing(ReceiveError),
    Failed(ReceiveError),
}

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

impl Receiver {
    pub(super) fn new(role: Role, settings: Arc<Settings>, extensions: &Extensions) -> Self {
        let mut rules = Rules::new(role);
        rules.rsv1 = extensions.use_rsv1();
        let mut receiver = Self {
            settings,
            whole_below: 0,
            rules,
            eof: false,
            end: None,
            assembly: None,
            #[cfg(feature = "deflate")]
            inflating: extensions
                .deflate
                .map(|agreed| Box::new(Inflating::new(agreed))),
        };
        receiver.settle();
        receiver
    }

    /// The next thing received, or `None` when more bytes are needed or the peer has closed.
    ///
    /// # Errors
    ///
    /// A [`ReceiveError`] is final: every later call returns it again.
    pub fn poll_event<'i>(
        &mut self,
        inbox: &'i mut Inbox,
    ) -> Result<Option<Event<'i>>, ReceiveError> {
        if let Some((kind, range)) = self.take_whole(inbox) {
            return match lend(inbox, kind, range) {
                Ok(event) => Ok(Some(event)),
                Err(error) => Err(self.fail(error.into())),
            };
        }
        match self.advance(inbox)? {
            Some(ready) => self.view(inbox, ready).map(Some),
            None => Ok(None),
        }
    }

    /// Reports that the transport ended, or that it was given up.
    pub fn received_eof(&mut self) {
        self.eof = true;
    }

    /// What the peer's Close frame said, once it came.
    pub(super) fn close_received(&self) -> Option<&CloseFrame> {
        match self.end.as_deref() {
            Some(End::Closed(frame)) => Some(frame),
            Some(End::Failing(_) | End::Failed(_)) | None => None,
        }
    }

    pub(super) fn failure(&self) -> Option<ReceiveError> {
        match self.end.as_deref() {
            Some(End::Failed(error)) => Some(*error),
            Some(End::Closed(_) | End::Failing(_)) | None => None,
        }
    }

    pub(super) fn eof(&self) -> bool {
        self.eof
    }

    /// Ends receiving with `error`, unless it has ended before: a fault after the peer's Close frame
    /// does not undo that (RFC 6455, section 7.1.5). Returns the error that counts.
    #[cold]
    pub(super) fn fail(&mut self, error: ReceiveError) -> ReceiveError {
        let first = match self.end.as_deref() {
            Some(End::Failing(first) | End::Failed(first)) => *first,
            Some(End::Closed(_)) => return error,
            None => error,
        };
        self.end = Some(Box::new(End::Failed(first)));
        self.settle();
        first
    }

    /// Gives the memory back that only a message in progress needs.
    pub(super) fn release(&mut self) {
        if !self.is_assembling() {
            self.assembly = None;
        }
    }

    #[inline]
    fn is_assembling(&self) -> bool {
        self.rules.in_message || self.is_in_frame()
    }

    /// Whether the payload of a data frame is arriving.
    #[inline]
    fn is_in_frame(&self) -> bool {
        (self.assembly.as_ref()).is_some_and(|assembly| assembly.frame.is_some())
    }

    /// Decides whether messages can be [taken whole](Self::take_whole) from now on.
    fn settle(&mut self) {
        let Settings {
            max_frame,
            max_message,
            delivery,
            ..
        } = *self.settings;
        let able = self.end.is_none() && !self.is_assembling() && delivery == Delivery::Whole;
        self.whole_below = if able {
            max_frame.min(max_message).saturating_add(1)
        } else {
            0
        };
    }

    /// Takes a message that came in one frame and is all there, which most are: nothing has to be
    /// remembered for it. `None` says nothing; [`advance`](Self::advance) finds out.
    #[inline]
    pub(super) fn take_whole(&self, inbox: &mut Inbox) -> Option<(MessageKind, Range<usize>)> {
        let WholeMessage {
            kind,
            header,
            length,
        } = WholeMessage::unmask_front(inbox.unread_mut()?, self.rules.role, self.whole_below)?;
        Some((kind, inbox.take_behind(header, length)))
    }

    /// Whether nothing has begun and nothing has come.
    #[inline]
    pub(super) fn is_waiting(&self, inbox: &Inbox) -> bool {
        self.whole_below > 0 && !self.eof && inbox.unread().is_empty()
    }

    /// Consumes bytes until there is something to report.
    pub(super) fn advance(&mut self, inbox: &mut Inbox) -> Result<Option<Ready>, ReceiveError> {
        let advanced = self.advance_frames(inbox);
        if !self.is_in_frame() {
            inbox.want(0);
        }
        self.settle();
        advanced
    }

    fn advance_frames(&mut self, inbox: &mut Inbox) -> Result<Option<Ready>, ReceiveError> {
        if self.end.is_some() {
            return self.ended(inbox);
        }
        loop {
            if self.is_in_frame() {
                match self.take_payload(inbox) {
                    Ok(Step::Ready(ready)) => return Ok(Some(ready)),
                    Ok(Step::FrameEnd) => {}
                    Ok(Step::Starved) => return self.starved(),
                    Err(error) => return Err(self.fail(error)),
                }
            }
            let unread = inbox.unread();
            let (header, size) = match Header::decode(unread, self.rules) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => return self.starved(),
                Err(error) => return Err(self.fail(error.into())),
            };
            let there = (unread.len() - size) as u64; // usize is at most 64 bits wide
            if header.opcode.is_control() {
                if there < header.length {
                    return self.starved();
                }
                inbox.consume(size);
                return self.control(inbox, header).map(Some);
            }
            if let Err(error) = self.open_frame(inbox, header, size) {
                return Err(self.fail(error));
            }
        }
    }

    /// Makes an event of what [`advance`](Self::advance) returned.
    #[inline]
    pub(super) fn view<'i>(
        &mut self,
        inbox: &'i mut Inbox,
        ready: Ready,
    ) -> Result<Event<'i>, ReceiveError> {
        Ok(match ready {
            Ready::Message(kind, Place::Block(range)) => match lend(inbox, kind, range) {
                Ok(event) => event,
                Err(error) => return Err(self.fail(error.into())),
            },
            Ready::Message(MessageKind::Binary, Place::Gathered) => {
                Event::Binary(Binary(BinaryPlace::Gathered(&mut inbox.bytes)))
            }
            Ready::Message(MessageKind::Text, Place::Gathered) => {
                Event::Text(Text(TextPlace::Gathered(&mut inbox.text)))
            }
            Ready::Piece(kind, place, position) => {
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
            Ready::Ping(range) => Event::Ping(inbox.slice(range)),
            Ready::Pong(range) => Event::Pong(inbox.slice(range)),
            Ready::Close(frame) => Event::Close(frame),
        })
    }

    /// After a Close frame or a fault, whatever still comes is dropped unseen (RFC 6455, sections
    /// 5.5.1 and 7.1.7).
    #[cold]
    fn ended(&mut self, inbox: &mut Inbox) -> Result<Option<Ready>, ReceiveError> {
        inbox.clear();
        match self.end.as_deref() {
            Some(End::Failing(error) | End::Failed(error)) => Err(self.fail(*error)),
            Some(End::Closed(_)) | None => Ok(None),
        }
    }

    fn starved(&mut self) -> Result<Option<Ready>, ReceiveError> {
        if self.eof {
            Err(self.fail(ReceiveError::UnexpectedEof))
        } else {
            Ok(None)
        }
    }

    /// A control frame that is all there.
    fn control(&mut self, inbox: &mut Inbox, header: Header) -> Result<Ready, ReceiveError> {
        let range = take_unmasked(inbox, header);
        match header.opcode {
            Opcode::Ping => Ok(Ready::Ping(range)),
            Opcode::Pong => Ok(Ready::Pong(range)),
            _ => match parse_close_body(inbox.slice(range)) {
                Ok(frame) => {
                    self.end = Some(Box::new(End::Closed(frame.clone())));
                    Ok(Ready::Close(frame))
                }
                Err(error) => Err(self.fail(error)),
            },
        }
    }
}

/// Consumes the payload of a frame that is all there, unmasked in place.
#[inline]
fn take_unmasked(inbox: &mut Inbox, header: Header) -> Range<usize> {
    let unread = inbox.unread_mut().unwrap_or_default();
    let count = usize::try_from(header.length)
        .unwrap_or(usize::MAX)
        .min(unread.len());
    if let (Some(key), Some(payload)) = (header.key, unread.get_mut(..count)) {
        apply_mask(payload, key, 0);
    }
    inbox.take(count)
}

/// Lends a message that stands whole in the block; text is validated, once.
#[inline]
pub(super) fn lend(
    inbox: &mut Inbox,
    kind: MessageKind,
    range: Range<usize>,
) -> Result<Event<'_>, Utf8Error> {
    Ok(match kind {
        MessageKind::Binary => Event::Binary(Binary(inbox.lend(range))),
        MessageKind::Text => Event::Text(Text(TextPlace::Block(validate(inbox.slice(range))?))),
    })
}
