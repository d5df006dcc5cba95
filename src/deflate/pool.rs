//! States of the backend that no connection is using, one pool per thread.
//!
//! A state comes from the pool of the thread that runs the connection at that moment and goes to
//! the pool of the thread that runs it then; between the two it is owned, so a connection may move.
//! What a state has seen never reaches another connection: a decompressor is reset, which empties
//! its window, and refuses to reach beyond it; a compressor is reset with its hash table.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

use super::{Level, MemoryLevel, WindowBits};

/// Decompressors that a thread keeps: 47 KiB each, and at most 16 KiB of spare history.
const INFLATERS: usize = 16;
/// Compressors that a thread keeps: 371 KiB each with the largest settings but one.
const DEFLATERS: usize = 4;

std::thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool::new()) };
}

/// Least recently used first.
#[allow(
    clippy::vec_box,
    reason = "a connection owns the pointer in turn, and is to be small without it"
)]
struct Pool {
    inflaters: Vec<Box<InflateState>>,
    deflaters: Vec<Box<DeflateState>>,
}

/// Whose window a decompressor holds, and after how many of its messages.
///
/// The count tells a state that a connection left in this thread's pool before it moved to another
/// thread and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) id: u64,
    pub(super) messages: u64,
}

/// A decompressor.
pub(super) struct InflateState {
    pub(super) raw: Inflate,
    /// Memory for the history of a message without context takeover.
    pub(super) spare: Vec<u8>,
    /// Set where the window equals the owner's history, so that it need not be filled again.
    pub(super) owner: Option<Owner>,
}

/// A compressor and what it was made with.
pub(super) struct DeflateState {
    pub(super) raw: Deflate,
    settings: DeflateSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeflateSettings {
    pub(super) window_bits: WindowBits,
    pub(super) level: Level,
    pub(super) memory_level: MemoryLevel,
}

impl Pool {
    const fn new() -> Self {
        Self {
            inflaters: Vec::new(),
            deflaters: Vec::new(),
        }
    }
}

impl InflateState {
    /// A decompressor with this owner's window if there is one, else any that can be had.
    pub(super) fn take(owner: Option<Owner>) -> Box<Self> {
        with(|pool| {
            let states = &mut pool.inflaters;
            let found = states
                .iter()
                .rposition(|state| owner.is_some() && state.owner == owner);
            // Take one that nobody will look for before one that somebody may.
            let free = || states.iter().rposition(|state| state.owner.is_none());
            let index = found.or_else(free).or(Some(0))?;
            (index < states.len()).then(|| states.remove(index))
        })
        .flatten()
        .unwrap_or_else(|| Box::new(Self::new()))
    }

    /// Puts it back. `owner` says whose window it holds, if that is of any use.
    pub(super) fn put(mut self: Box<Self>, owner: Option<Owner>) {
        self.owner = owner;
        with(|pool| {
            if pool.inflaters.len() == INFLATERS {
                pool.inflaters.remove(0);
            }
            pool.inflaters.push(self);
        });
    }

    fn new() -> Self {
        Self {
            raw: Inflate::new(false, WindowBits::MAX.bits()),
            spare: Vec::new(),
            owner: None,
        }
    }
}

impl DeflateState {
    /// A compressor with these settings and an empty window.
    pub(super) fn take(settings: DeflateSettings) -> Box<Self> {
        let pooled = with(|pool| {
            let states = &mut pool.deflaters;
            let index = states
                .iter()
                .rposition(|state| state.settings == settings)?;
            Some(states.remove(index))
        });
        match pooled.flatten() {
            Some(mut state) => {
                state.raw.reset();
                state
            }
            None => Box::new(Self::new(settings)),
        }
    }

    pub(super) fn put(self: Box<Self>) {
        with(|pool| {
            if pool.deflaters.len() == DEFLATERS {
                pool.deflaters.remove(0);
            }
            pool.deflaters.push(self);
        });
    }

    fn new(settings: DeflateSettings) -> Self {
        let config = DeflateConfig {
            level: i32::from(settings.level.level()),
            // Negative: raw DEFLATE data, without a header around it.
            window_bits: -i32::from(settings.window_bits.bits()),
            mem_level: i32::from(settings.memory_level.level()),
            ..DeflateConfig::default()
        };
        Self {
            raw: Deflate::new_with_config(config),
            settings,
        }
    }
}

impl fmt::Debug for InflateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InflateState")
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DeflateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflateState")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// `None` while the thread is being torn down: then a state is made and dropped like any value.
fn with<T>(use_pool: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    POOL.try_with(|pool| {
        pool.try_borrow_mut()
            .ok()
            .map(|mut pool| use_pool(&mut pool))
    })
    .ok()
    .flatten()
}
