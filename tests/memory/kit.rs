//! Connections over a counting allocator.

use allocation_counter::AllocationInfo;
use bytes::Buf;
use fullduplex::{Config, Connection, Inbox, MaskKeys, ReceiveError, Role};

pub(crate) fn connection(role: Role, config: &Config) -> Connection {
    match role {
        // The generator belongs to the thread, all connections of which share it.
        Role::Client => Connection::client(config, MaskKeys::thread()),
        Role::Server => Connection::server(config),
    }
}

/// Reads `bytes` as the inbox asks for them; returns the events and the error, if one came.
pub(crate) fn feed(
    connection: &mut Connection,
    inbox: &mut Inbox,
    mut bytes: &[u8],
) -> (usize, Option<ReceiveError>) {
    let mut events = 0;
    while !bytes.is_empty() {
        let room = inbox.spare(0);
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        inbox.received(count);
        bytes = &bytes[count..];
        loop {
            match connection.poll_event(inbox) {
                Ok(Some(_)) => events += 1,
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

/// The transport takes everything that waits.
pub(crate) fn flush(connection: &mut Connection) {
    while connection.wants_write() {
        let outgoing = connection.outgoing();
        outgoing.advance(outgoing.remaining());
    }
}

pub(crate) fn assert_at_most(info: &AllocationInfo, peak: u64) {
    assert!(info.bytes_max <= peak, "{info:?} exceeds {peak}");
}

/// Takes what belongs to the thread and is shared by all its connections: the generator of keys, and
/// what `config` demands of an open connection.
pub(crate) fn warm_up(config: &Config) {
    MaskKeys::thread().next_key();
    drop(Connection::server(config));
}
