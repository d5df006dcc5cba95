//! The end of many connections at once: who is told, who is left.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::wakers::Wakers;
use crate::connection::{Role, SendError};
use crate::frame::{CloseCode, CloseFrame, MAX_REASON};

/// Closes many connections in good order: a server's when it ends or restarts.
///
/// Connections take part once they are [attached](super::WebSocket::close_on). When closing
/// [begins](Self::close_all), each one sends its Close frame behind what it has queued, as its next
/// call does that has to wait. It goes on receiving until the peer's Close frame, but what is sent
/// from then on is refused with [`SendError::Closed`]. [`finished`](Self::finished) waits for all of
/// them, and tells how many were left when it had waited long enough.
///
/// Clones are the same shutdown, and one serves connections of any adapter. It costs a connection
/// 24 bytes, and nothing for a message.
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use fullduplex::{Config, Connection, Inbox, MaskKeys};
/// # use fullduplex::tokio::WebSocket;
/// # let (here, there) = tokio::io::duplex(1024);
/// # let client = Connection::client(&Config::default(), MaskKeys::thread());
/// # let mut client = WebSocket::new(here, client, Inbox::new());
/// # let server = Connection::server(&Config::default());
/// # let mut socket = WebSocket::new(there, server, Inbox::new());
/// use fullduplex::CloseCode;
/// use fullduplex::tokio::Shutdown;
/// use std::time::Duration;
///
/// let shutdown = Shutdown::new();
/// socket.close_on(&shutdown);
/// let task = tokio::spawn(async move {
///     while let Some(message) = socket.recv().await? {
///         println!("{message:?}");
///     }
///     Ok::<(), fullduplex::Error>(())
/// });
/// # let peer = tokio::spawn(async move {
/// #     while client.recv().await?.is_some() {}
/// #     Ok::<_, fullduplex::Error>(client.outcome())
/// # });
///
/// shutdown.close_all(CloseCode::GOING_AWAY, "the server ends")?;
/// let left = shutdown.finished(tokio::time::sleep(Duration::from_secs(5))).await;
/// assert_eq!(left, 0);
/// # task.await??;
/// # assert!(peer.await??.is_some_and(|outcome| outcome.code() == CloseCode::GOING_AWAY));
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// What the Close frames say, once closing has begun.
    farewell: OnceLock<CloseFrame>,
    registry: Mutex<Registry>,
}

#[derive(Default)]
struct Registry {
    /// The tasks of each connection, at a place that stays its own.
    places: Vec<Option<Arc<Wakers>>>,
    vacant: Vec<usize>,
    /// Who waits for the last connection to end.
    waiting: Vec<Waker>,
}

impl Registry {
    fn len(&self) -> usize {
        self.places.len() - self.vacant.len()
    }
}

impl Shutdown {
    /// A shutdown without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a Close frame on every connection that is attached, and on each one that is attached
    /// from now on. Only the first call counts.
    ///
    /// [`CloseCode::GOING_AWAY`] says that the server ends, [`CloseCode::SERVICE_RESTART`] that it
    /// comes back (RFC 6455, section 7.4.1, and the registry of codes).
    ///
    /// # Errors
    ///
    /// [`SendError::InvalidCloseCode`] and [`SendError::ReasonTooLong`] for what cannot be sent;
    /// nothing is closed.
    pub fn close_all(&self, code: CloseCode, reason: &str) -> Result<(), SendError> {
        // What a server may send, a client may send too.
        if !code.is_sendable(Role::Server) {
            return Err(SendError::InvalidCloseCode(code));
        }
        if reason.len() > MAX_REASON {
            return Err(SendError::ReasonTooLong(reason.len()));
        }
        let reason = String::from(reason);
        if self.0.farewell.set(CloseFrame { code, reason }).is_ok() {
            // A waker may run anything, such as what ends a connection: not under the lock.
            let told: Vec<_> = self.0.lock().places.iter().flatten().cloned().collect();
            for wakers in told {
                wakers.wake();
            }
        }
        Ok(())
    }

    /// Whether closing has begun: time to accept no more connections.
    pub fn has_begun(&self) -> bool {
        self.0.farewell.get().is_some()
    }

    /// How many connections are attached that have neither ended nor been dropped.
    pub fn left(&self) -> usize {
        self.0.lock().len()
    }

    /// Waits until no connection is left, or until `deadline` completes: a timer of the runtime, or
    /// whatever else ends the patience. Returns how many connections are left, which is 0 unless
    /// the deadline came first; dropping them cuts them off.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing changes.
    pub async fn finished(&self, deadline: impl Future) -> usize {
        let mut deadline = pin!(deadline);
        poll_fn(|cx| {
            if self.0.poll_empty(cx).is_ready() {
                return Poll::Ready(0);
            }
            deadline.as_mut().poll(cx).map(|_| self.left())
        })
        .await
    }
}

impl Shared {
    fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut registry = self.lock();
        if registry.len() == 0 {
            return Poll::Ready(());
        }
        let waker = cx.waker();
        if !registry.waiting.iter().any(|known| known.will_wake(waker)) {
            registry.waiting.push(waker.clone());
        }
        Poll::Pending
    }

    /// A waker that panics leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("farewell", &self.0.farewell.get())
            .field("left", &self.left())
            .finish_non_exhaustive()
    }
}

/// That a connection takes part in a shutdown, until this is dropped.
pub(super) struct Attachment {
    shutdown: Arc<Shared>,
    place: usize,
}

impl Attachment {
    /// Has `wakers` told when closing begins. If it has begun before, they are not told.
    pub(super) fn new(shutdown: &Shutdown, wakers: Arc<Wakers>) -> Self {
        let shutdown = Arc::clone(&shutdown.0);
        let mut registry = shutdown.lock();
        let vacant = registry.vacant.pop();
        let place = vacant.unwrap_or(registry.places.len());
        match registry.places.get_mut(place) {
            Some(slot) => *slot = Some(wakers),
            None => registry.places.push(Some(wakers)),
        }
        drop(registry);
        Self { shutdown, place }
    }

    /// What to close with, once closing has begun.
    #[inline]
    pub(super) fn farewell(&self) -> Option<&CloseFrame> {
        self.shutdown.farewell.get()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut registry = self.shutdown.lock();
        let wakers = registry.places.get_mut(self.place).and_then(Option::take);
        registry.vacant.push(self.place);
        let mut finished = Vec::new();
        if registry.len() == 0 {
            // The memory of the busiest hour goes with the last one.
            (registry.places, registry.vacant) = (Vec::new(), Vec::new());
            finished = mem::take(&mut registry.waiting);
        }
        drop(registry); // wakers may run anything, and be dropped with anything
        drop(wakers);
        for waker in finished {
            waker.wake();
        }
    }
}
