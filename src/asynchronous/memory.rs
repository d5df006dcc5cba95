//! Memory that a connection has only while it works. What is idle holds none: it lies in a pool of
//! the thread, where the connection that works next finds it warm.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::mem;
use std::thread_local;

use crate::connection::{Connection, Inbox, LARGEST_BUFFER, Parked};

/// How many inboxes and buffers a thread keeps. One serves all connections that do not wait in the
/// middle of something.
const KEPT: usize = 8;

/// Inboxes up to this size are kept. A stream of larger messages would find no use in a smaller
/// one, and a single large message does not leave more than this behind.
const LARGEST_KEPT: usize = 4 * 1024 * 1024;

/// An inbox that holds less than this part of its size is emptied into memory of the right size,
/// so that a peer that stops in the middle of a frame pins no read block.
const SPARSE: usize = 8;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { inboxes: Vec::new(), buffers: Vec::new() }) };
}

#[expect(clippy::vec_box, reason = "the boxes wander to connections and back")]
struct Pool {
    inboxes: Vec<Box<Inbox>>,
    buffers: Vec<Vec<u8>>,
}

/// The receive memory of a connection, while it needs one.
#[derive(Debug, Default)]
pub(super) struct Memory {
    inbox: Option<Box<Inbox>>,
    parked: Parked,
}

impl Memory {
    /// The inbox, with whatever was left in it.
    #[inline]
    pub(super) fn inbox(&mut self) -> &mut Inbox {
        let parked = &mut self.parked;
        self.inbox.get_or_insert_with(|| resumed(parked))
    }

    /// Gives back what is not needed while the connection waits.
    pub(super) fn release(&mut self) {
        let Some(mut inbox) = self.inbox.take() else {
            return;
        };
        if !inbox.is_vacant() {
            if inbox.in_use() >= inbox.size() / SPARSE {
                self.inbox = Some(inbox);
                return;
            }
            self.parked = inbox.park();
        }
        inbox.hand_on();
        if inbox.size() <= LARGEST_KEPT {
            pool(|pool| {
                if pool.inboxes.len() < KEPT {
                    pool.inboxes.push(inbox);
                }
                None::<()>
            });
        }
    }

    /// Gives back what holds nothing: whoever got the last message may take its time with it.
    #[inline]
    pub(super) fn release_vacant(&mut self) {
        if self.inbox.as_ref().is_some_and(|inbox| inbox.is_vacant()) {
            self.release();
        }
    }

    pub(super) fn into_inbox(mut self) -> Inbox {
        self.inbox();
        self.inbox.map(|inbox| *inbox).unwrap_or_default()
    }
}

#[inline(never)]
fn resumed(parked: &mut Parked) -> Box<Inbox> {
    let mut inbox = pool(|pool| pool.inboxes.pop()).unwrap_or_default();
    inbox.resume(mem::take(parked));
    inbox
}

impl From<Inbox> for Memory {
    fn from(inbox: Inbox) -> Self {
        let mut memory = Self {
            inbox: Some(Box::new(inbox)),
            parked: Parked::default(),
        };
        memory.release();
        memory
    }
}

/// Gives `connection` a buffer to queue into, if it has none.
#[inline]
pub(super) fn lend_buffer(connection: &mut Connection) {
    if connection.lacks_buffer()
        && let Some(buffer) = pool(|pool| pool.buffers.pop())
    {
        connection.lend_buffer(buffer);
    }
}

/// Takes the buffer of a connection that has nothing queued.
pub(super) fn take_buffer(connection: &mut Connection) {
    if let Some(buffer) = connection.take_buffer()
        && buffer.capacity() <= LARGEST_BUFFER
    {
        pool(|pool| {
            if pool.buffers.len() < KEPT {
                pool.buffers.push(buffer);
            }
            None::<()>
        });
    }
}

/// A thread that ends has no pool any more; then memory is taken and freed as needed.
fn pool<T>(with: impl FnOnce(&mut Pool) -> Option<T>) -> Option<T> {
    POOL.try_with(|pool| with(&mut pool.borrow_mut())).ok()?
}
