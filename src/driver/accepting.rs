//! The server's opening handshake, up to the request or the refusal.

use core::task::{Poll, ready};

use super::{Answering, Transport};
use crate::connection::Inbox;
use crate::error::Error;
use crate::handshake::server::{Handshake, Incoming};
use crate::handshake::{HandshakeError, Step};

/// Reads a request. One that has to be refused gets its answer before the error is told.
#[derive(Debug)]
pub(crate) struct Accepting {
    /// `None` once it has ended.
    stage: Option<Stage>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart at each step")]
enum Stage {
    Receiving(Handshake),
    Refusing(Answering, HandshakeError),
}

impl Accepting {
    pub(crate) fn new(handshake: Handshake) -> Self {
        Self {
            stage: Some(Stage::Receiving(handshake)),
        }
    }

    /// Refuses what has been received by other means.
    pub(crate) fn refuse(error: HandshakeError) -> Result<Self, HandshakeError> {
        match error.response() {
            Some(response) => Ok(Self {
                stage: Some(Stage::Refusing(Answering::new(response.to_bytes()), error)),
            }),
            None => Err(error),
        }
    }

    /// When [`poll`](Self::poll) is to be called again at the latest.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn poll_timeout(&self) -> Option<core::time::Duration> {
        match self.stage.as_ref()? {
            Stage::Receiving(handshake) => handshake.poll_timeout(),
            Stage::Refusing(answering, _) => answering.poll_timeout(),
        }
    }

    /// Goes as far as the transport allows. The first result is the last.
    pub(crate) fn poll(
        &mut self,
        inbox: &mut Inbox,
        transport: &mut impl Transport,
    ) -> Poll<Result<Incoming, Error>> {
        loop {
            match self.stage.take() {
                Some(Stage::Receiving(handshake)) => {
                    let (stage, polled) = receive(handshake, inbox, transport);
                    self.stage = stage;
                    match ready!(polled) {
                        Err(Error::Handshake(error)) => *self = Self::refuse(error)?,
                        result => return Poll::Ready(result),
                    }
                }
                Some(Stage::Refusing(mut answering, error)) => {
                    if answering.poll(transport).is_pending() {
                        self.stage = Some(Stage::Refusing(answering, error));
                        return Poll::Pending;
                    }
                    // What went wrong first is what counts, whatever became of the answer.
                    return Poll::Ready(Err(error.into()));
                }
                None => return Poll::Ready(Err(HandshakeError::ConnectionClosed.into())),
            }
        }
    }
}

/// Reads until the request is whole, and gives the handshake back when it has to wait.
fn receive(
    mut handshake: Handshake,
    inbox: &mut Inbox,
    transport: &mut impl Transport,
) -> (Option<Stage>, Poll<Result<Incoming, Error>>) {
    loop {
        if let Err(error) = handshake.handle_timeout(transport.now()) {
            return (None, Poll::Ready(Err(error.into())));
        }
        handshake = match handshake.advance(inbox) {
            Ok(Step::Continue(handshake)) => handshake,
            Ok(Step::Done(incoming)) => return (None, Poll::Ready(Ok(incoming))),
            Err(error) => return (None, Poll::Ready(Err(error.into()))),
        };
        let due = handshake.poll_timeout();
        match transport.poll_read(inbox.spare(0), due) {
            Poll::Ready(Ok(0)) => handshake.received_eof(),
            Poll::Ready(Ok(count)) => inbox.received(count),
            Poll::Ready(Err(error)) => return (None, Poll::Ready(Err(error.into()))),
            Poll::Pending if due.is_some_and(|due| due <= transport.now()) => {}
            Poll::Pending => return (Some(Stage::Receiving(handshake)), Poll::Pending),
        }
    }
}
