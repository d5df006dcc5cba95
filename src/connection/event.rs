//! What a connection has received. Payloads are lent from the inbox.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::ops::{Deref, Range};

use bytes::Bytes;

use super::inbox::Inbox;
use crate::frame::CloseFrame;
use crate::message::{Message, MessageKind, Utf8Bytes};

/// Something that was received.
///
/// An event borrows the [`Inbox`] and not the connection, so it can be answered while it is looked
/// at. [`into_message`](Self::into_message) and the payloads' own `into_bytes` turn what is lent
/// into what is owned. `Debug` shows the lengths of payloads and never their content.
///
/// ```
/// use fullduplex::{Config, Connection, Event, Inbox};
///
/// let mut connection = Connection::server(&Config::default());
/// let mut inbox = Inbox::from(&b"\x81\x82\0\0\0\0hi"[..]);
/// while let Some(event) = connection.poll_event(&mut inbox)? {
///     if let Event::Text(text) = event {
///         connection.send_text(&text)?; // no copy is made to get around the borrow checker
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
pub enum Event<'i> {
    /// A text message.
    Text(Text<'i>),
    /// A binary message.
    Binary(Binary<'i>),
    /// A piece of a message, with [`Delivery::Pieces`](crate::Delivery::Pieces).
    Piece(Piece<'i>),
    /// A Ping with its payload. The Pong is queued already.
    Ping(&'i [u8]),
    /// A Pong with its payload, asked for or not.
    Pong(&'i [u8]),
    /// The peer's Close frame; with code 1005 if it was empty. The reply is queued already, and
    /// nothing more will be received.
    Close(CloseFrame),
}

impl Event<'_> {
    /// The whole message, owned; `None` for any other event.
    #[inline]
    pub fn into_message(self) -> Option<Message> {
        match self {
            Self::Text(text) => Some(Message::Text(text.into_bytes())),
            Self::Binary(binary) => Some(Message::Binary(binary.into_bytes())),
            Self::Piece(_) | Self::Ping(_) | Self::Pong(_) | Self::Close(_) => None,
        }
    }
}

/// Lengths only: payloads do not belong in logs.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Piece(piece) => piece.fmt(f),
            Self::Ping(payload) => write!(f, "Ping({} bytes)", payload.len()),
            Self::Pong(payload) => write!(f, "Pong({} bytes)", payload.len()),
            Self::Close(frame) => write!(f, "Close({frame})"),
        }
    }
}

/// The text of a message, lent from the inbox. Dereferences to `str`.
///
/// ```
/// # use fullduplex::{Config, Connection, Event, Inbox};
/// # let mut connection = Connection::server(&Config::default());
/// # let mut inbox = Inbox::from(&b"\x81\x82\0\0\0\0hi"[..]);
/// let Some(Event::Text(text)) = connection.poll_event(&mut inbox)? else { panic!() };
/// assert_eq!(text.len(), 2);
/// let owned: fullduplex::Utf8Bytes = text.into_bytes();
/// assert_eq!(owned, "hi");
/// # Ok::<(), fullduplex::ReceiveError>(())
/// ```
pub struct Text<'i>(pub(super) TextPlace<'i>);

/// Where a text stands; each place was validated once.
pub(super) enum TextPlace<'i> {
    /// In the block the bytes were read into.
    Block(&'i str),
    /// Gathered from pieces.
    Gathered(&'i mut String),
}

impl Text<'_> {
    /// The text, owned. Texts that came in one read are copied, since a copy is as cheap as sharing
    /// and does not keep the read block alive; all others are not.
    #[inline]
    pub fn into_bytes(self) -> Utf8Bytes {
        match self.0 {
            TextPlace::Block(text) => String::from(text).into(),
            TextPlace::Gathered(text) => mem::take(text).into(),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match &self.0 {
            TextPlace::Block(text) => text,
            TextPlace::Gathered(text) => text,
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

/// The payload of a binary message, lent from the inbox. Dereferences to `[u8]`.
///
/// ```
/// # use fullduplex::{Config, Connection, Event, Inbox};
/// # let mut connection = Connection::server(&Config::default());
/// # let mut inbox = Inbox::from(&b"\x82\x82\0\0\0\0\x01\x02"[..]);
/// let Some(Event::Binary(binary)) = connection.poll_event(&mut inbox)? else { panic!() };
/// assert_eq!(*binary, [1, 2]);
/// let owned: bytes::Bytes = binary.into_bytes();
/// assert_eq!(owned, [1, 2][..]);
/// # Ok::<(), fullduplex::ReceiveError>(())
/// ```
pub struct Binary<'i>(pub(super) BinaryPlace<'i>);

pub(super) enum BinaryPlace<'i> {
    /// In the block the bytes were read into, and to be copied when it is detached.
    Lent(&'i [u8]),
    /// In the block, and to be split off.
    Block(&'i mut Inbox, Range<usize>),
    /// Gathered by inflating.
    Gathered(&'i mut Vec<u8>),
}

impl Binary<'_> {
    /// The payload, owned. Payloads shorter than 32 KiB are copied, since a copy is as cheap as
    /// sharing and does not keep the read block alive; larger ones are split off the block.
    #[inline]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            BinaryPlace::Lent(bytes) => Bytes::copy_from_slice(bytes),
            BinaryPlace::Block(inbox, range) => inbox.detach(range),
            BinaryPlace::Gathered(bytes) => mem::take(bytes).into(),
        }
    }
}

impl Deref for Binary<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            BinaryPlace::Lent(bytes) => bytes,
            BinaryPlace::Block(inbox, range) => inbox.slice(range.clone()),
            BinaryPlace::Gathered(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Binary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.len())
    }
}

/// A part of a message, delivered as it arrived. Where it is cut has no meaning.
///
/// ```
/// use fullduplex::{Config, Connection, Delivery, Event, Inbox, MessageKind};
///
/// let mut config = Config::default();
/// config.delivery = Delivery::Pieces;
/// let mut connection = Connection::server(&config);
/// let mut inbox = Inbox::from(&b"\x82\x84\0\0\0\0ab"[..]); // half of the payload
/// let Some(Event::Piece(piece)) = connection.poll_event(&mut inbox)? else { panic!() };
/// assert_eq!((piece.as_bytes(), piece.kind()), (&b"ab"[..], MessageKind::Binary));
/// assert!(piece.is_first() && !piece.is_last());
/// # Ok::<(), fullduplex::ReceiveError>(())
/// ```
pub struct Piece<'i> {
    pub(super) payload: PiecePayload<'i>,
    pub(super) position: Position,
}

pub(super) enum PiecePayload<'i> {
    Text(&'i str),
    Binary(&'i [u8]),
}

/// Where in its message a piece stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) first: bool,
    pub(super) last: bool,
}

impl Piece<'_> {
    /// Whether the message is text or binary.
    pub fn kind(&self) -> MessageKind {
        match self.payload {
            PiecePayload::Text(_) => MessageKind::Text,
            PiecePayload::Binary(_) => MessageKind::Binary,
        }
    }

    /// The piece's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self.payload {
            PiecePayload::Text(text) => text.as_bytes(),
            PiecePayload::Binary(bytes) => bytes,
        }
    }

    /// The piece's text, cut between characters; `None` if the message is binary.
    pub fn as_text(&self) -> Option<&str> {
        match self.payload {
            PiecePayload::Text(text) => Some(text),
            PiecePayload::Binary(_) => None,
        }
    }

    /// Whether a message starts with this piece.
    pub fn is_first(&self) -> bool {
        self.position.first
    }

    /// Whether a message ends with this piece, which may be empty.
    pub fn is_last(&self) -> bool {
        self.position.last
    }
}

impl fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("kind", &self.kind())
            .field("len", &self.as_bytes().len())
            .field("first", &self.is_first())
            .field("last", &self.is_last())
            .finish()
    }
}
