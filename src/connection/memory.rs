//! Memory that connections share while they take turns: the inbox, and a buffer to queue into.

#[cfg(feature = "std")]
use alloc::vec::Vec;

use super::{Connection, Inbox, Parked};

impl Connection {
    /// Takes everything of this connection out of `inbox`, which another connection can then use,
    /// and leaves the memory of empty queues there. An idle connection holds no heap memory then.
    pub fn park(&mut self, inbox: &mut Inbox) -> Parked {
        let parked = inbox.park();
        self.return_buffer(inbox);
        parked
    }

    /// Puts back into `inbox` what [`park`](Self::park) took out, and queues into the memory that
    /// the last connection left there.
    ///
    /// ```
    /// use bytes::Buf;
    /// use fullduplex::connection::Parked;
    /// use fullduplex::{Config, Connection, Event, Inbox};
    ///
    /// let mut inbox = Inbox::new(); // for all of them
    /// let mut clients = [(); 2].map(|()| {
    ///     (Connection::server(&Config::default()), Parked::default())
    /// });
    /// for (connection, parked) in &mut clients {
    ///     connection.resume(&mut inbox, std::mem::take(parked));
    ///     let frame = b"\x82\x82\0\0\0\0hi";
    ///     inbox.spare(frame.len())[..frame.len()].copy_from_slice(frame); // what was read
    ///     inbox.received(frame.len());
    ///     while let Some(Event::Binary(bytes)) = connection.poll_event(&mut inbox)? {
    ///         connection.send_binary(&bytes)?;
    ///     }
    ///     assert_eq!(connection.outgoing().chunk(), b"\x82\x02hi");
    ///     connection.outgoing().advance(4); // what was written
    ///     *parked = connection.park(&mut inbox);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume(&mut self, inbox: &mut Inbox, parked: Parked) {
        inbox.resume(parked);
        self.borrow_buffer(inbox);
    }

    /// Queues into memory that came with `inbox`, unless it has its own.
    #[inline]
    pub(crate) fn borrow_buffer(&mut self, inbox: &mut Inbox) {
        if self.sender.lacks_buffer() {
            self.sender.lend_buffer(inbox.take_buffer());
        }
    }

    /// Leaves the memory of empty queues in `inbox`.
    #[inline]
    pub(crate) fn return_buffer(&mut self, inbox: &mut Inbox) {
        self.receiver.release();
        if let Some(buffer) = self.sender.take_buffer() {
            inbox.keep_buffer(buffer);
        }
    }

    /// Whether it has no memory to queue into, and would have to take some.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn lacks_buffer(&self) -> bool {
        self.sender.lacks_buffer()
    }

    /// Queues into `buffer` from now on. The connection [lacks](Self::lacks_buffer) one.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    pub(crate) fn lend_buffer(&mut self, buffer: Vec<u8>) {
        self.sender.lend_buffer(buffer);
    }

    /// Takes the memory of the queue if nothing is queued.
    #[cfg(feature = "std")]
    pub(crate) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        self.receiver.release();
        self.sender.take_buffer()
    }
}
