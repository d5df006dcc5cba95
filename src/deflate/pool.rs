//! States of the backend that no connection is using, in as many pools as there are processors.
//!
//! Each thread has its pool and may share it with others: with as many threads as processors
//! nobody waits, and with a thread for each connection what they hold together is still bounded and
//! was used a moment ago, so that it is in the cache. A state comes from the pool of the thread that
//! runs the connection at that moment and goes to the pool of the thread that runs it then; between
//! the two it is owned, so a connection may move. What a state has seen never reaches another
//! connection: a decompressor is reset, which empties its window, and refuses to reach beyond it; a
//! compressor is reset with its hash table. With context takeover a connection keeps the end of its
//! window itself and fills the next state with it, unless it gets the one back that it had last.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZero;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

use super::{Level, MemoryLevel, WindowBits};

/// States of either kind that a pool keeps: decompressors of 47 KiB each, with at most 16 KiB of
/// spare history, and compressors of 371 KiB each with the largest settings but one. A pool grows
/// only while states are in use at the same time, as by threads that are interrupted at work; where
/// more are in use than it keeps, they are made and dropped all the time, after which the system's
/// allocator may hold ten times what was ever used at once.
const MOST: usize = 64;

static POOLS: OnceLock<Box<[Shard]>> = OnceLock::new();

std::thread_local! {
    /// The pool of this thread: threads take turns.
    static INDEX: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// A pool on cache lines of its own, so that one processor's lock does not slow down another's.
#[repr(align(128))]
struct Shard(Mutex<Pool>);

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
    /// Set where the window is the owner's.
    pub(super) owner: Option<Owner>,
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

    /// The decompressor with this owner's window if there is one, else any.
    fn take_inflater(&mut self, owner: Option<Owner>) -> Option<Box<InflateState>> {
        let states = &mut self.inflaters;
        let found = states
            .iter()
            .rposition(|state| owner.is_some() && state.owner == owner);
        // Take one that nobody will look for before one that somebody may.
        let free = || states.iter().rposition(|state| state.owner.is_none());
        let index = found.or_else(free).or(Some(0))?;
        (index < states.len()).then(|| states.remove(index))
    }
}

impl Owner {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            messages: 1,
        }
    }

    pub(super) fn next(self) -> Self {
        Self {
            messages: self.messages + 1,
            ..self
        }
    }
}

impl InflateState {
    /// A decompressor with this owner's window if there is one, else any that can be had.
    pub(super) fn take(owner: Option<Owner>) -> Box<Self> {
        with(|pool| pool.take_inflater(owner)).unwrap_or_else(|| Box::new(Self::new()))
    }

    /// Puts it back. `owner` says whose window it holds, if that is of any use.
    pub(super) fn put(mut self: Box<Self>, owner: Option<Owner>) {
        self.owner = owner;
        with(|pool| push(&mut pool.inflaters, self));
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
    /// A compressor with these settings: with this owner's window if there is one, else the one
    /// that was used last, which is still in the cache, and which is to be reset.
    pub(super) fn take(settings: DeflateSettings, owner: Option<Owner>) -> Box<Self> {
        with(|pool| {
            let states = &mut pool.deflaters;
            let found = states
                .iter()
                .rposition(|state| owner.is_some() && state.owner == owner);
            let any = || states.iter().rposition(|state| state.settings == settings);
            let index = found.or_else(any)?;
            Some(states.remove(index))
        })
        .unwrap_or_else(|| Box::new(Self::new(settings)))
    }

    /// Forgets what was compressed.
    ///
    /// At level 9, zlib-rs follows its chains of matches through places that its own reset does not
    /// clear, which fuzzing found: a match then begins behind what it is to be a copy of.
    pub(super) fn reset(&mut self) {
        if self.settings.level == Level::SMALLEST {
            *self = Self::new(self.settings);
        } else {
            self.raw.reset();
        }
    }

    /// Puts it back. `owner` says whose window it holds, if that is of any use.
    pub(super) fn put(mut self: Box<Self>, owner: Option<Owner>) {
        self.owner = owner;
        with(|pool| push(&mut pool.deflaters, self));
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
            owner: None,
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

/// Drops what all pools keep, for tests that count.
pub(super) fn clear() {
    for Shard(pool) in POOLS.get().into_iter().flatten() {
        *pool.lock().unwrap_or_else(PoisonError::into_inner) = Pool::new();
    }
}

/// Adds a state, and returns the one that goes for it, to be dropped when the pool is free again.
#[allow(clippy::vec_box, reason = "as above")]
fn push<T>(states: &mut Vec<Box<T>>, state: Box<T>) -> Option<Box<T>> {
    let oldest = (states.len() == MOST).then(|| states.remove(0));
    states.push(state);
    oldest
}

/// What `use_pool` returns of this thread's pool.
fn with<T>(use_pool: impl FnOnce(&mut Pool) -> T) -> T {
    let pools = POOLS.get_or_init(|| {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        (0..count).map(|_| Shard(Mutex::new(Pool::new()))).collect()
    });
    // While a thread is being torn down, any pool will do.
    let index = INDEX.try_with(|index| *index).unwrap_or(0);
    let shard = pools.get(index % pools.len());
    match shard {
        // Nothing panics while a pool is locked; if something did, the pool would still be one.
        Some(Shard(pool)) => use_pool(&mut pool.lock().unwrap_or_else(PoisonError::into_inner)),
        None => use_pool(&mut Pool::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who had a window gets it back, whoever used the pool since. Who had none takes a state that
    /// nobody will look for.
    #[test]
    fn a_window_waits_for_its_owner() {
        let [first, second] = [(); 2].map(|()| Some(Owner::new()));
        for wanted in [first, second] {
            let mut pool = Pool::new();
            for owner in [first, None, second] {
                let mut state = Box::new(InflateState::new());
                state.owner = owner;
                assert!(push(&mut pool.inflaters, state).is_none());
            }
            let mut take = |owner| pool.take_inflater(owner).map(|state| state.owner);
            assert_eq!(take(wanted), Some(wanted));
            assert_eq!(take(None), Some(None));
        }
    }
}
