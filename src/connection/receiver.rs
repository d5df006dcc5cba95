//! The receiving half: frames to events, fragments to messages, faults to errors.
//!
//! Each call works in two steps. [`Receiver::advance`] consumes bytes, unmasks them in place and
//! returns plain data; [`Receiver::view`] makes the borrow from it. A loop that returned borrows
//! could not be written in safe Rust today.

use core::fmt;
use core::mem;
use core::ops::Range;
use core::str;

use super::config::{Config, Delivery, Role};
use super::error::ReceiveError;
use super::event::{Event, Position, Text, TextPlace};
use super::inbox::Inbox;
use super::ready::{Place, Ready};
use crate::frame::{
    CloseFrame, Header, MAX_HEADER, Opcode, Rules, apply_mask, parse_close_body, rotate_key,
};
use crate::message::MessageKind;
use crate::utf8::{Decoder, Utf8Error};

/// The receiving half of a connection: usable on its own thread after
/// [`Connection::split`](crate::Connection::split).
///
/// It answers nothing itself. Hand each [`Event`] to [`Sender::answer`](crate::Sender::answer) and
/// an error to [`Sender::fail`](crate::Sender::fail).
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
    rules: Rules,
    max_frame: u64,
    max_message: u64,
    max_fragments: u32,
    /// The largest message in a single frame.
    max_single: u64,
    delivery: Delivery,
    eof: bool,
    end: Option<End>,
    /// The data frame whose payload is arriving.
    frame: Option<Frame>,
    message: Message,
    decoder: Decoder,
}

/// Why no more is received.
#[derive(Debug)]
enum End {
    /// The peer's Close frame came.
    Closed(CloseFrame),
    Failed(ReceiveError),
}

/// A data frame whose header has been consumed.
#[derive(Clone, Copy)]
struct Frame {
    fin: bool,
    /// Turned along with the payload, so that it always applies from its first byte.
    key: Option<[u8; 4]>,
    remaining: u64,
}

/// The message that is open, if [`Rules::in_message`] says so.
#[derive(Clone, Copy, Debug)]
struct Message {
    kind: MessageKind,
    length: u64,
    fragments: u32,
    /// Whether a piece of it has been delivered.
    delivered: bool,
}

impl Receiver {
    pub(super) fn new(role: Role, config: &Config) -> Self {
        Self {
            rules: Rules::new(role),
            max_frame: config.limits.max_frame,
            max_message: config.limits.max_message,
            max_fragments: config.limits.max_fragments.max(1), // a message has a frame
            max_single: config.limits.max_frame.min(config.limits.max_message),
            delivery: config.delivery,
            eof: false,
            end: None,
            frame: None,
            message: Message::new(MessageKind::Binary),
            decoder: Decoder::new(),
        }
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
        match self.small_message(inbox) {
            Some((MessageKind::Binary, range)) => Ok(Some(Event::binary(inbox, range))),
            Some((MessageKind::Text, range)) => self.view_text(inbox, range).map(Some),
            None => self.poll_any(inbox),
        }
    }

    #[inline(never)]
    fn poll_any<'i>(&mut self, inbox: &'i mut Inbox) -> Result<Option<Event<'i>>, ReceiveError> {
        match self.advance(inbox)? {
            Some(ready) => self.view(inbox, ready).map(Some),
            None => Ok(None),
        }
    }

    /// Takes the message that most are: small, in one frame that is all there. Its place is passed
    /// in registers or single words and not through a chain of enums in memory, which takes twice
    /// the time. `None` says nothing but that [`advance`](Self::advance) has to look.
    pub(super) fn small_message(&self, inbox: &mut Inbox) -> Option<(MessageKind, Range<usize>)> {
        if self.end.is_some() || self.frame.is_some() || self.delivery != Delivery::Whole {
            return None;
        }
        let unread = inbox.unread_mut();
        let (header, size) = Header::decode_small(unread, self.rules)?;
        if header.length > self.max_single {
            return None;
        }
        let length = usize::try_from(header.length).ok()?;
        let payload = unread.get_mut(size..size + length)?;
        if let Some(key) = header.key {
            apply_mask(payload, key, 0);
        }
        let kind = match header.opcode {
            Opcode::Text => MessageKind::Text,
            _ => MessageKind::Binary,
        };
        Some((kind, inbox.take_frame(size, length)))
    }

    /// Lends the text of a small message.
    #[inline]
    pub(super) fn view_text<'i>(
        &mut self,
        inbox: &'i Inbox,
        range: Range<usize>,
    ) -> Result<Event<'i>, ReceiveError> {
        match str::from_utf8(inbox.slice(range)) {
            Ok(text) => Ok(Event::Text(Text(TextPlace::Block(text)))),
            Err(error) => Err(self.fail(Utf8Error::from(error).into())),
        }
    }

    /// Reports that the transport ended, or that it was given up.
    pub fn received_eof(&mut self) {
        self.eof = true;
    }

    /// What the peer's Close frame said, once it came.
    pub(super) fn close_received(&self) -> Option<&CloseFrame> {
        match &self.end {
            Some(End::Closed(frame)) => Some(frame),
            Some(End::Failed(_)) | None => None,
        }
    }

    pub(super) fn failure(&self) -> Option<ReceiveError> {
        match self.end {
            Some(End::Failed(error)) => Some(error),
            Some(End::Closed(_)) | None => None,
        }
    }

    pub(super) fn eof(&self) -> bool {
        self.eof
    }

    /// Ends receiving with `error`, unless it has ended before: a fault after the peer's Close frame
    /// does not undo that (RFC 6455, section 7.1.5). Returns the error that counts.
    #[cold]
    pub(super) fn fail(&mut self, error: ReceiveError) -> ReceiveError {
        match self.end {
            Some(End::Failed(first)) => first,
            Some(End::Closed(_)) => error,
            None => {
                self.end = Some(End::Failed(error));
                error
            }
        }
    }

    /// Consumes bytes until there is something to report.
    #[inline]
    pub(super) fn advance(&mut self, inbox: &mut Inbox) -> Result<Option<Ready>, ReceiveError> {
        if self.end.is_some() {
            return self.ended(inbox);
        }
        loop {
            if self.frame.is_some() {
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
                Ok(None) => {
                    inbox.want(0);
                    return self.starved();
                }
                Err(error) => return Err(self.fail(error.into())),
            };
            let there = (unread.len() - size) as u64; // usize is at most 64 bits wide
            if header.opcode.is_control() {
                if there < header.length {
                    inbox.want(0);
                    return self.starved();
                }
                inbox.consume(size);
                return self.control(inbox, header).map(Some);
            }
            if let Err(error) = self.admit(header) {
                return Err(self.fail(error));
            }
            inbox.consume(size);
            let whole = there >= header.length && header.fin && !self.rules.in_message;
            if whole && self.delivery == Delivery::Whole {
                return Ok(Some(self.whole_message(inbox, header)));
            }
            self.open_frame(inbox, header);
        }
    }

    /// Makes an event of what [`advance`](Self::advance) returned.
    #[inline]
    pub(super) fn view<'i>(
        &mut self,
        inbox: &'i mut Inbox,
        ready: Ready,
    ) -> Result<Event<'i>, ReceiveError> {
        ready.lend(inbox).map_err(|error| self.fail(error.into()))
    }

    /// After a Close frame or a fault, whatever still comes is dropped unseen (RFC 6455, sections
    /// 5.5.1 and 7.1.7).
    #[cold]
    fn ended(&self, inbox: &mut Inbox) -> Result<Option<Ready>, ReceiveError> {
        inbox.clear();
        match self.end {
            Some(End::Failed(error)) => Err(error),
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

    /// Checks the header of a data frame against the limits, before anything of its payload is kept
    /// (RFC 6455, section 10.4).
    #[inline]
    fn admit(&mut self, header: Header) -> Result<(), ReceiveError> {
        if header.length > self.max_frame {
            let (length, limit) = (header.length, self.max_frame);
            return Err(ReceiveError::FrameTooBig { length, limit });
        }
        match header.opcode {
            Opcode::Text => self.message = Message::new(MessageKind::Text),
            Opcode::Binary => self.message = Message::new(MessageKind::Binary),
            _ => {}
        }
        self.message.fragments = self.message.fragments.saturating_add(1);
        if self.message.fragments > self.max_fragments {
            return Err(ReceiveError::TooManyFragments {
                limit: self.max_fragments,
            });
        }
        let length = self.message.length.saturating_add(header.length);
        if length > self.max_message {
            return Err(ReceiveError::MessageTooBig {
                limit: self.max_message,
            });
        }
        self.message.length = length;
        Ok(())
    }

    /// A message in a single frame that is all there: nothing to assemble.
    #[inline]
    fn whole_message(&self, inbox: &mut Inbox, header: Header) -> Ready {
        let range = take_unmasked(inbox, header);
        Ready::Message(self.message.kind, Place::Block(range))
    }

    /// A control frame that is all there.
    fn control(&mut self, inbox: &mut Inbox, header: Header) -> Result<Ready, ReceiveError> {
        let range = take_unmasked(inbox, header);
        match header.opcode {
            Opcode::Ping => Ok(Ready::Ping(range)),
            Opcode::Pong => Ok(Ready::Pong(range)),
            _ => match parse_close_body(inbox.slice(range)) {
                Ok(frame) => {
                    self.end = Some(End::Closed(frame.clone()));
                    Ok(Ready::Close(frame))
                }
                Err(error) => Err(self.fail(error)),
            },
        }
    }

    /// Starts a data frame whose payload is taken as it arrives.
    fn open_frame(&mut self, inbox: &mut Inbox, header: Header) {
        let Header {
            fin, key, length, ..
        } = header;
        if header.opcode != Opcode::Continuation && self.message.kind == MessageKind::Text {
            self.decoder = Decoder::new();
            inbox.start_gathering();
        }
        self.frame = Some(Frame {
            fin,
            key,
            remaining: length,
        });
        self.rules.in_message = !fin;
    }

    /// Takes what has arrived of the frame's payload: unmasks it and validates text at once, while
    /// it is in the cache, and so that the first bad byte ends the connection.
    fn take_payload(&mut self, inbox: &mut Inbox) -> Result<Step, ReceiveError> {
        let Some(frame) = &mut self.frame else {
            return Ok(Step::FrameEnd);
        };
        let unread = inbox.unread_mut();
        let count = usize::try_from(frame.remaining)
            .unwrap_or(usize::MAX)
            .min(unread.len());
        if let (Some(key), Some(piece)) = (&mut frame.key, unread.get_mut(..count)) {
            apply_mask(piece, *key, 0);
            *key = rotate_key(*key, count);
        }
        frame.remaining -= count as u64; // usize is at most 64 bits wide
        let frame_end = frame.remaining == 0;
        let last = frame_end && frame.fin;
        if frame_end {
            self.frame = None;
        } else {
            let rest = usize::try_from(frame.remaining).unwrap_or(usize::MAX);
            inbox.want(rest.saturating_add(MAX_HEADER));
        }
        let ready = match self.delivery {
            Delivery::Whole => self.assemble(inbox, count, last)?,
            Delivery::Pieces => self.deliver_piece(inbox, count, last)?,
        };
        Ok(match ready {
            Some(ready) => Step::Ready(ready),
            None if frame_end => Step::FrameEnd,
            None => Step::Starved,
        })
    }

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
    ) -> Result<Option<Ready>, ReceiveError> {
        let kind = self.message.kind;
        let (place, empty) = match kind {
            MessageKind::Text => {
                inbox.start_gathering();
                inbox.gather_text(count, &mut self.decoder)?;
                inbox.end_gathering();
                if last {
                    self.decoder.finish()?;
                }
                (Place::Gathered, inbox.text.is_empty())
            }
            MessageKind::Binary => (Place::Block(inbox.take(count)), count == 0),
        };
        if empty && !last {
            return Ok(None);
        }
        let first = !mem::replace(&mut self.message.delivered, true);
        Ok(Some(Ready::Piece(kind, place, Position { first, last })))
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
enum Step {
    Ready(Ready),
    FrameEnd,
    Starved,
}

impl Message {
    const fn new(kind: MessageKind) -> Self {
        Self {
            kind,
            length: 0,
            fragments: 0,
            delivered: false,
        }
    }
}

/// Consumes the payload of a frame that is all there, unmasked in place.
#[inline]
fn take_unmasked(inbox: &mut Inbox, header: Header) -> Range<usize> {
    let unread = inbox.unread_mut();
    let count = usize::try_from(header.length)
        .unwrap_or(usize::MAX)
        .min(unread.len());
    if let (Some(key), Some(payload)) = (header.key, unread.get_mut(..count)) {
        apply_mask(payload, key, 0);
    }
    inbox.take(count)
}
