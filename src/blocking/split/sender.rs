//! The role that sends.

use super::shared::Shared;
use super::sync::Arc;
use crate::connection::{Outcome, Unsent};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::message::Message;

/// The half that sends, from as many threads as there are clones of it.
///
/// It encodes into the outgoing queue, under a short lock, and leaves writing to the
/// [`Writer`](super::Writer). Above [`Limits::max_outgoing`](crate::Limits::max_outgoing) it waits
/// for room. Messages of one thread keep their order. When all are dropped, the connection goes on.
///
/// A thread that both receives and waits to send stops receiving meanwhile; if the peer does the
/// same, they wait for each other. Answer with [`try_send`](Self::try_send) there, or let another
/// thread send.
///
/// ```
/// # use fullduplex::{CloseCode, Config, Connection, Inbox, blocking};
/// let connection = Connection::server(&Config::default());
/// let (_reader, sender, mut writer) =
///     blocking::split_over(std::io::empty(), Vec::new(), |_| Ok(()), connection, Inbox::new());
///
/// let other = sender.clone();
/// std::thread::spawn(move || other.send("from another thread")).join().unwrap()?;
/// sender.close(CloseCode::NORMAL, "that was all")?;
/// let error = sender.send("too late").unwrap_err();
/// assert!(matches!(error, blocking::Error::Unsent(unsent) if unsent.message.len() == 8));
/// # Ok::<(), blocking::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Queues a message, and waits for room before if the queue is full. The
    /// [`Writer`](super::Writer) sends it at once.
    ///
    /// # Errors
    ///
    /// [`Error::Unsent`] with the message, if the connection is closing or over.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut waiting = Some(message.into());
        let sent = self.shared.wait_for(|state| {
            let message = waiting.take()?; // there is always one
            let unsent = match state.check_open() {
                Ok(()) => match state.connection.send(message) {
                    Ok(()) => return Some(Ok(())),
                    Err(unsent) => unsent,
                },
                Err(error) => Unsent { error, message },
            };
            if state.is_worth_waiting(&unsent.error) {
                waiting = Some(unsent.message);
                return None;
            }
            Some(Err(unsent))
        });
        Ok(sent?)
    }

    /// Queues a message unless the queue is full.
    ///
    /// # Errors
    ///
    /// [`Error::Unsent`] with the message: with [`SendError::Full`](crate::SendError::Full), or if
    /// the connection is closing or over.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        let sent = self.shared.with(|state| match state.check_open() {
            Ok(()) => state.connection.send(message),
            Err(error) => Err(Unsent { error, message }),
        });
        Ok(sent?)
    }

    /// Queues a Ping, and waits for room before if the queue is full. Its Pong arrives as an event
    /// of the [`Reader`](super::Reader).
    ///
    /// # Errors
    ///
    /// [`Error::Send`] if `payload` has more than 125 bytes, or the connection is closing or over.
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        let sent = self.shared.wait_for(|state| {
            let result = match state.check_open() {
                Ok(()) => state.connection.ping(payload),
                lost => lost,
            };
            match result {
                Err(error) if state.is_worth_waiting(&error) => None,
                result => Some(result),
            }
        });
        Ok(sent?)
    }

    /// Starts the closing handshake: what was sent before goes out, then a Close frame, and nothing
    /// after it. Returns at once; the [`Reader`](super::Reader) receives what the peer still sends
    /// and comes to its end, and [`Writer::run`](super::Writer::run) returns.
    ///
    /// # Errors
    ///
    /// [`Error::Send`] for a code or reason that cannot be sent, and with
    /// [`SendError::Closed`](crate::SendError::Closed) if the connection is closing already.
    pub fn close(&self, code: CloseCode, reason: &str) -> Result<(), Error> {
        let closed = self.shared.with(|state| {
            state.check_open()?;
            state.connection.close(code, reason)
        });
        Ok(closed?)
    }

    /// Bytes that are queued and not written yet, automatic answers aside.
    pub fn queued(&self) -> usize {
        self.shared.with(|state| state.connection.queued())
    }

    /// How the connection ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.outcome()
    }
}
