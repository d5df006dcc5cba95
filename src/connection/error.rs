//! Errors of an open connection, by whose fault they are.

use alloc::string::{String, ToString};
use core::fmt;

use crate::frame::{CloseCode, FrameError, MAX_REASON};
use crate::message::Message;
use crate::utf8::Utf8Error;

/// The peer broke a rule, or the network failed. Final for the connection.
///
/// By the time it is reported, the Close frame that tells the peer is queued, and everything that
/// came before the fault has been delivered.
///
/// ```
/// use fullduplex::{CloseCode, Connection, Config, Inbox, ReceiveError, frame::FrameError};
///
/// let mut connection = Connection::server(&Config::default());
/// let mut inbox = Inbox::from(&[0x82, 0x01][..]); // a frame without a mask
/// let error = connection.poll_event(&mut inbox).unwrap_err();
/// assert_eq!(error, ReceiveError::Frame(FrameError::Unmasked));
/// assert_eq!(error.close_code(), Some(CloseCode::PROTOCOL_ERROR));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// A frame header is illegal (RFC 6455, sections 5.1 to 5.5). Close code 1002.
    #[error("{0}")]
    Frame(FrameError),
    /// A frame declares more payload than [`Limits::max_frame`](crate::Limits::max_frame)
    /// (RFC 6455, section 10.4). Close code 1009.
    #[error("a frame of {length} bytes exceeds the limit of {limit}")]
    FrameTooBig {
        /// The declared length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A message is longer than [`Limits::max_message`](crate::Limits::max_message) (RFC 6455,
    /// section 10.4). Close code 1009.
    #[error("a message exceeds the limit of {limit} bytes")]
    MessageTooBig {
        /// The limit.
        limit: u64,
    },
    /// A message comes in more fragments than
    /// [`Limits::max_fragments`](crate::Limits::max_fragments). Close code 1008.
    #[error("a message exceeds the limit of {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
    /// A text message is not UTF-8 (RFC 6455, sections 5.6 and 8.1). Close code 1007.
    #[error("a text message holds {0}")]
    InvalidUtf8(Utf8Error),
    /// A compressed message does not inflate (RFC 7692, section 7.2.2). Close code 1007.
    #[error("a compressed message is corrupt")]
    InvalidDeflate,
    /// The body of a Close frame is a single byte (RFC 6455, section 5.5.1). Close code 1002.
    #[error("a close frame has a body of one byte")]
    CloseTooShort,
    /// A Close frame holds a code that may not stand on the wire (RFC 6455, section 7.4). Close
    /// code 1002.
    #[error("close code {0} may not be sent")]
    InvalidCloseCode(u16),
    /// The reason of a Close frame is not UTF-8 (RFC 6455, section 5.5.1). Close code 1007.
    #[error("a close reason is not valid UTF-8")]
    InvalidCloseReason,
    /// The transport ended without a Close frame (RFC 6455, section 7.1.5): reported as 1006, and
    /// there is nobody to send a code to.
    #[error("the transport ended without a closing handshake")]
    UnexpectedEof,
    /// Nothing came in time after a keepalive Ping. Close code 1011, should it still arrive.
    #[error("the peer did not answer a keepalive ping in time")]
    KeepaliveTimeout,
    /// The peer did not complete the closing handshake in time. Our Close frame has been sent.
    #[error("the peer did not complete the closing handshake in time")]
    CloseTimeout,
}

impl ReceiveError {
    /// The code of the Close frame that this error puts on the wire, or `None` where it finds no
    /// use for one.
    pub const fn close_code(&self) -> Option<CloseCode> {
        Some(match self {
            Self::Frame(_) | Self::CloseTooShort | Self::InvalidCloseCode(_) => {
                CloseCode::PROTOCOL_ERROR
            }
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } => CloseCode::TOO_BIG,
            Self::TooManyFragments { .. } => CloseCode::POLICY,
            Self::InvalidUtf8(_) | Self::InvalidDeflate | Self::InvalidCloseReason => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::KeepaliveTimeout => CloseCode::INTERNAL_ERROR,
            Self::UnexpectedEof | Self::CloseTimeout => return None,
        })
    }

    /// The text that explains the error to the peer, short enough for a Close frame.
    pub(super) fn close_reason(&self) -> String {
        let mut reason = self.to_string();
        reason.truncate(MAX_REASON); // every text is ASCII, so this cuts no character
        reason
    }
}

impl From<FrameError> for ReceiveError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<Utf8Error> for ReceiveError {
    fn from(error: Utf8Error) -> Self {
        Self::InvalidUtf8(error)
    }
}

/// The application asked for something that cannot be sent now or at all. Nothing was queued, and
/// the connection goes on.
///
/// ```
/// use fullduplex::{CloseCode, Config, Connection, SendError};
///
/// let mut connection = Connection::server(&Config::default());
/// let refused = connection.close(CloseCode::NO_STATUS, "");
/// assert_eq!(refused, Err(SendError::InvalidCloseCode(CloseCode::NO_STATUS)));
/// connection.close(CloseCode::NORMAL, "")?;
/// assert_eq!(connection.send_text("too late"), Err(SendError::Closed));
/// # Ok::<(), SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame was sent or the connection failed, so that no message or control frame may
    /// follow (RFC 6455, section 5.5.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// The outgoing queue is at [`Limits::max_outgoing`](crate::Limits::max_outgoing). Write some
    /// of it and try again.
    #[error("the outgoing queue is full")]
    Full,
    /// A message is being sent in fragments; end it first (RFC 6455, section 5.4).
    #[error("a fragmented message is open")]
    MessageOpen,
    /// The fragment is of another kind than the message that is open.
    #[error("the fragment does not fit the message that is open")]
    WrongKind,
    /// The fragments of a text message do not join to UTF-8 (RFC 6455, section 5.6).
    #[error("the text holds {0}")]
    InvalidUtf8(Utf8Error),
    /// The compressor failed, which nothing that is sent can make it do.
    #[cfg(feature = "deflate")]
    #[error("the compressor failed")]
    Compression,
    /// A Ping or Pong may carry 125 bytes at most (RFC 6455, section 5.5).
    #[error("a control frame may carry 125 bytes, not {0}")]
    ControlTooLong(usize),
    /// This endpoint may not send this close code (RFC 6455, section 7.4).
    #[error("close code {0} may not be sent")]
    InvalidCloseCode(CloseCode),
    /// A close reason may be 123 bytes long at most (RFC 6455, section 5.5).
    #[error("a close reason may be 123 bytes long, not {0}")]
    ReasonTooLong(usize),
}

impl From<Utf8Error> for SendError {
    fn from(error: Utf8Error) -> Self {
        Self::InvalidUtf8(error)
    }
}

/// A message that was not queued, given back with the reason.
///
/// ```
/// use fullduplex::{CloseCode, Config, Connection, Message, SendError};
///
/// let mut connection = Connection::server(&Config::default());
/// connection.close(CloseCode::NORMAL, "")?;
/// let unsent = connection.send(Message::text("too late")).unwrap_err();
/// assert_eq!(unsent.error, SendError::Closed);
/// assert_eq!(unsent.message.as_text(), Some("too late"));
/// # Ok::<(), SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "meant to be taken apart")]
pub struct Unsent {
    /// Why it was not queued.
    pub error: SendError,
    /// The message, untouched.
    pub message: Message,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Unsent {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<Unsent> for SendError {
    fn from(unsent: Unsent) -> Self {
        unsent.error
    }
}
