//! What only the inside can do: delays at every lock, and another kind of locks.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::unwrap_used,
    reason = "tests have std, and a panic is how they fail"
)]

#[cfg(not(shuttle))]
mod flood;
#[cfg(shuttle)]
mod model;

#[cfg(not(shuttle))]
pub(super) use flood::delay;

#[cfg(all(feature = "rustls", not(shuttle)))]
use {
    super::{Reader, Sender, Writer, shared::Shared, sync::Arc, tls},
    crate::connection::{Connection, Inbox},
    std::io::{self, Read, Write},
    std::net::Shutdown,
};

/// What a socket with TLS on it is split into, over another stream.
#[cfg(all(feature = "rustls", not(shuttle)))]
pub(in crate::blocking) fn split_tls_over<S: Read + Write + Clone + Send + 'static>(
    session: rustls::Connection,
    stream: S,
    shutdown: impl Fn(Shutdown) -> io::Result<()> + Send + Sync + 'static,
    connection: Connection,
) -> (
    Reader<impl Read>,
    Sender,
    Writer<impl Write + Send + 'static>,
) {
    let shared = Arc::new(Shared::new(connection, shutdown));
    let (read, write) = tls::halves(session, stream.clone(), stream, &shared);
    let sender = Sender::new(Arc::clone(&shared));
    let writer = Writer::new(write, |tls| tls.farewell(), Arc::clone(&shared));
    (Reader::new(read, Inbox::new(), shared), sender, writer)
}

/// The model checker has its own way to stop threads.
#[cfg(shuttle)]
pub(super) fn delay() {}
