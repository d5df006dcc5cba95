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

/// Who waits.
///
/// One task alone is woken by the stream and the timer themselves. As soon as a second one is seen,
/// all that goes by [`Wakers`].
#[derive(Debug)]
pub(super) enum Waiting {
    Alone(Option<(Side, Waker)>),
    Together(Arc<Wakers>),
}

impl Waiting {
    pub(super) const fn new() -> Self {
        Self::Alone(None)
    }

    /// Before the task of `side` polls the stream: remembers it until it is woken, if there is
    /// another one. Tells whether that was found out just now, so that the timer wakes only one.
    #[inline(always)]
    pub(super) fn arrive(&mut self, side: Side, waker: &Waker) -> bool {
        let another = match self {
            Self::Together(wakers) => {
                wakers.register(side, waker);
                return false;
            }
            // Not one pattern: that would be a jump through a table, for which a processor that
            // comes from the kernel has no prediction.
            Self::Alone(last) => (last.as_ref())
                .is_some_and(|(known, other)| *known != side && !other.will_wake(waker)),
        };
        if another {
            self.share().register(side, waker);
        }
        another
    }

    /// Before a task that is alone waits: remembers it. Tells whether the timer wakes another one.
    #[inline(always)]
    pub(super) fn wait(&mut self, side: Side, waker: &Waker) -> bool {
        match self {
            Self::Together(_) => false,
            Self::Alone(Some((known_side, known))) if known.will_wake(waker) => {
                *known_side = side;
                false
            }
            Self::Alone(slot) => {
                *slot = Some((side, waker.clone()));
                true
            }
        }
    }

    /// Wakes the task of `side`, if that is another one than the one that is being polled.
    pub(super) fn wake_other(&self, side: Side) {
        if let Self::Together(wakers) = self {
            wakers.wake_side(side);
        }
    }

    /// Wakes the task that receives. One that is alone is woken whatever it did last, since it may
    /// do both.
    pub(super) fn wake_receiver(&mut self) {
        match self {
            Self::Alone(slot) => {
                if let Some((_, waker)) = slot.take() {
                    waker.wake();
                }
            }
            Self::Together(wakers) => wakers.wake_side(Side::Receiving),
        }
    }

    /// What two tasks are woken by. A timer that was set before has to be set again.
    pub(super) fn share(&mut self) -> Arc<Wakers> {
        let wakers = match self {
            Self::Together(wakers) => return Arc::clone(wakers),
            Self::Alone(slot) => {
                let wakers = Wakers::default();
                if let Some((side, waker)) = slot.take() {
                    wakers.register(side, &waker);
                }
                Arc::new(wakers)
            }
        };
        *self = Self::Together(Arc::clone(&wakers));
        wakers
    }

    /// What two tasks are woken by, if there is more than one.
    pub(super) const fn shared(&self) -> Option<&Arc<Wakers>> {
        match self {
            Self::Together(wakers) => Some(wakers),
            Self::Alone(_) => None,
        }
    }
}

/// The tasks to be woken. As a waker of its own it wakes both: whoever comes first makes progress
/// for both, and a task that nobody wakes would wait for ever.
#[derive(Debug, Default)]
pub(super) struct Wakers(Mutex<[Option<Waker>; 2]>);

impl Wakers {
    /// Remembers the task of `side` until it is woken.
    fn register(&self, side: Side, waker: &Waker) {
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

    fn wake_side(&self, side: Side) {
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
