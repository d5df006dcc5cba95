//! An open connection (RFC 6455, sections 5 to 7): receiving, sending, closing, deadlines.

mod assembling;
#[cfg(feature = "deflate")]
mod compression;
mod config;
mod error;
mod event;
mod inbox;
#[cfg(feature = "deflate")]
mod inflating;
mod keys;
mod memory;
mod outcome;
mod outgoing;
mod queue;
mod receiver;
mod retention;
mod sender;
mod settings;
mod timers;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

pub use config::{Config, Delivery, Keepalive, Limits, Role, Timeouts};
pub use error::{ReceiveError, SendError, Unsent};
pub use event::{Binary, Event, Piece, Text};
#[cfg(any(feature = "tokio", feature = "futures"))]
pub(crate) use inbox::LARGEST_BUFFER;
pub use inbox::{Inbox, Parked};
pub use keys::MaskKeys;
pub use outcome::{Initiator, Outcome, State};
pub use outgoing::Outgoing;
pub use receiver::Receiver;
pub use sender::Sender;

use crate::frame::CloseCode;
use crate::handshake::Extensions;
use crate::message::{Message, MessageKind};
use receiver::{Place, Ready, lend};
use settings::Settings;
use timers::Timers;

/// One end of an open WebSocket connection, without any I/O.
///
/// Whoever drives it moves bytes between it and a transport, in this order:
///
/// 1. Read into [`Inbox::spare`] and report with [`Inbox::received`], or report the transport's end
///    with [`received_eof`](Self::received_eof).
/// 2. Take events with [`poll_event`](Self::poll_event) until it returns `None` or an error, and
///    send whatever the application wants in between.
/// 3. Write [`outgoing`](Self::outgoing) while [`wants_write`](Self::wants_write). When
///    [`wants_shutdown`](Self::wants_shutdown) says so, end the writing side of the transport.
/// 4. Call [`handle_timeout`](Self::handle_timeout) with the time, then wait for the transport
///    (if [`wants_read`](Self::wants_read) or [`wants_write`](Self::wants_write)), at most until
///    [`poll_timeout`](Self::poll_timeout). When neither reading nor writing is wanted any more,
///    drop the transport, report that with [`received_eof`](Self::received_eof), and ask for the
///    [`outcome`](Self::outcome).
///
/// Pings and the peer's Close frame are answered by themselves; the answers are in
/// [`outgoing`](Self::outgoing). A fault of the peer queues the Close frame that tells it.
///
/// ```
/// use bytes::Buf;
/// use fullduplex::{Config, Connection, Event, Inbox, MaskKeys};
///
/// let mut client = Connection::client(&Config::default(), MaskKeys::seeded([7; 32]));
/// let mut server = Connection::server(&Config::default());
/// client.send_text("hello")?;
///
/// // What a transport would do: move the client's bytes into the server's inbox.
/// let mut inbox = Inbox::new();
/// while client.outgoing().has_remaining() {
///     let room = inbox.spare(0);
///     let count = room.len().min(client.outgoing().remaining());
///     client.outgoing().copy_to_slice(&mut room[..count]);
///     inbox.received(count);
/// }
///
/// let Some(Event::Text(text)) = server.poll_event(&mut inbox)? else { panic!() };
/// server.send_text(&text)?; // `text` borrows the inbox and not the connection
/// assert_eq!(server.outgoing().chunk(), b"\x81\x05hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    receiver: Receiver,
    sender: Sender,
    timers: Timers,
    /// What happened since the timers were told last.
    heard: bool,
    message: bool,
    /// Whether the peer's Close frame came before ours was sent.
    closed_by_peer: bool,
}

impl Connection {
    /// The server's end of a connection whose opening handshake is done.
    pub fn server(config: &Config) -> Self {
        Self::open(None, config, &Extensions::default(), Vec::new())
    }

    /// The client's end of a connection whose opening handshake is done.
    pub fn client(config: &Config, keys: MaskKeys) -> Self {
        Self::open(Some(keys), config, &Extensions::default(), Vec::new())
    }

    /// Either end; only a client has `keys`. `head` goes out before any frame.
    pub(crate) fn open(
        keys: Option<MaskKeys>,
        config: &Config,
        extensions: &Extensions,
        head: Vec<u8>,
    ) -> Self {
        let role = if keys.is_some() {
            Role::Client
        } else {
            Role::Server
        };
        let settings = Settings::shared(config);
        Self {
            receiver: Receiver::new(role, Arc::clone(&settings), extensions),
            sender: Sender::new(keys, config, settings, extensions, head),
            timers: Timers::default(),
            heard: false,
            message: false,
            closed_by_peer: false,
        }
    }

    /// The role of this endpoint.
    pub fn role(&self) -> Role {
        self.sender.role()
    }

    /// The next thing received, or `None` when more bytes are needed or the peer has closed.
    ///
    /// # Errors
    ///
    /// A [`ReceiveError`] is final: every later call returns it again. The Close frame that tells
    /// the peer is queued.
    #[inline]
    pub fn poll_event<'i>(
        &mut self,
        inbox: &'i mut Inbox,
    ) -> Result<Option<Event<'i>>, ReceiveError> {
        match self.take_whole(inbox) {
            Some(whole) => self.lend_whole(inbox, whole).map(Some),
            None => self.poll_any_event(inbox),
        }
    }

    /// Takes a message that came in one frame and is all there, if that is next.
    #[inline]
    pub(crate) fn take_whole(&mut self, inbox: &mut Inbox) -> Option<Whole> {
        let (kind, range) = self.receiver.take_whole(inbox)?;
        (self.heard, self.message) = (true, true);
        Some(Whole(kind, range))
    }

    /// Lends what [`take_whole`](Self::take_whole) took.
    #[inline]
    pub(crate) fn lend_whole<'i>(
        &mut self,
        inbox: &'i mut Inbox,
        Whole(kind, range): Whole,
    ) -> Result<Event<'i>, ReceiveError> {
        lend(inbox, kind, range).map_err(|error| self.fail(error.into()))
    }

    /// Whether nothing has begun, nothing has come, and nothing speaks against waiting for it.
    #[inline]
    pub(crate) fn is_waiting(&mut self, inbox: &mut Inbox) -> bool {
        let is_waiting = self.receiver.is_waiting(inbox);
        if is_waiting {
            inbox.want(0);
            self.heard |= inbox.take_fresh();
        }
        is_waiting
    }

    #[inline(never)]
    fn poll_any_event<'i>(
        &mut self,
        inbox: &'i mut Inbox,
    ) -> Result<Option<Event<'i>>, ReceiveError> {
        if self.is_waiting(inbox) {
            return Ok(None);
        }
        match self.advance(inbox)? {
            Some(ready) => self.view(inbox, ready).map(Some),
            None => Ok(None),
        }
    }

    /// Consumes bytes until there is something to report, and does what the protocol demands on it.
    #[inline]
    pub(crate) fn advance(&mut self, inbox: &mut Inbox) -> Result<Option<Received>, ReceiveError> {
        if let Some(Whole(kind, range)) = self.take_whole(inbox) {
            return Ok(Some(Received(Ready::Message(kind, Place::Block(range)))));
        }
        if self.is_waiting(inbox) {
            return Ok(None);
        }
        let ready = match self.receiver.advance(inbox) {
            Ok(Some(ready)) => ready,
            Ok(None) => {
                self.heard |= inbox.take_fresh();
                return Ok(None);
            }
            Err(error) => {
                self.sender.fail(&error);
                return Err(error);
            }
        };
        self.heard = true;
        match &ready {
            Ready::Message(..) | Ready::Piece(..) => self.message = true,
            Ready::Ping(range) => self.sender.answer_ping(inbox.slice(range.clone())),
            Ready::Pong(_) => {}
            Ready::Close(frame) => {
                self.closed_by_peer = self.sender.close_sent().is_none();
                self.sender.answer_close(frame);
            }
        }
        Ok(Some(Received(ready)))
    }

    /// Lends what [`advance`](Self::advance) reported.
    #[inline]
    pub(crate) fn view<'i>(
        &mut self,
        inbox: &'i mut Inbox,
        received: Received,
    ) -> Result<Event<'i>, ReceiveError> {
        self.receiver
            .view(inbox, received.0)
            .inspect_err(|error| self.sender.fail(error))
    }

    /// Reports that the transport ended, or that it was dropped.
    pub fn received_eof(&mut self) {
        self.receiver.received_eof();
        self.sender.end();
    }

    /// Queues a text message. The text is copied once, into the outgoing buffer.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`], [`SendError::Full`] or [`SendError::MessageOpen`]; nothing was queued.
    #[inline]
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.sender.send_text(text)?;
        self.message = true;
        Ok(())
    }

    /// Queues a binary message. The bytes are copied once, into the outgoing buffer.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.sender.send_binary(bytes)?;
        self.message = true;
        Ok(())
    }

    /// Queues a message that owns its payload. A server writes a large payload from where it is; a
    /// client masks it in place if nobody shares it.
    ///
    /// # Errors
    ///
    /// As [`send_text`](Self::send_text), with the message given back.
    #[inline]
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), Unsent> {
        self.sender.send(message)?;
        self.message = true;
        Ok(())
    }

    /// Queues a message and chooses whether it is compressed; see [`Sender::send_with`].
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[cfg(feature = "deflate")]
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: crate::deflate::Compress,
    ) -> Result<(), Unsent> {
        self.message = true;
        self.sender.send_with(message, compress)
    }

    /// Queues a fragment of a message whose length is not known yet; see
    /// [`Sender::send_fragment`].
    ///
    /// # Errors
    ///
    /// As [`Sender::send_fragment`].
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(kind, payload, fin)?;
        self.message = true;
        Ok(())
    }

    /// Queues a Ping. Its Pong arrives as [`Event::Pong`] with the same payload.
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.sender.ping(payload)
    }

    /// Queues a Pong that answers nothing, as a one-way sign of life. Pings are answered without it.
    ///
    /// # Errors
    ///
    /// As [`Sender::ping`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.sender.pong(payload)
    }

    /// Starts the closing handshake (RFC 6455, section 7.1.2). What was queued before is sent
    /// before the Close frame, and nothing after it. Messages keep arriving until the peer closes.
    ///
    /// # Errors
    ///
    /// As [`Sender::close`].
    pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        self.sender.close(code, reason)
    }

    /// What is to be written. Long messages become frames bit by bit, and answers when there is
    /// room for them, so ask again until [`wants_write`](Self::wants_write) says no.
    #[inline]
    pub fn outgoing(&mut self) -> &mut Outgoing {
        self.sender.outgoing()
    }

    /// Bytes that are queued and not written yet, automatic answers aside.
    pub fn queued(&self) -> usize {
        self.sender.queued()
    }

    /// Whether so many bytes are [`queued`](Self::queued).
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn has_queued(&self, bytes: usize) -> bool {
        self.sender.has_queued(bytes)
    }

    /// Whether [`outgoing`](Self::outgoing) has something to write.
    #[inline]
    pub fn wants_write(&self) -> bool {
        self.sender.wants_write() && !self.receiver.eof()
    }

    /// Whether bytes from the transport still matter. After a fault they are only read to be
    /// dropped, since a transport that is closed over unread bytes may lose our Close frame.
    pub fn wants_read(&self) -> bool {
        let server_done = self.role() == Role::Server && self.is_handshake_done();
        !self.receiver.eof() && !server_done
    }

    /// Whether the writing side of the transport should be ended now: everything is written, and
    /// the closing handshake is done or the connection failed. A client leaves ending the transport
    /// to the server (RFC 6455, section 7.1.1), unless that takes too long.
    pub fn wants_shutdown(&self) -> bool {
        let failed = self.receiver.failure().is_some() && !self.sender.wants_write();
        let server_done = self.role() == Role::Server && self.is_handshake_done();
        self.receiver.eof() || failed || server_done
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called at the latest, on the
    /// caller's clock; `None` if nothing is due.
    #[inline]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadline_nanos().map(Duration::from_nanos)
    }

    /// The same in nanoseconds.
    #[inline]
    pub(crate) fn deadline_nanos(&self) -> Option<u64> {
        if self.receiver.eof() {
            None
        } else {
            self.timers.deadline(self.periods())
        }
    }

    /// Tells the time, as a duration since a moment that the caller chose once. Call it before
    /// waiting; it takes note of what happened and does what is due: a keepalive Ping, the end of
    /// an idle connection, giving up on a peer that is gone.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.do_what_is_due(now);
    }

    /// Where the connection stands.
    #[inline]
    pub fn state(&self) -> State {
        if self.receiver.eof() {
            State::Closed
        } else if self.is_closing() {
            State::Closing
        } else {
            State::Open
        }
    }

    /// How the connection ended; `None` until it is [`State::Closed`].
    pub fn outcome(&self) -> Option<Outcome> {
        self.receiver.eof().then(|| self.outcome_so_far())
    }

    /// How the connection ends if its transport ends now.
    pub(crate) fn outcome_so_far(&self) -> Outcome {
        let (sent, received) = (self.sender.close_sent(), self.receiver.close_received());
        let clean = sent.is_some() && received.is_some();
        let cause = match self.receiver.failure() {
            None if !clean => Some(ReceiveError::UnexpectedEof),
            failure => failure,
        };
        let initiator = match cause {
            Some(ReceiveError::UnexpectedEof) if sent.is_none() => Initiator::Remote,
            _ if self.closed_by_peer => Initiator::Remote,
            _ => Initiator::Local,
        };
        let (sent, received) = (sent.cloned(), received.cloned());
        Outcome {
            clean,
            initiator,
            sent,
            received,
            cause,
        }
    }

    /// Whether the next message would be refused because too much is queued.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.sender.is_full()
    }

    /// The two halves, each usable on its own thread. Deadlines stay behind: halves have none.
    pub fn split(self) -> (Receiver, Sender) {
        (self.receiver, self.sender)
    }

    #[inline]
    fn is_closing(&self) -> bool {
        self.sender.close_sent().is_some()
            || self.receiver.close_received().is_some()
            || self.receiver.failure().is_some()
    }

    /// Whether Close frames went both ways.
    fn is_handshake_done(&self) -> bool {
        self.sender.close_sent().is_some()
            && self.receiver.close_received().is_some()
            && !self.sender.wants_write()
    }

    #[cold]
    fn fail(&mut self, error: ReceiveError) -> ReceiveError {
        let error = self.receiver.fail(error);
        self.sender.fail(&error);
        error
    }
}

/// A whole message in the block of the inbox, before it is lent: a few words, where
/// [`Received`] has to hold anything.
pub(crate) struct Whole(MessageKind, Range<usize>);

/// What a connection received, before it is lent as an [`Event`].
#[derive(Debug)]
pub(crate) struct Received(Ready);
