//! An async stream that does what a test tells it: short reads and writes, calls that have to be
//! made again, errors and ends at any step.
//!
//! It promises its users no more than the traits do. It remembers one waker for reading and one for
//! writing, flushing and shutting down, the latest; it forgets a waker when a call succeeds; and it
//! wakes nobody but from [`Hostile::stir`] and when a test gives it bytes or room.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
#[cfg(any(feature = "tokio", feature = "futures"))]
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::script::{After, Fault, On, Respond, Steps};

/// What a test tells and sees of a [`Hostile`].
#[derive(Debug)]
pub struct State {
    pub input: VecDeque<u8>,
    pub after: After,
    /// What has been written, what of it was passed on by a flush, and whether it has ended.
    pub output: Vec<u8>,
    pub flushed: usize,
    pub is_shut_down: bool,
    /// The most bytes that one call moves.
    pub read_size: usize,
    pub write_size: usize,
    /// How many more bytes it takes before it is full.
    pub room: usize,
    /// What goes wrong; `WouldBlock` makes the task wait until the stream is stirred.
    pub fault: Fault,
    pub steps: Steps,
    pub on: On,
    /// Whether each call has to be made twice.
    pub is_halting: bool,
    /// Whether flushing and shutting down wait for ever.
    pub is_stuck: bool,
    pub calls: usize,
    pub reads: usize,
    pub writes: usize,
    pub flushes: usize,
    /// The most room that a read was given.
    pub largest_room: usize,
    /// What comes as an answer to what was written.
    pub respond: Option<Respond>,
    ways: [Way; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    waker: Option<Waker>,
    /// Whether the last call was sent away, and is to be made again when the stream is stirred.
    is_halted: bool,
}

const READING: usize = 0;
const WRITING: usize = 1;

/// The stream. Its clones share one state.
#[derive(Clone, Debug)]
pub struct Hostile(Arc<Mutex<State>>);

impl Hostile {
    pub fn new(input: &[u8], after: After) -> Self {
        Self(Arc::new(Mutex::new(State {
            input: input.iter().copied().collect(),
            after,
            output: Vec::new(),
            flushed: 0,
            is_shut_down: false,
            read_size: usize::MAX,
            write_size: usize::MAX,
            room: usize::MAX,
            fault: Fault::Error(ErrorKind::WouldBlock),
            steps: Steps::None,
            on: On::Both,
            is_halting: false,
            is_stuck: false,
            calls: 0,
            reads: 0,
            writes: 0,
            flushes: 0,
            largest_room: 0,
            respond: None,
            ways: Default::default(),
        })))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn with_sizes(self, read: usize, write: usize) -> Self {
        (self.state().read_size, self.state().write_size) = (read, write);
        self
    }

    pub fn with_fault(self, fault: Fault, on: On, steps: Steps) -> Self {
        {
            let mut state = self.state();
            (state.fault, state.on, state.steps) = (fault, on, steps);
        }
        self
    }

    pub fn with_room(self, room: usize) -> Self {
        self.state().room = room;
        self
    }

    /// Each call has to be made twice.
    pub fn halting(self) -> Self {
        self.state().is_halting = true;
        self
    }

    /// How many clones there are that do not forget their waker, this one included.
    pub fn users(&self) -> usize {
        self.state().ways = Default::default();
        Arc::strong_count(&self.0)
    }

    pub fn output(&self) -> Vec<u8> {
        self.state().output.clone()
    }

    /// Reads and writes so far.
    pub fn counts(&self) -> [usize; 2] {
        let state = self.state();
        [state.reads, state.writes]
    }

    pub fn push_input(&self, bytes: &[u8]) {
        self.state().input.extend(bytes);
        self.wake(READING);
    }

    /// From now on it ends when all input was read.
    pub fn end(&self) {
        self.state().after = After::End;
        self.wake(READING);
    }

    /// It takes `room` more bytes.
    pub fn make_room(&self, room: usize) {
        let mut state = self.state();
        state.room = state.room.saturating_add(room);
        drop(state);
        self.wake(WRITING);
    }

    /// It goes on with flushing and shutting down.
    pub fn unstick(&self) {
        self.state().is_stuck = false;
        self.wake(WRITING);
    }

    /// Wakes one task that was sent away, and tells whether there was one.
    pub fn stir(&self) -> bool {
        [READING, WRITING].into_iter().any(|way| {
            let ripe = self.state().ways[way].is_halted;
            ripe && self.wake(way)
        })
    }

    fn wake(&self, way: usize) -> bool {
        let waker = self.state().ways[way].waker.take();
        let found = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        found
    }

    fn read(&self, cx: &Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.reads += 1;
        state.largest_room = state.largest_room.max(room.len());
        if let Some(result) = state.step(On::Reads, cx, room.len()) {
            return result;
        }
        let count = room.len().min(state.read_size).min(state.input.len());
        for (place, byte) in room.iter_mut().zip(state.input.drain(..count)) {
            *place = byte;
        }
        match (count, state.after) {
            (0, After::Silence) if !room.is_empty() => state.wait(READING, cx),
            _ => state.done(READING, count),
        }
    }

    fn write(&self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.writes += 1;
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(given > 0, "a write of nothing says nothing");
        assert!(!state.is_shut_down, "nothing is written after the end");
        if let Some(result) = state.step(On::Writes, cx, given) {
            return result;
        }
        let count = given.min(state.write_size).min(state.room);
        if count == 0 {
            return state.wait(WRITING, cx);
        }
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let bytes: Vec<u8> = bytes.take(count).collect();
        state.output.extend(bytes);
        if state.room < usize::MAX {
            state.room -= count;
        }
        let result = state.done(WRITING, count);
        let response = state.respond.map(|respond| respond(&state.output));
        drop(state);
        if let Some(response) = response
            && !response.is_empty()
        {
            self.state().respond = None;
            self.push_input(&response);
        }
        result
    }

    fn flush(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        state.flushes += 1;
        if let Some(result) = state.step(On::Writes, cx, 0) {
            return result.map(|result| result.map(drop));
        }
        if state.is_stuck {
            return state.wait(WRITING, cx);
        }
        state.flushed = state.output.len();
        state.done(WRITING, ())
    }

    fn shut_down(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if let Some(result) = state.step(On::Writes, cx, 0) {
            // A stream that takes nothing cannot be ended in good order either.
            return result.map(|result| {
                Err(result
                    .err()
                    .unwrap_or_else(|| ErrorKind::NotConnected.into()))
            });
        }
        if state.is_stuck {
            return state.wait(WRITING, cx);
        }
        state.is_shut_down = true;
        state.done(WRITING, ())
    }
}

impl State {
    /// Counts a call, and goes wrong if it is to.
    fn step(&mut self, kind: On, cx: &Context<'_>, room: usize) -> Option<Poll<io::Result<usize>>> {
        let way = if kind == On::Reads { READING } else { WRITING };
        let step = self.calls;
        self.calls += 1;
        if self.is_halting && !self.ways[way].is_halted {
            self.ways[way].is_halted = true;
            return Some(self.wait(way, cx));
        }
        self.ways[way].is_halted = false;
        let is_due = match self.steps {
            Steps::None => false,
            Steps::Only(only) => step == only,
            Steps::From(first) => step >= first,
        };
        if !is_due || (self.on != On::Both && self.on != kind) {
            return None;
        }
        Some(match self.fault {
            Fault::Error(ErrorKind::WouldBlock) => {
                self.ways[way].is_halted = true;
                self.wait(way, cx)
            }
            Fault::Error(kind) => {
                self.ways[way].waker = None;
                Poll::Ready(Err(kind.into()))
            }
            Fault::Nothing => self.done(way, 0),
            Fault::Lie => self.done(way, room + 1),
        })
    }

    fn wait<T>(&mut self, way: usize, cx: &Context<'_>) -> Poll<T> {
        self.ways[way].waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn done<T>(&mut self, way: usize, value: T) -> Poll<io::Result<T>> {
        self.ways[way].waker = None;
        Poll::Ready(Ok(value))
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncRead for Hostile {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read(cx, room.initialize_unfilled())
            .map(|result| result.map(|count| room.advance(count.min(room.remaining()))))
    }
}

#[cfg(feature = "tokio")]
impl tokio::io::AsyncWrite for Hostile {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down(cx)
    }
}

#[cfg(feature = "futures")]
impl smol::io::AsyncRead for Hostile {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.read(cx, room)
    }
}

#[cfg(feature = "futures")]
impl smol::io::AsyncWrite for Hostile {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut_down(cx)
    }
}
