//! A stream that does what a test tells it: short reads and writes, calls
//! that come back empty-handed, errors and ends at any step. It never waits.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "each test crate uses its own part, and a helper that panics fails the test"
)]

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// More calls in a row without progress than this are a busy loop.
const MOST_IDLE: u32 = 3;

/// What a call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Error(ErrorKind),
    /// `Ok(0)`: the end of the stream for a reader, a stream that takes nothing for a writer.
    Nothing,
    /// One more byte than there was room for, or than was given.
    Lie,
}

/// Which calls do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps {
    None,
    Only(usize),
    /// All from there on, as long as the test does not change its mind.
    From(usize),
}

/// Which kind of calls do so.
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

/// Empty as long as the time has not come.
pub type Respond = fn(&[u8]) -> Vec<u8>;

/// What a test tells and sees of a [`Script`].
#[derive(Debug)]
pub struct State {
    pub input: VecDeque<u8>,
    pub after: After,
    /// What has been written, and what of it was passed on by a flush.
    pub output: Vec<u8>,
    pub flushed: usize,
    /// The most bytes that one call moves.
    pub read_size: usize,
    pub write_size: usize,
    pub fault: Fault,
    pub steps: Steps,
    pub on: On,
    /// Whether flushing would block.
    pub flush_blocks: bool,
    pub calls: usize,
    /// Calls since bytes moved last, and since when.
    idle: u32,
    idle_since: Instant,
    /// Whether there were too many of them, in too short a time.
    pub is_busy: bool,
    pub reads: usize,
    pub writes: usize,
    pub flushes: usize,
    /// What comes as an answer to what was written.
    pub respond: Option<Respond>,
}

/// The stream. Its clones share one state.
#[derive(Clone, Debug)]
pub struct Script(Rc<RefCell<State>>);

impl Script {
    pub fn new(input: &[u8], after: After) -> Self {
        Self(Rc::new(RefCell::new(State {
            input: input.iter().copied().collect(),
            after,
            output: Vec::new(),
            flushed: 0,
            read_size: usize::MAX,
            write_size: usize::MAX,
            fault: Fault::Error(ErrorKind::WouldBlock),
            steps: Steps::None,
            on: On::Both,
            flush_blocks: false,
            calls: 0,
            idle: 0,
            idle_since: Instant::now(),
            is_busy: false,
            reads: 0,
            writes: 0,
            flushes: 0,
            respond: None,
        })))
    }

    pub fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub fn with_fault(self, fault: Fault, steps: Steps) -> Self {
        (self.state().fault, self.state().steps) = (fault, steps);
        self
    }

    pub fn with_sizes(self, read: usize, write: usize) -> Self {
        (self.state().read_size, self.state().write_size) = (read, write);
        self
    }

    pub fn push_input(&self, bytes: &[u8]) {
        self.state().input.extend(bytes);
    }

    /// Reads, writes and flushes so far.
    pub fn counts(&self) -> [usize; 3] {
        let state = self.state();
        [state.reads, state.writes, state.flushes]
    }

    pub fn output(&self) -> Vec<u8> {
        self.state().output.clone()
    }
}

impl State {
    /// From here on, calls without progress are counted.
    pub fn start(&mut self) {
        (self.idle, self.idle_since) = (0, Instant::now());
    }

    /// Counts a call and tells whether it goes wrong.
    fn step(&mut self, kind: On) -> bool {
        let step = self.calls;
        self.calls += 1;
        self.idle += 1;
        // A call that took its time, as on a busy machine, may be made again.
        let waits = Duration::from_millis(self.idle.saturating_sub(MOST_IDLE).into());
        self.is_busy |= self.idle_since.elapsed() < waits;
        let meant = self.on == On::Both || self.on == kind;
        meant
            && match self.steps {
                Steps::None => false,
                Steps::Only(only) => step == only,
                Steps::From(first) => step >= first,
            }
    }

    fn go_wrong(&self, room: usize) -> io::Result<usize> {
        match self.fault {
            Fault::Error(kind) => Err(kind.into()),
            Fault::Nothing => Ok(0),
            Fault::Lie => Ok(room + 1),
        }
    }
}

impl Read for Script {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        state.reads += 1;
        if state.step(On::Reads) {
            return state.go_wrong(room.len());
        }
        let count = room.len().min(state.read_size).min(state.input.len());
        for (place, byte) in room.iter_mut().zip(state.input.drain(..count)) {
            *place = byte;
        }
        match (count, state.after) {
            (0, After::Silence) => Err(ErrorKind::WouldBlock.into()),
            (0, After::End) => Ok(0),
            _ => {
                state.start();
                Ok(count)
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        state.writes += 1;
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        if state.step(On::Writes) {
            return state.go_wrong(bytes.len());
        }
        let count = bytes.len().min(state.write_size);
        state.output.extend(&bytes[..count]);
        if count > 0 {
            state.start();
        }
        if let Some(response) = state.respond.map(|respond| respond(&state.output))
            && !response.is_empty()
        {
            state.input.extend(response);
            state.respond = None;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.state();
        state.flushes += 1;
        if state.flush_blocks {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.flushed = state.output.len();
        Ok(())
    }
}
