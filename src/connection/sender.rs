//! The sending half: what may be sent when, and what the protocol demands to be sent.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::config::{Config, Role};
use super::error::{ReceiveError, SendError, Unsent};
use super::event::Event;
use super::keys::MaskKeys;
use super::outgoing::Outgoing;
use super::queue::{Framing, Queue, WRITE_IN_PLACE};
use super::settings::Settings;
use crate::frame::{CloseCode, CloseFrame, MAX_CONTROL_PAYLOAD, MAX_REASON, Opcode};
use crate::handshake::Extensions;
use crate::message::{Message, MessageKind};
use crate::utf8::Decoder;
#[cfg(feature = "deflate")]
use {
    super::compression::Compression,
    crate::deflate::{Compress, codec::End},
};

/// The sending half of a connection: usable on its own thread after
/// [`Connection::split`](crate::Connection::split).
///
/// ```
/// use bytes::Buf;
/// use fullduplex::{Config, Connection};
///
/// let (_receiver, mut sender) = Connection::server(&Config::default()).split();
/// sender.send_text("hello")?;
/// assert_eq!(sender.outgoing().chunk(), b"\x81\x05hello");
/// # Ok::<(), fullduplex::SendError>(())
/// ```
#[derive(Debug)]
pub struct Sender {
    queue: Queue,
    /// Where in the stream of outgoing bytes the latest keepalive Ping ends.
    keepalive_end: u64,
    /// Boxed, since most connections never have one.
    stream: Option<Box<Stream>>,
    #[cfg(feature = "deflate")]
    compression: Option<Box<Compression>>,
}

/// A message that the application sends in fragments.
#[derive(Debug)]
struct Stream {
    kind: MessageKind,
    decoder: Decoder,
    #[cfg(feature = "deflate")]
    compressed: bool,
}

impl Sender {
    pub(super) fn new(
        keys: Option<MaskKeys>,
        config: &Config,
        settings: Arc<Settings>,
        extensions: &Extensions,
        head: Vec<u8>,
    ) -> Self {
        #[cfg(not(feature = "deflate"))]
        let _ = (config, extensions);
        Self {
            queue: Queue::new(keys, settings, head),
            keepalive_end: 0,
            stream: None,
            #[cfg(feature = "deflate")]
            compression: match (&config.deflate, extensions.deflate) {
                (Some(settings), Some(agreement)) => {
                    Some(Box::new(Compression::new(settings, agreement)))
                }
                _ => None,
            },
        }
    }

    /// The role of this endpoint.
    pub fn role(&self) -> Role {
        self.queue.role()
    }

    /// Queues a text message. The text is copied once, into the outgoing buffer.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::Full`] or [`SendError::MessageOpen`]; nothing was queued.
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send_slice(Opcode::Text, text.as_bytes())
    }

    /// Queues a binary message. The bytes are copied once, into the outgoing buffer.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_slice(Opcode::Binary, bytes)
    }

    /// Queues a message that owns its payload. A server writes a large payload from where it is; a
    /// client masks it in place if nobody shares it.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text), with the message given back.
    #[inline]
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Unsent> {
        let message = message.into();
        let payload = message.as_bytes();
        if payload.len() < WRITE_IN_PLACE
            && (self.queue).push_open(message.kind().opcode(), payload)
        {
            return Ok(());
        }
        self.send_owned(message, Choice::default())
    }

    /// Queues a message and chooses whether it is compressed, if compression was negotiated:
    /// nothing that mixes a secret with what others can choose should be (RFC 7692, section 8).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> Result<(), Unsent> {
        self.send_owned(message.into(), Choice(Some(compress)))
    }

    /// Queues a fragment of a message whose length is not known yet. The first call starts the
    /// message, and the one with `fin` ends it; in between, only control frames can be sent.
    ///
    /// A text may be cut anywhere, inside a character too.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::Full`], [`SendError::WrongKind`] if another kind of
    /// message is open, [`SendError::InvalidUtf8`] if the text is not valid so far, or with `fin`
    /// not complete. Nothing was queued, and the message can go on with another fragment.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.admit()?;
        self.queue.bar();
        let (opcode, mut decoder) = match &self.stream {
            Some(open) if open.kind != kind => return Err(SendError::WrongKind),
            Some(open) => (Opcode::Continuation, open.decoder.clone()),
            None => (kind.opcode(), Decoder::new()),
        };
        if kind == MessageKind::Text {
            decoder.push(payload, |_| {})?;
            if fin {
                decoder.finish()?;
            }
        }
        let stream = Stream {
            kind,
            decoder,
            #[cfg(feature = "deflate")]
            compressed: false,
        };
        self.push_fragment(opcode, fin, payload, stream)
    }

    /// Queues a Ping. Its Pong arrives as [`Event::Pong`] with the same payload.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::Full`], or [`SendError::ControlTooLong`] for more than
    /// 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Ping, payload)
    }

    /// Queues a Pong that answers nothing, as a one-way sign of life (RFC 6455, section 5.5.3).
    /// Pings are answered without it.
    ///
    /// # Errors
    ///
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload)
    }

    /// Starts the closing handshake (RFC 6455, section 7.1.2). What was queued before is sent
    /// before the Close frame, and nothing after it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if a Close frame was sent already, [`SendError::InvalidCloseCode`], or
    /// [`SendError::ReasonTooLong`] for more than 123 bytes.
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        if self.is_over() {
            return Err(SendError::Closed);
        }
        if !code.is_sendable(self.role()) {
            return Err(SendError::InvalidCloseCode(code));
        }
        if reason.len() > MAX_REASON {
            return Err(SendError::ReasonTooLong(reason.len()));
        }
        self.queue.put_close(CloseFrame {
            code,
            reason: String::from(reason),
        });
        Ok(())
    }

    /// Does what the protocol demands on an event: a Pong for a Ping, a Close frame for the peer's
    /// (RFC 6455, sections 5.5.1 and 5.5.2). [`Connection`](crate::Connection) calls this itself.
    #[inline]
    pub fn answer(&mut self, event: &Event<'_>) {
        match event {
            Event::Ping(payload) => self.answer_ping(payload),
            Event::Close(frame) => self.answer_close(frame),
            Event::Text(_) | Event::Binary(_) | Event::Piece(_) | Event::Pong(_) => {}
        }
    }

    /// Ends sending after a fault of the peer: drops what has not been framed and queues the Close
    /// frame that tells the fault, if there is one to send and none was sent before.
    /// [`Connection`](crate::Connection) calls this itself.
    #[cold]
    pub fn fail(&mut self, error: &ReceiveError) {
        self.queue.drop_backlog();
        if self.queue.close().is_some() {
            return;
        }
        match error.close_code() {
            Some(code) => self.queue.put_close(CloseFrame {
                code,
                reason: error.close_reason(),
            }),
            None => self.end(),
        }
    }

    /// Takes note that the transport ended. An answer to the peer's Close frame is still recorded.
    pub(super) fn end(&mut self) {
        self.queue.end();
    }

    /// What is to be written. Long messages become frames bit by bit, and answers when there is
    /// room for them, so ask again until [`wants_write`](Self::wants_write) says no.
    #[inline]
    pub fn outgoing(&mut self) -> &mut Outgoing {
        self.queue.outgoing()
    }

    /// Whether [`outgoing`](Self::outgoing) has something to write.
    #[inline]
    pub fn wants_write(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Bytes that are queued and not written yet, automatic answers aside.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Whether so many bytes are queued.
    #[cfg(feature = "std")]
    #[inline]
    pub(super) fn has_queued(&self, bytes: usize) -> bool {
        self.queue.holds(bytes)
    }

    /// Whether the next message would be refused because too much is queued.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// What our Close frame said, once it was decided on.
    pub(super) fn close_sent(&self) -> Option<&CloseFrame> {
        self.queue.close()
    }

    pub(super) fn written(&self) -> u64 {
        self.queue.written()
    }

    /// Queues a Ping, unless one of these still waits, and tells after how many written bytes it has
    /// left. A full queue takes it too: a peer is not asked for a sign of life in vain because it
    /// reads slowly.
    pub(super) fn keepalive_ping(&mut self) -> u64 {
        if self.written() >= self.keepalive_end {
            self.keepalive_end = self.queue.push_control(Opcode::Ping, &[]);
        }
        self.keepalive_end
    }

    pub(super) fn lacks_buffer(&self) -> bool {
        self.queue.lacks_buffer()
    }

    pub(super) fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.queue.lend_buffer(buffer);
    }

    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        self.queue.take_buffer()
    }

    pub(super) fn answer_ping(&mut self, payload: &[u8]) {
        // Nothing follows our Close frame.
        if self.queue.close().is_none() {
            self.queue.answer_ping(payload);
        }
    }

    /// Echoes the code and not the reason: the reason was meant for us.
    pub(super) fn answer_close(&mut self, frame: &CloseFrame) {
        if self.queue.close().is_none() {
            self.queue.put_close(CloseFrame {
                code: frame.code,
                reason: String::new(),
            });
        }
    }

    #[inline]
    fn send_slice(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if self.queue.push_open(opcode, payload) {
            return Ok(());
        }
        self.send_any_slice(opcode, payload)
    }

    /// Whether a message needs no other treatment than a header.
    #[inline]
    fn is_plain(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.compression.is_some() {
            return false;
        }
        !self.queue.has_ended() && self.stream.is_none()
    }

    #[inline(never)]
    fn send_any_slice(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if self.is_plain() && self.queue.push_plain(opcode, payload) {
            return Ok(());
        }
        self.admit_message()?;
        #[cfg(feature = "deflate")]
        if let Some((framing, compressed)) = self.compress(opcode, payload, Choice::default())? {
            self.queue.push_compressed(framing, compressed);
            return Ok(());
        }
        self.queue.push_slice(Framing::single(opcode), payload);
        Ok(())
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        self.admit()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.queue.push_control(opcode, payload);
        Ok(())
    }

    #[inline]
    fn admit_message(&self) -> Result<(), SendError> {
        self.admit()?;
        (self.stream.is_none().then_some(())).ok_or(SendError::MessageOpen)
    }

    #[inline]
    fn admit(&self) -> Result<(), SendError> {
        if self.is_over() {
            return Err(SendError::Closed);
        }
        if self.is_full() {
            Err(SendError::Full)
        } else {
            Ok(())
        }
    }

    /// Whether the application can send no more.
    #[inline]
    fn is_over(&self) -> bool {
        self.queue.close().is_some() || self.queue.has_ended()
    }

    #[inline(never)]
    fn send_owned(&mut self, message: Message, choice: Choice) -> Result<(), Unsent> {
        let (opcode, payload) = (message.kind().opcode(), message.as_bytes());
        if payload.len() < WRITE_IN_PLACE
            && self.is_plain()
            && self.queue.push_plain(opcode, payload)
        {
            return Ok(());
        }
        if let Err(error) = self.admit_message() {
            return Err(Unsent { error, message });
        }
        #[cfg(feature = "deflate")]
        match self.compress(opcode, message.as_bytes(), choice) {
            Ok(Some((framing, compressed))) => {
                self.queue.push_compressed(framing, compressed);
                return Ok(());
            }
            Ok(None) => {}
            Err(error) => return Err(Unsent { error, message }),
        }
        let _ = choice;
        self.queue
            .push(Framing::single(opcode), message.into_bytes());
        Ok(())
    }

    /// The compressed payload of a whole message, if it is to be compressed.
    #[cfg(feature = "deflate")]
    #[inline]
    fn compress(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        choice: Choice,
    ) -> Result<Option<(Framing, Vec<u8>)>, SendError> {
        match &mut self.compression {
            Some(compression) if compression.applies(choice.0, payload.len()) => {
                let compressed = compression.compress(payload, End::Message)?;
                Ok(Some((
                    Framing {
                        opcode,
                        rsv1: true,
                        fin: true,
                    },
                    compressed,
                )))
            }
            _ => Ok(None),
        }
    }

    /// Queues a fragment of `stream`, which is open from then on unless the fragment ends it.
    #[cfg_attr(
        not(feature = "deflate"),
        expect(clippy::unnecessary_wraps, unused_mut, reason = "compression")
    )]
    fn push_fragment(
        &mut self,
        opcode: Opcode,
        fin: bool,
        payload: &[u8],
        mut stream: Stream,
    ) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        if let Some(compression) = &mut self.compression {
            stream.compressed = match &self.stream {
                Some(open) => open.compressed,
                // How long it gets nobody knows; who streams expects it to be long.
                None => compression.applies(None, usize::MAX),
            };
            if stream.compressed {
                let end = if fin { End::Message } else { End::Fragment };
                let compressed = compression.compress(payload, end)?;
                let rsv1 = opcode != Opcode::Continuation;
                self.queue
                    .push_compressed(Framing { opcode, rsv1, fin }, compressed);
                self.stream = (!fin).then(|| Box::new(stream));
                return Ok(());
            }
        }
        let rsv1 = false;
        self.queue
            .push_slice(Framing { opcode, rsv1, fin }, payload);
        self.stream = (!fin).then(|| Box::new(stream));
        Ok(())
    }
}

/// Whether one message is to be compressed, if it says so itself.
#[derive(Clone, Copy, Default)]
struct Choice(#[cfg(feature = "deflate")] Option<Compress>);

impl MessageKind {
    const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}
