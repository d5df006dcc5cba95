//! The role that writes, watches deadlines and ends the transport.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::thread;
use std::time::Instant;

use bytes::Buf;

use super::halves::WriteHalf;
use super::is_not_now;
use super::shared::{Shared, Task};
use super::sync::Arc;
use crate::connection::{Outcome, Outgoing};

/// What is handed to the transport at once, at most: enough to make a system call cheap, and
/// little memory beside the queue.
const CHUNK: usize = 64 * 1024;

/// The most slices that are gathered into a chunk.
const SLICES: usize = 16;

/// A stream that does not block is left alone for so long when it takes nothing.
const PAUSE: Duration = Duration::from_millis(1);

/// The half that writes: what the [`Sender`](super::Sender)s send, the answers that the
/// [`Reader`](super::Reader) leaves to it, and keepalive Pings. It watches the
/// [deadlines](crate::Timeouts) and ends the transport.
///
/// Give it a thread that does nothing but [`run`](Self::run), or call [`pump`](Self::pump) in a loop
/// of your own. Dropping it before the end of the connection ends the transport at once: the Reader
/// still gets what has come, and sending fails instead of waiting for ever.
///
/// ```
/// # use fullduplex::{CloseCode, Config, Connection, Inbox, blocking};
/// use std::time::Duration;
///
/// let connection = Connection::server(&Config::default());
/// let (mut reader, sender, mut writer) = blocking::split_over(
///     &b"\x88\x80\0\0\0\0"[..], // the peer closes
///     std::io::sink(),
///     |_| Ok(()),
///     connection,
///     Inbox::new(),
/// );
/// sender.send("hello")?;
/// assert!(writer.pump(Duration::ZERO).is_none()); // hello is written
///
/// let reading = std::thread::spawn(move || reader.recv());
/// let outcome = loop {
///     if let Some(outcome) = writer.pump(Duration::from_millis(10)) {
///         break outcome;
///     }
/// };
/// assert!(outcome.clean);
/// assert_eq!(reading.join().unwrap()?, None);
/// # Ok::<(), blocking::Error>(())
/// ```
pub struct Writer<W = WriteHalf> {
    write: W,
    /// Ends what the transport has on top of bytes.
    farewell: fn(&mut W),
    chunk: Chunk,
    shared: Arc<Shared>,
}

impl<W: Write> Writer<W> {
    /// Writes until the connection is over, and tells how it ended. What ended it, if that was a
    /// fault of the stream, is told by the [`Reader`](super::Reader).
    pub fn run(mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.work(None) {
                return outcome;
            }
        }
    }

    /// Waits up to `wait` for something to write, and writes what is there. Tells how the connection
    /// ended, once it has.
    ///
    /// Deadlines are looked at as often as this is called. It may take longer than `wait` by what a
    /// write of the stream takes, which over TCP is a tenth of a second at most.
    pub fn pump(&mut self, wait: Duration) -> Option<Outcome> {
        self.work(Some(self.shared.now().saturating_add(wait)))
    }

    fn work(&mut self, give_up: Option<Duration>) -> Option<Outcome> {
        let mut until = give_up;
        loop {
            let task = self.shared.next_task(&mut self.chunk, until);
            match task {
                Task::Wait => return None,
                Task::Done => return self.shared.outcome(),
                Task::Write => self.write(),
                Task::Farewell => (self.farewell)(&mut self.write),
                Task::Flush => self.flush(),
                Task::Shutdown => self.end(),
                Task::End => {}
            }
            if let Some(give_up) = give_up
                && task == Task::Write
            {
                if self.shared.now() >= give_up {
                    return None;
                }
                until = Some(Duration::ZERO); // what else is there, but nothing is waited for
            }
        }
    }

    fn write(&mut self) {
        let chunk = self.chunk.rest();
        let started = Instant::now();
        let result = match self.write.write(chunk) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            // A stream that claims more than it was given would break the queue.
            Ok(count) => Ok(count.min(chunk.len())),
            Err(error) => Err(error),
        };
        match result {
            Ok(count) => {
                self.chunk.written += count;
                self.shared.with(|state| state.written(count));
            }
            Err(error) if is_not_now(&error) => pause(started),
            Err(error) => self.shared.with(|state| state.write_failed(error)),
        }
    }

    fn flush(&mut self) {
        let started = Instant::now();
        let result = self.write.flush();
        let again = result.as_ref().is_err_and(is_not_now);
        if again {
            pause(started);
        }
        self.shared.with(|state| {
            state.flushed(again);
            match result {
                Err(error) if !again => state.write_failed(error),
                _ => {}
            }
        });
    }

    fn end(&self) {
        if self.shared.shut_down(Shutdown::Write).is_err() {
            self.shared.with(|state| state.connection.received_eof());
        }
    }
}

impl<W> Writer<W> {
    pub(super) fn new(write: W, farewell: fn(&mut W), shared: Arc<Shared>) -> Self {
        Self {
            write,
            farewell,
            chunk: Chunk::default(),
            shared,
        }
    }
}

/// Leaves a stream alone that has nothing to offer and did not wait for it.
fn pause(started: Instant) {
    if started.elapsed() < PAUSE {
        thread::sleep(PAUSE);
    }
}

/// A copy of what stands at the front of the queue, so that no lock is held while it is written. It
/// is taken out of the queue when the transport has taken it.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    written: usize,
}

impl Chunk {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// Takes more, if everything has been written.
    pub(super) fn fill(&mut self, outgoing: &Outgoing) {
        if self.written < self.bytes.len() {
            return;
        }
        self.bytes.clear();
        self.written = 0;
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = outgoing.chunks_vectored(&mut slices);
        for slice in slices.iter().take(filled) {
            let room = CHUNK - self.bytes.len();
            let part = slice.get(..room).unwrap_or(slice);
            self.bytes.extend_from_slice(part);
        }
    }
}

impl<W> Drop for Writer<W> {
    fn drop(&mut self) {
        self.shared.with(|state| state.connection.received_eof());
    }
}

impl<W> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}
