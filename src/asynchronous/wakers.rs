//! Who waits for a connection: at most one task that receives and one that sends.

use alloc::sync::Arc;
use alloc::task::Wake;
use core::mem;
use core::task::Waker;
use std::sync::PoisonError;

use super::sync::{Mutex, MutexGuard};

/// What a task does with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Receiving = 0,
    Sending = 1,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Receiving => Self::Sending,
            Self::Sending => Self::Receiving,
        }
    }
}

/// The tasks to be woken. As a waker of its own it wakes both: whoever comes first makes progress
/// for both, and a task that nobody wakes would wait for ever.
#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<[Option<Waker>; 2]>);

impl Wakers {
    /// Remembers the task of `side` until it is woken.
    pub(super) fn register(&self, side: Side, waker: &Waker) {
        let mut waiting = self.lock();
        let [receiving, sending] = &mut *waiting;
        let slot = match side {
            Side::Receiving => receiving,
            Side::Sending => sending,
        };
        match slot {
            Some(known) if known.will_wake(waker) => {}
            _ => *slot = Some(waker.clone()),
        }
    }

    pub(super) fn wake(&self, side: Side) {
        let mut waiting = self.lock();
        let [receiving, sending] = &mut *waiting;
        let woken = match side {
            Side::Receiving => receiving.take(),
            Side::Sending => sending.take(),
        };
        drop(waiting); // a waker may run anything
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    /// What panics while it holds this lock is not ours, and leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, [Option<Waker>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = mem::take(&mut *self.lock());
        for waker in woken.into_iter().flatten() {
            waker.wake();
        }
    }
}
