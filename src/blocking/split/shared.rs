//! What the three roles share: the connection under a lock, and who waits for what.
//!
//! ```text
//!   Reader ── advance, read_ended ──┐           ┌── wait on `change` ── Sender
//!                                   ▼           ▼
//!                             Mutex<State { connection }>
//!                                   ▲
//!                                   └── wait on `work` ── Writer
//! ```
//!
//! Whoever unlocks tells those whom the new state concerns, so that no change can go unnoticed. The
//! lock is never held across a call of the transport.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::time::Duration;
use core::{fmt, mem};
use std::io;
use std::net::Shutdown;
use std::sync::PoisonError;
use std::time::Instant;

use super::TURN;
use super::sync::{Condvar, Mutex, MutexGuard};
use super::writer::Chunk;
use crate::connection::{Connection, Outcome, ReceiveError, SendError, State as Phase};
use crate::driver::earlier;
use crate::error::Error;
use crate::frame::CloseCode;

pub(super) struct Shared {
    state: Mutex<State>,
    /// Where the Writer waits for something to do.
    work: Condvar,
    /// Where Senders wait for room, and the Reader for the end.
    change: Condvar,
    epoch: Instant,
    shutdown: Box<dyn Fn(Shutdown) -> io::Result<()> + Send + Sync>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a state machine of their product would have more"
)]
pub(super) struct State {
    pub(super) connection: Connection,
    /// The transport may hold back bytes that it was given, or has some of its own to send.
    flush: bool,
    /// The Writer is in the middle of that.
    flushing: bool,
    /// The Writer is waiting.
    writer_waits: bool,
    /// How many wait for `change`.
    waiting: usize,
    /// Since when the Reader waits for the peer.
    reading: Option<Duration>,
    /// The peer has ended its side, but is still owed our last frames.
    read_ended: bool,
    /// Reading failed, and the transport has something to say about it.
    read_failed: bool,
    write_failed: bool,
    reader_gone: bool,
    /// The transport was told that nothing more comes from us, in its own protocol.
    farewell: bool,
    shut_down: bool,
    /// Whoever might still wait in a call of the transport was released.
    released: bool,
    /// Why the transport takes or gives no more bytes.
    broken: Option<io::Error>,
}

/// What the Writer has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Wait,
    Write,
    /// Tell the transport that nothing more comes.
    Farewell,
    Flush,
    /// End the writing side.
    Shutdown,
    /// Nothing that the transport could still do counts.
    End,
    Done,
}

impl Shared {
    pub(super) fn new(
        mut connection: Connection,
        shutdown: impl Fn(Shutdown) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        connection.restart_timers();
        Self {
            state: Mutex::new(State {
                connection,
                flush: true, // who had the transport before may have left something
                flushing: false,
                writer_waits: false,
                waiting: 0,
                reading: None,
                read_ended: false,
                read_failed: false,
                write_failed: false,
                reader_gone: false,
                farewell: false,
                shut_down: false,
                released: false,
                broken: None,
            }),
            work: Condvar::new(),
            change: Condvar::new(),
            epoch: Instant::now(),
            shutdown: Box::new(shutdown),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Does something under the lock, and lets everybody know whom it concerns.
    pub(super) fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = run(&mut state);
        self.unlock(state);
        result
    }

    /// Tries again whenever something has changed.
    pub(super) fn wait_for<T>(&self, mut attempt: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut state = self.lock();
        loop {
            if let Some(result) = attempt(&mut state) {
                self.unlock(state);
                return result;
            }
            state.waiting += 1;
            let woken = self.change.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Watches deadlines until the Writer has something to do, but no longer than until `give_up`,
    /// and takes note that it is done. What is to be written is put into `chunk`.
    pub(super) fn next_task(&self, chunk: &mut Chunk, give_up: Option<Duration>) -> Task {
        let mut state = self.lock();
        let task = loop {
            let now = self.now();
            state.watch(now);
            let task = state.task();
            if task != Task::Wait || give_up.is_some_and(|give_up| give_up <= now) {
                break task;
            }
            let until = earlier(state.watch_again(now), give_up);
            state.writer_waits = true;
            state = match until.map(|until| until.saturating_sub(now)) {
                None => {
                    let woken = self.work.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
                Some(left) => {
                    let woken = self.work.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.writer_waits = false;
        };
        match task {
            Task::Write => chunk.fill(state.connection.outgoing()),
            Task::Farewell => (state.farewell, state.flush) = (true, true),
            Task::Flush => (state.flush, state.flushing) = (false, true),
            Task::Shutdown => state.shut_down = true,
            Task::End => state.connection.received_eof(),
            Task::Wait | Task::Done => {}
        }
        self.unlock(state);
        task
    }

    /// Ends one direction of the transport, or both.
    pub(super) fn shut_down(&self, how: Shutdown) -> io::Result<()> {
        (self.shutdown)(how)
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.lock().connection.outcome()
    }

    /// A panic under the lock can only come from memory that the application lent to a message. It
    /// ends the thread whose call frees that, and the others find out as if that had dropped its
    /// role.
    fn lock(&self) -> MutexGuard<'_, State> {
        #[cfg(test)]
        super::tests::delay();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(test)]
        super::tests::delay();
        state
    }

    fn unlock(&self, mut state: MutexGuard<'_, State>) {
        if state.writer_waits && state.task() != Task::Wait {
            self.work.notify_one();
        }
        if state.waiting > 0 && (!state.connection.is_full() || !state.is_open()) {
            self.change.notify_all();
        }
        let ended = state.is_over() || state.write_failed;
        let release = ended && !mem::replace(&mut state.released, ended);
        drop(state);
        #[cfg(test)]
        super::tests::delay();
        if release {
            // A transport that cannot be ended has ended.
            let _ = self.shut_down(Shutdown::Both);
        }
    }
}

impl State {
    /// What the Writer has to do now. Nothing else decides whether it is woken.
    fn task(&self) -> Task {
        let connection = &self.connection;
        if self.is_over() {
            return Task::Done;
        }
        let nothing_comes = self.read_ended || self.read_failed || self.reader_gone;
        if self.write_failed {
            // The peer's last words may still be read.
            return if nothing_comes { Task::End } else { Task::Wait };
        }
        if self.read_failed {
            return if self.flush { Task::Flush } else { Task::End };
        }
        if connection.wants_write() {
            return Task::Write;
        }
        let ending = connection.wants_shutdown() || self.reader_gone;
        if ending && !self.farewell {
            return Task::Farewell;
        }
        if self.flush {
            return Task::Flush;
        }
        if ending && !self.shut_down {
            return Task::Shutdown;
        }
        if nothing_comes || !connection.wants_read() {
            Task::End
        } else {
            Task::Wait
        }
    }

    /// Watches deadlines for the Writer. A Pong is only missed if somebody has looked for it, so that
    /// an application that takes its time is not cut off.
    fn watch(&mut self, now: Duration) {
        let listens = (self.reading).is_some_and(|since| now.saturating_sub(since) >= TURN);
        if listens || !self.connection.is_pong_overdue(now) {
            self.connection.handle_timeout(now);
        }
    }

    /// When deadlines are to be looked at again, if the Writer is not woken before.
    fn watch_again(&self, now: Duration) -> Option<Duration> {
        let due = self.connection.poll_timeout();
        // Without anything to write, nobody tells of a deadline that has come up.
        if self.write_failed || due.is_some_and(|due| due <= now) {
            return Some(now.saturating_add(TURN));
        }
        due
    }

    /// The Reader is about to wait for the peer.
    pub(super) fn start_reading(&mut self, now: Duration) {
        self.reading = Some(now);
        if !self.connection.is_pong_overdue(now) {
            self.connection.handle_timeout(now);
        }
    }

    pub(super) fn stop_reading(&mut self) {
        self.reading = None;
    }

    pub(super) fn is_over(&self) -> bool {
        self.connection.state() == Phase::Closed
    }

    /// Whether messages may be sent, if there is room for them.
    fn is_open(&self) -> bool {
        self.connection.state() == Phase::Open && !self.write_failed && !self.read_failed
    }

    /// Whether an attempt that ended in `error` is to be repeated when there is room. A queue that
    /// is full although it is empty will never have any.
    pub(super) fn is_worth_waiting(&self, error: &SendError) -> bool {
        *error == SendError::Full && self.connection.wants_write()
    }

    /// Refuses what can no longer leave although the connection has not noticed yet.
    pub(super) fn check_open(&self) -> Result<(), SendError> {
        if self.write_failed || self.read_failed {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    /// The transport has taken bytes.
    pub(super) fn written(&mut self, count: usize) {
        let outgoing = self.connection.outgoing();
        bytes::Buf::advance(outgoing, count.min(outgoing.len()));
        self.flush = true;
    }

    /// The transport has something of its own to send.
    #[cfg(feature = "rustls")]
    pub(super) fn want_flush(&mut self) {
        self.flush = true;
    }

    /// A flush is done, or has to be repeated. One attempt is enough for last words.
    pub(super) fn flushed(&mut self, again: bool) {
        self.flushing = false;
        self.flush |= again && !self.read_failed;
    }

    pub(super) fn write_failed(&mut self, error: io::Error) {
        self.write_failed = true;
        self.broken.get_or_insert(error);
    }

    /// The peer has ended its side.
    pub(super) fn read_ended(&mut self) {
        let owed = self.connection.has_received_close() || self.connection.has_failed();
        let unsent = self.connection.wants_write() || self.flush || self.flushing;
        if owed && unsent && !self.write_failed {
            self.read_ended = true; // it may still read ours
        } else {
            self.connection.received_eof();
        }
    }

    pub(super) fn read_failed(&mut self, error: io::Error) {
        self.broken.get_or_insert(error);
        if (self.flush || self.flushing) && !self.write_failed {
            self.read_failed = true;
        } else {
            self.connection.received_eof();
        }
    }

    /// Whether the Reader may go on: there is more to read, or everything is over.
    pub(super) fn is_settled(&self) -> bool {
        self.is_over() || !(self.read_ended || self.read_failed)
    }

    pub(super) fn reader_gone(&mut self) {
        self.reader_gone = true;
        // After the end there is nothing to say.
        let _ = self.connection.close(CloseCode::GOING_AWAY, "");
    }

    /// What the application is told at the end.
    pub(super) fn explain(&self, error: ReceiveError) -> Error {
        match (error, &self.broken) {
            (ReceiveError::UnexpectedEof, Some(error)) => Error::Io(repeat(error)),
            (error, _) => Error::Receive(error),
        }
    }
}

/// An error that is told again: `io::Error` cannot be cloned.
fn repeat(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not even a debugger should wait for the lock.
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
