//! An HTTP answer to a client that gets no WebSocket, up to the end of the stream.

use core::task::{Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind, IoSlice};

use bytes::{Buf, Bytes};

use super::Transport;

/// How long writing an HTTP answer may take, which may be a page for a slow network.
const ANSWER: Duration = Duration::from_secs(10);

/// How long, and how many bytes, a client that was refused is listened to: closing over unread
/// bytes could make its system discard our answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// Writes an answer and ends the stream.
#[derive(Debug)]
pub(crate) struct Answering {
    bytes: Bytes,
    stage: Stage,
    /// Of the stage; known from the first time it is worked on.
    deadline: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    Writing,
    Flushing,
    ShuttingDown,
    /// How many more bytes are dropped.
    Draining(usize),
}

impl Answering {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            stage: Stage::Writing,
            deadline: None,
        }
    }

    /// When [`poll`](Self::poll) is to be called again at the latest.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.deadline
    }

    /// Goes as far as the transport allows.
    pub(crate) fn poll(&mut self, transport: &mut impl Transport) -> Poll<io::Result<()>> {
        if self.deadline.is_none() {
            self.deadline = Some(transport.now().saturating_add(ANSWER));
        }
        let result = self.poll_stages(transport);
        let late = self.deadline.is_some_and(|at| at <= transport.now());
        match (&self.stage, result) {
            (Stage::Draining(_), Poll::Pending) if late => Poll::Ready(Ok(())),
            (_, Poll::Pending) if late => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            (_, result) => result,
        }
    }

    fn poll_stages(&mut self, transport: &mut impl Transport) -> Poll<io::Result<()>> {
        loop {
            let deadline = self.deadline;
            match &mut self.stage {
                Stage::Writing if self.bytes.is_empty() => self.stage = Stage::Flushing,
                Stage::Writing => {
                    let slices = [IoSlice::new(&self.bytes)];
                    let count = ready!(transport.poll_write(&slices, deadline))?;
                    if count == 0 {
                        return Poll::Ready(Err(ErrorKind::WriteZero.into()));
                    }
                    self.bytes.advance(count.min(self.bytes.len()));
                }
                Stage::Flushing => {
                    ready!(transport.poll_flush(deadline))?;
                    self.stage = Stage::ShuttingDown;
                }
                Stage::ShuttingDown => {
                    if ready!(transport.poll_shutdown()).is_err() {
                        return Poll::Ready(Ok(())); // it can only be dropped
                    }
                    self.stage = Stage::Draining(LINGER_BYTES);
                    self.deadline = Some(transport.now().saturating_add(LINGER));
                }
                Stage::Draining(left) => {
                    let mut dropped = [0; 4096];
                    match ready!(transport.poll_read(&mut dropped, deadline)) {
                        Ok(count) if count > 0 && *left > count => *left -= count,
                        _ => return Poll::Ready(Ok(())),
                    }
                    if deadline.is_some_and(|at| at <= transport.now()) {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}
