//! The sending half: messages to frames, automatic answers, the queue and its bound.
//!
//! Automatic answers wait in slots and not in the queue, so that a peer that makes us answer and
//! never reads cannot make the queue grow:
//!
//! ```text
//!   send_* ────────► backlog (messages still to be cut) ──► outgoing (frames) ──► transport
//!   ping, pong ────────────────────────────────────────────────────▲
//!   answer ────────► a Pong for the latest Ping, if much waits ────┤
//!   close, fail ───► the one Close frame, after all else ──────────┘
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;

use super::backlog::{Backlog, Unframed};
use super::config::{Config, Role};
use super::error::{ReceiveError, SendError, Unsent};
use super::event::Event;
use super::keys::MaskKeys;
use super::outgoing::Outgoing;
use crate::frame::{
    CloseCode, CloseFrame, Header, MAX_CONTROL_PAYLOAD, MAX_REASON, Opcode, apply_mask,
};
use crate::message::{Message, MessageKind};
use crate::utf8::Decoder;

/// Payloads from this size on are written from where they are instead of being copied behind their
/// header. Below it, the copy is cheaper than one more element of a vectored write.
const WRITE_IN_PLACE: usize = 16 * 1024;

/// While less than this waits to be written, each Ping gets its own Pong. Beyond it only the latest
/// is answered (RFC 6455, section 5.5.3), so that a flood of Pings leaves no more than this.
const PONG_BACKLOG: usize = 1024;

/// Fragments of a long message are encoded ahead up to so many bytes, so that a write finds enough
/// to do, and a control frame waits for no more than this.
const ENCODE_AHEAD: usize = 64 * 1024;

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
    /// Present in the client role and nowhere else: a server never masks.
    keys: Option<MaskKeys>,
    outgoing: Outgoing,
    /// Messages that are to be cut into fragments, and what was queued behind them.
    backlog: Backlog,
    /// The payload of a Pong, and whether it is due. The memory is kept for the next one.
    pong: Vec<u8>,
    pong_due: bool,
    /// What our Close frame said, from the moment it is decided on.
    close_sent: Option<CloseFrame>,
    /// Whether the Close frame is due. Nothing may follow it.
    close_due: bool,
    /// Where in the stream of outgoing bytes the latest keepalive Ping ends.
    keepalive_end: u64,
    /// Whether the transport ended, so that nothing can be sent although no Close frame was.
    ended: bool,
    stream: Option<Stream>,
    max_outgoing: usize,
    max_frame_payload: usize,
}

/// A message that the application sends in fragments.
#[derive(Debug)]
struct Stream {
    kind: MessageKind,
    decoder: Decoder,
}

impl Sender {
    pub(super) fn new(keys: Option<MaskKeys>, config: &Config, head: Vec<u8>) -> Self {
        Self {
            keys,
            outgoing: Outgoing::starting_with(head),
            backlog: Backlog::default(),
            pong: Vec::new(),
            pong_due: false,
            close_sent: None,
            close_due: false,
            keepalive_end: 0,
            ended: false,
            stream: None,
            max_outgoing: config.limits.max_outgoing,
            max_frame_payload: config.max_frame_payload.unwrap_or(usize::MAX).max(1),
        }
    }

    /// The role of this endpoint.
    pub fn role(&self) -> Role {
        if self.keys.is_some() {
            Role::Client
        } else {
            Role::Server
        }
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
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Unsent> {
        let message = message.into();
        if let Err(error) = self.admit_message() {
            return Err(Unsent { error, message });
        }
        let opcode = message.kind().opcode();
        self.push(Unframed {
            opcode,
            fin: true,
            payload: message.into_bytes(),
        });
        Ok(())
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
        self.stream = if fin {
            None
        } else {
            Some(Stream { kind, decoder })
        };
        self.push_slice(opcode, fin, payload);
        Ok(())
    }

    /// Queues a Ping. Its Pong arrives as [`Event::Pong`](crate::Event::Pong) with the same payload.
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
        self.put_close(CloseFrame {
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
        self.backlog.clear();
        if self.close_sent.is_some() {
            return;
        }
        match error.close_code() {
            Some(code) => self.put_close(CloseFrame {
                code,
                reason: error.close_reason(),
            }),
            None => self.end(),
        }
    }

    /// Takes note that the transport ended. An answer to the peer's Close frame is still recorded.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// What is to be written. Frames that were held back are encoded by this call.
    #[inline]
    pub fn outgoing(&mut self) -> &mut Outgoing {
        if self.outgoing.is_empty() {
            self.refill();
        }
        &mut self.outgoing
    }

    /// Whether [`outgoing`](Self::outgoing) has something to write.
    #[inline]
    pub fn wants_write(&self) -> bool {
        !self.outgoing.is_empty() || !self.backlog.is_empty() || self.close_due || self.pong_due
    }

    /// Bytes that are queued and not written yet, automatic answers aside.
    pub fn queued(&self) -> usize {
        self.outgoing.len() + self.backlog.bytes()
    }

    /// What our Close frame said, once it was decided on.
    pub(super) fn close_sent(&self) -> Option<&CloseFrame> {
        self.close_sent.as_ref()
    }

    pub(super) fn written(&self) -> u64 {
        self.outgoing.written()
    }

    /// Queues a Ping, unless one of these still waits, and tells after how many written bytes it has
    /// left. A full queue takes it too: a peer is not asked for a sign of life in vain because it
    /// reads slowly.
    pub(super) fn keepalive_ping(&mut self) -> u64 {
        if self.written() >= self.keepalive_end {
            self.encode(Opcode::Ping, true, &[]);
            self.keepalive_end = self.written() + self.outgoing.len() as u64;
        }
        self.keepalive_end
    }

    /// Gives the memory of an empty queue back.
    pub(super) fn release(&mut self) {
        self.outgoing.release();
        if !self.pong_due {
            self.pong = Vec::new();
        }
        if self.backlog.is_empty() {
            self.backlog.clear();
        }
    }

    pub(super) fn answer_ping(&mut self, payload: &[u8]) {
        if self.close_sent.is_some() {
            return; // nothing follows our Close frame
        }
        if self.queued() < PONG_BACKLOG {
            self.flush_pong();
            self.encode(Opcode::Pong, true, payload);
        } else {
            self.pong.clear();
            self.pong.extend_from_slice(payload);
            self.pong_due = true;
        }
    }

    /// Echoes the code and not the reason: the reason was meant for us.
    pub(super) fn answer_close(&mut self, frame: &CloseFrame) {
        if self.close_sent.is_none() {
            self.put_close(CloseFrame {
                code: frame.code,
                reason: String::new(),
            });
        }
    }

    #[inline]
    fn send_slice(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        self.admit_message()?;
        self.push_slice(opcode, true, payload);
        Ok(())
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        self.admit()?;
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong(payload.len()));
        }
        self.encode(opcode, true, payload);
        Ok(())
    }

    #[inline]
    fn admit_message(&self) -> Result<(), SendError> {
        self.admit()?;
        if self.stream.is_some() {
            Err(SendError::MessageOpen)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn admit(&self) -> Result<(), SendError> {
        if self.is_over() {
            return Err(SendError::Closed);
        }
        if self.queued() + self.backlog.overhead() >= self.max_outgoing {
            Err(SendError::Full)
        } else {
            Ok(())
        }
    }

    /// Whether the application can send no more.
    #[inline]
    fn is_over(&self) -> bool {
        self.close_sent.is_some() || self.ended
    }

    fn put_close(&mut self, frame: CloseFrame) {
        self.flush_pong(); // the Ping came first, so its Pong is owed
        self.close_sent = Some(frame);
        self.close_due = true;
    }

    /// Frames a borrowed payload, or puts a copy of it in the backlog if it has to wait or be cut.
    #[inline]
    fn push_slice(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        if self.backlog.is_empty() && payload.len() <= self.max_frame_payload {
            self.flush_pong();
            self.encode(opcode, fin, payload);
        } else {
            self.push(Unframed {
                opcode,
                fin,
                payload: Bytes::copy_from_slice(payload),
            });
        }
    }

    fn push(&mut self, unframed: Unframed) {
        if self.backlog.is_empty() && unframed.payload.len() <= self.max_frame_payload {
            self.flush_pong();
            self.encode_owned(unframed.opcode, unframed.fin, unframed.payload);
        } else {
            self.backlog.push(unframed);
        }
    }

    /// Turns slots and backlog into frames: control frames first, then fragments, and the Close
    /// frame when nothing is left that has to come before it.
    fn refill(&mut self) {
        self.flush_pong();
        while self.outgoing.len() < ENCODE_AHEAD {
            let Some(fragment) = self.backlog.cut(self.max_frame_payload) else {
                break;
            };
            self.encode_owned(fragment.opcode, fragment.fin, fragment.payload);
        }
        if self.close_due
            && self.backlog.is_empty()
            && let Some(frame) = &self.close_sent
        {
            let body = frame.to_body();
            self.encode(Opcode::Close, true, &body);
            self.close_due = false;
        }
    }

    #[inline]
    fn flush_pong(&mut self) {
        if mem::take(&mut self.pong_due) {
            let payload = mem::take(&mut self.pong);
            self.encode(Opcode::Pong, true, &payload);
            self.pong = payload;
        }
    }

    #[inline]
    fn encode(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let key = self.encode_header(opcode, fin, payload.len());
        let buffer = self.outgoing.buffer();
        let start = buffer.len();
        buffer.extend_from_slice(payload);
        if let (Some(key), Some(payload)) = (key, buffer.get_mut(start..)) {
            apply_mask(payload, key, 0);
        }
    }

    fn encode_owned(&mut self, opcode: Opcode, fin: bool, payload: Bytes) {
        if payload.len() < WRITE_IN_PLACE {
            return self.encode(opcode, fin, &payload);
        }
        match (self.keys.is_some(), payload) {
            (false, payload) => {
                self.encode_header(opcode, fin, payload.len());
                self.outgoing.push_payload(payload);
            }
            (true, payload) => match payload.try_into_mut() {
                Ok(mut payload) => {
                    if let Some(key) = self.encode_header(opcode, fin, payload.len()) {
                        apply_mask(&mut payload, key, 0);
                    }
                    self.outgoing.push_payload(payload.freeze());
                }
                Err(shared) => self.encode(opcode, fin, &shared),
            },
        }
    }

    /// Encodes a header with a fresh masking key in the client role.
    #[inline]
    fn encode_header(&mut self, opcode: Opcode, fin: bool, length: usize) -> Option<[u8; 4]> {
        let key = self.keys.as_mut().map(MaskKeys::next_key);
        let header = Header {
            fin,
            rsv1: false,
            opcode,
            key,
            length: length as u64,
        };
        header.encode(self.outgoing.buffer());
        key
    }
}

impl MessageKind {
    const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}
