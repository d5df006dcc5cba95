//! How a connection ended.

use core::fmt;

#[cfg(feature = "std")]
use super::Connection;
use super::error::ReceiveError;
use crate::frame::{CloseCode, CloseFrame};

/// Where a connection stands (RFC 6455, sections 4.1 and 7.1).
///
/// ```text
///            close frame sent or received,
///            or a fault                        end of the transport
///   ┌──────┐ ────────────────────► ┌─────────┐ ────────────► ┌────────┐
///   │ Open │                       │ Closing │               │ Closed │
///   └──────┘ ────────────────────────────────────────────► └────────┘
/// ```
///
/// It is derived from what happened and never stored.
///
/// ```
/// use fullduplex::{CloseCode, Config, Connection, State};
///
/// let mut connection = Connection::server(&Config::default());
/// assert_eq!(connection.state(), State::Open);
/// connection.close(CloseCode::NORMAL, "")?;
/// assert_eq!(connection.state(), State::Closing);
/// # Ok::<(), fullduplex::SendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the states of the RFC")]
pub enum State {
    /// Messages go both ways.
    Open,
    /// The closing handshake, or the end after a fault, is under way.
    Closing,
    /// The transport has ended.
    Closed,
}

/// Which side ended the connection.
///
/// ```
/// use fullduplex::Initiator;
///
/// assert_ne!(Initiator::Local, Initiator::Remote);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Initiator {
    /// This one: its Close frame came first, or it found a fault.
    Local,
    /// The peer: its Close frame came first, or its transport ended.
    Remote,
}

/// How a connection ended, on whatever path.
///
/// ```
/// use fullduplex::{CloseCode, Config, Connection, Inbox, Initiator};
///
/// let mut connection = Connection::server(&Config::default());
/// let mut inbox = Inbox::from(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8][..]); // Close 1000
/// while connection.poll_event(&mut inbox)?.is_some() {}
/// connection.received_eof();
///
/// let outcome = connection.outcome().expect("the connection has ended");
/// assert!(outcome.clean);
/// assert_eq!(outcome.initiator, Initiator::Remote);
/// assert_eq!(outcome.code(), CloseCode::NORMAL);
/// # Ok::<(), fullduplex::ReceiveError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// Whether the closing handshake was completed (RFC 6455, section 7.1.4).
    pub clean: bool,
    /// Who began to end it.
    pub initiator: Initiator,
    /// Our Close frame, if one was sent; with code 1005 if it had none.
    pub sent: Option<CloseFrame>,
    /// The peer's Close frame, if one came; with code 1005 if it had none.
    pub received: Option<CloseFrame>,
    /// The fault that ended the connection, unless it was closed.
    pub cause: Option<ReceiveError>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.initiator {
            Initiator::Local => "this end",
            Initiator::Remote => "the peer",
        };
        match (&self.cause, &self.received) {
            (Some(cause), _) => write!(f, "failed: {cause}"),
            (None, Some(frame)) => write!(f, "closed by {by}, peer said {frame}"),
            (None, None) => write!(f, "closed by {by}"),
        }
    }
}

impl Outcome {
    /// The connection's close code (RFC 6455, section 7.1.5): the peer's, 1005 if its Close frame
    /// had none, 1006 if no Close frame came.
    pub fn code(&self) -> CloseCode {
        self.received
            .as_ref()
            .map_or(CloseCode::ABNORMAL, |frame| frame.code)
    }

    /// The connection's close reason (RFC 6455, section 7.1.6): the peer's, or empty.
    pub fn reason(&self) -> &str {
        self.received.as_ref().map_or("", |frame| &frame.reason)
    }
}

/// Signs of the end that a driver looks for.
#[cfg(feature = "std")]
impl Connection {
    /// Whether the peer's Close frame came, so that nothing more will.
    pub(crate) fn has_received_close(&self) -> bool {
        self.receiver.close_received().is_some()
    }

    /// Whether [`advance`](Self::advance) has nothing but an error to report.
    pub(crate) fn has_failed(&self) -> bool {
        self.receiver.failure().is_some() || self.receiver.eof()
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::{Config, Inbox};

    /// A fault and the end of the transport leave nothing but an error to report, each by itself. A
    /// Close frame does not.
    #[test]
    fn a_fault_and_the_end_are_failures() {
        let connection = || Connection::server(&Config::default());
        let mut closed = connection();
        let mut close = Inbox::from(&[0x88, 0x80, 0, 0, 0, 0][..]);
        assert!(matches!(closed.poll_event(&mut close), Ok(Some(_))));
        assert!(!closed.has_failed() && closed.has_received_close());

        let mut failed = connection();
        let mut garbage = Inbox::from(&[0xff, 0xff][..]);
        assert!(failed.poll_event(&mut garbage).is_err());
        assert!(failed.has_failed() && !failed.has_received_close());

        let mut ended = connection();
        assert!(!ended.has_failed());
        ended.received_eof();
        assert!(ended.has_failed() && !ended.has_received_close());
    }
}
