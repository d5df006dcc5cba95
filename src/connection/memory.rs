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

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    #[cfg(any(feature = "tokio", feature = "futures"))]
    use bytes::Buf;

    use super::*;
    use crate::Config;

    fn reading(bytes: &[u8]) -> (Connection, Inbox) {
        let mut connection = Connection::server(&Config::default());
        let mut inbox = Inbox::from(bytes);
        while let Ok(Some(_)) = connection.poll_event(&mut inbox) {}
        (connection, inbox)
    }

    /// A message is gathered outside the block if it is text, so both count.
    #[test]
    fn the_size_of_an_inbox_is_all_its_memory() {
        assert_eq!(Inbox::new().size(), 0);
        let binary = [&[0x02, 0x82, 0, 0, 0, 0][..], b"ab", &[0x80, 0x80]].concat();
        let (_, inbox) = reading(&binary);
        assert_eq!(inbox.size(), 4096);
        let text = [&[0x01, 0x82, 0, 0, 0, 0][..], b"ab", &[0x80, 0x80]].concat();
        let (_, mut inbox) = reading(&text);
        assert_eq!(inbox.size(), 4096 + inbox.text.capacity());
        assert!(inbox.text.capacity() >= 2);
        inbox.bytes.reserve_exact(100);
        assert_eq!(inbox.size(), 4096 + inbox.text.capacity() + 100);
    }

    #[test]
    fn an_inbox_has_grown_beyond_64_kib() {
        for (room, grown) in [(64 * 1024, false), (64 * 1024 + 1, true)] {
            let mut inbox = Inbox::new();
            inbox.spare(room);
            assert_eq!(inbox.has_grown(), grown, "{room}");
        }
    }

    #[cfg(any(feature = "tokio", feature = "futures"))]
    #[test]
    fn what_is_held_for_a_connection_is_in_use() {
        assert_eq!(Inbox::new().in_use(), 0);
        // Half of a header behind two bytes of a message.
        for first in [0x01, 0x02] {
            let frame = [&[first, 0x82, 0, 0, 0, 0][..], b"ab", &[0x80]].concat();
            let (_, mut inbox) = reading(&frame);
            assert_eq!(inbox.in_use(), 3, "{first}");
            inbox.start_gathering();
            inbox.bytes.extend(b"abcd");
            let held = inbox.in_use();
            inbox.text.push_str("efghi");
            assert_eq!(inbox.in_use(), held + 5, "{first}");
            inbox.end_gathering();
            assert_eq!(inbox.in_use(), held - 4, "{first}");
        }
        let (_, inbox) = reading(&[0x81, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(inbox.in_use(), 0, "nobody needs it any more");
    }

    /// A queue has no memory, then what it was lent, and gives that back when it is empty.
    #[cfg(any(feature = "tokio", feature = "futures"))]
    #[test]
    fn a_buffer_is_lent_and_taken_back() {
        let mut connection = Connection::server(&Config::default());
        assert!(connection.lacks_buffer());
        assert_eq!(connection.take_buffer(), None);
        let mut buffer = b"old".to_vec();
        buffer.reserve_exact(1000);
        let capacity = buffer.capacity();
        connection.lend_buffer(buffer);
        assert!(!connection.lacks_buffer());
        assert!(connection.send_text("hi").is_ok());
        assert_eq!(connection.take_buffer(), None, "something waits in it");
        assert_eq!(connection.outgoing().chunk(), b"\x81\x02hi");
        connection.outgoing().advance(4);
        let taken = connection.take_buffer().map(|buffer| buffer.capacity());
        assert_eq!(taken, Some(capacity));
        assert!(connection.lacks_buffer());
    }
}
