//! A stream that does what a test tells it: short reads and writes, calls that have to be made
//! again, errors and ends at any step. It is blocking and async at once, and never waits.
//!
//! It promises its users no more than the traits do. It remembers one waker for reading and one for
//! writing, flushing and shutting down, the latest; it forgets a waker when a call succeeds; and it
//! wakes nobody but from [`Hostile::stir`] and when a test or a [`Peer`] gives it bytes or room.
#![allow(
    dead_code,
    unexpected_cfgs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

mod traits;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// More calls in a row without progress than this are a busy loop.
pub const MOST_IDLE: u32 = 3;

/// More of them than this are one that does not end.
const ENDLESS: u32 = 100_000;

/// What a call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `WouldBlock` makes an async task wait until the stream is stirred.
    Error(ErrorKind),
    /// `Ok(0)`: the end of the stream for a reader, a stream that takes nothing for a writer.
    Nothing,
    /// One more byte than there was room for, or than was given.
    Lie,
    /// A single byte of what could be moved.
    Short,
}

/// Which calls do so, counted from 0 among those that [`On`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    None,
    Only(usize),
    /// All from there on, as long as the test does not change its mind.
    From(usize),
}

/// Which kind of calls do so. Flushing and shutting down are writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Both,
    Reads,
    Writes,
}

/// What comes when all input was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    End,
    Silence,
}

/// Who is at the other end: it is told what was written, says something, and may end its side.
pub type Peer = Box<dyn FnMut(&[u8], &mut After) -> Vec<u8> + Send>;

/// What a test tells and sees of a [`Hostile`].
#[allow(clippy::struct_excessive_bools, reason = "each is a whim of its own")]
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
    pub fault: Fault,
    pub steps: Steps,
    pub on: On,
    /// How many calls went wrong, and may before all go well again.
    pub faults: usize,
    pub most_faults: usize,
    /// Whether each call has to be made twice.
    pub is_halting: bool,
    /// Whether it forgets a waker when another call of the same kind succeeds.
    pub is_forgetful: bool,
    /// Whether flushing and shutting down wait for ever.
    pub is_stuck: bool,
    pub calls: usize,
    pub reads: usize,
    pub writes: usize,
    pub flushes: usize,
    /// How many bytes were read.
    pub taken: usize,
    /// The most room that a read was given.
    pub largest_room: usize,
    pub peer: Option<Peer>,
    /// How many calls in a row there may be that move no bytes.
    pub most_idle: u32,
    /// Whether one thread reads and another one writes: then their calls are counted apart.
    pub has_two_users: bool,
    /// Whether there were too many of them, in too short a time.
    pub is_busy: bool,
    ways: [Way; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Calls so far.
    steps: usize,
    waker: Option<Waker>,
    /// The last call was sent away, and is to be made again when the stream is stirred.
    is_halted: bool,
    /// Calls since bytes moved last, and since when.
    idle: u32,
    idle_since: Option<Instant>,
}

const READING: usize = 0;
const WRITING: usize = 1;

/// The stream. Its clones share one state.
#[derive(Clone)]
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
            faults: 0,
            most_faults: usize::MAX,
            is_halting: false,
            is_forgetful: true,
            is_stuck: false,
            calls: 0,
            reads: 0,
            writes: 0,
            flushes: 0,
            taken: 0,
            largest_room: 0,
            peer: None,
            most_idle: MOST_IDLE,
            has_two_users: false,
            is_busy: false,
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

    pub fn with_peer(self, mut peer: Peer) -> Self {
        let mut after = self.state().after;
        let first = peer(b"", &mut after);
        {
            let mut state = self.state();
            state.input.extend(first);
            (state.after, state.peer) = (after, Some(peer));
        }
        self
    }

    /// Has a peer who says one thing when the time has come: until then, `respond` says nothing.
    pub fn responding(self, respond: fn(&[u8]) -> Vec<u8>) -> Self {
        let (mut got, mut is_done) = (Vec::new(), false);
        self.with_peer(Box::new(move |bytes, _| {
            got.extend(bytes);
            let response = if is_done { Vec::new() } else { respond(&got) };
            is_done |= !response.is_empty();
            response
        }))
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

    /// Reads, writes and flushes so far.
    pub fn counts(&self) -> [usize; 3] {
        let state = self.state();
        [state.reads, state.writes, state.flushes]
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

    /// For a task whose blocking call is to be made again: waits until the stream is stirred.
    pub async fn stirred(&self) {
        let mut is_second = false;
        poll_fn(|cx| {
            if is_second {
                return Poll::Ready(());
            }
            is_second = true;
            let way = &mut self.state().ways[READING];
            (way.waker, way.is_halted) = (Some(cx.waker().clone()), true);
            Poll::Pending
        })
        .await;
    }

    fn wake(&self, way: usize) -> bool {
        let waker = self.state().ways[way].waker.take();
        let found = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        found
    }

    /// Each of these calls returns `WouldBlock` for "not now", and then remembers the waker.
    fn read_now(&self, waker: Option<&Waker>, room: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.reads += 1;
        state.largest_room = state.largest_room.max(room.len());
        let most = match state.step(On::Reads, waker) {
            Act::Usual => state.read_size,
            Act::Short => 1,
            Act::Wrong(fault) => return fault.map(|extra| extra.map_or(0, |one| room.len() + one)),
        };
        let count = room.len().min(most).min(state.input.len());
        state.input.read_exact(&mut room[..count]).unwrap();
        state.taken += count;
        match (count, state.after) {
            (0, After::Silence) if !room.is_empty() => state.wait(READING, waker),
            _ => Ok(state.done(READING, count)),
        }
    }

    fn write_now(&self, waker: Option<&Waker>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        state.writes += 1;
        let given: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(given > 0, "a write of nothing says nothing");
        assert!(!state.is_shut_down, "nothing is written after the end");
        let most = match state.step(On::Writes, waker) {
            Act::Usual => state.write_size,
            Act::Short => 1,
            Act::Wrong(fault) => return fault.map(|extra| extra.map_or(0, |one| given + one)),
        };
        let count = given.min(most).min(state.room);
        if count == 0 {
            return state.wait(WRITING, waker);
        }
        let start = state.output.len();
        for slice in slices {
            let left = start + count - state.output.len();
            state
                .output
                .extend_from_slice(&slice[..left.min(slice.len())]);
        }
        if state.room < usize::MAX {
            state.room -= count;
        }
        let State {
            peer,
            output,
            input,
            after,
            ..
        } = &mut *state;
        let was = *after;
        let said = peer.as_mut().map(|peer| peer(&output[start..], after));
        let said = said.unwrap_or_default();
        input.extend(&said);
        let has_news = !said.is_empty() || *after != was;
        let count = state.done(WRITING, count);
        drop(state);
        if has_news {
            self.wake(READING);
        }
        Ok(count)
    }

    fn flush_now(&self, waker: Option<&Waker>) -> io::Result<()> {
        let mut state = self.state();
        state.flushes += 1;
        // Flushing moves no bytes of which there could be none.
        if let Act::Wrong(Err(error)) = state.step(On::Writes, waker) {
            return Err(error);
        }
        if state.is_stuck {
            return state.wait(WRITING, waker);
        }
        state.flushed = state.output.len();
        state.done(WRITING, 1);
        Ok(())
    }

    fn shut_down_now(&self, waker: Option<&Waker>) -> io::Result<()> {
        let mut state = self.state();
        if let Act::Wrong(fault) = state.step(On::Writes, waker) {
            // A stream that takes nothing cannot be ended in good order either.
            return fault.and_then(|_| Err(ErrorKind::NotConnected.into()));
        }
        if state.is_stuck {
            return state.wait(WRITING, waker);
        }
        state.is_shut_down = true;
        state.done(WRITING, 1);
        Ok(())
    }
}

/// What a call is to do.
enum Act {
    Usual,
    Short,
    /// Return this: a number of bytes more than there are, or none.
    Wrong(io::Result<Option<usize>>),
}

impl State {
    /// From here on, calls without progress are counted: those of the reader, if there are two.
    pub fn start(&mut self) {
        self.start_way(READING);
    }

    fn start_way(&mut self, way: usize) {
        let way = self.counted(way);
        (way.idle, way.idle_since) = (0, Some(Instant::now()));
    }

    /// Where calls are counted.
    fn counted(&mut self, way: usize) -> &mut Way {
        let way = if self.has_two_users { way } else { READING };
        &mut self.ways[way]
    }

    /// Counts a call, and tells what it is to do.
    fn step(&mut self, kind: On, waker: Option<&Waker>) -> Act {
        let way = if kind == On::Reads { READING } else { WRITING };
        let step = match self.on {
            On::Both => self.calls,
            On::Reads | On::Writes => self.ways[way].steps,
        };
        self.calls += 1;
        self.ways[way].steps += 1;
        let most_idle = self.most_idle;
        let counted = self.counted(way);
        counted.idle += 1;
        assert!(counted.idle < ENDLESS, "a loop without end");
        // A call that took its time, as on a busy machine, may be made again.
        let waits = Duration::from_millis(counted.idle.saturating_sub(most_idle).into());
        let since = counted.idle_since.get_or_insert_with(Instant::now);
        self.is_busy |= since.elapsed() < waits;
        if self.is_halting && !self.ways[way].is_halted {
            self.ways[way].is_halted = true;
            return Act::Wrong(self.wait(way, waker));
        }
        self.ways[way].is_halted &= !self.is_forgetful;
        let is_due = match self.steps {
            Steps::None => false,
            Steps::Only(only) => step == only,
            Steps::From(first) => step >= first,
        };
        let is_meant = self.on == On::Both || self.on == kind;
        if !is_due || !is_meant || self.faults == self.most_faults {
            return Act::Usual;
        }
        self.faults += 1;
        Act::Wrong(match self.fault {
            Fault::Short => return Act::Short,
            Fault::Error(ErrorKind::WouldBlock) => {
                self.ways[way].is_halted = true;
                self.wait(way, waker)
            }
            fault => {
                self.ways[way].waker = None;
                match fault {
                    Fault::Error(kind) => Err(kind.into()),
                    Fault::Lie => Ok(Some(1)),
                    Fault::Nothing | Fault::Short => Ok(None),
                }
            }
        })
    }

    fn wait<T>(&mut self, way: usize, waker: Option<&Waker>) -> io::Result<T> {
        if let Some(waker) = waker {
            self.ways[way].waker = Some(waker.clone());
        }
        Err(ErrorKind::WouldBlock.into())
    }

    fn done(&mut self, way: usize, count: usize) -> usize {
        if self.is_forgetful {
            self.ways[way].waker = None;
        }
        if count > 0 {
            self.start_way(way);
        }
        count
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hostile").finish_non_exhaustive()
    }
}
