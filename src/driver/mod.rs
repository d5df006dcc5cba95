//! What every adapter shares: the loops between the sans-IO core and a transport.
//!
//! They know no opcode and no close code, and no runtime either: a [`Transport`] says what can be
//! done now, and what cannot is [`Poll::Pending`]. A blocking adapter waits inside the transport;
//! an async one registers its task there.

mod accepting;
mod answering;
mod connecting;
mod open;

use alloc::string::ToString;
use core::task::Poll;
use core::time::Duration;
use std::io::{self, IoSlice};

pub(crate) use accepting::Accepting;
pub(crate) use answering::Answering;
pub(crate) use connecting::Connecting;
pub(crate) use open::Driver;

use bytes::Bytes;

use crate::connection::ReceiveError;

/// Something that moves bytes. `Pending` means "not now": nothing was read or written.
pub(crate) trait Transport {
    /// Whether calls wait, until the deadline they are told. If they do not, deadlines can be looked
    /// at when there is nothing to be done, and need not be told.
    const WAITS: bool;

    /// The time on the transport's clock.
    fn now(&self) -> Duration;

    /// How long to wait in one direction while bytes may be moved in the other; `None` for a
    /// transport that does not wait inside its calls.
    fn turn(&self) -> Option<Duration>;

    /// Whether the last read that said "not now" did so to let others run, or at its deadline: there
    /// may be more to be read.
    fn has_yielded(&self) -> bool {
        false
    }

    /// Reads into `room`; 0 is the end of the stream. Returns by `deadline` on its own clock.
    fn poll_read(&mut self, room: &mut [u8], deadline: Option<Duration>)
    -> Poll<io::Result<usize>>;

    /// Writes a prefix of `slices`. Returns by `deadline` on its own clock.
    fn poll_write(
        &mut self,
        slices: &[IoSlice<'_>],
        deadline: Option<Duration>,
    ) -> Poll<io::Result<usize>>;

    /// Takes a payload that was written and that nobody may need any more, for the sake of its memory.
    fn keep(&mut self, _payload: Bytes) {}

    /// Passes on what the transport itself has buffered. Returns by `deadline` on its own clock.
    fn poll_flush(&mut self, deadline: Option<Duration>) -> Poll<io::Result<()>>;

    /// Ends the writing side. An error says that the stream can only be dropped.
    fn poll_shutdown(&mut self) -> Poll<io::Result<()>>;
}

/// What ended a connection, as far as the driver can tell.
#[derive(Debug)]
pub(crate) enum Failure {
    Receive(ReceiveError),
    Io(io::Error),
}

/// When to look at the other direction.
fn end_of_turn(transport: &impl Transport) -> Option<Duration> {
    let turn = transport.turn()?;
    Some(transport.now().saturating_add(turn))
}

/// Whether there is something to do at `now`, when a call has waited in vain: what is `due`, or the
/// other direction's `turn`. But at `give_up` the caller is told first.
fn goes_on(
    now: Duration,
    due: Option<Duration>,
    turn: Option<Duration>,
    give_up: Option<Duration>,
) -> bool {
    let passed = |deadline: Option<Duration>| deadline.is_some_and(|deadline| deadline <= now);
    (passed(due) || passed(turn)) && !passed(give_up)
}

/// An error that is told again: `io::Error` cannot be cloned.
fn repeat(error: &io::Error) -> io::Error {
    #[cfg(feature = "rustls")]
    if let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return io::Error::new(error.kind(), tls.clone());
    }
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// The earlier of two deadlines.
pub(crate) fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
