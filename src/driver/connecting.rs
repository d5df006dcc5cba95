//! What a client does before there is a connection: the opening handshake, and the request for a
//! tunnel before it.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Buf;

use super::Transport;
use crate::connection::Inbox;
use crate::error::Error;
use crate::handshake::client::{Established, Handshake, ProxyError, Tunnel};
use crate::handshake::{HandshakeError, Step};

/// Writes and reads by turns until something is open.
pub(crate) trait Opening: Sized {
    type Opened;
    type Error: Into<Error>;

    fn outgoing(&mut self) -> &mut impl Buf;
    fn advance(self, inbox: &mut Inbox) -> Result<Step<Self, Self::Opened>, Self::Error>;
    fn received_eof(&mut self);
    fn poll_timeout(&self) -> Option<Duration>;
    fn handle_timeout(&mut self, now: Duration) -> Result<(), Self::Error>;
}

/// Forwards to the methods of the same names.
macro_rules! opening {
    ($type:ty, $opened:ty, $error:ty) => {
        impl Opening for $type {
            type Opened = $opened;
            type Error = $error;

            fn outgoing(&mut self) -> &mut impl Buf {
                self.outgoing()
            }

            fn advance(self, inbox: &mut Inbox) -> Result<Step<Self, $opened>, $error> {
                self.advance(inbox)
            }

            fn received_eof(&mut self) {
                self.received_eof();
            }

            fn poll_timeout(&self) -> Option<Duration> {
                self.poll_timeout()
            }

            fn handle_timeout(&mut self, now: Duration) -> Result<(), $error> {
                self.handle_timeout(now)
            }
        }
    };
}

opening!(Handshake, Established, HandshakeError);
opening!(Tunnel, (), ProxyError);

/// Writes the request and reads the response.
#[derive(Debug)]
pub(crate) struct Connecting<O = Handshake> {
    /// `None` once it has ended.
    handshake: Option<O>,
    /// Bytes were written that the transport may still buffer.
    unflushed: bool,
    /// Why the transport takes or gives no more bytes.
    broken: Option<io::Error>,
}

impl<O: Opening> Connecting<O> {
    pub(crate) fn new(handshake: O) -> Self {
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
    ) -> Poll<Result<O::Opened, Error>> {
        let Some(mut handshake) = self.handshake.take() else {
            return Poll::Ready(Err(HandshakeError::ConnectionClosed.into()));
        };
        loop {
            if let Err(error) = handshake.handle_timeout(transport.now()) {
                return Poll::Ready(Err(error.into()));
            }
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
                Err(error) => return Poll::Ready(Err(self.why(error.into()))),
            };
            if self.broken.is_none() && handshake.outgoing().has_remaining() {
                continue; // the next message of several
            }
            match transport.poll_read(inbox.spare(0), due) {
                Poll::Ready(Ok(0)) => handshake.received_eof(),
                Poll::Ready(Ok(count)) => inbox.received(count),
                Poll::Ready(Err(error)) => {
                    self.broken.get_or_insert(error);
                    handshake.received_eof();
                }
                Poll::Pending if self.broken.is_some() && !transport.has_yielded() => {
                    handshake.received_eof();
                }
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
        handshake: &mut O,
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
            ready!(transport.poll_flush(due))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// What the stream says when it failed tells more than that the response is not whole.
    fn why(&mut self, error: Error) -> Error {
        match (error, self.broken.take()) {
            (
                Error::Handshake(HandshakeError::ConnectionClosed)
                | Error::Proxy(ProxyError::ConnectionClosed),
                Some(broken),
            ) => broken.into(),
            (error, _) => error,
        }
    }
}
