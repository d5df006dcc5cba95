//! The client's opening handshake.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use super::Transport;
use crate::connection::Inbox;
use crate::error::Error;
use crate::handshake::client::{Established, Handshake};
use crate::handshake::{HandshakeError, Step};

/// Writes the request and reads the response.
#[derive(Debug)]
pub(crate) struct Connecting {
    /// `None` once it has ended.
    handshake: Option<Handshake>,
    /// Bytes were written that the transport may still buffer.
    unflushed: bool,
    /// Why the transport takes or gives no more bytes.
    broken: Option<io::Error>,
}

impl Connecting {
    pub(crate) fn new(handshake: Handshake) -> Self {
        Self {
            handshake: Some(handshake),
            unflushed: false,
            broken: None,
        }
    }

    /// When [`poll`](Self::poll) is to be called again at the latest.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.handshake.as_ref()?.poll_timeout()
    }

    /// Goes as far as the transport allows. The first result is the last.
    pub(crate) fn poll(
        &mut self,
        inbox: &mut Inbox,
        transport: &mut impl Transport,
    ) -> Poll<Result<Established, Error>> {
        let Some(mut handshake) = self.handshake.take() else {
            return Poll::Ready(Err(HandshakeError::ConnectionClosed.into()));
        };
        loop {
            handshake.handle_timeout(transport.now())?;
            let due = handshake.poll_timeout();
            let written = self.poll_write(&mut handshake, transport, due);
            // A server that refuses before it has read the whole request breaks our writing: what
            // it said may still be there to be read.
            if let Poll::Ready(Err(error)) = written {
                self.broken = Some(error);
            } else if written.is_pending() {
                if due.is_some_and(|due| due <= transport.now()) {
                    continue;
                }
                self.handshake = Some(handshake);
                return Poll::Pending;
            }
            handshake = match handshake.advance(inbox) {
                Ok(Step::Continue(handshake)) => handshake,
                Ok(Step::Done(established)) => return Poll::Ready(Ok(established)),
                Err(error) => return Poll::Ready(Err(self.why(error))),
            };
            match transport.poll_read(inbox.spare(0), due) {
                Poll::Ready(Ok(0)) => handshake.received_eof(),
                Poll::Ready(Ok(count)) => inbox.received(count),
                Poll::Ready(Err(error)) => {
                    self.broken.get_or_insert(error);
                    handshake.received_eof();
                }
                Poll::Pending if self.broken.is_some() => handshake.received_eof(),
                Poll::Pending if due.is_some_and(|due| due <= transport.now()) => {}
                Poll::Pending => {
                    self.handshake = Some(handshake);
                    return Poll::Pending;
                }
            }
        }
    }

    fn poll_write(
        &mut self,
        handshake: &mut Handshake,
        transport: &mut impl Transport,
        due: Option<Duration>,
    ) -> Poll<io::Result<()>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        let outgoing = handshake.outgoing();
        while outgoing.has_remaining() {
            let slices = [IoSlice::new(outgoing.chunk())];
            let count = ready!(transport.poll_write(&slices, due))?;
            if count == 0 {
                return Poll::Ready(Err(ErrorKind::WriteZero.into()));
            }
            outgoing.advance(count.min(outgoing.remaining()));
            self.unflushed = true;
        }
        if self.unflushed {
            ready!(transport.poll_flush())?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// What the stream says when it failed tells more than that the response is not whole.
    fn why(&mut self, error: HandshakeError) -> Error {
        match (error, self.broken.take()) {
            (HandshakeError::ConnectionClosed, Some(broken)) => broken.into(),
            (error, _) => error.into(),
        }
    }
}
