//! Memory that a connection has only while it works. What is idle holds none: it lies in a pool of
//! the thread, where the connection that works next finds it warm.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::mem;
use std::thread_local;

use bytes::Bytes;

use crate::connection::{Connection, Inbox, LARGEST_BUFFER, Parked};

/// How many inboxes and buffers a thread keeps beside the latest. That one serves all connections
/// that do not wait in the middle of something.
const KEPT: usize = 8;

/// Inboxes that have grown are kept while they take no more than this together: four of 1 MiB, and
/// what stands beside the messages. A stream of large messages would find no use in smaller ones, and
/// a burst on many connections does not leave more than this behind.
const LARGE_KEPT: usize = 4 * (1024 + 16) * 1024;

/// An inbox that holds less than this part of its size is emptied into memory of the right size,
/// so that a peer that stops in the middle of a frame pins no read block.
const SPARSE: usize = 8;

/// What is in use below this is copied out and in again, which is cheap: the connections of a thread
/// that get messages of some KiB in pieces all work in the same warm memory.
const COPIED: usize = 32 * 1024;

thread_local! {
    /// The largest inbox that was given back: mostly the only one, so that it is looked for first and
    /// in the shortest way.
    static LATEST: Cell<Option<Box<Inbox>>> = const { Cell::new(None) };
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { inboxes: Vec::new(), buffers: Vec::new() }) };
}

#[expect(clippy::vec_box, reason = "the boxes wander to connections and back")]
struct Pool {
    inboxes: Vec<Box<Inbox>>,
    buffers: Vec<Vec<u8>>,
}

impl Pool {
    fn take_largest(&mut self) -> Option<Box<Inbox>> {
        let inboxes = self.inboxes.iter().enumerate();
        let (largest, _) = inboxes.max_by_key(|(_, inbox)| inbox.size())?;
        Some(self.inboxes.swap_remove(largest))
    }

    /// Keeps `inbox` if it has memory and there is room for it beside the others.
    fn add(&mut self, inbox: Box<Inbox>) {
        let large = |inbox: &Inbox| Some(inbox.size()).filter(|size| *size > LARGEST_BUFFER);
        let has_room = large(&inbox).is_none_or(|size| {
            let others = self.inboxes.iter().filter_map(|inbox| large(inbox));
            size + others.sum::<usize>() <= LARGE_KEPT
        });
        if has_room && inbox.size() > 0 && self.inboxes.len() <= KEPT {
            self.inboxes.push(inbox);
        }
    }
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

    /// The inbox, and its memory to queue into for `connection`.
    #[inline(always)]
    pub(super) fn inbox_for(&mut self, connection: &mut Connection) -> &mut Inbox {
        let parked = &mut self.parked;
        // What a large message has taken the memory of gets some of another one.
        self.inbox.take_if(|inbox| inbox.is_bare());
        self.inbox.get_or_insert_with(|| {
            let mut inbox = resumed(parked);
            connection.borrow_buffer(&mut inbox);
            inbox
        })
    }

    /// The inbox, if the connection has one.
    #[inline]
    pub(super) fn held(&mut self) -> Option<&mut Inbox> {
        self.inbox.as_deref_mut()
    }

    /// Gives back what `connection` does not need while it waits.
    pub(super) fn release_for(&mut self, connection: &mut Connection) {
        match &mut self.inbox {
            Some(inbox) if inbox.is_vacant() => connection.return_buffer(inbox),
            _ => take_buffer(connection),
        }
        self.release();
    }

    /// Gives back what is not needed while the connection waits.
    #[inline]
    pub(super) fn release(&mut self) {
        match self.inbox.take() {
            Some(inbox) if inbox.is_vacant() => keep(inbox),
            Some(inbox) => self.park(inbox),
            None => {}
        }
    }

    /// Keeps what is in use, in memory of the right size.
    #[inline(never)]
    fn park(&mut self, mut inbox: Box<Inbox>) {
        if inbox.in_use() >= (inbox.size() / SPARSE).max(COPIED) {
            self.inbox = Some(inbox);
        } else {
            self.parked = inbox.park();
            keep(inbox);
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

/// Keeps the memory of a large payload that was written: the next one is read into it, and needs
/// neither be cleared nor moved while it grows.
#[inline(never)]
pub(super) fn keep_payload(payload: Bytes) {
    if payload.len() <= LARGE_KEPT
        && let Some(inbox) = Inbox::over(payload)
    {
        keep(Box::new(inbox));
    }
}

#[inline]
fn resumed(parked: &mut Parked) -> Box<Inbox> {
    let latest = LATEST.try_with(Cell::take).ok().flatten();
    let mut inbox = latest.unwrap_or_else(another);
    inbox.resume(mem::take(parked));
    inbox
}

#[cold]
fn another() -> Box<Inbox> {
    pool(Pool::take_largest).unwrap_or_default()
}

/// Gives an inbox back to the thread.
#[inline(always)]
fn keep(inbox: Box<Inbox>) {
    let another = if (1..=LARGEST_BUFFER).contains(&inbox.size()) {
        LATEST.try_with(|latest| latest.replace(Some(inbox)))
    } else {
        Ok(Some(inbox))
    };
    if let Ok(Some(another)) = another {
        keep_another(another);
    }
}

/// Keeps an inbox beside the others, as far as there is room, and the largest of all where it is
/// looked for first: a large message would have to grow the others.
#[inline(never)]
fn keep_another(inbox: Box<Inbox>) {
    let latest = LATEST.try_with(Cell::take).ok().flatten();
    let largest = pool(|pool| {
        latest
            .into_iter()
            .chain([inbox])
            .for_each(|inbox| pool.add(inbox));
        pool.take_largest()
    });
    let _ = LATEST.try_with(|place| place.set(largest));
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
